"""Stretches of rows: some ten thousand rows of whole users that lie together, sorted as one array of 64-bit words.

A word holds a row's user (counted from the first of the stretch), its key, and its position in the stretch, from high bits to
low. So a stretch is read from where it lies and written to where it goes, all else happens in a core's cache, and nobody
needs the numbers of all rows. Keys that leave no room for the others in a word are for ``order.py``.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

from omnibench.data.order import counts
from omnibench.data.scratch import keep_scratch_memory

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

T = TypeVar("T")

Codes: TypeAlias = "npt.NDArray[np.int32]"
Bounds: TypeAlias = "list[tuple[int, int]]"
Sort: TypeAlias = Literal["quicksort", "stable"]

_SORTS: tuple[Sort, Sort] = ("quicksort", "stable")
"""numpy's sorts by vectors, and by merging; words that all differ have the same order by both."""

_LENGTHS = (1 << 15, 1 << 12, 1 << 9)
"""Numbers of rows of a stretch; longer ones cost fewer calls, shorter ones leave more bits for keys."""

_THREADS = 4
_WORTH_THREADS = 1 << 19
"""Number of rows from which sorting takes longer than starting threads."""

_RADIX = 16
"""Bits of the integers that numpy sorts by counting."""

_WORD = 64
"""Bits of the words that are sorted."""

_SPARE_BITS = 2
"""How much larger than the number of words a table of slots is, so that few words share one: four to eight times."""

_MULTIPLIER = 0x9E3779B97F4A7C15
"""Odd, and 2 ** 64 divided by the golden ratio: the high bits of a product tell words apart (Knuth, TAOCP 6.4)."""


def parts_of_users(user: Codes, n_users: int) -> tuple[npt.NDArray[np.int64], Bounds]:
    """Deal rows of users in any order to stretches, in the order of users; within one, they stay as they are.

    Args:
        user: Codes, shape (n,).
        n_users: The number of user codes.

    Returns:
        The row numbers in that order, and the bounds of the stretches.
    """
    bits = min((len(user) // _LENGTHS[0]).bit_length(), _RADIX)
    shift = max((n_users - 1).bit_length() - bits, 0)
    parts = (user >> shift).astype(np.uint16)
    ends = np.cumsum(counts(parts, ((n_users - 1) >> shift) + 1))
    edges = [0, *np.unique(ends[ends > 0]).tolist()]
    return np.argsort(parts, kind="stable"), list(itertools.pairwise(edges))


class SortedColumns(NamedTuple):
    """Columns sorted by user and value, stably.

    Attributes:
        columns: Shape (n, ...) each.
        is_tied: Whether each row but the first has the user and the value of the one before, shape (n - 1,).
    """

    columns: list[npt.NDArray[Any]]
    is_tied: npt.NDArray[np.bool_]


def sorted_within(
    user: Codes,
    values: npt.NDArray[Any] | None,
    columns: Sequence[npt.NDArray[Any]],
    bounds: Bounds | None = None,
    *,
    in_place: bool = False,
) -> SortedColumns | None:
    """Sort columns by (user, value), stably; None where a word has no room for the values.

    Args:
        user: Codes, shape (n,); ascending, or those of ``bounds``.
        values: int32 or int64, shape (n,); None to sort by user alone.
        columns: Shape (n, ...) each.
        bounds: Of stretches from ``parts_of_users``.
        in_place: Whether columns are sorted where they lie, but for those that are locked; the values may be one of them.
    """
    if len(user) == 0:
        return SortedColumns([column.copy() for column in columns], np.empty(0, dtype=bool))
    lowest = 0 if values is None else int(values.min())
    bits = 0 if values is None else (int(values.max()) - lowest).bit_length()
    lengths = map(_bounds_of(user), _LENGTHS) if bounds is None else [bounds]
    room = next((bounds for bounds in lengths if _bits(user, bounds) + bits <= _WORD), None)
    if room is None:
        return None
    in_order = [column if in_place and column.flags.writeable else np.empty_like(column) for column in columns]
    is_tied = np.zeros(len(user), dtype=bool)  # with the row before; a stretch begins with another user

    def words_of(start: int, end: int) -> npt.NDArray[np.uint64]:
        words = _within(user[start:end])
        if values is not None:
            words <<= np.uint64(bits)
            words |= (values[start:end].astype(np.int64, copy=False) - lowest).view(np.uint64)
        return _with_positions(words)

    algorithm = _faster_sort(words_of(*room[0])) if len(user) >= _WORTH_THREADS else _SORTS[0]

    def sort(start: int, end: int) -> None:
        positions = _sorted_positions(words_of(start, end), algorithm, is_tied[start + 1 : end])
        for column, target in zip(columns, in_order, strict=True):
            if column is target:
                column[start:end] = column[start:end].take(positions, axis=0, mode="clip")
            else:
                column[start:end].take(positions, axis=0, out=target[start:end], mode="clip")

    _for_all(sort, room)
    return SortedColumns(in_order, is_tied[1:])


def superseded(user: Codes, item: Codes) -> npt.NDArray[np.int64]:
    """Return the rows whose (user, item) pair comes again in a later row, ascending.

    Args:
        user: Ascending codes, shape (n,).
        item: Codes, shape (n,).
    """
    if len(user) == 0:
        return np.empty(0, dtype=np.int64)
    n_items = np.uint64(int(item.max()) + 1)

    def look(start: int, end: int) -> npt.NDArray[np.int64]:
        pairs = _within(user[start:end])
        pairs *= n_items
        pairs += item[start:end].view(np.uint32)
        return _recurring(pairs) + start

    return np.concatenate(_for_all(look, _bounds_of(user)(_LENGTHS[0])))


def _recurring(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the positions of words that come again in a later position, ascending.

    Each word writes its position into a slot of a small table, where the last of a slot's words stays. The others are the
    same word, which recur then, or share the slot by chance: these few go through it once more, dealt to other slots.

    Args:
        words: Shape (n,).
    """
    bits = len(words).bit_length() + _SPARE_BITS
    table = np.empty(1 << bits, dtype=np.min_scalar_type(len(words)))
    recurring = []
    rows, multiplier = np.arange(len(words)), _MULTIPLIER
    while len(rows) > 1:
        slots = ((words * np.uint64(multiplier)) >> np.uint64(_WORD - bits)).view(np.int64)
        positions = np.arange(len(rows), dtype=table.dtype)
        table[slots] = positions  # of several positions of a slot, the last is written last
        last = table.take(slots, mode="clip")
        overwritten = np.flatnonzero(last != positions)
        is_same = words.take(overwritten) == words.take(last.take(overwritten))
        recurring.append(rows.take(overwritten[is_same]))
        overwritten = overwritten[~is_same]
        words, rows = words.take(overwritten), rows.take(overwritten)
        multiplier = multiplier * _MULTIPLIER % 2**_WORD
    return np.sort(np.concatenate(recurring)) if recurring else rows[:0]


def _bounds_of(user: Codes) -> Callable[[int], Bounds]:
    """Return a function from the length of stretches to their first rows and those behind their last ones."""

    def bounds(length: int) -> Bounds:
        # Where a stretch would end within a user, it ends before that user.
        cuts = np.unique(np.searchsorted(user, user[length::length], side="left"))
        edges = [0, *cuts[cuts > 0].tolist(), len(user)]
        return list(itertools.pairwise(edges))

    return bounds


def _bits(user: Codes, bounds: Bounds) -> int:
    """Return how many bits users and positions take within the largest of some stretches."""
    starts, ends = np.array(bounds).T
    users = int((np.maximum.reduceat(user, starts) - np.minimum.reduceat(user, starts)).max())
    return users.bit_length() + _position_bits(int((ends - starts).max()))


def _within(users: Codes) -> npt.NDArray[np.uint64]:
    """Return users counted from the lowest of their stretch."""
    counted: npt.NDArray[np.uint64] = (users - users.min()).astype(np.uint64)
    return counted


def _with_positions(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return words with their positions as their low bits: those of the largest position."""
    words <<= np.uint64(_position_bits(len(words)))
    words |= np.arange(len(words), dtype=np.uint64)
    return words


def _position_bits(rows: int) -> int:
    """Return how many bits the positions of a stretch take."""
    return (rows - 1).bit_length()


def _sorted_positions(
    words: npt.NDArray[np.uint64], algorithm: Sort, is_same: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return the positions that sort words with their positions; the words are changed.

    Args:
        words: Shape (n,).
        algorithm: numpy's sort.
        is_same: Where it is written whether each word but the first is the one before it, shape (n - 1,).
    """
    position = _position_bits(len(words))
    words.sort(kind=algorithm)
    # Words that differ in their positions alone differ by less than a position has values.
    np.less((words[1:] ^ words[:-1]), np.uint64(1 << position), out=is_same)
    words &= np.uint64((1 << position) - 1)
    return words.view(np.int64)


def _faster_sort(words: npt.NDArray[np.uint64]) -> Sort:
    """Return which of numpy's sorts takes less time here for words like some that all differ.

    The usual one compares vectors where the processor has AVX-512: fast on Intel's, while AMD's write single elements of
    them slowly (VPCOMPRESSQ to memory, Zen 4), so that merging takes half as long where users have few rows.

    Args:
        words: Shape (n,).
    """

    def seconds(algorithm: Sort) -> float:
        start = time.thread_time()
        np.sort(words, kind=algorithm)
        return time.thread_time() - start

    return min(_SORTS, key=lambda algorithm: min(seconds(algorithm) for _ in range(3)))


def _for_all(work: Callable[[int, int], T], bounds: Bounds) -> list[T]:
    """Return what ``work`` returns of each stretch; numpy lets go of the interpreter, so a few threads share them."""
    keep_scratch_memory()
    if bounds[-1][1] < _WORTH_THREADS:
        return [work(start, end) for start, end in bounds]
    from concurrent.futures import ThreadPoolExecutor  # which small data, and a run without any, does not need

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, *zip(*bounds, strict=True)))
