"""How a raw file may be read, guessed from its first lines; what they do not tell is left as a placeholder."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from omnibench.data.catalogue.guessed_times import time_of
from omnibench.data.files.proposals import usual_columns

ROLE = "<user, item, rating or timestamp; delete it if it is none>"
"""Stands where only the author of a file can know what a column is."""

_SEPARATORS = ("::", "\t", ";", "|", ",", " ")
_FEWEST_FIELDS = 2
_MAGIC = ((b"\x89HDF", "hdf5"), (b"\xd0\xcf\x11\xe0", "matrix"))
_SUFFIXES = {".npz": "npz", ".xlsx": "matrix", ".xls": "matrix"}
_SHORT_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d{1,2})?\s*")
"""A number that may be an id or a rating, and no coordinate."""

_WIDE = 20
"""Columns of numbers from which on a file without names is a matrix."""

_FIRST_TIME = 100_000_000
"""Numbers from this on are moments rather than ratings: it is a second of 1973."""


@dataclass(frozen=True, slots=True)
class Guess:
    """How a raw file may be read.

    Attributes:
        values: The table ``[reader]`` of a definition.
        remarks: What to check, as sentences.
    """

    values: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def guess(start: bytes, name: str, *, complete: bool) -> Guess:
    """Guess how a raw file is read.

    Args:
        start: Its first bytes, decompressed.
        name: Its name.
        complete: Whether these are all of it, so that its last line is whole.

    Returns:
        The reader; of a file that is like no format that is known, a table with placeholders.
    """
    for magic, binary_format in _MAGIC:
        if start.startswith(magic):
            return _of_binary(binary_format)
    for suffix, binary_format in _SUFFIXES.items():
        if name.lower().endswith(suffix):
            return _of_binary(binary_format)
    text, encoding = _decoded(start, complete=complete)
    lines = [line for line in text.splitlines() if line.strip()]
    for of_format in (_of_records, _of_netflix, _of_blocks, _of_behaviours, _of_table, _of_adjacency):
        guessed = of_format(lines)
        if guessed is not None:
            return Guess({**guessed.values, **encoding}, guessed.remarks)
    return Guess(
        {"format": "table", "separator": "<what stands between two fields>", "columns": ["user", "item"], **encoding},
        ("The first lines are like no format that omnibench knows.",),
    )


def _decoded(start: bytes, *, complete: bool) -> tuple[str, dict[str, str]]:
    """Return the text, and the encoding where it is not UTF-8."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start.decode("utf-16", "ignore"), {"encoding": "utf-16"}
    whole = start if complete else start[: start.rfind(b"\n") + 1] or start
    try:
        return whole.decode("utf-8-sig"), {}
    except UnicodeDecodeError:
        return whole.decode("latin-1"), {"encoding": "latin-1"}


def _of_binary(file_format: str) -> Guess:
    if file_format == "hdf5":
        return Guess({"format": "hdf5", "matrix": "<the group of the matrix>", "orientation": "<items or users>"})
    if file_format == "npz":
        return Guess({"format": "npz", "columns": ["user", "item"]}, ("The columns are guessed from their positions.",))
    return Guess({"format": "matrix"}, ("A row is a user, a column an item; skipped = 1 leaves the first column out.",))


def _of_records(lines: Sequence[str]) -> Guess | None:
    """Guess JSON or Python dictionaries, one a line; a list inside of them may have the interactions."""
    if not lines or not lines[0].lstrip().startswith("{"):
        return None
    for file_format, parse in (("json", json.loads), ("python", ast.literal_eval)):
        records: list[Any] = []
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            records = [parse(line) for line in lines]
        if records and all(isinstance(record, dict) for record in records):
            return _of_keys(file_format, records)
    return None


def _of_keys(file_format: str, records: Sequence[Mapping[str, Any]]) -> Guess:
    record = {key: value for entry in reversed(records) for key, value in entry.items()}
    lists = [key for key, value in record.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    values: dict[str, Any] = {"format": file_format}
    if lists:
        values["nested"] = lists[0]
        record = {**{key: value for key, value in record.items() if key != lists[0]}, **record[lists[0]][0]}
    names = [key for key, value in record.items() if isinstance(value, str | int | float)]
    columns = _columns(names)
    fields = [{**entry, **(entry.get(lists[0]) or [{}])[0]} if lists else entry for entry in records]
    return _with_time(values, columns, [[str(field.get(name, "")) for name in names] for field in fields], names)


def _of_netflix(lines: Sequence[str]) -> Guess | None:
    if len(lines) < 2 or not re.fullmatch(r"\d+:", lines[0].strip()):  # noqa: PLR2004 - an item and its first rating
        return None
    fields = [line.split(",") for line in lines if not line.strip().endswith(":")]
    if {len(row) for row in fields} != {3}:
        return None
    time = time_of([row[2] for row in fields])
    return Guess({"format": "netflix", **({"time": time} if time else {})})


def _of_blocks(lines: Sequence[str]) -> Guess | None:
    """Guess lines of a key and a value, the same keys in block after block."""
    pairs = [re.fullmatch(r"([\w/ -]{1,40}): (.*)", line) for line in lines]
    keys = [pair[1] for pair in pairs if pair]
    if len(keys) < len(lines) * 0.9 or len(set(keys)) < _FEWEST_FIELDS or not lines:
        return None
    names = list(dict.fromkeys(keys))
    texts = [[pair[2] if pair and pair[1] == name else "" for name in names] for pair in pairs]
    return _with_time({"format": "blocks"}, _columns(names), texts, names)


def _of_behaviours(lines: Sequence[str]) -> Guess | None:
    rows = [line.split("\t") for line in lines]
    if not rows or not all(len(row) == 5 and re.fullmatch(r"(\S+-[01] ?)+", row[4]) for row in rows):  # noqa: PLR2004
        return None
    time = time_of([row[2] for row in rows])
    return Guess({"format": "behaviours", "use": "impressions", **({"time": time} if time else {})})


def _of_table(lines: Sequence[str]) -> Guess | None:
    """Guess a table: every line has as many fields as the first, at least two."""
    for separator, quote, rows in _tables(lines):
        width = len(rows[0])
        named = usual_columns(rows[0])
        numeric = [sum(map(_is_number, row)) for row in rows]
        has_header = bool(named) or (numeric[0] == 0 and max(numeric[1:], default=0) > 0)
        values: dict[str, Any] = {"format": "table", "separator": separator, "header": has_header}
        if quote:
            values["quote"] = quote
        if has_header:
            return _with_time(values, _columns(rows[0]), rows[1:], rows[0])
        if width >= _WIDE and min(numeric) == width:
            return _of_binary("matrix")
        if separator == " " and width > 4 and min(numeric) == width:  # noqa: PLR2004 - user, item, rating, timestamp
            return None
        del values["header"]
        names = [f"column {number + 1}" for number in range(width)]
        columns = dict(zip(names, _by_position(rows), strict=True))
        guessed = _with_time(values, columns, rows, names)
        listed = [guessed.values["columns"].get(name, "") for name in names]
        remark = (
            "The columns have no names: which of them is the user, and which the item, is guessed from their order."
        )
        return Guess({**guessed.values, "columns": listed}, (remark, *guessed.remarks))
    return None


def _tables(lines: Sequence[str]) -> Iterator[tuple[str, str, list[list[str]]]]:
    """Yield separator, quotation mark and fields of each way in which lines are a table."""
    for separator in _SEPARATORS:
        if not lines or separator not in lines[0]:
            continue
        is_quoted = len(separator) == 1 and any(f'{separator}"' in line or line.startswith('"') for line in lines)
        rows = list(csv.reader(lines, delimiter=separator)) if is_quoted else [line.split(separator) for line in lines]
        if len(rows[0]) >= _FEWEST_FIELDS and len({len(row) for row in rows}) == 1:
            yield separator, '"' if is_quoted else "", rows
    rows = [line.split() for line in lines]
    if rows and len(rows[0]) >= _FEWEST_FIELDS and len({len(row) for row in rows}) == 1:
        yield "whitespace", "", rows


def _of_adjacency(lines: Sequence[str]) -> Guess | None:
    """Guess lines of a user and its items; of numbers alone, where the first may count the others."""
    rows = [line.split() for line in lines]
    if not rows or max(map(len, rows)) < _FEWEST_FIELDS or not all(token.isdecimal() for row in rows for token in row):
        return None
    if all(int(row[0]) == len(row) - 1 for row in rows):
        return Guess({"format": "adjacency", "user": "line", "counted": True, "separator": " "})
    return Guess({"format": "adjacency", "user": "first"}, ("The first number of a line is taken for the user.",))


def _columns(names: Sequence[str]) -> dict[str, str]:
    """Return what the columns are whose names are usual; all others with a placeholder, where user or item is missing."""
    by_last = {name.rpartition("/")[2]: name for name in reversed(names)}
    role_of = {by_last[last]: role for role, last in usual_columns([*reversed(by_last)]).items()}
    is_clear = {"user", "item"} <= set(role_of.values())
    return {name: role_of.get(name, ROLE) for name in names if name and (name in role_of or not is_clear)}


def _by_position(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the usual order of columns without names: user, item, rating, timestamp; numbers with many digits are none."""
    roles = [""] * len(rows[0])
    for number in range(len(roles)):
        texts = [row[number] for row in rows]
        is_numeric = all(map(_is_number, texts))
        if number and "timestamp" not in roles and _is_time(texts, is_numeric=is_numeric):
            roles[number] = "timestamp"
        elif is_numeric and not all(map(_SHORT_NUMBER.fullmatch, texts)):
            continue
        elif "item" not in roles:
            roles[number] = "item" if "user" in roles else "user"
        elif is_numeric and "rating" not in roles:
            roles[number] = "rating"
    return roles


def _is_time(texts: Sequence[str], *, is_numeric: bool) -> bool:
    return bool(time_of(texts)) and (not is_numeric or float(texts[0]) >= _FIRST_TIME)


def _with_time(
    values: Mapping[str, Any], columns: Mapping[str, str], rows: Sequence[Sequence[str]], names: Sequence[str]
) -> Guess:
    """Return a guess with the unit or format of the timestamps; texts that are like none have a placeholder."""
    column = next((name for name, role in columns.items() if role == "timestamp"), None)
    guessed = {**values, "columns": dict(columns)}
    if column is None:
        return Guess(guessed)
    time = time_of([row[names.index(column)] for row in rows])
    return Guess({**guessed, "time": time or "<seconds, milliseconds, iso, or a format such as %d/%m/%Y>"})


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
