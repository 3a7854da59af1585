"""How a file could be read, told from its first lines: the call that an error shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omnibench.data.files.through import archive_in, raw_file
from omnibench.data.time_units import FIRST_COUNT
from omnibench.data.usual_names import ROLES, usual_columns
from omnibench.paths import short_path

_CANDIDATES = ("::", "\t", ";", "|", ",", " ")

SEPARATORS = {"csv": ",", "tsv": "\t", "inter": "\t"}
"""The separators of formats that have one of their own."""

JSON_SUFFIXES = ("json", "jsonl", "ndjson")
"""The suffixes of files of JSON objects."""

_SHOWN_LINES = 3
_LONGEST = 60


class Proposal(NamedTuple):
    """How a file could be read.

    Attributes:
        separator: What separates its fields.
        header: Whether its first line is a header.
        columns: The ``columns`` of the call, as it is written.
    """

    separator: str
    header: bool
    columns: str


def shown_lines(lines: Sequence[str]) -> str:
    """Return the first lines of a file for an error."""
    texts = [line.rstrip("\r\n") for line in lines[:_SHOWN_LINES]]
    return ", ".join(repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...") for text in texts)


def proposed_call(path: Path, file_format: str, lines: Sequence[str]) -> str:
    """Return the call that would read a file; empty where its first lines tell none.

    Args:
        path: The file.
        file_format: Its format, which has a separator of its own.
        lines: Its first lines.
    """
    proposal = _proposal([line.rstrip("\r\n") for line in lines])
    if proposal is None:
        return ""
    arguments = path_arguments(path)
    if proposal.separator != SEPARATORS.get(file_format):
        arguments.append(f"separator={proposal.separator!r}")
    if proposal.columns:
        arguments.append(f"columns={proposal.columns}")
    return f"from_file({', '.join(arguments)})"


def path_arguments(path: Path) -> list[str]:
    """Return the arguments of a call that say which file is read: of an archive, also which member."""
    archive = archive_in(path)
    if archive == path:
        return [repr(short_path(path))]
    return [repr(short_path(archive)), f"member={raw_file(path).member!r}"]


def _proposal(lines: Sequence[str]) -> Proposal | None:
    for separator in _CANDIDATES:
        rows = [[field.strip().strip('"') for field in line.split(separator)] for line in lines]
        if rows and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            break
    else:
        return None
    named = usual_columns(rows[0])
    if named or (not any(map(_is_number, rows[0])) and any(map(_is_number, rows[-1]))):
        return Proposal(separator, True, _mapping(rows[0], named))
    names = [repr(name) for name in _by_position(rows[0])]
    return Proposal(separator, False, f"[{', '.join(names)}]")


def _mapping(header: Sequence[str], named: dict[str, str]) -> str:
    """Return the mapping of a header's names; what has no usual one is the next column that is left."""
    left = [name for name in header if name not in named.values()]
    for role in ("user", "item"):
        if role not in named and left:
            named[role] = left.pop(0)
    pairs = [f"{named[role]!r}: {role!r}" for role in ROLES if role in named and named[role] != role]
    return f"{{{', '.join(pairs)}}}" if pairs else ""


def _by_position(row: Sequence[str]) -> list[str | None]:
    """Return the usual order of columns that have no names."""
    names: list[str | None] = ["user", "item", *[None] * (len(row) - 2)]
    for number, field in enumerate(row[2:4], start=2):
        if not _is_number(field):
            continue
        role = "timestamp" if float(field) >= FIRST_COUNT else "rating"
        if role not in names:
            names[number] = role
    return names


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
