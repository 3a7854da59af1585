"""Order within users: sort and rank the rows of many users at a time.

A user has few rows, and numpy sorts many short rows of a matrix ten times as fast as one long array. So users with
equally many rows become the rows of a matrix of 64-bit words, which hold the key above and the row's place below.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


Rows: TypeAlias = "npt.NDArray[np.int64]"
Codes: TypeAlias = "npt.NDArray[np.int32]"
Words: TypeAlias = "npt.NDArray[np.uint64]"

_BLOCK = 1 << 16
"""Matrix entries that are sorted together: what fits into a core's cache."""

_THREADS = 4
_WORTH_THREADS = 1 << 19
"""Number of rows from which sorting takes longer than starting threads."""

_EXACT = 128
"""Users with up to this many rows share a matrix with users of exactly as many; longer ones are padded."""

_BITS = 64
_LAST = 2**_BITS - 1
_RADIX = 16
"""Number of bits of the integers that numpy sorts by counting."""


def first_rows(user: Codes, n_users: int) -> Rows:
    """Return the first row of each user and the number of rows behind, shape (n_users + 1,).

    Args:
        user: Ascending codes, shape (n,).
        n_users: The number of user codes.
    """
    starts = np.flatnonzero(user[1:] != user[:-1]) + 1
    if len(starts) + 1 == n_users:
        return np.concatenate([[0], starts, [len(user)]])
    return np.searchsorted(user, np.arange(n_users + 1, dtype=np.int32)).astype(np.int64, copy=False)


def is_ascending(user: Codes, values: npt.NDArray[Any] | None = None) -> bool:
    """Whether rows are sorted by user, or by value within each user; block by block until one is not.

    Args:
        user: Codes, shape (n,); ascending where there are values.
        values: Shape (n,).
    """
    for start in range(0, len(user) - 1, _BLOCK):
        users = user[start : start + _BLOCK + 1]
        if values is None:
            falls = users[1:] < users[:-1]
        else:
            block = values[start : start + _BLOCK + 1]
            falls = block[1:] < block[:-1]
            falls &= users[1:] == users[:-1]
        if falls.any():
            return False
    return True


def lookup(table: npt.NDArray[Any], codes: Codes | Rows) -> npt.NDArray[Any]:
    """Return ``table[codes]``, block by block, because numpy would copy all codes to 64 bits at once.

    Args:
        table: One entry per code.
        codes: Shape (n,).
    """
    entries = np.empty(len(codes), dtype=table.dtype)
    for start in range(0, len(codes), _BLOCK):
        table.take(codes[start : start + _BLOCK], out=entries[start : start + _BLOCK], mode="clip")
    return entries


def counts(codes: npt.NDArray[np.integer[Any]], n_codes: int) -> Rows:
    """Count how often each code occurs, shape (n_codes,), block by block for the same reason.

    Args:
        codes: Shape (n,).
        n_codes: The number of codes.
    """
    step = max(16 * _BLOCK, 4 * n_codes)
    totals = np.zeros(n_codes, dtype=np.int64)
    for start in range(0, len(codes), step):
        totals += np.bincount(codes[start : start + step], minlength=n_codes)
    return totals


def occurring(codes: Codes, n_codes: int) -> npt.NDArray[np.bool_]:
    """Return which codes occur, shape (n_codes,), block by block for the same reason.

    Args:
        codes: Shape (n,).
        n_codes: The number of codes.
    """
    occurs = np.zeros(n_codes, dtype=bool)
    for start in range(0, len(codes), _BLOCK):
        occurs[codes[start : start + _BLOCK]] = True
    return occurs


def canonical_order(user: Codes, timestamp: npt.NDArray[np.int64] | None, n_users: int) -> Rows | None:
    """Return the row numbers that sort by (user, timestamp), stably; None when the rows are sorted already.

    Args:
        user: Codes, shape (n,).
        timestamp: Of any unit, shape (n,), or None to sort by user alone.
        n_users: The number of user codes.
    """
    order = None
    if not is_ascending(user):
        order = grouped(user)
        user = user[order]
        timestamp = None if timestamp is None else timestamp[order]
    if timestamp is None or is_ascending(user, timestamp):
        return order
    order_within = sort_within(first_rows(user, n_users), timestamp)
    return order_within if order is None else order[order_within]


def grouped(codes: Codes) -> Rows:
    """Return the row numbers that sort non-negative codes, stably: a radix sort."""
    order: Rows = np.argsort(codes.astype(np.uint16), kind="stable")
    if int(codes.max()) >> _RADIX:
        order = order[np.argsort((codes >> _RADIX).astype(np.uint16)[order], kind="stable")]
    return order


def sort_within(starts: Rows, values: npt.NDArray[Any]) -> Rows:
    """Return the row numbers that sort by (user, value), stably.

    Args:
        starts: The first row of each user, from ``first_rows``.
        values: int32 or int64, one per row.
    """
    order = np.empty(len(values), dtype=np.int64)
    _for_all_users(starts, lambda block: block.put(order, block.rows, _rows_in_order(block, values)))
    return order


def sorted_within(
    starts: Rows, values: npt.NDArray[Any], columns: Sequence[npt.NDArray[Any]]
) -> list[npt.NDArray[Any]]:
    """Return columns in the order that sorts by (user, value), stably, without ever having the numbers of all rows.

    Args:
        starts: The first row of each user, from ``first_rows``.
        values: int32 or int64, one per row.
        columns: Shape (n, ...) each.
    """
    in_order = [np.empty_like(column) for column in columns]

    def sort_block(block: _Block) -> None:
        rows = _rows_in_order(block, values)
        for column, target in zip(columns, in_order, strict=True):
            block.put(target, block.rows, column.take(rows, axis=0, mode="clip"))

    _for_all_users(starts, sort_block)
    return in_order


def _rows_in_order(block: _Block, values: npt.NDArray[Any]) -> Rows:
    """Return the row numbers of a block's users, shape (users, width), sorted by value, padding last."""
    block_values = values.take(block.rows, mode="clip").astype(np.int64, copy=False)
    lowest = np.min(block_values, axis=1, keepdims=True, initial=2**63 - 1, where=block.is_row)
    words = (block_values - lowest).view(np.uint64)  # wraps around to what is right
    largest = int(np.max(words, initial=0, where=block.is_row))
    if largest.bit_length() + block.bits <= _BITS:
        positions = block.sort(words)
    else:  # nanoseconds over years leave no room for a place
        block.pad(words)
        positions = np.argsort(words, axis=1, kind="stable")
    return positions + block.rows[:, :1]


def repeats(user: Codes, item: Codes | Rows, n_users: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Find repeated (user, item) pairs.

    Args:
        user: Ascending codes, shape (n,).
        item: Codes, shape (n,).
        n_users: How many users there are.

    Returns:
        The row numbers in the order of (user, item), equal ones as they lie; and which of them, in this order, have
        the pair of the one before.
    """
    order = sort_within(first_rows(user, n_users), item)
    ordered = item.take(order)
    is_repeat = np.zeros(len(order), dtype=bool)
    # Within a user's rows, where the order stays, the user is the same.
    is_repeat[1:] = (ordered[1:] == ordered[:-1]) & (user[1:] == user[:-1])
    return order, is_repeat


def ranks(starts: Rows, keys: Words) -> Codes:
    """Rank each row's random key among those of its user's rows, from 0.

    Only as many high bits of a key count as a word has room for beside the row's place, 51 for a user with 8,000 rows.
    Two keys of one user that differ in none of them, which one dataset in a million has, rank as they lie.

    Args:
        starts: The first row of each user, from ``first_rows``.
        keys: Random 64-bit words, one per row.
    """
    rank = np.empty(len(keys), dtype=np.int32)

    def rank_block(block: _Block) -> None:
        positions = np.arange(block.rows.shape[1], dtype=np.int32)
        block.put(rank, block.random_order(keys), np.broadcast_to(positions, block.rows.shape))

    _for_all_users(starts, rank_block)
    return rank


def deal(starts: Rows, keys: Words, first_hand: Rows, n_hands: int) -> npt.NDArray[Any]:
    """Deal each user's rows in the order of their random keys, one to each hand in turn.

    Args:
        starts: The first row of each user, from ``first_rows``.
        keys: Random 64-bit words, one per row; see ``ranks``.
        first_hand: The hand that a user's first row goes to, shape (n_users,).
        n_hands: How many hands there are.

    Returns:
        The hand of each row, of the smallest unsigned type.
    """
    hand = np.empty(len(keys), dtype=np.min_scalar_type(n_hands))

    def deal_block(block: _Block) -> None:
        positions = np.arange(block.rows.shape[1])
        turns = ((positions + np.arange(n_hands)[:, None]) % n_hands).astype(hand.dtype)
        block.put(hand, block.random_order(keys), turns.take(first_hand[block.users], axis=0))

    _for_all_users(starts, deal_block)
    return hand


class _Block(NamedTuple):
    """Users whose rows are sorted together.

    Attributes:
        users: Their codes, shape (users,).
        rows: Row numbers, one row per user, shape (users, width).
        bits: How many bits the place of a row within its user takes.
        is_row: Which entries are rows: True, or a matrix where users are padded at their ends.
    """

    users: Rows
    rows: Rows
    bits: int
    is_row: Any

    def random_order(self, keys: Words) -> Rows:
        """Return the row numbers of each user, sorted by their random keys."""
        return self.sort(keys.take(self.rows, mode="clip") >> np.uint64(self.bits)) + self.rows[:, :1]

    def sort(self, words: Words) -> Rows:
        """Return the positions that sort each user's words, stably, with padding last.

        Args:
            words: Shape (users, width), below ``2 ** (64 - bits)``; changed in place.
        """
        words <<= np.uint64(self.bits)
        words |= np.arange(words.shape[1], dtype=np.uint64)
        self.pad(words)
        words.sort(axis=1)
        words &= np.uint64((1 << self.bits) - 1)
        return words.view(np.int64)

    def pad(self, words: Words) -> None:
        """Give padding the largest word, in place, so that it is sorted last."""
        if self.is_row is not True:
            words[~self.is_row] = np.uint64(_LAST)

    def put(self, target: npt.NDArray[Any], rows: Rows, values: npt.NDArray[Any]) -> None:
        """Write values to row numbers of the target, except for padding."""
        if self.is_row is True:
            target[rows] = values
        else:
            target[rows[self.is_row]] = values[self.is_row]


def _for_all_users(starts: Rows, work: Callable[[_Block], None]) -> None:
    """Call ``work`` with blocks of users that have about equally many rows, until all users had their turn.

    numpy lets go of the interpreter while it sorts, so a few threads share the blocks.

    Args:
        starts: The first row of each user, from ``first_rows``.
        work: A function of a block; blocks have no user in common, so it may run for several at once.
    """
    sizes = np.diff(starts)
    widths = _widths(sizes)
    order = np.argsort(widths, kind="stable")
    edges = np.flatnonzero(np.diff(widths[order], prepend=0, append=-1))

    def run_block(users: Rows) -> None:
        width = int(widths[users[0]])
        positions = np.arange(width)
        is_row = True if width <= _EXACT else positions < sizes[users][:, None]
        work(_Block(users, starts[users][:, None] + positions, width.bit_length(), is_row))

    blocks = (
        order[start : min(start + max(1, _BLOCK // int(widths[order[low]])), high)]
        for low, high in itertools.pairwise(edges)
        for start in range(low, high, max(1, _BLOCK // int(widths[order[low]])))
    )
    if int(starts[-1]) < _WORTH_THREADS:
        for users in blocks:
            run_block(users)
        return
    from concurrent.futures import ThreadPoolExecutor  # which small data, and a run without any, does not need

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        for _ in pool.map(run_block, blocks):
            pass


def _widths(sizes: Rows) -> Rows:
    """Return the matrix width for each number of rows: that number, or up to an eighth more."""
    step = 1 << np.maximum(0, np.frexp(sizes.astype(np.float64))[1] - 4)
    widths: Rows = np.where(sizes <= _EXACT, sizes, -(-sizes // step) * step)
    return widths
