"""Whose files are: what another user of the machine can write is neither taken for ours nor executed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

ROOT = 0
"""The user who may do everything anyway."""


def login_name(uid: int) -> str:
    """Return a user's name, or nothing: a container's user may have none."""
    import pwd  # there is none on some systems, and few ask

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def user_name(uid: int) -> str:
    """Return a user's name with the number, e.g. ``ann (uid 1000)``."""
    name = login_name(uid)
    return f"{name} (uid {uid})" if name else f"uid {uid}"


def group_name(gid: int) -> str:
    """Return a group's name with the number, e.g. ``lab (gid 2000)``."""
    import grp  # there is none on some systems, and few ask

    try:
        return f"{grp.getgrgid(gid).gr_name} (gid {gid})"
    except KeyError:
        return f"gid {gid}"


def who_can_write(directory: Path) -> str:
    """Say which other users can write into a directory, or return nothing where it is ours, or the administrator's.

    Access control lists, which may let in more, are not looked at.

    Args:
        directory: The directory; nothing is said of one that is not there.
    """
    try:
        status = directory.stat()
    except OSError:  # there is none, or whoever opens it says why that is impossible
        return ""
    if status.st_uid == os.geteuid():
        return ""
    if status.st_mode & stat.S_IWOTH:
        return f"belongs to {user_name(status.st_uid)}, and everybody can write into it"
    if status.st_uid == ROOT:
        return ""
    return f"belongs to {user_name(status.st_uid)}, and you are {user_name(os.geteuid())}"


def is_swappable(directory: Path) -> bool:
    """Whether anybody can replace what others have in a directory, because it has no sticky bit as ``/tmp`` has."""
    try:
        mode = directory.stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
