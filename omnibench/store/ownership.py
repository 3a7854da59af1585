"""Whose directory it is: a store is made only where nothing is, and never among files that are somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.naming import first_few
from omnibench.paths import dangling, overlong_name
from omnibench.store.beneath import LinkedFileError, paths_like, read_bytes
from omnibench.store.strangers import cannot_be_read
from omnibench.terminal import command_line

_MADE_FIRST = frozenset({"leases", "tmp", "store", "STORE.json", "STORE.json.new"})
"""What a store has whose making was cut off before it could be recognized."""

_OF_THE_SYSTEM = frozenset({"lost+found", "Thumbs.db", "desktop.ini"})
"""What file systems and file managers leave in empty directories; so are names that begin with a dot."""

_WAY_OUT = "Give an empty or a new directory (checkpoint_dir=, --omnirec-checkpoint-dir or --store)"

_MOST_NAMES = 3
"""Names of others' files that an error lists."""


def refuse_foreign(root: Path) -> None:
    """Refuse a directory that holds files and is no store of ours, and what can be no directory; nothing is written there.

    Args:
        root: The checkpoint directory, which need not exist.

    Raises:
        StoreError: It holds others' files, is a file itself, or has a name that no file system takes.
    """
    if overlong := overlong_name(root):
        raise StoreError(f"{overlong}, so no checkpoint directory can be called so. {_WAY_OUT}.")
    obstacle = next((path for path in (root, *root.parents) if os.path.lexists(path)), root)
    if os.path.lexists(obstacle) and not obstacle.is_dir():
        obstruction = dangling(obstacle) or f"{str(obstacle)!r} is no directory"
        raise StoreError(f"{str(root)!r} cannot be a checkpoint directory, because {obstruction}. {_WAY_OUT}.")
    try:
        names = sorted(name for name in os.listdir(root) if not name.startswith(".") and name not in _OF_THE_SYSTEM)
    except OSError:  # there is none, or whoever opens it says why it cannot be read
        return
    if not names or _is_store(root) or _is_half_made(root, names):
        return
    listed = first_few(names, _MOST_NAMES)
    if is_omnirec(root):
        raise StoreError(
            f"{str(root)!r} holds the checkpoints of OmniRec, not of omnibench, so nothing is written there. {_WAY_OUT}; "
            f"`{command_line('omnibench', 'import-omnirec', root)} --store NEW` says what of it can be taken over, and takes it."
        )
    raise StoreError(
        f"{str(root)!r} is not empty and no checkpoint directory of omnibench (it holds {listed}), so nothing is written "
        f"there. {_WAY_OUT}."
    )


def no_store(root: Path) -> StoreError:
    """Return the error for who looks for a store where none is; OmniRec's checkpoints are called what they are.

    Args:
        root: The directory.
    """
    unreadable = cannot_be_read(root)
    if unreadable is not None:
        return unreadable
    if is_omnirec(root):
        return StoreError(
            f"{str(root)!r} holds the checkpoints of OmniRec, not of omnibench; `{command_line('omnibench', 'import-omnirec', root)} --store NEW` says "
            "what of it can be taken over, and takes it."
        )
    return StoreError(f"there are no checkpoints in {str(root)!r}; give the directory that a run wrote to.")


def is_omnirec(root: Path) -> bool:
    """Whether a directory looks like the checkpoints of OmniRec: its progress is in one file, by jobs."""
    try:
        return b'"jobs"' in read_bytes(root, "progress.json", 4096) and not _is_store(root)
    except (OSError, LinkedFileError):
        return False


def _is_store(root: Path) -> bool:
    """Whether there is what only a store of ours has, of whatever format, and however damaged."""
    return any((root / name).is_file() for name in ("STORE.json", "store/cache.db", "leases/store.lock"))


def _is_half_made(root: Path, names: list[str]) -> bool:
    """Whether there is nothing but what a store begins with: a kill may have come before the first file."""
    return _MADE_FIRST.issuperset(names) and "store" not in names and not paths_like(root, "leases/*")
