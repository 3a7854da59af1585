"""The call that would probably read a file, guessed from its first bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.data.catalogue.guesses import guess
from omnibench.data.column_names import REQUIRED
from omnibench.data.files.layout import SEPARATORS
from omnibench.data.files.streams import BROKEN, JSON_SUFFIXES, open_binary
from omnibench.data.files.through import archive_in, raw_file
from omnibench.errors import DataError
from omnibench.paths import short_path

_START = 1 << 16
"""Bytes that are looked at."""

_COMMENTS = (b"%", b"#")
"""What lines begin with that are no data, as KONECT and SNAP write them."""


_EXCEL_SEPARATOR = re.compile(rb"(\xef\xbb\xbf)?sep=.\r?\n", re.IGNORECASE)
"""The line above the header that tells Excel the separator."""

_DECIMAL_COMMA = re.compile(rb"(?<=[\t;|\"])[0-9]+,[0-9]+(?=[\t;|\"\r\n])")
"""A field that is a number with a comma."""


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
    values = _guessed(start, path.name)
    if "columns" in values and not set(REQUIRED) <= _roles(values["columns"]):
        return ""
    arguments = {name: value for name, value in values.items() if not _is_usual(name, value, values, file_format)}
    if isinstance(arguments.get("columns"), Mapping):
        arguments["columns"] = {own: role for own, role in arguments["columns"].items() if own != role}
    if any(isinstance(value, str) and value.startswith("<") for value in arguments.values()):
        return ""
    return (
        f"from_file({', '.join([*_path_arguments(path), *(f'{name}={value!r}' for name, value in arguments.items())])})"
    )


def _path_arguments(path: Path) -> list[str]:
    """Return the arguments of a call that say which file is read: of an archive, also which member."""
    archive = archive_in(path)
    if archive == path:
        return [repr(short_path(path))]
    return [repr(short_path(archive)), f"member={raw_file(path).member!r}"]


def _guessed(start: bytes, name: str) -> dict[str, Any]:
    """Return the arguments that the first bytes of a file tell, some of which may be placeholders."""
    excel = _EXCEL_SEPARATOR.match(start)
    if excel is not None:
        values = _guessed(start[excel.end() :], name)
        return {**values, "skipped_lines": 1} if values["format"] == "table" else values
    comment = next((mark for mark in _COMMENTS if start.startswith(mark)), b"")
    lines = [line for line in start.splitlines(keepends=True) if not comment or not line.startswith(comment)]
    complete = len(start) < _START
    values = dict(guess(b"".join(lines), name, complete=complete).values)
    if values["format"] == "table":
        has_commas = values.get("separator") != "," and _DECIMAL_COMMA.search(start)
        values |= {"comment": comment.decode()} if comment else {}
        values |= {"decimal": ","} if has_commas else {}
        if isinstance(values["columns"], Mapping):
            body = b"".join(lines[1:])
            by_position = guess(body.replace(b",", b".") if has_commas else body, name, complete=complete).values
            _fill(values, by_position)
    if isinstance(values.get("columns"), Mapping):
        values["columns"] = _with_required(values["columns"])
    elif "columns" in values:
        values["columns"] = [role or None for role in values["columns"]]
    return values


def _fill(values: dict[str, Any], by_position: Mapping[str, Any]) -> None:
    """Say of columns whose names are of another language or trade what their values look like."""
    columns, listed = values["columns"], by_position.get("columns")
    is_doubtful = any(role.startswith("<") for role in columns.values())
    if not is_doubtful or not isinstance(listed, list) or len(listed) != len(columns):
        return
    roles = {own: role for own, role in columns.items() if not role.startswith("<")}
    for own, role in zip(columns, listed, strict=True):
        if role and own not in roles and role not in roles.values():
            roles[own] = role
            if role == "timestamp" and "time" in by_position:
                values["time"] = by_position["time"]
    values["columns"] = {own: roles.get(own, role) for own, role in columns.items()}


def _with_required(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns whose roles are guessed; of those that are left, the first are the user and the item."""
    roles = {own: role for own, role in columns.items() if not role.startswith("<")}
    left = [own for own in columns if own not in roles]
    for role in REQUIRED:
        if role not in roles.values() and left:
            roles[left.pop(0)] = role
    return {own: roles[own] for own in columns if own in roles}


def _roles(columns: Any) -> set[Any]:
    return {*(columns.values() if isinstance(columns, Mapping) else columns)}


def _is_usual(name: str, value: Any, values: Mapping[str, Any], file_format: str) -> bool:
    """Whether an argument says what is so without it."""
    is_table = values["format"] == "table"
    return (
        (name == "columns" and isinstance(value, Mapping) and all(own == role for own, role in value.items()))
        or (name == "format" and (is_table or (value == "json" and file_format in JSON_SUFFIXES)))
        or (name == "separator" and (value == SEPARATORS.get(file_format) or values["format"] == "adjacency"))
        or (name == "header" and (value or not isinstance(values.get("columns"), Mapping)))
        or (name == "quote" and file_format == "csv")
        or (name == "user" and value == "first")
        or (name == "decimal" and "rating" not in _roles(values["columns"]))
        or (name == "time" and (value.startswith("<") or (is_table and "%" not in value)))
    )
