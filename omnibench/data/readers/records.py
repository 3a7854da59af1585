"""Records: a JSON object or a Python literal a line, whose interactions may be a list inside of it."""

from __future__ import annotations

import ast
import codecs
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from omnibench.data.files.members import RawFile
from omnibench.data.readers.collected import chunks, collected, excerpt, numbered_lines, recoded
from omnibench.data.readers.json_lines import parsed_chunk
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError, nearest

_PATH = "."
"""Separates the keys of objects within objects, where no key has it in it."""

_LISTED = 12
"""Keys that an error lists."""

Parser = Callable[[str], Any]


def read_json(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield interactions of a JSON object a line, or of one JSON list of objects.

    Numbers with a point stay the texts that they are, so that no id changes.

    Raises:
        DataError: A line is no JSON object, or none has a key of the columns.
    """
    stream, encoding = recoded(stream, reader.options.get("encoding", "utf-8"))
    search = _Search(reader, file)
    pieces = chunks(stream)
    has_begun = False
    for first_line, chunk in pieces:
        first = None if has_begun else next(numbered_lines(io.BytesIO(chunk), encoding, file, first_line), None)
        has_begun |= first is not None
        if first is not None and not _is_object(first[1]):
            text = b"".join([chunk, *(piece for _, piece in pieces)]).decode(encoding).removeprefix("\ufeff")
            yield from search.batches(enumerate(_document(text, file, first), start=first[0]))
            break
        batch = search.parsed(chunk, first_line) if codecs.lookup(encoding).name == "utf-8" else None
        if batch is not None:
            yield batch
            continue
        lines = numbered_lines(io.BytesIO(chunk), encoding, file, first_line)
        yield from search.batches(_parsed(lines, _json_value, file, "JSON", "python"))
    search.check()


def read_python(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield interactions of a Python literal a line; nothing is evaluated.

    Raises:
        DataError: A line is no mapping, or none has a key of the columns.
    """
    stream, encoding = recoded(stream, reader.options.get("encoding", "utf-8"))
    search = _Search(reader, file)
    yield from search.batches(
        _parsed(numbered_lines(stream, encoding, file), _literal, file, "a Python literal", "json")
    )
    search.check()


def _json_value(line: str) -> Any:
    return json.loads(line, parse_float=str, parse_constant=str)


def _literal(line: str) -> Any:
    return ast.literal_eval(line.strip())


def _is_object(line: str) -> bool:
    try:
        return isinstance(_json_value(line), dict)
    except (ValueError, RecursionError):
        return False


def _document(text: str, file: RawFile, first: tuple[int, str]) -> list[Any]:
    """Return the records of a JSON document that goes over several lines."""
    try:
        document = _json_value(text)
    except (ValueError, RecursionError) as error:
        raise DataError(_unparsed(file, first[0], first[1], "JSON", "python", error)) from error
    return document if isinstance(document, list) else [document]


def _parsed(
    lines: Iterable[tuple[int, str]], parse: Parser, file: RawFile, language: str, alternative: str
) -> Iterator[tuple[int, Any]]:
    for number, line in lines:
        try:
            yield number, parse(line)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise DataError(_unparsed(file, number, line, language, alternative, error)) from error


def _unparsed(file: RawFile, number: int, line: str, language: str, alternative: str, error: Exception) -> str:
    parser = _literal if alternative == "python" else _json_value
    hint = "Mend or drop the line; a file that ends within a line was not copied completely."
    try:
        if isinstance(parser(line), dict):
            hint = f"It is what format={alternative!r} reads."
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    reason = (getattr(error, "msg", "") or str(error) or type(error).__name__).partition(" on line")[0]
    return f"{file.label}, line {number} is no {language.removeprefix('a ')} ({reason}): {excerpt(line)}. {hint}"


class _Search:
    """The values of some keys in records, and which keys were in none of them."""

    def __init__(self, reader: Reader, file: RawFile) -> None:
        self._columns: Mapping[str, str] = reader.columns if isinstance(reader.columns, Mapping) else {}
        self._filters = tuple(map(str, reader.options.get("keep", {})))
        self._keys = (*self._columns, *self._filters)
        self._nested: str = reader.options.get("nested", "")
        self._file = file
        self._absent = set(self._keys)
        self._first: dict[str, Any] = {}
        self._has_nested = not self._nested
        self._has_rows = False

    def batches(self, records: Iterable[tuple[int, Any]]) -> Iterator[Batch]:
        """Yield the interactions of records, each with the number of its line."""
        yield from collected(self._rows(records), tuple(self._columns.values()), self._filters, self._file)

    def parsed(self, chunk: bytes, first_line: int) -> Batch | None:
        """Return the interactions of a chunk of JSON lines; None where they are to be read one by one."""
        batch = parsed_chunk(chunk, first_line, self._columns, self._nested, self._filters)
        if batch is not None:  # it has found all keys
            self._has_rows, self._has_nested, self._absent = True, True, set()
        return batch

    def _rows(self, records: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        for number, record in records:
            if not isinstance(record, dict):
                raise DataError(
                    f"{self._file.label}, line {number} is {excerpt(record)}, no object with the keys "
                    f"{', '.join(map(repr, self._keys))}. Lists of items are format='adjacency'."
                )
            if not self._has_rows:
                self._first = self._first or {str(key): value for key, value in record.items()}
            values = [_value(record, key) for key in self._keys]
            if not self._nested:
                self._see(values)
                yield number, tuple(values)
                continue
            for entry in self._entries(record, number):
                inner = entry if isinstance(entry, dict) else {self._nested: entry}
                own = [inner.get(key, value) for key, value in zip(self._keys, values, strict=True)]
                if not self._has_rows:
                    self._first |= {str(key): value for key, value in inner.items()}
                self._see(own)
                yield number, tuple(own)

    def _entries(self, record: Mapping[str, Any], number: int) -> list[Any]:
        entries = _value(record, self._nested)
        if entries is None:
            return []
        if not isinstance(entries, list | tuple):
            raise DataError(
                f"{self._file.label}, line {number}: {self._nested!r} is {excerpt(entries)}, no list of interactions."
            )
        self._has_nested = True
        return list(entries)

    def _see(self, values: list[Any]) -> None:
        self._has_rows = True
        if self._absent:
            self._absent -= {key for key, value in zip(self._keys, values, strict=True) if value is not None}

    def check(self) -> None:
        """Refuse records of which none had a key.

        Raises:
            DataError: There is such a key.
        """
        if self._first and not self._has_nested:
            raise DataError(f"{self._file.label}: no record has the list {self._nested!r}{self._hint(self._nested)}")
        for key in self._keys if self._has_rows else ():
            if key in self._absent:
                raise DataError(f"{self._file.label}: no record has a value for {key!r}{self._hint(key)}")

    def _hint(self, key: str) -> str:
        listed = ", ".join(map(repr, list(self._first)[:_LISTED]))
        return f"{nearest(key, list(self._first))}; the first record has {listed}. Name the key that it is."


def _value(record: Mapping[str, Any], key: str) -> Any:
    if key in record:
        return record[key]
    value: Any = record
    for name in key.split(_PATH):
        value = value.get(name) if isinstance(value, dict) else None
    return value
