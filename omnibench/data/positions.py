"""Sessions that are looked at from each of their positions: of every session its beginnings, each a session of its own."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from omnibench.data.interactions import Interactions
from omnibench.data.membership import NO_PART, TRAIN, Membership
from omnibench.data.order import Rows, first_rows
from omnibench.data.parts import Mask
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


class Beginnings(NamedTuple):
    """The beginnings of at least two events of some sessions.

    Attributes:
        row: The rows of all beginnings, one after the other; shape (r,), of m events there are m (m + 1) / 2 - 1.
        length: The number of events of each, shape (b,).
        session: The session of each, ascending and the shorter ones first; shape (b,).
    """

    row: Rows
    length: npt.NDArray[np.int64]
    session: npt.NDArray[np.int64]


def beginnings(row: Rows, session: npt.NDArray[np.int32], n_sessions: int) -> Beginnings:
    """Return the beginnings of sessions.

    Args:
        row: The rows of the sessions, ascending.
        session: The session of each of them, ascending.
        n_sessions: How many sessions there are.
    """
    first = first_rows(session, n_sessions)
    counts = np.maximum(np.diff(first) - 1, 0)
    owner = np.repeat(np.arange(n_sessions), counts)
    length = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + 2
    offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return Beginnings(row[np.repeat(first[owner], length) + offset], length, owner)


def with_each_position(interactions: Interactions, is_counted: Mask, part_of_session: Membership) -> Interactions:
    """Return training sessions as they are, and of the expanded a session for each event after the first, which it ends with.

    The session ``s7`` becomes ``s7@1``, which has its first event and the next one, ``s7@2``, and so on. All but the last event
    of each are given, and this one is in the part of the session.

    Args:
        interactions: Canonical rows.
        is_counted: Which rows count, shape (n,).
        part_of_session: The part of each session, shape (sessions,).

    Raises:
        DataError: A session already has such an id.
    """
    n_sessions = len(interactions.user_ids)
    part = part_of_session[interactions.user]
    train = np.flatnonzero(part == TRAIN)
    expanded = np.flatnonzero((part != TRAIN) & (part != NO_PART) & is_counted)
    begun = beginnings(expanded, interactions.user[expanded], n_sessions)
    sessions = np.flatnonzero(part_of_session == TRAIN)
    of_train = np.searchsorted(sessions, interactions.user[train])
    session = np.concatenate([of_train, np.repeat(len(sessions) + np.arange(len(begun.length)), begun.length)])
    membership = np.full((len(session), 1), NO_PART, dtype=np.int8)
    membership[: len(train)] = TRAIN
    membership[len(train) + np.cumsum(begun.length) - 1, 0] = part_of_session[begun.session]
    rows = interactions.take(np.concatenate([train, begun.row]))
    user_ids = [*_own_ids(interactions, sessions), *_ids_of_positions(interactions, begun)]
    if len(set(user_ids)) < len(user_ids):
        raise DataError(
            "SessionSplit: positions='each' calls the positions of the session s7 s7@1, s7@2 and so on, and sessions of these data "
            "have such ids themselves. Rename them."
        )
    return replace(rows, user=session.astype(np.int32), user_ids=user_ids, parts=membership)


def _own_ids(interactions: Interactions, sessions: npt.NDArray[np.int64]) -> list[Hashable]:
    return [interactions.user_ids[session] for session in sessions.tolist()]


def _ids_of_positions(interactions: Interactions, begun: Beginnings) -> list[str]:
    own_ids = _own_ids(interactions, begun.session)
    return [f"{own_id}@{length - 1}" for own_id, length in zip(own_ids, begun.length.tolist(), strict=True)]
