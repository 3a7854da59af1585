"""Sessions that are looked at from each of their positions: of every session its beginnings, each a session of its own."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from omnibench.data.interactions import Interactions
from omnibench.data.membership import NO_PART, TRAIN, Membership
from omnibench.data.order import Rows, first_rows
from omnibench.data.parts import Mask
from omnibench.errors import DataError
from omnibench.memory import available_memory
from omnibench.sizes import size_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_BYTES_PER_ROW = 50
"""At the peak, of user, item and timestamp while beginnings are made, split and written; measured with sessions of clicks."""


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
    of each are given, and this one is in the part of the session. All ids are texts; ``session_ids`` has the sessions' own.

    Args:
        interactions: Canonical rows.
        is_counted: Which rows count, shape (n,).
        part_of_session: The part of each session, shape (sessions,).

    Raises:
        DataError: A session already has such an id, or the rows do not fit into the memory that is left.
    """
    n_sessions = len(interactions.user_ids)
    part = part_of_session[interactions.user]
    train = np.flatnonzero(part == TRAIN)
    expanded = np.flatnonzero((part != TRAIN) & (part != NO_PART) & is_counted)
    _require_memory(np.bincount(interactions.user[expanded], minlength=n_sessions))
    begun = beginnings(expanded, interactions.user[expanded], n_sessions)
    sessions = np.flatnonzero(part_of_session == TRAIN)
    of_train = np.searchsorted(sessions, interactions.user[train])
    session = np.concatenate([of_train, np.repeat(len(sessions) + np.arange(len(begun.length)), begun.length)])
    membership = np.full((len(session), 1), NO_PART, dtype=np.int8)
    membership[: len(train)] = TRAIN
    membership[len(train) + np.cumsum(begun.length) - 1, 0] = part_of_session[begun.session]
    rows = interactions.take(np.concatenate([train, begun.row]))
    session_ids = [interactions.user_ids[code] for code in np.concatenate([sessions, begun.session]).tolist()]
    user_ids = [str(session_id) for session_id in session_ids[: len(sessions)]]
    user_ids += [
        f"{session_id}@{length - 1}"
        for session_id, length in zip(session_ids[len(sessions) :], begun.length.tolist(), strict=True)
    ]
    _refuse_repeated(user_ids, session_ids)
    return replace(rows, user=session.astype(np.int32), user_ids=user_ids, session_ids=session_ids, parts=membership)


def n_positions(rows: Interactions) -> int:
    """Return how many positions are asked for, in validation and test.

    Args:
        rows: What ``with_each_position`` has returned.
    """
    assert rows.parts is not None, "positions have parts"
    return int(np.count_nonzero((rows.parts != TRAIN) & (rows.parts != NO_PART)))


def _require_memory(counts: npt.NDArray[np.int64]) -> None:
    """Refuse beginnings that do not fit into the memory that is left.

    Args:
        counts: How many events each session has of which there are beginnings, shape (sessions,).

    Raises:
        DataError: They do not; it says what they need, and which session has most of them.
    """
    counts = counts[counts > 1]
    n_rows = int((counts * (counts + 1) // 2 - 1).sum())
    needed, available = n_rows * _BYTES_PER_ROW, available_memory()
    if available is None or needed <= available:
        return
    events = int(counts.sum())
    raise DataError(
        f"SessionSplit: positions='each' makes {n_rows:,} rows of {events:,} events of validation and test, because each "
        f"position has all events before it, and the longest session has {int(counts.max()):,}. That needs about "
        f"{size_text(needed)} of memory, of which {size_text(available)} are left. Make shorter sessions, e.g. with Sessions('30min') "
        "before the split, test fewer, or leave out positions."
    )


def _refuse_repeated(user_ids: Sequence[str], session_ids: Sequence[Hashable]) -> None:
    """Refuse ids that two users have.

    Args:
        user_ids: The ids, one per user.
        session_ids: The sessions that they are of.

    Raises:
        DataError: There is such an id.
    """
    session_of: dict[str, Hashable] = {}
    for user_id, session_id in zip(user_ids, session_ids, strict=True):
        if user_id in session_of:
            raise DataError(
                f"SessionSplit: positions='each' makes texts of the ids of sessions, and calls the positions of a session s7 s7@1, s7@2 "
                f"and so on; {user_id!r} would then be both of the session {session_of[user_id]!r} and of {session_id!r}. Rename "
                "one of them."
            )
        session_of[user_id] = session_id
