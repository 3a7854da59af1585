"""What reading a file needs of memory, told before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omnibench.data.files.arrow import row_number
from omnibench.data.files.layout import TextLayout, first_lines
from omnibench.data.files.parquet import parquet_files
from omnibench.data.files.streams import compression, open_seekable, uncompressed_name
from omnibench.data.files.through import size_of
from omnibench.errors import DataError
from omnibench.memory import available_memory
from omnibench.sizes import size_text

_BYTES_PER_ROW = 200
"""At the peak, of user, item, rating and timestamp; measured with MovieLens' columns."""

_COMPRESSION = 4
"""How much larger text is than its compressed form, about."""


def require_memory(files: Sequence[tuple[Path, TextLayout | None]]) -> None:
    """Refuse a table that does not fit into the memory that is left.

    Args:
        files: Its files, each with how a text file is laid out; None for Parquet, of which a path may be a directory, and
            for Arrow's format.

    Raises:
        DataError: It is too large; it says what reading needs.
    """
    available = available_memory()
    sizes = [sum(size_of(part) for part in parquet_files(path)) for path, _ in files]
    # A row takes several bytes of the file, even compressed, so small files need no look.
    if available is None or sum(sizes) * _BYTES_PER_ROW < available:
        return
    rows = sum(
        _rows(path) if layout is None else _text_rows(layout, size)
        for (path, layout), size in zip(files, sizes, strict=True)
    )
    needed = rows * _BYTES_PER_ROW
    if needed > available:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise DataError(
            f"{files[0][0]}{more} has about {rows:,} interactions, and reading it needs about {size_text(needed)} of memory, of "
            f"which {size_text(available)} are left. Use a machine with more, end what else is running here, or write a sample of "
            "the file with the columns user, item, rating and timestamp alone."
        )


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq

    rows = 0
    for name in parquet_files(path):
        with open_seekable(name) as file:
            rows += (
                pq.read_metadata(file).num_rows
                if uncompressed_name(name).suffix.lower() == ".parquet"
                else row_number(file)
            )
    return rows


def _text_rows(layout: TextLayout, size: int) -> int:
    """Return about how many lines a text file has, as long as its first ones are."""
    lines = first_lines(layout.path, layout.encoding, number=1000)[layout.skipped_lines :]
    length = sum(len(line.encode(layout.encoding, "replace")) for line in lines) / max(1, len(lines))
    return int(size * (_COMPRESSION if compression(layout.path) else 1) / max(1.0, length))
