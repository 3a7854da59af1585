"""The order of texts by their characters, which is that of their bytes in UTF-8, by words of eight bytes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_BYTES = 8
"""Of a word."""

_BLOCK = 1 << 14
"""Texts whose words are read together: what fits into a core's cache."""


def order_of_texts(texts: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Return the numbers of texts in their order, equal ones as they lie.

    Most ids differ in their first words, which are sorted faster than texts are compared; only those that do not are looked
    at again.

    Args:
        texts: Python's texts.
    """
    import pyarrow as pa

    try:
        array = pa.array(texts, pa.large_string())
    except (pa.ArrowException, UnicodeEncodeError):  # half a character
        return np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.int64)
    _, ends, content = array.buffers()
    starts = np.frombuffer(ends, np.int64)[: len(texts) + 1]
    letters = np.frombuffer(content or b"\0", np.uint8)
    lengths = np.diff(starts)
    words = _words(letters, starts[:-1], lengths)
    order = np.argsort(words, kind="stable")
    words = words[order]
    ties, group = _tied(np.arange(len(texts)), words[1:] == words[:-1])
    for position in range(_BYTES, int(lengths.max(initial=0)), _BYTES):
        if len(ties) == 0:
            return order
        tied = order[ties]
        words = _words(letters, starts[:-1].take(tied) + position, lengths.take(tied) - position)
        within = np.lexsort((words, group))
        order[ties] = tied[within]
        words, group = words[within], group[within]
        ties, group = _tied(ties, (words[1:] == words[:-1]) & (group[1:] == group[:-1]))
    # What is left differs in nothing but zeros at the end, or not at all.
    order[ties] = order[ties][np.lexsort((order[ties], lengths.take(order[ties]), group))]
    return order


def _tied(
    positions: npt.NDArray[np.int64], is_tied: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the positions that are tied with a neighbour, and a number for each group of ties.

    Args:
        positions: Shape (n,).
        is_tied: Whether each but the first is tied with the one before it, shape (n - 1,).
    """
    if not is_tied.any():  # as most ids of shops
        return positions[:0], positions[:0]
    in_tie = np.zeros(len(positions), dtype=bool)
    in_tie[1:] |= is_tied
    in_tie[:-1] |= is_tied
    group = np.zeros(len(positions), dtype=np.int64)
    np.cumsum(~is_tied, out=group[1:])
    return positions[in_tie], group[in_tie]


def _words(
    letters: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Return the words that begin at some bytes, the first byte highest, with zeros behind the ends of texts.

    Args:
        letters: All bytes.
        starts: Where each word begins, shape (n,).
        lengths: How many bytes of its text are left, shape (n,).
    """
    words = np.empty(len(starts), dtype=np.uint64)
    offsets = np.arange(_BYTES)
    for start in range(0, len(starts), _BLOCK):
        begins, left = starts[start : start + _BLOCK, None], lengths[start : start + _BLOCK, None]
        block = letters.take(begins + offsets, mode="clip")
        block *= offsets < left
        words[start : start + _BLOCK] = block.view(">u8").ravel()
    return words
