"""Codes of texts: each text as words of eight bytes, grouped by a hash of these in parts that fit into a core's cache.

A table of a million texts is far larger than a cache, so that a lookup for each row waits for memory several times. Here
rows are dealt to parts by some bits of their hash, and each part has a table of its own. Texts of the same hash are compared
word by word; where two of them differ, nobody gets any code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.growing import GrowingColumn
from omnibench.data.order import counts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_BYTES = 8
"""Of a word."""

_LONGEST = 64
"""Bytes of the longest text that is worth words."""

_WIDTH = 4
"""Words that each text may take, however short most are; more where they fill half of them."""

_PART_ROWS = 1 << 15
"""Rows of a part: what fits into a core's cache with all that comes of them."""

_BLOCK = 1 << 16
"""Rows that are hashed together, for the same reason."""

_RADIX = 16
"""Bits of the integers that numpy sorts by counting."""

_WORD = 64
_MULTIPLIER = 0x9E3779B97F4A7C15
"""Odd, so that different words have different products; 2 ** 64 divided by the golden ratio (Knuth, TAOCP 6.4)."""


class CodedTexts(NamedTuple):
    """A column of texts as codes.

    Attributes:
        codes: int32, shape (n,).
        texts: The texts by code, in the order in which they come, as an array of Arrow.
    """

    codes: npt.NDArray[np.int32]
    texts: Any


class TextCodes:
    """The codes of texts, in the order in which they first come.

    Args:
        capacity: The number of rows that are expected.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._words = [GrowingColumn(np.uint64, capacity)]
        self._rows = self._letters = 0

    def append(self, texts: Any) -> bool:
        """Add the next rows, an array of Arrow's texts; return whether words hold their letters, and well."""
        import pyarrow.compute as pc

        if len(texts) == 0:
            return True
        _, offsets, content = texts.buffers()
        wide = str(texts.type) == "large_string"
        ends = np.frombuffer(offsets, np.int64 if wide else np.int32)[texts.offset : texts.offset + len(texts) + 1]
        longest = int(np.diff(ends).max())
        letters = np.frombuffer(content or b"", np.uint8)[int(ends[0]) : int(ends[-1])]
        if longest > _LONGEST or not letters.all():  # zeros stand behind the end of a text
            return False
        n_words = max(-(-longest // _BYTES), 1)
        self._letters += len(letters)
        rows = self._rows + len(texts)
        if n_words > _WIDTH and n_words * _BYTES * rows > 2 * (self._letters + _BYTES * rows):
            return False  # a few long ones would take the memory of many
        padded = pc.ascii_rpad(texts, n_words * _BYTES, "\0")
        words = np.frombuffer(padded.buffers()[2], np.uint64)[: len(texts) * n_words].reshape(-1, n_words)
        while len(self._words) < n_words:
            column = GrowingColumn(np.uint64, self._capacity)
            column.room(self._rows)[:] = 0
            self._words.append(column)
        for position, column in enumerate(self._words):
            column.room(len(texts))[:] = words[:, position] if position < n_words else 0
        self._rows += len(texts)
        return True

    def finish(self) -> CodedTexts | None:
        """Return the codes of all rows, and the texts that they stand for; None where two texts have one hash."""
        import pandas as pd

        words = [column.entries for column in self._words]
        bits = min(max(self._rows // _PART_ROWS, 1).bit_length(), _RADIX)
        hashes = self._hashes(words)
        parts = (hashes >> np.uint64(_WORD - bits)).astype(np.uint16)
        sizes = counts(parts, 1 << bits)
        order = np.argsort(parts, kind="stable")
        del parts
        codes = np.empty(self._rows, dtype=np.int32)
        first_rows: list[npt.NDArray[np.int64]] = []
        n_texts, end = 0, 0
        for size in sizes[sizes > 0].tolist():
            start, end = end, end + size
            rows = order[start:end]
            group, hashes_of_groups = pd.factorize(hashes.take(rows))
            first = np.empty(len(hashes_of_groups), dtype=np.int64)
            first[group[::-1]] = np.arange(size)[::-1]  # of several rows of a group, the first is written last
            first_of_group = rows.take(first)
            if len(words) > 1:  # of a single word, the hash is another way to write it
                first_of_row = first_of_group.take(group)
                if any((column.take(rows) != column.take(first_of_row)).any() for column in words):
                    return None
            group += n_texts
            codes[rows] = group
            first_rows.append(first_of_group)
            n_texts += len(first_of_group)
        del hashes, order
        # Codes are given part by part so far; those to be returned are in the order of the texts' first rows.
        firsts = np.concatenate(first_rows) if first_rows else np.empty(0, dtype=np.int64)
        by_row = np.argsort(firsts)
        new = np.empty(n_texts, dtype=np.int32)
        new[by_row] = np.arange(n_texts, dtype=np.int32)
        for start in range(0, self._rows, _BLOCK):
            block = codes[start : start + _BLOCK]
            block[:] = new.take(block)
        first_rows_in_order = firsts.take(by_row)
        return CodedTexts(codes, _texts([column.take(first_rows_in_order) for column in words]))

    def _hashes(self, words: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
        hashes = np.empty(self._rows, dtype=np.uint64)
        for start in range(0, self._rows, _BLOCK):
            mixed = hashes[start : start + _BLOCK]
            mixed[:] = 0
            for column in words:
                mixed ^= column[start : start + _BLOCK]
                mixed *= np.uint64(_MULTIPLIER)
                mixed ^= mixed >> np.uint64(_WORD // 2)
            mixed *= np.uint64(_MULTIPLIER)
        return hashes


def _texts(words: list[npt.NDArray[np.uint64]]) -> Any:
    """Return texts as an array of Arrow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    content = np.ascontiguousarray(np.stack(words, axis=1))
    n, width = len(content), len(words) * _BYTES
    ends = pa.py_buffer(np.arange(n + 1, dtype=np.int64) * width)
    padded = pa.LargeStringArray.from_buffers(n, ends, pa.py_buffer(content))
    return pc.ascii_rtrim(padded, "\0")
