"""Which file system a store would lie on. SQLite's locks and our leases need one that really locks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from omnibench.errors import StoreError

SOUND = frozenset(
    {
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "nilfs2"),
        *("tmpfs", "ramfs", "apfs", "hfs", "ufs"),
        *("overlay", "fuse.fuse-overlayfs"),  # whose upper layer has to be one of those for the kernel to take it
    }
)
"""Local file systems on which SQLite and locks are known to hold what they promise."""

_NETWORKED = frozenset(
    {
        *(
            "nfs",
            "nfs3",
            "nfs4",
            "cifs",
            "smb2",
            "smb3",
            "smbfs",
            "afs",
            "afpfs",
            "ncpfs",
            "webdav",
            "davfs",
            "fuse.davfs2",
        ),
        *("fuse.sshfs", "fuse.nfs", "fuse.gvfsd-fuse", "fuse.curlftpfs"),
        # clusters'
        *("lustre", "lustre_tmp", "beegfs", "beegfs_nodev", "gpfs", "panfs", "ceph", "fuse.ceph", "fuse.ceph-fuse"),
        *("glusterfs", "fuse.glusterfs", "orangefs", "pvfs2", "gfs2", "gfs", "ocfs2", "wekafs", "moosefs", "fuse.mfs"),
        *("fuse.juicefs", "fuse.moosefs", "fuse.seaweedfs", "fuse.hdfs", "fuse.fuse_dfs", "fuse.dfuse", "fuse.quobyte"),
        # objects in a cloud
        *("fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.goofys", "fuse.geesefs", "fuse.blobfuse", "fuse.blobfuse2"),
        *(
            "fuse.mount-s3",
            "fuse.mountpoint-s3",
            "fuse.ossfs",
            "fuse.cosfs",
            "fuse.google-drive-ocamlfuse",
            "fuse.onedriver",
        ),
        # a host's, as a virtual machine sees it (WSL's /mnt/c, VirtualBox, VMware, Parallels, Docker Desktop)
        *(
            "9p",
            "v9fs",
            "drvfs",
            "vboxsf",
            "vmhgfs",
            "fuse.vmhgfs-fuse",
            "prl_fs",
            "fuse.grpcfuse",
            "fuse.osxfs",
            "osxfs",
        ),
    }
)
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system.

    Attributes:
        file_system: Its type, e.g. ``ext4``; empty where the operating system does not tell.
        upper: The directory that takes what is written to an overlay; empty for others.
    """

    file_system: str = ""
    upper: str = ""


def mount_of(directory: Path, mounts: Path = MOUNTS) -> Mount:
    """Return the mount that holds a directory (which need not exist yet)."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return Mount()
    resolved = directory.resolve()
    depth, mount = -1, Mount()
    for line in lines:
        head, dash, tail = line.partition(" - ")
        if not dash:
            continue
        point = Path(_plain(head.split()[4]))
        # Of those that are mounted on one directory, the last hides the others.
        if (resolved == point or point in resolved.parents) and len(point.parts) >= depth:
            upper = re.search(r"(?:^|,)upperdir=([^,]+)", tail.split()[-1])
            depth, mount = len(point.parts), Mount(tail.split()[0], _plain(upper[1]) if upper else "")
    return mount


def _plain(escaped: str) -> str:
    """Return a path as it is: blanks and such are written as octal numbers in the table of mounts."""
    return re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), escaped)


def file_system_of(directory: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system that holds a directory (which need not exist yet), e.g. ``ext4``.

    Of an overlay it is the type of the layer that takes what is written, where that can be seen from here, as it
    cannot from inside of a container; else ``overlay``. Empty where the operating system does not tell (everywhere but
    on Linux).
    """
    mount = mount_of(directory, mounts)
    if mount.file_system == "overlay" and mount.upper and Path(mount.upper).exists():
        upper = mount_of(Path(mount.upper), mounts)
        if upper.file_system not in ("", "overlay"):
            return upper.file_system
    return mount.file_system


def refuse_networked(directory: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a directory on the file system of a network, a cluster, a cloud or a virtual machine's host.

    Raises:
        StoreError: It is on NFS, SMB, Lustre, 9p or the like.
    """
    file_system = file_system_of(directory, mounts)
    if file_system in _NETWORKED:
        raise StoreError(
            f"the checkpoint directory {str(directory)!r} is on a network file system ({file_system}) or one that several "
            "machines share, where SQLite databases get damaged and locks may not hold. Keep checkpoints on a local disk "
            "(--omnirec-checkpoint-dir=DIR) and copy them afterwards, or insist with --omnirec-allow-network-fs if only one "
            "machine uses them."
        )
