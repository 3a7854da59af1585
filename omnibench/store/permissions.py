"""Who may use a store: its user alone, or the group that it was made for (``--omnirec-shared``), as the umask allows.

A store that a group shares is known by its directory of records, which then is open to the group and hands its group on
to what is made in it (the set-group-ID bit). Every other store is its user's own, in whatever directory it lies.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.schema import SHARED

RECORDS = "store"
"""The directory of records in a store's root."""

VARIABLE = "OMNIREC_SHARED"
"""The environment variable with which commands and scripts are told what ``--omnirec-shared`` tells a run."""

_MODEL_BITS = 0o022
"""The right of others to write into a file."""

_TRUE, _FALSE = ("1", "true", "on"), ("", "0", "false", "off")


def sharing(text: str | None = None) -> str:
    """Return how a store is shared: one of ``schema.SHARED``.

    Args:
        text: What somebody has said; what the environment says by default.

    Raises:
        StoreError: It is none of them.
    """
    word = (text or os.environ.get(VARIABLE, "")).strip().lower()
    word = "yes" if word in _TRUE else "no" if word in _FALSE else word
    if word not in SHARED:
        raise StoreError(f"{VARIABLE} is {word!r}; choose from {', '.join(SHARED)}.")
    return word


def is_shared(directory: str | Path) -> bool:
    """Whether a directory is the root of a store that a group shares, or lies in one."""
    for candidate in (f"{directory}/{RECORDS}", directory):  # a dozen of them per item
        with suppress(OSError):
            return _is_open_to_group(os.stat(candidate).st_mode)
    return False


def _is_open_to_group(mode: int) -> bool:
    """Whether a directory of a mode hands its group on, which may read it."""
    return bool(mode & stat.S_ISGID) and bool(mode & stat.S_IRGRP)


def make_directory(directory: Path, *, shared: bool | None = None, sticky: bool = False) -> None:
    """Make a directory of a store with its parents, for whom the store is for; one that is there stays as it is.

    Args:
        directory: The directory.
        shared: Whether it is for a group; by default as its parent.
        sticky: Whether members of the group may remove their own entries only.
    """
    if os.path.isdir(directory):
        return
    for_group = is_shared(directory.parent) if shared is None else shared
    directory.mkdir(mode=0o770 if for_group else 0o700, parents=True, exist_ok=True)
    if for_group:
        bits = stat.S_ISGID | (stat.S_ISVTX if sticky else 0)
        directory.chmod(stat.S_IMODE(directory.stat().st_mode) | bits)


def file_mode(directory: str | Path) -> int:
    """Return the mode of a new file in a directory of a store; the umask is taken from it when it is made."""
    return 0o660 if is_shared(directory) else 0o600


def mode_beneath(mode: int) -> int:
    """Return the mode of a new file in a directory that lies in a store's, by its own mode; see ``file_mode``."""
    return 0o660 if _is_open_to_group(mode) else 0o600


def create(file: Path) -> None:
    """Create a file with its mode before SQLite does; one that is there is not touched."""
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, file_mode(file.parent)))


def open_to_group(path: Path) -> None:
    """Give the group of a shared store's file or directory what the umask leaves it; only of what is ours."""
    status = path.stat()
    if status.st_uid == os.geteuid():
        bits = 0o770 | stat.S_ISGID if path.is_dir() else 0o660
        path.chmod(stat.S_IMODE(status.st_mode) & ~0o007 | bits & ~umask())


def is_own_work(file: Path, *, shared: bool) -> bool:
    """Whether only this user (or the administrator, in a store of one's own) can have written a file.

    Args:
        file: The file.
        shared: Whether it lies in a store that a group shares.
    """
    status = file.stat()
    if shared:
        return status.st_uid == os.geteuid() and not status.st_mode & _MODEL_BITS
    return status.st_uid in (os.geteuid(), 0)


def keep_to_oneself(file: Path) -> None:
    """Take the right to write into a file from all others."""
    os.chmod(file, stat.S_IMODE(os.stat(file).st_mode) & ~_MODEL_BITS)


def umask() -> int:
    """Return the umask of this process."""
    with suppress(OSError, ValueError), open("/proc/self/status", encoding="utf-8", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)  # there is no other way to ask
    os.umask(mask)
    return mask
