"""Where results may be written as files: looked at before anything runs, and replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from omnibench.errors import ExportError
from omnibench.store.artifacts import replace_file, scratch_beside

KINDS = (".md", ".tex", ".html", ".csv", ".parquet", ".json")
"""The endings that there are."""


def check_files(files: Iterable[Path]) -> list[Path]:
    """Return the files that are to be written, each once, links followed.

    Raises:
        ExportError: An ending is unknown, a directory is missing, or nothing can be written there.
    """
    return list(dict.fromkeys(_checked(file) for file in files))


def _checked(file: Path) -> Path:
    if file.suffix.lower() not in KINDS:
        what = f"ends with {file.suffix!r}" if file.suffix else "has no ending"
        raise ExportError(f"{str(file)!r} {what}, but the ending says the format; choose from {', '.join(KINDS)}.")
    place = file.resolve()
    if place.exists() and not place.is_file():
        raise ExportError(f"{str(file)!r} is no file; name one to be written.")
    if not place.parent.is_dir():
        raise ExportError(f"there is no directory {str(place.parent)!r}; make it, or name a file elsewhere.")
    scratch = scratch_beside(place)
    try:
        scratch.touch(exist_ok=False)
        scratch.unlink()
    except OSError as error:
        raise ExportError(
            f"nothing can be written in {str(place.parent)!r} ({error.strerror}); name a file elsewhere."
        ) from error
    return place


def replace(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        ExportError: It could not be written; what was there is as it was.
    """
    try:
        replace_file(file, content)
    except OSError as error:
        raise ExportError(f"{str(file)!r} could not be written ({error.strerror}).") from error
