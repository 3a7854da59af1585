"""What reading a file needs of memory, told before it is read."""

from __future__ import annotations

from pathlib import Path

from omnibench.data.files.layout import TextLayout, first_lines
from omnibench.data.files.parquet import parquet_files
from omnibench.data.files.streams import uncompressed_name
from omnibench.errors import DataError
from omnibench.memory import available_memory

_BYTES_PER_ROW = 200
"""At the peak, of user, item, rating and timestamp; measured with MovieLens' columns."""

_COMPRESSION = 4
"""How much larger text is than its compressed form, about."""


def require_memory(path: Path, layout: TextLayout | None) -> None:
    """Refuse a file that does not fit into the memory that is left.

    Args:
        path: The file, or a directory of Parquet files.
        layout: How a text file is laid out; None for Parquet.

    Raises:
        DataError: It is too large; it says what reading needs.
    """
    available = available_memory()
    size = sum(file.stat().st_size for file in parquet_files(path))
    # A row takes several bytes of the file, even compressed, so small files need no look.
    if available is None or size * _BYTES_PER_ROW < available:
        return
    rows = _parquet_rows(path) if layout is None else _text_rows(layout, size)
    needed = rows * _BYTES_PER_ROW
    if needed > available:
        raise DataError(
            f"{path} has about {rows:,} interactions, and reading it needs about {_gigabytes(needed)} of memory, of which "
            f"{_gigabytes(available)} are left. Use a machine with more, end what else is running here, or write a sample of the "
            "file with the columns user, item, rating and timestamp alone."
        )


def _parquet_rows(path: Path) -> int:
    import pyarrow.parquet as pq

    rows = 0
    for name in parquet_files(path):
        with name.open("rb") as file:
            rows += pq.read_metadata(file).num_rows
    return rows


def _text_rows(layout: TextLayout, size: int) -> int:
    """Return about how many lines a text file has, as long as its first ones are."""
    lines = first_lines(layout.path, layout.encoding, number=1000)[layout.skipped_lines :]
    length = sum(len(line.encode(layout.encoding, "replace")) for line in lines) / max(1, len(lines))
    is_compressed = uncompressed_name(layout.path) != layout.path
    return int(size * (_COMPRESSION if is_compressed else 1) / max(1.0, length))


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.1f} GB"
