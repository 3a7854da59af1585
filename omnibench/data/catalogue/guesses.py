"""How a raw file may be read, guessed from its first lines; what they do not tell is left as a placeholder."""

from __future__ import annotations

from dataclasses import replace

from omnibench.data.catalogue.guessed_columns import Guess
from omnibench.data.catalogue.guessed_records import (
    of_behaviours,
    of_blocks,
    of_json_lists,
    of_lists,
    of_netflix,
    of_records,
    of_relations,
)
from omnibench.data.catalogue.guessed_tables import matrix, of_table

_ZIP, _MEMBER = b"PK\x03\x04", b".npy"
_MAGIC = ((b"\x89HDF", "hdf5"), (b"\xd0\xcf\x11\xe0", "matrix"))
_SUFFIXES = {".npz": "npz", ".xlsx": "matrix", ".xls": "matrix"}
_NAME_BYTES = 300
"""Bytes at the beginning of an archive that have the name of its first member."""

_FORMATS = (of_records, of_netflix, of_relations, of_blocks, of_behaviours, of_json_lists, of_table, of_lists)
"""What guesses a format, in the order in which it is tried: stricter forms come first."""


def guess(start: bytes, name: str, *, complete: bool) -> Guess:
    """Guess how a raw file is read.

    Args:
        start: Its first bytes, decompressed.
        name: Its name.
        complete: Whether these are all of it, so that its last line is whole.

    Returns:
        The reader; of a file that is like no format that is known, a table with placeholders.
    """
    binary_format = _binary_format(start, name)
    if binary_format == "hdf5":
        return Guess({"format": "hdf5", "matrix": "<the group of the matrix>", "orientation": "<items or users>"})
    if binary_format == "npz":
        return Guess({"format": "npz", "columns": ["user", "item"]}, ("The columns are guessed from their order.",))
    if binary_format == "matrix":
        return matrix()
    text, encoding = _decoded(start, complete=complete)
    lines = [line for line in text.splitlines() if line.strip()]
    for of_format in _FORMATS:
        guessed = of_format(lines)
        if guessed is not None:
            return replace(guessed, values={**guessed.values, **encoding})
    return Guess(
        {"format": "table", "separator": "<what stands between two fields>", "columns": ["user", "item"], **encoding},
        ("The first lines are like no format that omnibench knows.",),
    )


def _binary_format(start: bytes, name: str) -> str | None:
    if start.startswith(_ZIP) and _MEMBER in start[:_NAME_BYTES]:
        return "npz"
    by_suffix = (binary_format for suffix, binary_format in _SUFFIXES.items() if name.lower().endswith(suffix))
    return next((binary_format for magic, binary_format in _MAGIC if start.startswith(magic)), None) or next(
        by_suffix, None
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
