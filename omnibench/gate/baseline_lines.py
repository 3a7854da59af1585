"""The entries of a baseline in Parquet's metadata: lines of JSON, compressed, which are written and read one at a time.

There may be tens of thousands. They differ in a few letters, so compressed they take a tenth; Parquet's metadata is text, so
what is compressed is written as base64.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omnibench.errors import BaselineError

_BLOCK = 1 << 20
"""Bytes that are unpacked at a time."""

_LONGEST = 1 << 26
"""Bytes that a line has at most: an entry of omnibench's has a few thousand."""


def packed(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """Return entries as text.

    Args:
        entries: Plain data of each.
    """
    packer = zlib.compressobj()
    parts = [packer.compress(json.dumps(entry, ensure_ascii=False).encode() + b"\n") for entry in entries]
    return b64encode(b"".join([*parts, packer.flush()]))


def unpacked(text: bytes) -> Iterator[bytes]:
    """Yield the lines of a text that ``packed`` has returned.

    Args:
        text: The text, which may be anything.

    Raises:
        BaselineError: It is another; the message begins with what is wrong.
    """
    unpacker = zlib.decompressobj()
    try:
        remaining, begun = b64decode(text, validate=True), b""
        while remaining and not unpacker.eof:
            *lines, begun = (begun + unpacker.decompress(remaining, _BLOCK)).split(b"\n")
            remaining = unpacker.unconsumed_tail
            if len(begun) > _LONGEST:
                raise BaselineError(f"one of its entries has more than {_LONGEST:,} bytes")
            yield from lines
    except (ValueError, zlib.error) as error:
        raise BaselineError(f"its entries cannot be unpacked ({error})") from error
    if begun or not unpacker.eof:
        raise BaselineError("its entries are cut off")
