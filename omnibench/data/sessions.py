"""Sessions: what a user does in one go, without a word from the user for so long, becomes a user of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omnibench.arguments import checked_arguments
from omnibench.data.durations import Duration, duration, length_in_unit_of
from omnibench.data.interactions import Interactions
from omnibench.data.order import first_rows
from omnibench.data.step import Preprocessing
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


@checked_arguments
@dataclass(frozen=True)
class Sessions(Preprocessing):
    """Cut every user's interactions into sessions, wherever nothing happens for longer than a gap; sessions are users from then on.

    The first session of the user ``ann`` is the user ``ann-1``, the next one ``ann-2``. Steps after this one, splits and
    algorithms see these, so that ``CorePruning(user_core=2)`` drops sessions of a single interaction, and a repeated pair is
    one of a session and an item. Features of users do not fit sessions; those of items stay what they are.

    Guarantees: every interaction stays, and its item, rating and time with it; within a session no interaction comes later
    than a gap after the one before it, and between two sessions of a user there is more than a gap.

    Source: Quadrana, Karatzoglou, Hidasi and Cremonesi, "Personalizing Session-based Recommendations with Hierarchical
    Recurrent Neural Networks", RecSys 2017, which has 30 minutes.

    Args:
        gap: The longest pause within a session: a duration such as ``"30min"``, ``"1d"`` or a timedelta, or an int in the
            unit of the timestamps.

    Raises:
        DataError: It is none of these, or no time at all.
    """

    gap: int | Duration = "30min"

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",)

    def check(self) -> None:
        gap = duration(self.gap, "Sessions: gap")
        if gap in (0, "0d"):
            raise DataError(f"Sessions: gap is {self.gap!r}, which is no time at all; give e.g. '30min'.")
        object.__setattr__(self, "gap", gap)

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        user, timestamp = interactions.user, interactions.timestamp
        assert timestamp is not None, "a recipe has looked for the columns that a step needs"
        if len(user) == 0:
            return interactions
        is_next_user = np.diff(user, prepend=-1) > 0
        pause = np.diff(timestamp, prepend=timestamp[:1])
        starts = np.flatnonzero(is_next_user | (pause > length_in_unit_of(timestamp, self.gap)))  # type: ignore[arg-type]  # see check
        user_of_session = user[starts]
        first_session = first_rows(user_of_session, len(interactions.user_ids))
        number = np.arange(len(starts)) - first_session[user_of_session] + 1
        own_ids = interactions.user_ids
        session_ids = [
            f"{own_ids[code]}-{which}" for code, which in zip(user_of_session.tolist(), number.tolist(), strict=True)
        ]
        session = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff(starts, append=len(user)))
        return replace(interactions, user=session, user_ids=session_ids)
