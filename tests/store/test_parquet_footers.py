"""The codecs of a footer are those that pyarrow has written, and no bytes do more than be refused."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.store.parquet_footers import codecs

NUMBERS = {"NONE": 0, "SNAPPY": 1, "GZIP": 2, "BROTLI": 4, "ZSTD": 6, "LZ4": 7}
"""Of parquet.thrift; what pyarrow calls LZ4 is its LZ4_RAW."""


def written(compression: str | dict[str, str], columns: int = 2) -> bytes:
    """A table in the form of bytes, in row groups of two rows."""
    table = pa.table({f"c{number}": pa.array(range(5), pa.float64()) for number in range(columns)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression=compression, row_group_size=2)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("compression", NUMBERS)
@pytest.mark.parametrize("columns", [1, 3, 40])
def test_codecs_are_those_that_were_written(compression: str, columns: int) -> None:
    """Of all columns, also of more than the short form of a list has."""
    assert codecs(written(compression, columns)) == {NUMBERS[compression]}


def test_each_column_has_its_own() -> None:
    """One that is compressed among others is seen."""
    assert codecs(written({"c0": "NONE", "c1": "ZSTD"})) == {0, 6}


@given(st.binary(max_size=200), st.integers(0, 300))
def test_other_bytes_are_refused(footer: bytes, size: int) -> None:
    """Whatever is in the place of a footer, however long it says that it is."""
    for length in (len(footer), size):
        with suppress(ValueError):
            assert isinstance(codecs(b"PAR1" + footer + length.to_bytes(4, "little") + b"PAR1"), set)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_changed_bytes_are_refused_or_read(position: int, byte: int) -> None:
    """A number for each codec, or ValueError."""
    content = bytearray(written("ZSTD"))
    content[position % len(content)] = byte
    with suppress(ValueError):
        assert all(isinstance(codec, int) for codec in codecs(bytes(content)))


def test_a_field_twice_is_refused() -> None:
    """Of two codecs readers take the first or the last."""
    with pytest.raises(ValueError, match="has its field 1 twice"):
        codecs(b"PAR1" + bytes([0x15, 2, 0x05, 2, 2, 0]) + (6).to_bytes(4, "little") + b"PAR1")
