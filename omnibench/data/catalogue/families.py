"""Families: one template and a table with a line a member, such as the 29 categories of Amazon's reviews of 2018."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omnibench.data.toml_tables import Table
from omnibench.errors import nearest

FAMILY_KEYS = ("family", "columns", "members")
"""The keys that a family has besides those of a definition."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_LITERAL = frozenset({"citation"})
"""Keys whose braces are no placeholders."""


def is_family(values: Mapping[str, Any]) -> bool:
    """Whether a file defines a family."""
    return "family" in values


def members_of(values: Mapping[str, Any], file: str) -> Iterator[dict[str, Any]]:
    """Yield the values of each member: the template with what its line says in the place of ``{column}``.

    A text that is nothing but one placeholder becomes the value of the column, a number where that is one; where the
    line has an empty text the key, or the entry of the list, is left out.

    Args:
        values: The keys and values of the file.
        file: Its name, for errors.

    Raises:
        DataError: A placeholder names no column, or a line has more or fewer values than there are columns.
    """
    family = Table(values, file)
    columns = family.texts("columns")
    lines = family.get("members", list, [])
    if not columns or not lines:
        raise family.error("a family needs columns = [...] and members = [[...], ...], a line a member.")
    family.text("family")
    template = {key: value for key, value in values.items() if key not in FAMILY_KEYS}
    for key, value in template.items():
        if key not in _LITERAL:
            _check_placeholders(Table(values, f"{file}, {key}"), value, columns)
    for index, line in enumerate(lines, start=1):
        if not isinstance(line, list) or len(line) != len(columns):
            raise family.error(
                f"line {index} of members is {line!r}; give a list with a value for each of {', '.join(columns)}."
            )
        member = dict(zip(columns, line, strict=True))
        yield _filled_table(template, member)


def _check_placeholders(table: Table, value: Any, columns: tuple[str, ...]) -> None:
    if isinstance(value, str):
        for name in _PLACEHOLDER.findall(value):
            if name not in columns:
                raise table.error(
                    f"there is no column {name!r}{nearest(name, columns)}; the columns are {', '.join(columns)}."
                )
    elif isinstance(value, dict):
        for inner in value.values():
            _check_placeholders(table, inner, columns)
    elif isinstance(value, list):
        for inner in value:
            _check_placeholders(table, inner, columns)


def _filled(value: Any, member: Mapping[str, Any]) -> Any:
    """Put what a member's line says into a value of the template."""
    if isinstance(value, str):
        alone = _PLACEHOLDER.fullmatch(value)
        if alone:
            return member[alone[1]]
        return _PLACEHOLDER.sub(lambda match: str(member[match[1]]), value)
    if isinstance(value, dict):
        return _filled_table(value, member)
    if isinstance(value, list):
        filled = [(_filled(inner, member), inner) for inner in value]
        return [inner for inner, template in filled if inner != "" or template == ""]
    return value


def _filled_table(table: Mapping[str, Any], member: Mapping[str, Any]) -> dict[str, Any]:
    filled = {key: value if key in _LITERAL else _filled(value, member) for key, value in table.items()}
    return {key: value for key, value in filled.items() if value != "" or table[key] == ""}
