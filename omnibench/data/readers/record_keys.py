"""The keys of a file of records, from its first lines: what columns are to a table."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from omnibench.data.files.members import RawFile, open_member

_START = 1 << 20
"""Bytes that are looked at."""

_RECORDS = 20
"""Records that are: some may lack a key."""


def record_keys(file: RawFile, reader_format: str, encoding: str, nested: str) -> list[str]:
    """Return the keys of the first records of a file, those of a nested list's entries among them.

    Args:
        file: The file.
        reader_format: ``json``, ``python`` or ``blocks``.
        encoding: Of the text.
        nested: The list inside of a record that has the interactions; empty for none.
    """
    with open_member(file) as stream:
        text = stream.read(_START).decode(encoding, "replace").removeprefix("\ufeff")
    if reader_format == "blocks":
        pairs = (re.match(r"([^:]+):\s", line) for line in text.splitlines()[: _RECORDS * 10])
        return list(dict.fromkeys(pair[1] for pair in pairs if pair))
    keys: dict[str, None] = {}
    for record in _records(text, reader_format):
        for key, value in record.items():
            entries = value[:_RECORDS] if key == nested and isinstance(value, list) else None
            if entries is None:
                keys[str(key)] = None
            for entry in entries or ():
                keys.update(dict.fromkeys(map(str, entry) if isinstance(entry, dict) else [nested]))
    return list(keys)


def _records(text: str, reader_format: str) -> list[Mapping[str, Any]]:
    """Return the first records; what cannot be parsed is for the reader to say."""
    values: list[Any] = []
    if reader_format == "json" and text.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            values.append(json.JSONDecoder().raw_decode(text.lstrip()[1:].lstrip())[0])
    else:
        for line in [line for line in text.splitlines() if line.strip()][:_RECORDS]:
            with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                values.append(json.loads(line) if reader_format == "json" else ast.literal_eval(line.strip()))
        if not values and reader_format == "json":
            with suppress(ValueError, RecursionError):
                values.append(json.loads(text))
    return [value for value in values if isinstance(value, dict)]
