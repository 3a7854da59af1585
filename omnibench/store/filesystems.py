"""Which file system a store would lie on. SQLite's locks and our leases need one that really locks."""

from __future__ import annotations

import re
from pathlib import Path

from omnibench.errors import StoreError

_NETWORKED = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "smb2", "afs", "afpfs", "ncpfs", "webdav", "davfs", "fuse.sshfs"}
)
MOUNTS = Path("/proc/self/mountinfo")


def file_system_of(directory: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system that holds a directory (which need not exist yet), e.g. ``ext4``.

    Empty where the operating system does not tell (everywhere but on Linux).
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    resolved = directory.resolve()
    depth, file_system = -1, ""
    for line in lines:
        head, dash, tail = line.partition(" - ")
        if not dash:
            continue
        # Blanks and such are written as octal numbers there.
        point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), head.split()[4]))
        # Of those that are mounted on one directory, the last hides the others.
        if (resolved == point or point in resolved.parents) and len(point.parts) >= depth:
            depth, file_system = len(point.parts), tail.split()[0]
    return file_system


def refuse_networked(directory: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a directory on a network file system.

    Raises:
        StoreError: It is on NFS, SMB or the like.
    """
    file_system = file_system_of(directory, mounts)
    if file_system in _NETWORKED:
        raise StoreError(
            f"the checkpoint directory {str(directory)!r} is on a network file system ({file_system}), where SQLite databases "
            "get damaged and locks may not hold. Keep checkpoints on a local disk (--omnirec-checkpoint-dir=DIR) and "
            "copy them afterwards, or insist with --omnirec-allow-network-fs if only one machine uses them."
        )
