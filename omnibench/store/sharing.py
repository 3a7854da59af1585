"""Making the root of a store, for its user alone or for a group."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.owners import group_name
from omnibench.store.durable_names import sync_names_above
from omnibench.store.formats import MARKER
from omnibench.store.permissions import RECORDS, is_shared, keep_to_oneself, make_directory, open_to_group, umask
from omnibench.store.snapshot_files import FOLDER
from omnibench.terminal import command_line

_noted: set[Path] = set()
"""The stores of which this process has said what the umask keeps their groups from."""


def make_root(root: Path, *, shared: bool, notify: Callable[[str], None]) -> None:
    """Make a store's root with what says for whom it is, or make a store of this user's a group's.

    Args:
        root: The checkpoint directory.
        shared: Whether it is to be a group's; one that is a group's stays so.
        notify: Called with a sentence that the user should know.

    Raises:
        OSError: It cannot be made.
        StoreError: It is to be a group's, and cannot be.
    """
    make_directory(root, shared=shared)
    if not (root / MARKER).exists():  # which is written when the names of all directories above it are durable
        sync_names_above(root)
    if root.stat().st_mode & stat.S_IWOTH:
        notify(
            f"everybody can write into {root}, and put models there that your runs load; `{command_line('chmod', 'o-w', root)}` ends that"
        )
    if not shared:
        return
    is_ours = root.stat().st_uid == os.geteuid()
    if is_ours:
        _share(root, notify)
    elif not (root / RECORDS).exists():
        make_directory(root / RECORDS, shared=True)
    elif not is_shared(root):
        raise StoreError(
            f"the store in {str(root)!r} is not shared yet; its owner has to run once with --omnirec-shared, or you choose another "
            "directory (--omnirec-checkpoint-dir)."
        )
    make_directory(root / "tmp", shared=True, sticky=True)
    note = _umask_note(root)
    if note and root not in _noted:
        _noted.add(root)
        notify(note)


def _share(root: Path, notify: Callable[[str], None]) -> None:
    """Open a store of ours to the group of its root, with all that is in it."""
    mode, has_records = root.stat().st_mode, (root / RECORDS).exists()
    opens = 0o070 & ~umask() & ~mode  # what the group may not do yet
    if has_records and is_shared(root) and not opens:
        return
    open_to_group(root)
    make_directory(root / RECORDS, shared=True)
    if not has_records:
        return
    group = root.stat().st_gid
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or path.lstat().st_uid != os.geteuid():
            continue
        os.chown(path, -1, group, follow_symlinks=False)
        open_to_group(path)
        is_loaded = path.name.startswith("model.") or FOLDER in path.relative_to(root).parts
        if is_loaded and path.is_file():
            keep_to_oneself(path)
    notify(f"{root} is shared with its group {group_name(group)}")


def _umask_note(root: Path) -> str:
    """Say that the umask keeps the group from what a shared store is for, or return nothing."""
    mask = umask()
    if not mask & 0o070:
        return ""
    return (
        f"{root} is to be shared, and your umask {mask:04o} keeps its group from "
        f"{'reading' if mask & 0o040 else 'writing'} what you make there; say `umask 002` before you start"
    )
