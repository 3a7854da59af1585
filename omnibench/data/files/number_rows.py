"""Large text files of plain numbers, read in one pass by a compiled loop where numba is installed.

What is read is what ``plain.py`` reads, at a third of its costs. Whatever is not a number as numbers usually are written
ends this way of reading: missing values, blanks, quotation marks, signs and zeros too many, exponents, and lines with other
fields than the header's. The other ways then read the file from its start, so that results and errors are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.data.files.layout import TextLayout
from omnibench.data.files.plain import PLAIN_ENCODINGS, PlainColumns, has_plain_header
from omnibench.data.files.row_blocks import row_blocks
from omnibench.data.files.streams import BROKEN, compression, open_utf8, single
from omnibench.data.files.text import IDS
from omnibench.data.files.through import archive_in, size_of
from omnibench.data.growing import GrowingColumn, IntegerCodes
from omnibench.data.loops.compiling import are_compiled
from omnibench.data.numbers import INTEGER

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_WORTH = 3 << 27
"""Bytes of a file from which this saves more than it takes to import numba, with what it has compiled before.

A run reads a file twice, for its key and for its rows; who reads it once needs a file twice as large.
"""

_BLOCK = 1 << 18
"""Bytes of rows that are parsed at once: what fits into a core's cache with the numbers that come of them."""

_SHORTEST_ROW = 4
"""Bytes of a user and an item of one digit each, and of what ends both."""

_SEPARATORS = ",;|:\t \x1f"
"""Those that are no part of a number."""


def read_number_rows(layout: TextLayout, positions: Mapping[str, int]) -> PlainColumns | None:
    """Return the columns of a text file of plain numbers; None where it may be anything else, or no loop is compiled.

    Args:
        layout: The file.
        positions: Where its columns stand, by omnibench's names.
    """
    size = size_of(layout.path)
    is_plain = layout.encoding in PLAIN_ENCODINGS and single(layout.separator) in _SEPARATORS
    if size < _WORTH or not is_plain:
        return None
    try:
        if not _begins_with_integers(layout, positions) or not are_compiled():
            return None
        with open_utf8(layout.path, layout.encoding, layout.separator) as stream:
            if not has_plain_header(stream, layout):
                return None
            is_compressed = compression(layout.path) != "" or archive_in(layout.path) != layout.path
            return _read(stream, layout, positions, 0 if is_compressed else size)
    except (*BROKEN, MemoryError):  # which the slower way says with its line
        return None


def _begins_with_integers(layout: TextLayout, positions: Mapping[str, int]) -> bool:
    """Whether the ids of the first row are integers: for a file of texts, importing numba would be in vain."""
    separator = single(layout.separator)
    with open_utf8(layout.path, layout.encoding, layout.separator) as stream:
        if not has_plain_header(stream, layout):
            return False
        fields = stream.readline().rstrip(b"\r\n").decode("utf-8", "replace").split(separator)
    widest = max(positions[name] for name in IDS)
    return widest < len(fields) and all(re.fullmatch(INTEGER, fields[positions[name]]) for name in IDS)


def _read(stream: Any, layout: TextLayout, positions: Mapping[str, int], size: int) -> PlainColumns | None:
    """Return the columns.

    Args:
        stream: The bytes behind the header.
        layout: The file.
        positions: Where its columns stand.
        size: How many bytes there are about; 0 where nobody knows.
    """
    from omnibench.data.loops import number_fields

    uses = np.full(len(layout.names), number_fields.UNUSED, dtype=np.uint8)
    for name, position in positions.items():
        uses[position] = _uses(number_fields)[name]
    separator = ord(single(layout.separator))
    room = _BLOCK // _SHORTEST_ROW + 1
    user, item, timestamp = (np.empty(room, dtype=np.int64) for _ in range(3))
    rating = np.empty(room, dtype=np.float32)
    columns: _Columns | None = None
    for content, filled in row_blocks(stream, _BLOCK, number_fields.PADDING):
        if filled is None:
            return None
        rows, parsed = number_fields.parse_rows(content, filled, separator, uses, user, item, rating, timestamp)
        if parsed < filled:
            return None
        if columns is None:
            # Numbers grow longer in a file of many, so a tenth more rows than the first block promises are not touched.
            capacity = int(1.1 * size / filled * rows) + rows
            columns = _Columns(positions, capacity, number_fields.code_numbers)
        columns.append(user[:rows], item[:rows], rating[:rows], timestamp[:rows])
    return None if columns is None else columns.finish()


def _uses(number_fields: Any) -> dict[str, int]:
    return {
        "user": number_fields.USER,
        "item": number_fields.ITEM,
        "rating": number_fields.RATING,
        "timestamp": number_fields.TIMESTAMP,
    }


class _Columns:
    """The columns of all rows so far.

    Args:
        names: Those that the file has.
        capacity: The number of rows that are expected.
        loop: Codes numbers.
    """

    def __init__(self, names: Mapping[str, int], capacity: int, loop: Callable[..., int]) -> None:
        self._user, self._item = IntegerCodes(capacity, loop), IntegerCodes(capacity, loop)
        self._rating = GrowingColumn(np.float32, capacity) if "rating" in names else None
        self._timestamp = GrowingColumn(np.int64, capacity) if "timestamp" in names else None

    def append(self, user: Any, item: Any, rating: Any, timestamp: Any) -> None:
        """Add the next rows."""
        self._user.append(user)
        self._item.append(item)
        if self._rating is not None:
            self._rating.room(len(rating))[:] = rating
        if self._timestamp is not None:
            self._timestamp.room(len(timestamp))[:] = timestamp

    def finish(self) -> PlainColumns:
        """Return them."""
        return PlainColumns(
            self._user.finish(),
            self._item.finish(),
            None if self._rating is None else self._rating.entries,
            None if self._timestamp is None else self._timestamp.entries,
        )
