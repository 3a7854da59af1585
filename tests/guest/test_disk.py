"""Trouble with a disk is told apart from mistakes, also where an exception says nothing of a disk."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faults import disks
from faults.children import run

from omnibench.guest import disk

mounts = pytest.mark.skipif(bool(disks.why_not()), reason=disks.why_not() or "never")


def raised(function: Callable[[], object]) -> Exception:
    """Return what a function raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        function()
    return caught.value


def save() -> None:
    """Raise what PyTorch raises when its file finds no room."""
    raise RuntimeError("unexpected pos 64 vs 0")


def compute() -> None:
    """Raise the same where nothing is written."""
    raise RuntimeError("unexpected pos 64 vs 0")


def exhaust() -> None:
    """Use up a quota."""
    raise OSError(errno.EDQUOT, "no quota")


def wrap() -> None:
    """Hide an error of the operating system behind one's own."""
    try:
        exhaust()
    except OSError as error:
        raise ValueError("the cache is of no use") from error


def test_an_error_of_a_disk_is_found_behind_others(tmp_path: Path) -> None:
    """Its number counts wherever it stands in the chain, and so do the words of libraries."""
    assert disk.disk_errno(raised(wrap), [tmp_path]) == errno.EDQUOT
    assert disk.disk_errno(RuntimeError("[Errno 28] No space left on device"), [tmp_path]) == errno.ENOSPC
    assert disk.disk_errno(OSError(errno.ENOENT, "gone"), [tmp_path]) is None
    assert disk.disk_errno(raised(save), [tmp_path]) is None, "there is room"


def test_a_place_that_nobody_can_write_is_the_mistake_of_who_writes_there(tmp_path: Path) -> None:
    """A read-only file system is a disk's trouble only where a run has to write."""
    inside, outside = (OSError(errno.EROFS, "read-only", str(path)) for path in (tmp_path / "model", "/usr/model"))
    assert disk.disk_errno(inside, [tmp_path]) == errno.EROFS
    assert disk.disk_errno(outside, [tmp_path]) is None


def _judged(directory: Path, *, inodes: bool) -> dict[str, Any]:
    disks.enter_namespace()
    disks.mount_small(directory, inodes=5 if inodes else 100)
    for number in range(10 if inodes else 1):
        with suppress(OSError):
            (directory / str(number)).write_bytes(b"" if inodes else bytes(2 * disks.MANY))
    writing, computing = raised(save), raised(compute)
    number = disk.disk_errno(writing, [directory]) or 0
    return {
        "writing": number,
        "computing": disk.disk_errno(computing, [directory]),
        "in a save": disk.disk_errno(computing, [directory], writing=True),
        "text": disk.explain(number, [directory]),
        "left": sorted(path.name for path in directory.glob(".*")),
    }


@mounts
@pytest.mark.parametrize("inodes", [False, True])
def test_what_was_writing_to_a_full_disk_is_the_disks_fault(tmp_path: Path, inodes: bool) -> None:
    """An exception of a function that writes is, one of a computation is not; bytes and inodes are told apart."""
    (tmp_path / "disk").mkdir()
    judged = disks.ended_of(run(partial(_judged, tmp_path / "disk", inodes=inodes), tmp_path / "log"))
    assert (judged["writing"], judged["computing"], judged["in a save"]) == (errno.ENOSPC, None, errno.ENOSPC)
    reason = "no inode is left for another file" if inodes else "there is too little room"
    assert judged["text"].startswith(f"{reason} on the file system {tmp_path / 'disk'} (")
    assert judged["left"] == []


def _limited(directory: Path, size: int) -> dict[str, Any]:
    disks.limit_files(size)
    with suppress(OSError):
        (directory / "model").write_bytes(bytes(2 * size))
    number = disk.disk_errno(raised(save), [directory]) or 0
    return {"number": number, "text": disk.explain(number, [directory])}


@pytest.mark.parametrize("size", [100_000, 5_000_000])
def test_a_limit_on_the_size_of_files(tmp_path: Path, size: int) -> None:
    """A file that has grown up to the limit has met it, and the limit is named."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    judged = disks.ended_of(run(partial(_limited, tmp_path, size), tmp_path / "log"))
    assert judged == {"number": errno.EFBIG, "text": f"no file may have more than {size:,} bytes (ulimit -f)"}
