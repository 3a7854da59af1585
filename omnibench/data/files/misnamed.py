"""Files that are something else than their names say, told by what they begin with."""

from __future__ import annotations

from pathlib import Path

from omnibench.data.files.compression import HEAD
from omnibench.data.files.streams import open_binary

_BINARY = {
    b"PAR1": ("Parquet", "from_file(..., format='parquet')"),
    b"ARROW1": ("Feather", "from_file(..., format='feather')"),
    b"PK\x03\x04": ("a zip archive or an Excel file", "give it the suffix .zip, or .xlsx"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "give it the suffix .7z"),
    b"\x89HDF\r\n\x1a\n": ("HDF5", "from_file(..., format='hdf5')"),
    b"\x93NUMPY": ("an array of numpy", "read it with numpy, and use from_frame"),
    b"\xd0\xcf\x11\xe0": ("an Excel file", "read it with pandas, and use from_frame"),
}
"""What files that are no text are, and what to do with them, by what they begin with."""

_COLUMNAR = (b"PAR1", b"ARROW1", b"FEA1")


def content_advice(path: Path) -> str:
    """Return what to do with a file that is no text; empty where its first bytes tell nothing."""
    head = _head(path)
    name, way = next((advice for start, advice in _BINARY.items() if head.startswith(start)), ("", ""))
    return f"By its content it is {name}, not text: {way}." if name else ""


def columnar_advice(path: Path) -> str:
    """Return what to do with a file that is not the Parquet or Feather that it should be."""
    head = _head(path)
    if head.startswith(_COLUMNAR):
        return "It was not copied or downloaded completely, or is of another format; fetch it again."
    if head and all(byte >= ord(" ") or byte in b"\t\r\n" for byte in head):
        return "By its content it is text: from_file(..., format='csv'), or 'tsv', or another of its formats."
    return content_advice(path) or "It is damaged, or of another format; fetch it again."


def _head(path: Path) -> bytes:
    with open_binary(path) as stream:
        return stream.read(HEAD)
