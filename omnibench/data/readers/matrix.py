"""Wide matrices: a row a user, a column an item, in a spreadsheet or a text file."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, BinaryIO

from omnibench.data.files.compression import HEAD
from omnibench.data.files.members import RawFile
from omnibench.data.readers.collected import collected
from omnibench.data.readers.layouts import TableLayout, records
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError, nearest

Row = tuple[int, Sequence[Any]]

_NUMBER = re.compile(r"\s*[+-]?[0-9.,]+([eE][+-]?[0-9]+)?\s*$")
"""A number, with a point or a comma; what is wrong with one is found where ratings are converted."""


def read_matrix(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield the cells of a matrix that have a rating.

    Users are the numbers of the rows, or with ``user = "first"`` what stands in the first column; items are the numbers of
    the columns behind the ``skipped`` ones, or with ``header`` their names.

    Raises:
        DataError: Rows have different lengths, there is no such sheet, or a package is missing.
    """
    yield from collected(_cells(reader, _rows(reader, stream, file), file), ("user", "item", "rating"), (), file)


def _rows(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Row]:
    head = stream.read(HEAD)
    stream.seek(0)
    sheet = reader.options.get("sheet", "")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _of_xls(stream.read(), sheet, file)
    if head.startswith(b"PK\x03\x04"):
        return _of_xlsx(io.BytesIO(stream.read()), sheet, file)
    separator = reader.options.get("separator", ",")
    layout = TableLayout(separator, '"', reader.options.get("encoding", "utf-8"), "", 0, header=False)
    return iter(records(file, layout))


def _cells(reader: Reader, rows: Iterator[Row], file: RawFile) -> Iterator[tuple[int, tuple[Any, ...]]]:
    options = reader.options
    has_names = options.get("user") == "first"
    skipped = options.get("skipped", 1 if has_names else 0)
    codes = _Codes(options.get("missing", ()))
    items: list[Any] | None = None
    width, first_line = 0, 0
    for line, fields in rows:
        if not width:
            width, first_line = len(fields), line
            items = list(range(1, width - skipped + 1))
            if options.get("header"):
                items = [_plain(name) for name in fields[skipped:]]
                continue
        if len(fields) != width:
            raise DataError(
                f"{file.label}, line {line} has {len(fields)} columns where line {first_line} has {width}. Mend or drop the line."
            )
        user = _plain(fields[0]) if has_names else line - (1 if options.get("header") else 0)
        for item, value in zip(items or (), fields[skipped:], strict=True):
            if value not in codes:
                if isinstance(value, str) and not _NUMBER.match(value):
                    raise DataError(
                        f"{file.label}, line {line}: the rating of the item {item!r} is {value!r}, no number. If the first line has the "
                        "names of the items, say header=True; if the first column has the names of the users, user='first'; what "
                        f"stands for no rating, missing=[{value!r}]."
                    )
                yield line, (user, item, value)


class _Codes:
    """What stands for no rating: some codes, and an empty cell."""

    def __init__(self, codes: Collection[object]) -> None:
        self._texts = {"", *(str(code) for code in codes)}
        self._numbers = {float(code) for code in codes if isinstance(code, int | float)}

    def __contains__(self, value: object) -> bool:
        if isinstance(value, float):
            return value in self._numbers or value != value  # noqa: PLR0124 - not a number
        text = "" if value is None else str(value).strip()
        if text in self._texts:
            return True
        try:
            return bool(self._numbers) and float(text) in self._numbers
        except ValueError:
            return False


def _plain(value: Any) -> Any:
    """Return an id of a spreadsheet, where all numbers have a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _of_xls(content: bytes, name: str, file: RawFile) -> Iterator[Row]:
    try:
        import xlrd
    except ImportError as error:
        raise DataError(
            f"{file.label} is an .xls file, for which omnibench needs another package: pip install xlrd."
        ) from error
    try:
        book = xlrd.open_workbook(file_contents=content)
    except Exception as error:  # xlrd has no common class of its errors
        raise _unreadable(file, error) from error
    sheet = book.sheet_by_name(_sheet(name, book.sheet_names(), file))
    for number in range(sheet.nrows):
        yield number + 1, sheet.row_values(number)


def _of_xlsx(content: BinaryIO, name: str, file: RawFile) -> Iterator[Row]:
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(
            f"{file.label} is an .xlsx file, for which omnibench needs another package: pip install openpyxl."
        ) from error
    try:
        book = openpyxl.load_workbook(content, read_only=True, data_only=True)
    except Exception as error:  # nor has openpyxl
        raise _unreadable(file, error) from error
    try:
        sheet = book[_sheet(name, book.sheetnames, file)]
        width = 0
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            width = width or len(row)
            yield number, row + (None,) * (width - len(row))  # empty cells at the end may not be there
    finally:
        book.close()


def _unreadable(file: RawFile, error: Exception) -> DataError:
    return DataError(
        f"{file.label} cannot be read as a spreadsheet: {str(error) or type(error).__name__}. It was not copied or downloaded "
        "completely, or is another file; fetch it again."
    )


def _sheet(name: str, names: Sequence[str], file: RawFile) -> str:
    if not name:
        return names[0]
    if name not in names:
        raise DataError(
            f"{file.label} has no sheet {name!r}{nearest(name, names)}; it has {', '.join(map(repr, names))}."
        )
    return name
