"""Rows of predictions as lists: in the order of their ranks, of their scores, or in that in which they come."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from omnibench.errors import EvaluationError
from omnibench.guest.distinct import distinct
from omnibench.metrics.judged import Lists, alphabetical_ranks

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Codes: TypeAlias = "npt.NDArray[np.int32]"
Numbers: TypeAlias = "npt.NDArray[np.float64]"

ORDERS = ("rank", "score")
"""What may decide where an item stands in its list."""

TREC = "trec"
"""The order of trec_eval: by score in 32 bits, ties by the item's name from the last one in the alphabet."""


class RankedRows(NamedTuple):
    """Rows of predictions, each an item of a user's list.

    Attributes:
        user: Codes, shape (n,).
        item: Codes, of the same shape; no pair twice.
        score: Scores, of which more is better; None where there are none.
        rank: Ranks, of which less is better; likewise.
    """

    user: Codes
    item: Codes
    score: Numbers | None
    rank: Numbers | None


class Ordered(NamedTuple):
    """Lists, and what their order leaves open.

    Attributes:
        lists: The lists.
        tied: In how many lists equal scores follow each other, so that the rows, or names, decide.
        contradicting: In how many lists ranks and scores say different things.
        longest: The length of the longest list before it was cut.
    """

    lists: Lists
    tied: int
    contradicting: int
    longest: int


def ordered(
    rows: RankedRows,
    order: str | None,
    length: int | None,
    source: str,
    user_ids: Sequence[Hashable],
    item_ids: Sequence[Hashable],
) -> Ordered:
    """Return rows as lists.

    Args:
        rows: The rows.
        order: ``rank``, ``score`` or ``trec``; None for ranks where there are some, else scores, else the order of the
            rows. Equal scores stay in the order of the rows, or are ordered by scores where ranks are equal.
        length: Where lists are cut; None for nowhere.
        source: The name of the predictions in errors.
        user_ids: The users' ids, by code.
        item_ids: The items' ids.

    Raises:
        EvaluationError: The order needs what is not there, ranks contradict scores while nobody says which count, or an
            item's rank is another's.
    """
    for column in ORDERS:
        if order == column and getattr(rows, column) is None:
            raise EvaluationError(
                f"{source}: order is {order!r}, but there is no column {column}; leave it out, or name the column {column}."
            )
    by_rank = order == "rank" or (order is None and rows.rank is not None)
    sorting = _sorting(rows, order, item_ids, by_rank=by_rank)
    user, item = rows.user[sorting], rows.item[sorting]
    score = None if rows.score is None else rows.score[sorting]
    rank = None if rows.rank is None else rows.rank[sorting]
    is_next = user[1:] == user[:-1]
    if by_rank and rank is not None:
        is_equal = (rank[1:] == rank[:-1]) if score is None else (rank[1:] == rank[:-1]) & (score[1:] == score[:-1])
        doubled = np.flatnonzero(is_next & is_equal)
        if len(doubled):
            first = int(doubled[0])
            raise EvaluationError(
                f"{source}: {len(doubled)} items have the rank of another one of the same user: "
                f"{item_ids[item[first]]!r} and {item_ids[item[first + 1]]!r} of user {user_ids[user[first]]!r} both have "
                f"{rank[first]:g}. Give each its rank, or leave out the column rank so that "
                + ("scores decide." if rows.score is not None else "the order of the rows decides.")
            )
    contradicting = _contradicting(user, is_next, score, rank, by_rank=by_rank)
    if len(contradicting) and order is None:
        raise _contradiction(source, user_ids, contradicting)
    tied = 0
    if not by_rank and score is not None:
        tied = len(distinct(user[1:][is_next & (score[1:] == score[:-1])]))
    filled, longest = _filled(user, item, score, length)
    return Ordered(filled, tied, len(contradicting), longest)


def _sorting(
    rows: RankedRows, order: str | None, item_ids: Sequence[Hashable], *, by_rank: bool
) -> npt.NDArray[np.int64]:
    """Return the order of the rows in which each user's are together, the best first."""
    keys: tuple[npt.NDArray[Any], ...]
    if by_rank and rows.rank is not None:
        keys = (rows.rank, rows.user) if rows.score is None else (-rows.score, rows.rank, rows.user)
    elif rows.score is None:
        keys = (rows.user,)
    elif order == TREC:
        with np.errstate(over="ignore"):
            keys = (-alphabetical_ranks(item_ids)[rows.item], -rows.score.astype(np.float32), rows.user)
    else:
        keys = (-rows.score, rows.user)
    sorting: npt.NDArray[np.int64] = np.lexsort(keys)
    return sorting


def _contradicting(
    user: Codes, is_next: npt.NDArray[np.bool_], score: Numbers | None, rank: Numbers | None, *, by_rank: bool
) -> Codes:
    """Return the users in whose list the column that does not decide says something else than that which does."""
    if score is None or rank is None:
        return user[:0]
    rises = score[1:] > score[:-1] if by_rank else rank[1:] <= rank[:-1]
    return distinct(user[1:][is_next & rises])


def _contradiction(source: str, user_ids: Sequence[Hashable], users: Codes) -> EvaluationError:
    return EvaluationError(
        f"{source}: ranks and scores contradict each other, in {len(users)} list{'' if len(users) == 1 else 's'}, the first "
        f"that of user {user_ids[users[0]]!r}: an item with a better rank has a lower score. Leave out the column that does not "
        "count (omnibench.score takes order='rank' or order='score'), or negate scores where less is better."
    )


def _filled(user: Codes, item: Codes, score: Numbers | None, length: int | None) -> tuple[Lists, int]:
    """Return sorted rows as lists, and the length of the longest before they are cut; without scores, ranks make some."""
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(user), 1), dtype=bool), user[1:] != user[:-1]]))
    sizes = np.diff(np.append(starts, len(user)))
    longest = int(sizes.max(initial=0))
    width = max(1, longest if length is None else min(length, longest))
    row = np.repeat(np.arange(len(starts)), sizes)
    position = np.arange(len(user)) - starts[row]
    is_kept = position < width
    items = np.full((len(starts), width), -1, dtype=np.int32)
    scores = np.zeros(items.shape, dtype=np.float64)
    items[row[is_kept], position[is_kept]] = item[is_kept]
    scores[row[is_kept], position[is_kept]] = -position[is_kept] if score is None else score[is_kept]
    return Lists(user[starts].astype(np.int32), items, scores), longest
