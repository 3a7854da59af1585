"""The codecs that a Parquet file names in its footer, for files of strangers: pyarrow ends the process at one that there is not.

The footer is a struct in Thrift's compact protocol (``parquet.thrift`` of apache/parquet-format): ``FileMetaData.row_groups`` is
its field 4, ``RowGroup.columns`` field 1, ``ColumnChunk.meta_data`` field 3, and ``ColumnMetaData.codec`` field 4.
"""

from __future__ import annotations

from typing import Any

_ROW_GROUPS, _COLUMNS, _META_DATA, _CODEC = 4, 1, 3, 4

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)
_MOST_DEPTH = 16
_LONG_LIST = 15
"""What stands for the length of a list that follows by itself."""

_CONTINUES = 0x80
"""The bit of a byte of a number behind which there is another one."""

_MOST_BITS = 64

Struct = dict[int, Any]
"""The values of a struct by the numbers of its fields."""


def codecs(content: bytes) -> set[int]:
    """Return the numbers of the codecs of all columns; 0 is that of what is not compressed.

    Args:
        content: The file.

    Raises:
        ValueError: It has no footer that can be read, or a field twice, which readers understand in different ways.
    """
    size = int.from_bytes(content[-8:-4], "little")
    if len(content) < size + 12 or content[-4:] != b"PAR1":
        raise ValueError("there is no footer of Parquet")
    footer = _Footer(content[-8 - size : -8]).struct(0)
    try:
        chunks = [chunk for group in footer[_ROW_GROUPS] for chunk in group[_COLUMNS]]
        return {int(chunk[_META_DATA][_CODEC]) for chunk in chunks}
    except (KeyError, TypeError) as error:
        raise ValueError("the footer lacks a column's codec") from error


class _Footer:
    """The bytes of a footer, read from their beginning on."""

    def __init__(self, content: bytes) -> None:
        self._content, self._position = content, 0

    def struct(self, depth: int) -> Struct:
        """Read a struct."""
        if depth > _MOST_DEPTH:
            raise ValueError("the footer is nested too deeply")
        fields: Struct = {}
        number = 0
        while header := self._byte():
            step, kind = header >> 4, header & 0x0F
            number = number + step if step else self._integer()
            if number in fields:
                raise ValueError(f"the footer has its field {number} twice")
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):  # of a list: one byte each
            return self._byte()
        if kind in _INTEGERS:
            return self._integer()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        if kind in (_LIST, _SET):
            header = self._byte()
            count = self._unsigned() if header >> 4 == _LONG_LIST else header >> 4
            if count > len(self._content):
                raise ValueError("the footer names more elements than it has bytes")
            return [self._value(header & 0x0F, depth) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"the footer has a value of kind {kind}")

    def _integer(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & ~_CONTINUES) << shift
            if byte < _CONTINUES:
                return value
            shift += 7
            if shift >= _MOST_BITS:
                raise ValueError(f"the footer has a number of more than {_MOST_BITS} bits")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        begin, self._position = self._position, self._position + count
        if self._position > len(self._content):
            raise ValueError("the footer ends too early")
        return self._content[begin : self._position]
