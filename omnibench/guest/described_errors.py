"""Exceptions of a guest as plain data, with what was wrong with a disk at that moment."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import disk


def describe_error(error: BaseException, directories: Sequence[Path] = (), *, writing: bool = False) -> dict[str, Any]:
    """Describe any exception as plain data that can be sent.

    Args:
        error: The exception.
        directories: Where it may have been writing, beside the working directory and that of temporary files.
        writing: Whether it was raised by writing a file.
    """
    try:
        message = f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
    except Exception:  # its __str__ is broken
        message = type(error).__name__
        trace = "".join(traceback.format_tb(error.__traceback__))
    return {
        "error": message.encode("utf-8", "backslashreplace").decode(),
        "traceback": trace.encode("utf-8", "backslashreplace").decode(),
        **_describe_disk(error, directories, writing=writing),
    }


def _describe_disk(error: BaseException, directories: Sequence[Path], *, writing: bool) -> dict[str, Any]:
    """Return the number of the disk's error behind an exception, and what is wrong with which disk, at this moment."""
    try:
        written = [*directories, Path(tempfile.gettempdir()), Path.cwd()]
    except OSError:  # no directory for temporary files can be written
        written = [*directories]
    number = disk.disk_errno(error, written, writing=writing)
    return {"errno": number, "disk": "" if number is None else disk.explain(number, written)}
