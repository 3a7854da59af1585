"""Blocks: an interaction of several lines ``key: value``, an empty line between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from omnibench.data.files.members import RawFile
from omnibench.data.files.text import IDS
from omnibench.data.readers.collected import collected, undecodable
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError, nearest

_COLON = b":"

_MARK = b"\xef\xbb\xbf"

_LISTED = 12
"""Keys that an error lists."""


def read_blocks(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield interactions of blocks; what stands in lines of other keys is not decoded.

    Raises:
        DataError: No block has a user and an item, or a value is not in the encoding.
    """
    columns: Mapping[str, str] = reader.columns if isinstance(reader.columns, Mapping) else {}
    names, filters = tuple(columns.values()), tuple(map(str, reader.options.get("keep", {})))
    blocks = _Blocks((*columns, *filters), reader.options.get("encoding", "utf-8"), file)
    yield from collected(blocks.rows(stream, names), names, filters, file)


class _Blocks:
    """The values of some keys in blocks, and the keys of the first block."""

    def __init__(self, keys: tuple[str, ...], encoding: str, file: RawFile) -> None:
        self._keys = keys
        self._encoding = encoding
        self._file = file
        self._positions = {key.encode(encoding): position for position, key in enumerate(keys)}
        self._first_keys: dict[str, None] = {}

    def rows(self, stream: BinaryIO, names: tuple[str, ...]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield the interactions with the numbers of the lines in which they begin."""
        ids = [position for position, name in enumerate(names) if name in IDS]
        has_rows = False
        for begin, values in self._blocks(stream):
            # A text of several lines may have an empty one, behind which there is nobody.
            if any(position in values for position in ids):
                has_rows = True
                yield begin, tuple([values.get(position) for position in range(len(self._keys))])
        if not has_rows and self._first_keys:
            listed = list(self._first_keys)
            raise DataError(
                f"{self._file.label}: no block has {' or '.join(repr(self._keys[position]) for position in ids)}"
                f"{nearest(self._keys[ids[0]], listed)}; the keys of the first are {', '.join(map(repr, listed))}. Name those of "
                "user and item."
            )

    def _blocks(self, stream: BinaryIO) -> Iterator[tuple[int, dict[int, str]]]:
        """Yield the values by position, of what stands between two empty lines, or between a key and its repetition."""
        begin, values = 1, dict[int, str]()
        for number, content in enumerate(stream, start=1):
            key, colon, value = content.partition(_COLON)
            if not colon and not content.strip():
                yield begin, values
                begin, values = number + 1, {}
            position = self._positions.get(key.removeprefix(_MARK).strip()) if colon else None
            if position is None:
                if colon and len(self._first_keys) < _LISTED:
                    self._first_keys[key.decode(self._encoding, "replace")] = None
                continue
            if position in values:
                yield begin, values
                begin, values = number, {}
            values[position] = self._text(value, number)
        yield begin, values

    def _text(self, content: bytes, number: int) -> str:
        try:
            return content.decode(self._encoding).strip()
        except UnicodeDecodeError as error:
            raise DataError(undecodable(self._file, number, content, self._encoding, error)) from error
