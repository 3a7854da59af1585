"""Netflix's ratings: a line ``item:`` above its lines ``user,rating,date``."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from omnibench.data.files.members import RawFile, open_member
from omnibench.data.readers.collected import chunks, excerpt, numbered_lines
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_HEADER = re.compile(rb"^([^,\n:]+):[ \t\r]*(?:\n|\Z)", re.MULTILINE)

_NAMES = ("user", "rating", "timestamp")


def read_netflix(_reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield ratings of items that stand above them.

    Raises:
        DataError: A line is neither an item nor a rating, or a rating stands above the first item.
    """
    import pyarrow as pa

    item, start = b"", 0
    for _, chunk in chunks(stream):
        before, *pieces = _HEADER.split(chunk)
        items = [item, *pieces[0::2]]
        blocks = [before, *pieces[1::2]]
        counts = [_lines(block) for block in blocks]
        if counts[0] and not item:
            _refuse(file, "a rating stands above the first item")
        item = items[-1]
        if not sum(counts):
            continue
        table = _table(b"".join(blocks), file)
        if table.num_rows != sum(counts):
            _refuse(file, "a line is no rating")
        numbers = np.repeat(np.arange(len(items)), counts)
        names = pa.array([name.strip().decode() for name in items]).take(pa.array(numbers))
        columns = {name: table.column(name).combine_chunks() for name in _NAMES}
        yield Batch({"item": names, **columns}, {}, _LineOfRow(file, start))
        start += table.num_rows


def _lines(block: bytes) -> int:
    return sum(1 for line in block.split(b"\n") if line.strip())


def _table(content: bytes, file: RawFile) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    try:
        return csv.read_csv(
            io.BytesIO(content),
            csv.ReadOptions(column_names=list(_NAMES), use_threads=False),
            csv.ParseOptions(quote_char=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(_NAMES, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        _refuse(file, str(error))


class _LineOfRow:
    """What errors call the ratings of a chunk, for which the file is read again."""

    def __init__(self, file: RawFile, start: int) -> None:
        self._file, self._start = file, start

    def __call__(self, row: int) -> str:
        with open_member(self._file) as stream:
            ratings = (number for number, line in numbered_lines(stream, "utf-8", self._file) if not _is_header(line))
            line = next(itertools.islice(ratings, self._start + row, None), 0)
        return f"line {line}"


def _is_header(line: str) -> bool:
    return _HEADER.match(line.encode()) is not None


def _refuse(file: RawFile, reason: str) -> NoReturn:
    """Refuse the first line that is neither an item nor a rating."""
    has_item = False
    with open_member(file) as stream:
        for number, line in numbered_lines(stream, "utf-8", file):
            if _is_header(line):
                has_item = True
            elif not has_item or line.count(",") != len(_NAMES) - 1:
                problem = "is no rating 'user,rating,date'" if has_item else "has no item above it, as in '8:'"
                raise DataError(f"{file.label}, line {number} {problem}: {excerpt(line)}. Mend or drop the line.")
    raise DataError(f"{file.label} cannot be read as Netflix's ratings: {reason}.")
