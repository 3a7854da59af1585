"""The rows of a text file, block by block: each block has whole rows, in memory that the next one takes over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_END = b"\n"


class RowBlock(NamedTuple):
    """Whole rows.

    Attributes:
        content: Their bytes, and more behind them; uint8, to be read until the next block is asked for.
        size: How many bytes are theirs; the last of them ends a line. None where a row is longer than a block may be.
    """

    content: npt.NDArray[np.uint8]
    size: int | None


def row_blocks(stream: Any, size: int, padding: int) -> Iterator[RowBlock]:
    """Yield the rows of a stream; a last line without an end gets one.

    Args:
        stream: The bytes, from the start of a row; a stream with ``readinto``.
        size: The most bytes of a block.
        padding: How many bytes more ``RowBlock.content`` has at least.
    """
    buffer = bytearray(size + max(padding, len(_END)))
    content = np.frombuffer(buffer, dtype=np.uint8)
    room = memoryview(buffer)
    kept = 0
    while kept < size:
        read = stream.readinto(room[kept:size])
        if not read:
            if kept:
                buffer[kept] = ord(_END)
                yield RowBlock(content, kept + 1)
            return
        filled = kept + read
        end = buffer.rfind(_END, kept, filled) + 1
        if end:
            yield RowBlock(content, end)
            room[: filled - end] = bytes(room[end:filled])
        kept = filled - end
    yield RowBlock(content, None)
