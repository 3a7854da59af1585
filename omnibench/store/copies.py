"""Readable copies of records: a header tells of which revision a copy is, and whether it is whole.

Whoever opens them reads plain JSON; nobody reads results back from them.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

NAMES = ("progress.json", "results.json")
"""The readable copies at a store's root."""

_HEADER = re.compile(rb'\{"revision": "([^"]*)", "check": "([0-9a-f]{8})",\n')


def with_header(revision: str, body: str) -> str:
    """Return the text of a copy.

    Args:
        revision: The revision of the records that it was made of.
        body: A JSON object with at least one member.
    """
    rest = body.removeprefix("{")
    return f'{{"revision": "{revision}", "check": "{_check(encoded(rest))}",\n{rest}'


def encoded(text: str) -> bytes:
    """Return the bytes of a copy; what a guest printed may hold half a character, which backslashes stand for."""
    return text.encode("utf-8", "backslashreplace")


def is_current(file: Path, revision: str) -> bool:
    """Whether a copy is there, whole, and made of records of a revision."""
    try:
        content = file.read_bytes()
    except OSError:
        return False
    header = _HEADER.match(content)
    if header is None or not revision or header[1].decode(errors="replace") != revision:
        return False
    return header[2].decode() == _check(memoryview(content)[header.end() :])


def are_current(root: Path, revision: str) -> bool:
    """Whether all copies of a store are whole and made of records of a revision."""
    return all(is_current(root / name, revision) for name in NAMES)


def _check(content: bytes | memoryview) -> str:
    return f"{zlib.crc32(content):08x}"
