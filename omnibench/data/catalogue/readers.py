"""The reader of a definition: its format, the columns that are used, and the options that its format takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.data.files.streams import is_encoding
from omnibench.data.interactions import COLUMNS
from omnibench.data.readers.keys import CHOICES, OPTION_TYPES, READER_KEYS, TIME_UNITS
from omnibench.data.readers.reader import Reader
from omnibench.data.step import is_number
from omnibench.data.toml_tables import Table
from omnibench.errors import nearest

_WITH_COLUMNS = frozenset(name for name, keys in READER_KEYS.items() if "columns" in keys)
_IN_ORDER = ("table", "npz")
"""Formats whose columns may have no names."""


def reader_of(table: Table, targets: tuple[str, ...] = COLUMNS, required: tuple[str, ...] = ("user", "item")) -> Reader:
    """Return what a table says about reading.

    Args:
        table: The table.
        targets: The names that columns may get; empty for any name.
        required: The names that must be among them.

    Raises:
        DataError: A key or value is wrong.
    """
    if "format" not in table.values:
        raise table.error(f"the key 'format' is missing; give one of {', '.join(READER_KEYS)}.")
    file_format = table.choice("format", tuple(READER_KEYS))
    table.check_keys({"format", *READER_KEYS[file_format]})
    options: dict[str, Any] = {}
    for key in table.values:
        if key in OPTION_TYPES:
            options[key] = _option(table, key)
    columns = _columns(table, file_format, targets, required)
    if isinstance(columns, tuple) and columns and options.get("header"):
        raise table.error(
            "columns is a list although header is true; give a table from the file's names to omnibench's, or set "
            "header = false."
        )
    return Reader(file_format, columns, options)


def _option(table: Table, key: str) -> Any:
    value = table.get(key, OPTION_TYPES[key], OPTION_TYPES[key]())
    if key in CHOICES:
        return table.choice(key, CHOICES[key])
    if key == "time" and value not in TIME_UNITS and "%" not in value:
        raise table.error(
            f"time is {value!r}{nearest(value, TIME_UNITS)}; give one of {', '.join(TIME_UNITS)}, or a format such as "
            "'%d/%m/%Y'."
        )
    if key == "encoding" and not is_encoding(value):
        raise table.error(f"encoding is {value!r}, which Python does not know; give one such as 'utf-8' or 'latin-1'.")
    if key in ("separator", "item_separator", "comment") and (not value or set(value) & set("\r\n")):
        raise table.error(f"{key} is {value!r}; give one or several letters, none of them the end of a line.")
    if key == "quote" and len(value) > 1:
        raise table.error(f"quote is {value!r}; give a single letter such as '\"', or an empty text for no quoting.")
    if key in ("skipped", "skipped_lines") and value < 0:
        raise table.error(f"{key} is {value}; give a number of 0 or more.")
    if key == "ratings" and not all(is_number(number) for number in value.values()):
        raise table.error(f"ratings is {value!r}; give a number for each word, e.g. {{ true = 1, false = 0 }}.")
    if key == "keep" and not all(isinstance(values, list) and values for values in value.values()):
        raise table.error(f"keep is {value!r}; give a list of values for each column, e.g. {{ event = ['view'] }}.")
    return value


def _columns(
    table: Table, file_format: str, targets: tuple[str, ...], required: tuple[str, ...]
) -> tuple[str, ...] | Mapping[str, str]:
    columns = table.values.get("columns")
    if columns is None:
        if file_format in _WITH_COLUMNS:
            raise table.error(
                f"the key 'columns' is missing; the format {file_format!r} needs it, e.g. ['user', 'item'] for a file "
                "without a header, or { userId = 'user', movieId = 'item' }."
            )
        return ()
    if isinstance(columns, dict):
        for own, name in columns.items():
            table.refuse_placeholder(f"columns.{own}", name)
        _check_names(table, list(columns.values()), targets, required)
        return dict(columns)
    if not isinstance(columns, list) or file_format not in _IN_ORDER:
        raise table.error(f"columns is {columns!r}; give a table from the file's names to omnibench's.")
    _check_names(table, columns, targets, required)
    return tuple(columns)


def _check_names(table: Table, names: list[Any], targets: tuple[str, ...], required: tuple[str, ...]) -> None:
    if not all(isinstance(name, str) for name in names):
        raise table.error(f"columns has {names!r}; give texts, an empty one for a column that is not used.")
    used = [name for name in names if name]
    for name in used:
        table.refuse_placeholder("a column", name)
        if targets and name not in targets:
            raise table.error(f"columns has {name!r}{nearest(name, targets)}; the names are {', '.join(targets)}.")
        if used.count(name) > 1:
            raise table.error(f"columns has {name!r} twice; give each name once.")
    for name in required:
        if name not in used:
            raise table.error(f"columns has no {name!r}; say which column it is.")
