"""Text files of plain numbers and plain texts, read block by block: what most large files are.

A column of ids is one of integers only where each is written as integers usually are; a parser tells 7 for ``7`` and for
``007``. So the bytes are looked at on their way to the parser, and whatever might be written otherwise ends this way of
reading, as quotation marks do: ``text.py`` reads the file then, as slowly as it needs.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

from omnibench.data.files.layout import TextLayout
from omnibench.data.files.quotes import QUOTE
from omnibench.data.files.streams import BROKEN, compression, open_utf8, single
from omnibench.data.files.text import IDS, own_ids
from omnibench.data.files.through import archive_in, size_of
from omnibench.data.growing import CodedIds, GrowingColumn, IntegerCodes
from omnibench.data.numbers import EXACT_RATINGS
from omnibench.data.text_codes import TextCodes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

T = TypeVar("T", bound="np.generic")

_BLOCK = 1 << 20
"""Bytes that are parsed at once: what fits into a core's cache with the numbers that come of them."""

_LOOK = 1 << 17
"""Bytes that are looked at together, for the same reason."""

PLAIN_ENCODINGS = ("utf-8", "ascii", "iso8859-1", "cp1252")
"""In which digits and separators are the bytes that they are in ASCII."""

_REACH = 3
"""Bytes behind a separator that tell how a number is written."""

_ZERO, _PLUS, _MINUS, _POINT, _NINE = b"0+-.9"
_HEXADECIMAL = b"xX"


class PlainColumns(NamedTuple):
    """Columns of ids, and of plain numbers.

    Attributes:
        user: Coded ids.
        item: Coded ids.
        rating: float32, shape (n,), finite and at most ``EXACT_RATINGS``; None where there are none.
        timestamp: int64, shape (n,), or None.
        as_before: Whether earlier releases have read the same ids.
    """

    user: CodedIds
    item: CodedIds
    rating: npt.NDArray[np.float32] | None
    timestamp: npt.NDArray[np.int64] | None
    as_before: bool = True


class PlainBlocks:
    """Collects blocks of ids and plain numbers.

    Args:
        names: The columns: user, item, and rating and timestamp where they are.
        capacity: The number of rows that are expected.
        texts: Those of users and items that come as texts.

    Attributes:
        texts: The same.
    """

    def __init__(self, names: tuple[str, ...], capacity: int, texts: frozenset[str] = frozenset()) -> None:
        self.texts = texts
        self._ids = {name: (TextCodes if name in texts else IntegerCodes)(capacity) for name in IDS}
        self._rating = GrowingColumn(np.float32, capacity) if "rating" in names else None
        self._timestamp = GrowingColumn(np.int64, capacity) if "timestamp" in names else None

    def append(self, block: Mapping[str, Any]) -> bool:
        """Add the next rows, as Arrow's arrays by name; return whether they are plain: nothing missing, no large rating."""
        columns = {name: block[name] for name in self.names}
        if any(column.null_count for column in columns.values()):
            return False
        rating = self._rating
        if rating is not None:
            exact = _numbers(columns["rating"], np.float64)
            if len(exact) and not (exact.max() <= EXACT_RATINGS and exact.min() >= -EXACT_RATINGS):
                return False
            rating.room(len(exact))[:] = exact
        for name, codes in self._ids.items():
            if isinstance(codes, IntegerCodes):
                codes.append(_numbers(columns[name], np.int64))
            elif not codes.append(columns[name]):
                return False
        if self._timestamp is not None:
            moments = _numbers(columns["timestamp"], np.int64)
            self._timestamp.room(len(moments))[:] = moments
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        optional = {"rating": self._rating, "timestamp": self._timestamp}
        return (*IDS, *(name for name, column in optional.items() if column is not None))

    def finish(self, tokens: frozenset[str]) -> PlainColumns | None:
        """Return the columns of all rows, whose blocks go; None where texts cannot be told apart.

        Args:
            tokens: Those of users and items whose texts stay texts, whatever is in them.
        """
        finished: list[CodedIds] = []
        as_before = True
        for name in IDS:
            codes = self._ids.pop(name)
            if isinstance(codes, IntegerCodes):
                finished.append(codes.finish())
                continue
            coded = codes.finish()
            if coded is None:
                return None
            del codes  # the texts of users need not be there with those of items
            of_texts, ids, is_same = own_ids(*coded, as_text=name in tokens)
            finished.append(CodedIds(of_texts, ids.tolist()))
            as_before &= is_same
        user, item = finished
        return PlainColumns(
            user,
            item,
            None if self._rating is None else self._rating.entries,
            None if self._timestamp is None else self._timestamp.entries,
            as_before,
        )


def _numbers(column: Any, dtype: type[T]) -> npt.NDArray[T]:
    """Return Arrow's numbers, none of which is missing, as numpy's in the same memory; ``to_numpy`` imports pandas.

    Args:
        column: An array of Arrow, shape (n,).
        dtype: What its numbers are.
    """
    return np.frombuffer(column.buffers()[1], dtype)[column.offset : column.offset + len(column)]


def read_plain_text(
    layout: TextLayout,
    positions: Mapping[str, int],
    texts: frozenset[str] = frozenset(),
    tokens: frozenset[str] = frozenset(),
) -> PlainColumns | None:
    """Return the columns of a text file of plain numbers; None where it may be anything else, a broken file among it.

    Args:
        layout: The file.
        positions: Where its columns stand, by omnibench's names.
        texts: Those of users and items that are read as texts.
        tokens: Those of these that are no integers, whatever is in them.
    """
    if layout.encoding not in PLAIN_ENCODINGS:
        return None
    try:
        size = size_of(layout.path)
        with open_utf8(layout.path, layout.encoding, layout.separator) as stream:
            if not has_plain_header(stream, layout):
                return None
            is_compressed = compression(layout.path) != "" or archive_in(layout.path) != layout.path
            is_start, has_numbers = layout.skipped_lines == 0, texts != frozenset(IDS)
            checked = _Checked(stream, single(layout.separator), is_start=is_start, has_numbers=has_numbers)
            blocks = _read(checked, layout, positions, texts, 0 if is_compressed else size)
            return None if blocks is None else blocks.finish(tokens)
    except (*BROKEN, MemoryError):  # which the slower way says with its line
        return None


def has_plain_header(stream: IO[bytes], layout: TextLayout) -> bool:
    """Read the lines before the rows; return whether they are what the layout says, and end as lines usually do.

    Args:
        stream: The bytes of the file, from its start.
        layout: The file.
    """
    header = b"".join(stream.readline() for _ in range(layout.skipped_lines))
    is_quoted = QUOTE.encode() in header and layout.quote != QUOTE
    return not is_quoted and b"\r" not in header.replace(b"\r\n", b"")


def _read(
    stream: _Checked, layout: TextLayout, positions: Mapping[str, int], texts: frozenset[str], size: int
) -> PlainBlocks | None:
    import pyarrow as pa
    from pyarrow import csv

    used = {position: name for name, position in positions.items()}
    names = [used.get(position, f"column {position}") for position in range(len(layout.names))]
    types = {"user": pa.int64(), "item": pa.int64(), "rating": pa.float64(), "timestamp": pa.int64()}
    types |= dict.fromkeys(texts, pa.string())
    reader = csv.open_csv(
        stream,
        csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
        csv.ParseOptions(delimiter=single(layout.separator), quote_char=False),
        csv.ConvertOptions(
            column_types={name: types[name] for name in positions},
            include_columns=list(positions),
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=bool(texts),
        ),
    )
    blocks: PlainBlocks | None = None
    for batch in reader:
        if blocks is None:
            # Numbers grow longer in a file of many, so a tenth more rows than the first block promises are not touched.
            capacity = int(1.1 * size / _BLOCK * batch.num_rows) + batch.num_rows
            blocks = PlainBlocks(tuple(positions), capacity, texts)
        if not stream.is_plain or not blocks.append({name: batch.column(name) for name in positions}):
            return None
    return blocks if stream.is_plain else None


class _Checked(io.RawIOBase):
    """A stream that looks at the bytes that are read from it.

    Args:
        stream: The bytes.
        separator: What separates fields.
        is_start: Whether they are those of a file from its start, where a byte order mark may stand.
        has_numbers: Whether it matters how numbers are written.

    Attributes:
        is_plain: Whether there was nothing so far but numbers as they are usually written (and texts in between).
    """

    def __init__(self, stream: IO[bytes], separator: str, *, is_start: bool, has_numbers: bool = True) -> None:
        self._stream = stream
        self._may_be_marked = is_start
        self._separator = ord(separator)
        self._end = b"\n"
        self._has_numbers = has_numbers
        self.is_plain = True

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self.is_plain:
            return b""
        chunk = self._stream.read(size)
        # What a number begins with may lie in this chunk, and what follows in the next.
        seam = self._end + chunk[:_REACH]
        self._end = (self._end + chunk)[-_REACH:] if len(chunk) < _REACH else chunk[-_REACH:]
        # The parser drops a mark from the first bytes that it gets; behind a header it is part of an id.
        is_marked = not self._may_be_marked and chunk.startswith(codecs.BOM_UTF8)
        self._may_be_marked = True
        self.is_plain = not is_marked and self._is_plain(seam if chunk else seam + b"\n\n\n") and self._is_plain(chunk)
        return chunk if self.is_plain else b""

    def _is_plain(self, content: bytes) -> bool:
        if QUOTE.encode() in content:
            return False
        if not self._has_numbers:
            return True
        values = np.frombuffer(content, dtype=np.uint8)
        return all(
            _is_plain(values[start : start + _LOOK + _REACH], self._separator)
            for start in range(0, max(len(values) - _REACH, 1), _LOOK)
        )


def _is_plain(values: npt.NDArray[np.uint8], separator: int) -> bool:
    """Whether no number among bytes begins with a plus sign, a zero or a minus sign too many."""
    # Separators, blanks, ends of lines and signs are all below the digits, but for separators that are letters or the like.
    before_first = values[:-3] < _ZERO if separator < _ZERO else (values[:-3] < _ZERO) | (values[:-3] == separator)
    starts = np.flatnonzero(before_first & (values[1:-2] <= _ZERO))  # few numbers begin so: the rest costs nothing
    border, first, second, third = (values.take(starts + distance) for distance in range(4))
    begins = (border == separator) | (border <= ord(" "))
    is_digit = (second - _ZERO) <= _NINE - _ZERO  # of bytes, which wrap around
    strange = (first == _ZERO) & (is_digit | (second == _HEXADECIMAL[0]) | (second == _HEXADECIMAL[1]))
    strange |= first == _PLUS
    strange |= (first == _MINUS) & (second == _ZERO) & (third != _POINT)
    return not (begins & strange).any()
