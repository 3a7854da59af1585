"""Whether locks, shared memory, renaming and syncing work where a store lies: tried once, when it is made or has moved.

Takes milliseconds. On file systems that are not known to be sound a second process tries the locks, too.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.guest import disk
from omnibench.store.filesystems import SOUND, file_system_of
from omnibench.store.small_blocks import MARGIN

_SIZE = 4096
_OPEN_FILE_LOCK: int | None = getattr(fcntl, "F_OFD_SETLK", None)

_SECOND_PROCESS = """
import fcntl, mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
def excludes(lock):
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
flock, record = excludes(fcntl.flock), excludes(fcntl.lockf)
memory = mmap.mmap(file, 4096)
shared = memory[:4] == b"ours"
memory[:6] = b"theirs"
memory.flush()
print(int(flock), int(record), int(shared))
"""


def check_once(root: Path, scratch: Path, notify: Callable[[str], None], *, insisted: bool = False) -> None:
    """Try what a store needs of its file system, unless that was done on this device before.

    Args:
        root: The checkpoint directory.
        scratch: An empty directory in it.
        notify: Called with a sentence where the file system is not known to be sound, or has small blocks.
        insisted: Whether a store is wanted there all the same.

    Raises:
        StoreError: Something does not work there, and nobody insists.
    """
    passed, device = root / "leases" / "file-system.json", root.stat().st_dev
    with suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads(passed.read_text(encoding="utf-8"))["device"] == device:
            return
    file_system = file_system_of(root)
    is_sound = file_system in SOUND
    flaws = list(flaws_of(scratch, with_process=bool(file_system) and not is_sound))
    if flaws:
        sentence = (
            f"the checkpoint directory {str(root)!r} lies on a file system ({file_system or 'of an unknown type'}) on which "
            f"{' and '.join(flaws)}, which checkpoints need"
        )
        if not insisted:
            raise StoreError(
                f"{sentence}. Keep them on a local disk (--omnirec-checkpoint-dir=DIR), or insist with "
                "--omnirec-allow-network-fs if only one process uses them."
            )
        notify(f"{sentence}; go on at your own risk")
    elif file_system and not is_sound:
        notify(
            f"the checkpoint directory {str(root)!r} lies on a file system ({file_system}) that is not known to keep what "
            "SQLite relies on; locks, shared memory and syncs were tried and work. Let only this machine use it"
        )
    block = os.statvfs(root).f_frsize
    if block < mmap.PAGESIZE:
        notify(
            f"the file system of the checkpoint directory {str(root)!r} has blocks of {block} bytes, less than a page of "
            f"memory ({mmap.PAGESIZE}): it counts as full when {MARGIN // 2**10} KiB are left, for where SQLite's memory finds no "
            "room, the system would end processes by SIGBUS"
        )
    (scratch / "passed").write_text(json.dumps({"device": device, "file_system": file_system}), encoding="utf-8")
    (scratch / "passed").replace(passed)


def flaws_of(directory: Path, *, with_process: bool) -> Iterator[str]:
    """Yield what does not work in a directory, as the end of "a file system on which ...".

    Args:
        directory: An empty directory.
        with_process: Whether a second process tries the locks as well; that takes longer.
    """
    for sentence, check in (
        ("locks (flock) do not exclude", _flock_excludes),
        ("locks (fcntl) do not exclude", _record_lock_excludes),
        ("memory that maps a file is not shared", _memory_is_shared),
        ("files cannot be replaced by renaming", _replaces),
        ("files cannot have a second name (a hard link)", _links),
        ("files cannot be synced to the disk", _syncs),
    ):
        try:
            works = check(directory)
        except OSError as error:
            if error.errno in disk.ERRNOS:  # which says nothing of the file system
                raise
            yield f"{sentence} ({error.strerror or error})"
        else:
            if not works:
                yield sentence
    if with_process:
        yield from _flaws_between_processes(directory)


@contextmanager
def _opened_twice(directory: Path) -> Iterator[tuple[int, int]]:
    """Open a file twice: locks of two openings exclude each other as those of two processes do."""
    path = directory / "locked"
    with ExitStack() as stack:
        descriptors = []
        for _ in range(2):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
        size = 0
        while size < _SIZE:  # into a hole, mapped memory could not be written on a full disk: SIGBUS
            size += os.pwrite(descriptors[0], bytes(_SIZE - size), size)  # a limit on file sizes cuts it short at first
        yield descriptors[0], descriptors[1]


def _flock_excludes(directory: Path) -> bool:
    with _opened_twice(directory) as (first, second):
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _record_lock_excludes(directory: Path) -> bool:
    if _OPEN_FILE_LOCK is None:  # then only processes exclude each other
        return True
    lock = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
    with _opened_twice(directory) as (first, second):
        fcntl.fcntl(first, _OPEN_FILE_LOCK, lock)
        try:
            fcntl.fcntl(second, _OPEN_FILE_LOCK, lock)
        except (BlockingIOError, PermissionError):
            return True
        return False


def _memory_is_shared(directory: Path) -> bool:
    with (
        _opened_twice(directory) as (first, second),
        mmap.mmap(first, _SIZE) as written,
        mmap.mmap(second, _SIZE) as read,
    ):
        written[:4] = b"ours"
        return read[:4] == b"ours"


def _replaces(directory: Path) -> bool:
    (directory / "old").write_bytes(b"old")
    (directory / "new").write_bytes(b"new")
    (directory / "new").replace(directory / "old")
    return (directory / "old").read_bytes() == b"new" and not (directory / "new").exists()


def _links(directory: Path) -> bool:
    (directory / "file").write_bytes(b"")
    (directory / "link").hardlink_to(directory / "file")
    try:
        (directory / "link").hardlink_to(directory / "file")
    except FileExistsError:
        return True
    return False


def _syncs(directory: Path) -> bool:
    for path, flags in ((directory / "file", os.O_RDWR | os.O_CREAT), (directory, os.O_RDONLY)):
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return True


def _flaws_between_processes(directory: Path) -> Iterator[str]:
    with _opened_twice(directory) as (file, _), mmap.mmap(file, _SIZE) as memory:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        memory[:4] = b"ours"
        command = [sys.executable, "-I", "-S", "-c", _SECOND_PROCESS, str(directory / "locked")]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.split()
        if answer[:1] == ["0"]:
            yield "locks (flock) of two processes do not exclude each other"
        if answer[1:2] == ["0"]:
            yield "locks (fcntl) of two processes do not exclude each other"
        if len(answer) != 3 or answer[2] == "0" or memory[:6] != b"theirs":  # noqa: PLR2004 - what it prints
            yield "two processes do not share the memory that maps a file"
