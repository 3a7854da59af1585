"""Stores of other users of the machine: they can be looked at; to write into one, one has to say that it is shared."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.owners import group_name, login_name, user_name, who_can_write
from omnibench.store.permissions import sharing
from omnibench.terminal import command_line


def refuse_strangers(root: Path, shared: str | None = None) -> None:
    """Refuse to write into a store of another user, or to load models from it, unless a group shares it.

    Root is nobody special: what it wrote, the owner could not, and what it loaded would run as root.

    Args:
        root: The checkpoint directory, which need not exist.
        shared: How it is shared; see ``permissions.sharing``.

    Raises:
        StoreError: It is another user's, and nobody has said that it is shared; or everybody can write into it.
    """
    try:
        status = root.stat()
    except OSError:  # there is none, or whoever opens it says why that is impossible
        return
    if status.st_uid == os.geteuid():
        return
    owner = user_name(status.st_uid)
    if status.st_mode & stat.S_IWOTH:
        raise StoreError(
            f"the checkpoint directory {str(root)!r} {who_can_write(root)}: anybody could put a model there that your process "
            f"would load. Choose another directory (--omnirec-checkpoint-dir), or have its owner say `{command_line('chmod', 'o-w', root)}`."
        )
    if sharing(shared) == "no":
        raise StoreError(
            f"the checkpoint directory {str(root)!r} belongs to {owner}, and you are {user_name(os.geteuid())}: nothing is "
            "written there. To look at it, use --omnirec-readonly, or `omnibench status` and the like. To compute, choose "
            "another directory (--omnirec-checkpoint-dir)"
            + _as_owner(status.st_uid)
            + ", or, if you share it with its "
            "owner, say so: --omnirec-shared, or OMNIREC_SHARED=yes for commands and scripts."
        )
    if not os.access(root, os.W_OK | os.X_OK):
        raise StoreError(
            f"the checkpoint directory {str(root)!r} belongs to {owner}, and {user_name(os.geteuid())} may not write into it. "
            f"It is for its group {group_name(status.st_gid)}, as far as its owner lets it: have the owner run once with "
            "`umask 002` and --omnirec-shared, be a member of that group, or use --omnirec-readonly."
        )


def _as_owner(uid: int) -> str:
    name = login_name(uid)
    return f", become its owner (sudo -u {name} ...)" if os.geteuid() == 0 and name else ""


def refuse_unreadable(root: Path) -> None:
    """Refuse a store whose records may not be read.

    Args:
        root: The checkpoint directory, which need not exist.

    Raises:
        StoreError: They may not.
    """
    unreadable = cannot_be_read(root)
    if unreadable is not None:
        raise unreadable


def cannot_be_read(root: Path) -> StoreError | None:
    """Return the error for who may not look into a directory, or None for who may.

    Args:
        root: The checkpoint directory.
    """
    try:
        status = (root / "store" / "cache.db").stat()
    except PermissionError:
        owner = _owner_of(root)
    except OSError:
        return None
    else:
        if os.access(root / "store" / "cache.db", os.R_OK):
            return None
        owner = user_name(status.st_uid)
    return StoreError(
        f"the checkpoints in {str(root)!r} cannot be read by {user_name(os.geteuid())}; they belong to {owner}. Have the "
        f"owner let you read them (`{command_line('chmod', '-R', 'g+rX', root)}` for the group), or take a copy."
    )


def _owner_of(path: Path) -> str:
    try:
        return user_name(path.stat().st_uid)
    except OSError:
        return "another user"
