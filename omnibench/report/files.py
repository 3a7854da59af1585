"""The files of results: checked before anything runs, and replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from omnibench.errors import ExportError
from omnibench.paths import overlong_name
from omnibench.store.artifacts import replace_file, scratch_beside

SUFFIXES = (".md", ".tex", ".html", ".csv", ".parquet", ".json")
"""The endings of files that can be written; each stands for a format."""


def check_files(files: Iterable[Path]) -> list[Path]:
    """Check the files that are to be written, and return each once, with links followed.

    Raises:
        ExportError: An ending is unknown, a directory is missing, or nothing can be written there.
    """
    return list(dict.fromkeys(_checked(file) for file in files))


def _checked(file: Path) -> Path:
    overlong = overlong_name(file)
    if overlong:
        raise ExportError(f"{overlong}; give a shorter one.")
    if file.suffix.lower() not in SUFFIXES:
        problem = f"ends with {file.suffix!r}" if file.suffix else "has no ending"
        raise ExportError(
            f"{str(file)!r} {problem}, but the ending says the format; choose from {', '.join(SUFFIXES)}."
        )
    path = file.resolve()
    if path.exists() and not path.is_file():
        raise ExportError(f"{str(file)!r} is no file; name one to be written.")
    if not path.parent.is_dir():
        raise ExportError(f"there is no directory {str(path.parent)!r}; make it, or name a file elsewhere.")
    scratch = scratch_beside(path)
    try:
        scratch.touch(exist_ok=False)
        scratch.unlink()
    except OSError as error:
        raise ExportError(
            f"nothing can be written in {str(path.parent)!r} ({error.strerror or error}); name a file elsewhere."
        ) from error
    return path


def replace(file: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file, whole or not at all.

    Args:
        file: The file.
        content: Its content, or the parts of it, one after the other.

    Raises:
        ExportError: It could not be written; what was there is as it was.
    """
    try:
        replace_file(file, content)
    except OSError as error:
        raise ExportError(f"{str(file)!r} could not be written ({error.strerror or error}).") from error
