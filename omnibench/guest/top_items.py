"""The k best items of each row of scores, by score, ties by item code; scores are read little more than once."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from .folds import NO_ITEM, Scores
from .parts import Ints

_BLOCK = 64
"""Most items whose maximum is taken; few enough to be looked through where it is high."""
_VECTOR = 32
"""Least items of a block whose maximum torch takes by vector instructions."""
_BLOCKS_PER_ITEM = 2
"""Least number of blocks for each item of a list: of so many, the k-th highest maximum is close to the k-th best score."""
_SAMPLED = 4
"""One of so many slices is looked at for the bound of a short list, where sorting some more items costs less than reading."""
_SHORT = 32
"""Longest list that is short."""
_SPARE = 8
"""Items for each item of a list up to which those that reach the bound are sorted; of more, the best are looked for first."""

_Positions = npt.NDArray[np.int64]


def ranking_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that scores are ranked in: float32 where it holds them exactly, else float64."""
    return np.dtype(np.float32) if np.can_cast(dtype, np.float32) else np.dtype(np.float64)


def top_k(scores: Scores, k: int) -> tuple[Ints, Scores]:
    """Return the k best items of each row: by score, ties by item code, never a score of NaN or -inf.

    The k-th highest of the maxima of blocks is a score that k items reach at least. What does not reach it is not sorted.

    Args:
        scores: float32 or float64, shape (b, n_items); they are compared as they are.
        k: The length of the lists.

    Returns:
        Item codes int32 and scores of the same type, both of shape (b, k); rows with fewer scored items end in
        ``NO_ITEM`` with a score of 0.
    """
    n_rows, n_items = scores.shape
    items = np.full((n_rows, k), NO_ITEM, dtype=np.int32)
    best = np.zeros((n_rows, k), dtype=scores.dtype)
    width = min(k, n_items)
    if width == 0 or n_rows == 0:
        return items, best
    contiguous: Any = np.ascontiguousarray(scores)
    with np.errstate(invalid="ignore"):  # some versions of numpy warn when they compare NaN
        bounds, positions = _reaching(contiguous, width)
    ends = np.searchsorted(positions, np.arange(n_rows + 1) * n_items)
    if (np.diff(ends) > _SPARE * width).any():
        rows = [
            _fewest(contiguous[row], positions[start:end] - row * n_items, bounds[row], width) + row * n_items
            for row, (start, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
        ]
        positions, ends = np.concatenate(rows), np.cumsum([0, *map(len, rows)])
    row = np.repeat(np.arange(n_rows), np.diff(ends))
    codes, table = reached_by_row(n_rows, row, positions - row * n_items, contiguous.reshape(-1)[positions])
    order = np.argsort(-table, axis=1, kind="stable")[:, :width]
    length = order.shape[1]
    items[:, :length] = np.take_along_axis(codes, order, axis=1)
    best[:, :length] = np.where(items[:, :length] == NO_ITEM, 0, np.take_along_axis(table, order, axis=1))
    return items, best


def top_k_without_zeros(scores: Scores, k: int) -> tuple[Ints, Scores]:
    """Return what ``top_k`` does where a score of exactly zero stands for no score.

    Only rows that end in zero or less may have zeros in their lists: these are cut once more.

    Args:
        scores: As for ``top_k``.
        k: The length of the lists.
    """
    items, best = top_k(scores, k)
    if k > 0:
        has_zeros = np.flatnonzero(best[:, -1] <= 0)
        remaining = scores[has_zeros]
        remaining[remaining == 0] = -np.inf
        items[has_zeros], best[has_zeros] = top_k(remaining, k)
    return items, best


def reached_by_row(
    n_rows: int, row: npt.NDArray[np.integer[Any]], item: npt.NDArray[np.integer[Any]], score: Scores
) -> tuple[Ints, Scores]:
    """Return entries as a table of item codes and one of scores, each row filled from the left.

    Args:
        n_rows: The number of rows.
        row: The row of each entry, ascending.
        item: Its item code.
        score: Its score.

    Returns:
        Tables of as many columns as the longest row has entries, with ``NO_ITEM`` and -inf behind the others'.
    """
    counts = np.bincount(row, minlength=n_rows)
    is_filled = np.arange(counts.max(initial=0)) < counts[:, None]
    table: Scores = np.full(is_filled.shape, -np.inf, dtype=score.dtype)
    codes = np.full(is_filled.shape, NO_ITEM, dtype=np.int32)
    table[is_filled], codes[is_filled] = score, item
    return codes, table


def block_maxima(scores: Scores, size: int) -> npt.NDArray[Any]:
    """Return the maxima of blocks of neighbouring items, NaN where a block has NaN.

    Args:
        scores: float32 or float64, in one piece of memory; shape (b, size * blocks).
        size: The number of items of a block.
    """
    blocks = scores.reshape(len(scores), -1, size)
    torch = sys.modules.get("torch")  # it takes maxima of neighbours 5 times as fast as numpy does
    maxima: npt.NDArray[Any] = blocks.max(axis=-1) if torch is None else torch.from_numpy(blocks).amax(-1).numpy()
    return maxima


def _maxima(scores: Scores, size: int, n_sampled: int) -> npt.NDArray[Any]:
    """Return the maxima of blocks of items that are far apart, or of some items of each block.

    Args:
        scores: The scores.
        size: The number of items of a block.
        n_sampled: How many of them are looked at.
    """
    positions = scores.shape[1] // size
    slices = scores[:, : size * positions].reshape(len(scores), size, positions)[:, :n_sampled]
    maxima: npt.NDArray[Any] = np.fmax.reduce(slices, axis=1)  # it passes over NaN, and is the faster of the two
    return maxima


def _reaching(scores: Scores, width: int) -> tuple[npt.NDArray[Any], _Positions]:
    """Return a finite bound for each row that is no higher than its ``width``-th best score, and what reaches it.

    Returns:
        The bounds, shape (b,), and the positions in ``scores``, laid out in a row, of the scores that reach those of their
        rows; ascending.
    """
    n_items = scores.shape[1]
    size = max(1, min(_BLOCK, n_items // (_BLOCKS_PER_ITEM * width)))
    torch = sys.modules.get("torch")  # it takes maxima of neighbours 5 times as fast as numpy does
    if torch is not None and size >= _VECTOR:
        bounds, positions = _reaching_by_blocks(torch, scores, width, size)
        if positions is not None:
            return bounds, positions
    n_sampled = -(-size // _SAMPLED) if width <= _SHORT else size
    bounds = _bounds(_maxima(scores, size, n_sampled), width)
    return bounds, np.flatnonzero(scores >= bounds[:, None])


def _reaching_by_blocks(
    torch: Any, scores: Scores, width: int, size: int
) -> tuple[npt.NDArray[Any], _Positions | None]:
    """Look only at the blocks whose maximum reaches the bound.

    Returns:
        As ``_reaching``; None for the positions where they are too many, as where neighbours have the highest scores.
    """
    n_rows, n_items = scores.shape
    n_blocks = n_items // size
    blocks = scores[:, : n_blocks * size].reshape(n_rows, n_blocks, size)
    tensor = torch.from_numpy(blocks)
    maxima = tensor.amax(-1).numpy()
    if np.isnan(maxima).any():
        maxima = torch.nan_to_num(tensor, nan=-np.inf, posinf=np.inf, neginf=-np.inf).amax(-1).numpy()
    bounds = _bounds(maxima, width)
    chosen = np.flatnonzero(maxima >= bounds[:, None])
    if len(chosen) > max(n_rows * n_blocks // _SAMPLED, _BLOCKS_PER_ITEM * n_rows * width):
        return bounds, None
    row, block = np.divmod(chosen, n_blocks)
    reached = np.flatnonzero(blocks[row, block] >= bounds[row, None])
    if len(reached) > _SPARE * width * n_rows:
        return bounds, None
    number, within = np.divmod(reached, size)
    positions = (row * n_items + block * size)[number] + within
    tail_row, tail = np.nonzero(scores[:, n_blocks * size :] >= bounds[:, None])
    if len(tail):
        positions = np.sort(np.concatenate([positions, tail_row * n_items + n_blocks * size + tail]))
    return bounds, positions


def _bounds(maxima: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
    """Return the ``width``-th highest maximum of each row, or the lowest finite number where it is -inf or NaN."""
    maxima[np.isnan(maxima)] = -np.inf
    n_lower = maxima.shape[1] - width
    bounds: npt.NDArray[Any] = np.partition(maxima, n_lower, axis=1)[:, n_lower]
    bounds[bounds == -np.inf] = np.finfo(maxima.dtype).min
    return bounds


def _fewest(scores: Scores, items: _Positions, bound: Any, width: int) -> _Positions:
    """Return the best ``width`` of the items of a row that reach a bound; ascending, ties by item code.

    Args:
        scores: The scores of the row.
        items: Those that reach the bound, ascending.
        bound: The bound.
        width: How many are to be left.
    """
    if len(items) <= width:
        return items
    reached = scores[items]
    above: npt.NDArray[np.bool_] = reached > bound
    if np.count_nonzero(above) >= width:
        bound = np.partition(reached, len(reached) - width)[len(reached) - width]
        above = reached > bound
    tied = np.flatnonzero(reached == bound)[: width - np.count_nonzero(above)]
    above[tied] = True
    remaining: _Positions = items[above]
    return remaining
