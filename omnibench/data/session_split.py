"""SessionSplit: the latest sessions are tested, and all but the last events of each are given to recommend from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from omnibench.arguments import checked_arguments
from omnibench.data.durations import Duration, duration, length_in_unit_of
from omnibench.data.interactions import Interactions
from omnibench.data.membership import NO_PART, TEST, TRAIN, VALIDATION
from omnibench.data.moments import Date, describe_range, in_unit_of, moment
from omnibench.data.order import Rows, first_rows, occurring
from omnibench.data.parts import Mask, Parts, Split
from omnibench.data.positions import with_each_position
from omnibench.data.shares import check_sizes, from_the_end, refuse_short_data, share
from omnibench.data.step import is_int, is_number
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


EACH = "each"
_POSITIONS = ("last", EACH)


@checked_arguments
@dataclass(frozen=True)
class SessionSplit(Split):
    """Test the latest sessions: models train on the earlier ones, get all but the last ``n`` events of each, and look for these.

    Users of the data are the sessions; ``Sessions("30min")`` before it makes sessions of users. A session belongs to the
    time of its last event, and is in one part with all its events, so that nobody who is tested is known in training. Only
    algorithms that recommend from a history can be judged like this; a plan with others is refused before anything runs. It
    judges rankings, so it needs implicit data. Where sessions have an item several times, pipe ``KeepRepeats()`` before it and
    give the evaluator ``candidates=AllItems(repeats=True)``.

    Guarantees: no session is in two of training, validation and test; every training session ends before every validation
    session ends, and both before every test session does; exactly the last ``n`` events of a session are held out, at
    least one is given, and nothing that is given is later than what is held out. Sessions of validation and test that are
    shorter than that are left out; so are, before they are counted, their events with items that no training session has,
    unless ``unknown_items`` keeps these. No part that was asked for is empty.

    With ``positions="each"`` every event of a session after its first is looked for in turn, by a list after all events before
    it: in the place of a session of validation or test there are sessions for its positions, ``s7@1`` to ``s7@4`` of a session
    ``s7`` with five events, and exactly the last event of each is held out. Ids of sessions that are no texts become some. That
    is a row for each event of each of these beginnings, so the number of rows grows with the square of a session's length.

    Source: Hidasi, Karatzoglou, Baltrunas and Tikk, "Session-based Recommendations with Recurrent Neural Networks", ICLR
    2016: with ``SessionSplit("1d", validation_size="1d")``, and its sources of the same year, the sessions that end within a
    day of the last event of all are tested, and those within a day of the last event of the others validated. They
    look for each event after the first in turn, as ``positions="each"`` does, and so do Ludewig and Jannach, "Evaluation of
    session-based recommendation algorithms", UMUAI 28, 2018; by default every session has one list, after its last given event.

    Args:
        test_size: Which sessions are tested: a duration such as ``"1d"``, ``"12h"`` or a timedelta for those that end at most
            so long before the last event of all; a date (ISO 8601 text, date, datetime; UTC unless it says otherwise) for those
            that end then or later; a float below 1 for the latest share of all sessions, an int for so many. Sessions
            that end at one moment stay together, so a share or number is taken at least.
        validation_size: The same, of the sessions that are not tested; 0 for none.
        n: How many events at the end of a session are looked for.
        positions: Where in a session a list is asked for: at the ``last`` position that is given, or after ``each`` event but the
            last one, which looks for a single event at a time.
        unknown_items: Whether events with items unknown in training stay in validation and test, where nobody finds them; they
            are left out by default, as published.

    Raises:
        DataError: An argument is none of these, or leaves nothing to train on.
    """

    test_size: int | float | Duration | Date = "1d"
    validation_size: int | float | Duration | Date = 0.0
    n: int = 1
    unknown_items: bool = False
    positions: str = "last"

    later: ClassVar[tuple[str, ...]] = ("positions",)

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",)

    @property
    def folds_in(self) -> bool:
        return True

    @property
    def has_prefixes(self) -> bool:
        return self.positions == EACH

    @property
    def needs_order(self) -> bool:
        return True

    def check(self) -> None:
        for name in ("test_size", "validation_size"):
            size: Any = getattr(self, name)
            if not is_number(size):
                object.__setattr__(self, name, _period(size, name))
        numbers = [0 if isinstance(size, str) else size for size in (self.validation_size, self.test_size)]
        check_sizes(self, numbers[0], 1 if isinstance(self.test_size, str) else numbers[1])
        if not is_int(self.n) or self.n < 1:
            raise DataError(
                f"SessionSplit: n is {self.n!r}; give an int of at least 1, the events that are looked for."
            )
        if not isinstance(self.unknown_items, bool):
            raise DataError(f"SessionSplit: unknown_items is {self.unknown_items!r}; give True or False.")
        if self.positions not in _POSITIONS:
            raise DataError(
                f"SessionSplit: positions is {self.positions!r}; give {' or '.join(map(repr, _POSITIONS))}."
            )
        if self.positions == EACH and self.n != 1:
            raise DataError(
                f"SessionSplit: n is {self.n}, but with positions='each' a single event is looked for at a time. Leave out n."
            )

    def tested_rows(self, interactions: Interactions) -> Interactions:
        """Return the rows with a session for each position that is asked for."""
        if self.positions != EACH:
            return interactions
        n_sessions = len(interactions.user_ids)
        (parts,) = self._of_sessions(interactions)
        part_of_session = np.full(n_sessions, NO_PART, dtype=np.int8)
        for part, rows in enumerate(parts):
            part_of_session[interactions.user[rows]] = part
        return with_each_position(interactions, self._counts(interactions, parts.train), part_of_session)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        of_row = interactions.parts
        if interactions.session_ids is not None and of_row is not None:
            return [Parts(*(np.flatnonzero(of_row[:, 0] == part) for part in (TRAIN, VALIDATION, TEST)))]
        return self._of_sessions(interactions)

    def _of_sessions(self, interactions: Interactions) -> list[Parts]:
        """Return the parts of sessions, of which the last events are held out."""
        timestamp = interactions.timestamp
        assert timestamp is not None, "a recipe has looked for the columns that a step needs"
        n_sessions = len(interactions.user_ids)
        starts = first_rows(interactions.user, n_sessions)
        end = timestamp[starts[1:] - 1]
        sizes: tuple[Any, Any] = (self.test_size, self.validation_size)
        numbers = [0 if isinstance(size, str) else int(share(size, np.array([n_sessions]))[0]) for size in sizes]
        refuse_short_data(self, n_sessions, sum(numbers) + 1, "sessions")
        is_test = end >= _begin(self.test_size, numbers[0], end)
        is_validation = np.zeros(n_sessions, dtype=bool)
        if self.validation_size != 0 and not is_test.all():
            is_validation = ~is_test & (end >= _begin(self.validation_size, numbers[1], end[~is_test]))
        is_train = ~is_test & ~is_validation
        if not is_train.any():
            raise self._impossible(timestamp, "no session to train on", "Give a shorter period, or a smaller share")
        train = np.flatnonzero(is_train[interactions.user])
        held_out = self._held_out(interactions, train, is_train)
        parts = Parts(train, *(held_out[of[interactions.user[held_out]]] for of in (is_validation, is_test)))
        for name, size in (("test", self.test_size), ("validation", self.validation_size)):
            if size != 0 and len(getattr(parts, name)) == 0:
                qualification = "" if self.unknown_items else " with items known in training"
                raise self._impossible(
                    timestamp,
                    f"no session of at least {self.n + 1} events{qualification} for {name}",
                    f"Give a longer {name}_size, or a share of the sessions, such as 0.1, which follows the data",
                )
        return [parts]

    def history_rows(self, interactions: Interactions, parts: Parts) -> Rows:
        """Return the rows before those that are held out of their session, without items that are left out."""
        if self.positions == EACH:
            return super().history_rows(interactions, parts)
        n_sessions = len(interactions.user_ids)
        held_out = np.concatenate([parts.validation, parts.test])
        is_given = occurring(interactions.user[held_out], n_sessions)[interactions.user]
        is_given &= self._counts(interactions, parts.train)
        is_given[held_out] = False
        return np.flatnonzero(is_given)

    def _counts(self, interactions: Interactions, train: Rows) -> Mask:
        """Return which rows count in a session that is not in training, shape (n,)."""
        if self.unknown_items:
            return np.ones(len(interactions), dtype=bool)
        return occurring(interactions.item[train], len(interactions.item_ids))[interactions.item]

    def _held_out(self, interactions: Interactions, train: Rows, is_train: Mask) -> Rows:
        """Return the last rows of each session that is not in training and has one more than these."""
        rows = np.flatnonzero(self._counts(interactions, train) & ~is_train[interactions.user])
        session = interactions.user[rows]
        starts = first_rows(session, len(is_train))
        is_long = np.diff(starts) > self.n
        return rows[is_long[session] & (from_the_end(starts) < self.n)]

    def _impossible(self, timestamp: npt.NDArray[np.int64], missing: str, advice: str) -> DataError:
        return DataError(f"{self}: there is {missing}; the timestamps go {describe_range(timestamp)}. {advice}.")


def _period(size: Any, name: str) -> float | str:
    """Return a duration or date in the form that keys contain; 0 for no time at all.

    Raises:
        DataError: It is neither.
    """
    for read in (duration, moment):
        try:
            form: Any = read(size, name)
        except DataError:
            continue
        return 0.0 if form == "0d" else str(form)
    raise DataError(
        f"SessionSplit: {name} is {size!r}; give a duration such as '1d' or '12h', a date such as '2020-01-31', a float below 1 "
        "(a share of the sessions) or an int (a number of them)."
    )


def _begin(size: Any, number: int, end: npt.NDArray[np.int64]) -> float:
    """Return the moment from which on sessions that end then are held out.

    Args:
        size: The size as the split has it.
        number: How many sessions a size that is no text means, at most as many as there are.
        end: When the sessions end that it is taken of, shape (s,), not empty.
    """
    if not isinstance(size, str):
        return int(np.partition(end, len(end) - min(number, len(end)))[-min(number, len(end))])
    if "T" in size:
        return in_unit_of(end, size)
    return int(end.max()) - length_in_unit_of(end, size)
