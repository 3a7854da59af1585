"""The call that would probably read a file, guessed from its first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.data.catalogue.guesses import guess
from omnibench.data.files.proposals import JSON_SUFFIXES, SEPARATORS
from omnibench.data.files.streams import BROKEN, open_binary
from omnibench.errors import DataError

_START = 1 << 16
"""Bytes that are looked at."""

_COMMENTS = (b"%", b"#")
"""What lines begin with that are no data, as KONECT and SNAP write them."""


def probable_call(path: Path, file_format: str) -> str:
    """Return a call of ``from_file`` that would read a file; empty where its first bytes do not tell one.

    Args:
        path: The file.
        file_format: The format that its suffix says.
    """
    try:
        with open_binary(path) as stream:
            start = stream.read(_START)
    except (*BROKEN, DataError):
        return ""
    comment = next((mark for mark in _COMMENTS if start.startswith(mark)), b"")
    lines = [line for line in start.splitlines(keepends=True) if not comment or not line.startswith(comment)]
    values = dict(guess(b"".join(lines), path.name, complete=len(start) < _START).values)
    if comment and values["format"] == "table":
        values["comment"] = comment.decode()
    if "columns" in values:
        columns = _columns(values["columns"])
        if not {"user", "item"} <= {*(columns.values() if isinstance(columns, Mapping) else columns)}:
            return ""
        values["columns"] = columns
        if isinstance(columns, Mapping) and all(own == role for own, role in columns.items()):
            del values["columns"]
    arguments = {name: value for name, value in values.items() if not _is_usual(name, value, values, file_format)}
    if any(isinstance(value, str) and value.startswith("<") for value in arguments.values()):
        return ""
    return f"from_file({', '.join([repr(path.name), *(f'{name}={value!r}' for name, value in arguments.items())])})"


def _columns(columns: Any) -> dict[str, str] | list[str | None]:
    """Return the columns whose roles are guessed, as a call has them."""
    if isinstance(columns, Mapping):
        return {own: role for own, role in columns.items() if not role.startswith("<")}
    return [role or None for role in columns]


def _is_usual(name: str, value: Any, values: Mapping[str, Any], file_format: str) -> bool:
    """Whether an argument says what is so without it."""
    is_table = values["format"] == "table"
    return (
        (name == "format" and (is_table or (value == "json" and file_format in JSON_SUFFIXES)))
        or (name == "separator" and (value == SEPARATORS.get(file_format) or values["format"] == "adjacency"))
        or (name == "header" and (value or not isinstance(values.get("columns"), Mapping)))
        or (name == "quote" and file_format == "csv")
        or (name == "user" and value == "first")
        or (name == "time" and (value.startswith("<") or (is_table and "%" not in value)))
    )
