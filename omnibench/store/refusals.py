"""What the operating system refuses of a store, as errors that say what it was and what to do: opening, using, changing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnibench.errors import DiskError, StoreError
from omnibench.guest.disk import ERRNOS, advice, current_trouble, disk_errno, explain
from omnibench.limits import limit_error
from omnibench.owners import user_name


@contextmanager
def cannot_be_written(root: Path) -> Iterator[None]:
    """Explain the operating system's errors while a store is opened.

    Args:
        root: The checkpoint directory.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        step = advice(error.errno) if error.errno in ERRNOS else "make it writable"
        raise limit_error(error) or StoreError(
            f"the checkpoint directory {str(root)!r} cannot be written ({error.strerror or error}{_file_of(error, root)}"
            f"{current_trouble(root)}). Choose another with --omnirec-checkpoint-dir, or {step}."
        ) from error


def _file_of(error: OSError, root: Path) -> str:
    """Name the file that an error is about and whose it is, where it is another user's."""
    try:
        file = Path(os.fsdecode(error.filename))
        uid = file.stat().st_uid
        name = file.relative_to(root)
    except (OSError, TypeError, ValueError):
        return ""
    return "" if uid == os.geteuid() else f": {name} belongs to {user_name(uid)}"


def out_of_use(root: Path, error: OSError) -> StoreError:
    """Return the error that says that a checkpoint directory cannot be used any more.

    Args:
        root: The checkpoint directory.
        error: What the operating system has said.
    """
    if limit := limit_error(error):
        return limit
    number = disk_errno(error, [root])
    if number is None:
        reason, step = f"the checkpoints in {root} cannot be used", "make them readable and writable"
        return StoreError(f"{reason} ({error}). What was recorded is safe; {step}, and run again.")
    return DiskError(
        f"the checkpoints in {root} cannot be used because {explain(number, [root])} ({error}). What was recorded is "
        f"safe; {advice(number)}, and run again."
    )


@contextmanager
def told_as_store_errors(root: Path, change: str) -> Iterator[None]:
    """Tell what the operating system refuses while a store is changed as an error of the store.

    Args:
        root: The checkpoint directory.
        change: What is done, e.g. ``reset``.

    Raises:
        StoreError: Something was refused.
    """
    try:
        yield
    except OSError as error:
        raise limit_error(error) or StoreError(
            f"not everything in {root} could be {change} ({error}{current_trouble(root)}). Mend that, and do it once more; "
            "what no record names any more is removed by `omnibench gc`."
        ) from error
