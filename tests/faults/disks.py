"""Real trouble with a disk: a small file system, one that turns read-only, and a limit on the size of files.

What mounts does so in a mount (and user) namespace of its own, in a child that ends with it.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import logging
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from faults import invariants, plant
from faults.children import Ended, run
from omnibench.engine.coordinator import Coordinator
from omnibench.engine.survey import State
from omnibench.metrics.base import Metric

_NEW_NAMESPACE, _NEW_USER = 0x00020000, 0x10000000
_RDONLY, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 32, 4096, 16384, 1 << 18

MANY = 3 * 2**20
"""Bytes of the small file system."""


def enter_namespace() -> None:
    """Give this process mounts of its own, that nobody else sees.

    Raises:
        OSError: That is not permitted here.
    """
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _call("unshare", _NEW_NAMESPACE)
    else:
        _call("unshare", _NEW_NAMESPACE | _NEW_USER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    _call("mount", b"none", b"/", None, _REC | _PRIVATE, None)


def mount_small(directory: Path, size: int = MANY, inodes: int = 10_000, *, again: bool = False) -> None:
    """Mount an empty file system of a size, or give one that is mounted that size."""
    options = f"size={size},nr_inodes={inodes}".encode()
    _call("mount", b"none", os.fsencode(directory), b"tmpfs", _REMOUNT if again else 0, options)


def mount_overlay(lower: Path, upper: Path, work: Path, merged: Path) -> None:
    """Mount an overlay, as containers have it: what is written to ``merged`` lands in ``upper``."""
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    _call("mount", b"none", os.fsencode(merged), b"overlay", 0, os.fsencode(options))


def bind(directory: Path) -> None:
    """Mount a directory over itself, so that it can be made read-only."""
    _call("mount", os.fsencode(directory), os.fsencode(directory), None, _BIND, None)


def set_readonly(directory: Path, *, readonly: bool) -> None:
    """Make a directory that was bound read-only, or writable again."""
    _call("mount", None, os.fsencode(directory), None, _REMOUNT | _BIND | (_RDONLY if readonly else 0), None)


def _call(name: str, *arguments: Any) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


@cache
def why_not() -> str:
    """Return why nothing can be mounted here, or nothing."""
    if sys.platform != "linux":
        return "namespaces are Linux's"
    ended = run(_probe, Path(os.devnull))
    return "" if ended.outcome is not None else f"nothing can be mounted here: {ended.error.get('message')}"


def _probe() -> dict[str, Any]:
    enter_namespace()
    mount_small(Path("/tmp"))
    return {}


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond a size."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def free_of(directory: Path) -> int:
    """Return how many bytes are free where a directory lies."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def leave_free(directory: Path, size: int) -> Path:
    """Fill the file system of a directory up to a rest; return the file that fills it."""
    filler = directory / "filler"
    with filler.open("wb") as file:
        for tries_left in reversed(range(100)):
            taken = os.fstat(file.fileno()).st_blocks * 512
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, taken + free_of(directory) - size))
                break
            except OSError as error:  # threads of a run write meanwhile: what was free a moment ago is not any more
                if error.errno != errno.ENOSPC or not tries_left:
                    raise
    return filler


def starved(
    directory: Path,
    trouble: Callable[[Path], Callable[[], None]],
    reference: dict[str, Any],
    metrics: tuple[Metric, ...] = plant.METRICS,
) -> dict[str, Any]:
    """Run with trouble, then without it. To be called in a child of its own.

    Args:
        directory: An empty directory.
        trouble: Makes it in a directory that the store lies in, and returns what ends it.
        reference: What comes out without any.
        metrics: What is measured.

    Returns:
        ``violations`` (what was wrong), ``came`` (how the first run ended).
    """
    disk, log = directory / "disk", directory / "log"
    disk.mkdir(exist_ok=True)
    work = plant.Work(directory / "work")  # opened before: the trouble is the run's, not that of who counts
    relieve = trouble(disk)
    errand = plant.Errand(disk / "store", work.path, metrics, opened=work)
    first = run(errand, log)
    violations = invariants.broken_failure(first, reference)
    failed = {} if first.outcome is None else first.outcome["failed"]
    violations += [f"I7 told as the failure of {name}: {message}" for name, message in failed.items()]
    violations += _unreadable(disk / "store")
    relieve()
    violations += invariants.broken_end(disk / "store", run(replace(errand, failed="skip"), log), reference)
    return {
        "violations": violations,
        "came": str(first)[:300],
        "complete": first.outcome is not None and not first.outcome["failed"],
    }


def filled(directory: Path, reference: dict[str, Any]) -> dict[str, Any]:
    """Finish a store, fill its disk to the last byte, look at it, and make room again. Returns what was wrong."""
    disk, log = directory / "disk", directory / "log"
    disk.mkdir(parents=True)
    enter_namespace()
    mount_small(disk)
    errand = plant.Errand(disk / "store", directory / "work")
    violations = invariants.broken_end(disk / "store", run(errand, log), reference)
    filler = leave_free(disk, 0)
    violations += _unreadable(disk / "store")
    violations += invariants.broken_failure(run(errand, log), reference)
    violations += _unreadable(disk / "store")
    filler.unlink()
    return {"violations": violations + invariants.broken_end(disk / "store", run(errand, log), reference)}


def _unreadable(root: Path) -> list[str]:
    try:
        records = invariants.records_of(root)
    except Exception as error:
        return [f"I0 the records cannot be read: {type(error).__name__}: {error}"]
    return [f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, records)]


def full_disk(free: int, disk: Path) -> Callable[[], None]:
    """A small file system with little room left, until something is removed."""
    enter_namespace()
    mount_small(disk)
    return leave_free(disk, free).unlink


def tiny_disk(size: int, disk: Path) -> Callable[[], None]:
    """A file system of a size, until it is larger."""
    enter_namespace()
    mount_small(disk, size)
    return partial(mount_small, disk, 64 * 2**20, again=True)


def few_inodes(inodes: int, disk: Path) -> Callable[[], None]:
    """A file system that takes few files, until it takes more."""
    enter_namespace()
    mount_small(disk, inodes=inodes)
    return partial(mount_small, disk, again=True)


def closed_when_full(directory: Path) -> dict[str, Any]:
    """Fill the disk of a coordinator that has run, and close it; return what it says, and whether all of it is closed."""
    enter_namespace()
    mount_small(directory)
    lines: list[str] = []
    coordinator = Coordinator(directory / "store", environments="current", threads=1, notify=lines.append)
    coordinator.begin(plant.items(), [State()] * len(plant.items()))
    leave_free(directory, 0)
    coordinator.worker.log.add(logging.INFO, "omnibench", "lost")
    coordinator.close()
    return {"lines": lines, "closed": not coordinator.workbench._finalizer.alive}


def limited(size: int, _: Path) -> Callable[[], None]:
    """A limit on the size of every file, until it is lifted."""
    limit_files(size)
    return partial(limit_files, resource.getrlimit(resource.RLIMIT_FSIZE)[1])


def few_files(number: int, _: Path) -> Callable[[], None]:
    """A limit on files, under which so many can be opened beside those that are open anyway, until it is lifted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The limit is one of numbers, not of files: a process with gaps between its numbers could open more.
    open_files = {int(descriptor) for descriptor in os.listdir("/proc/self/fd")}
    free_numbers = (descriptor for descriptor in itertools.count() if descriptor not in open_files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next(itertools.islice(free_numbers, number, None)), hard))
    return partial(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))


def readonly(disk: Path) -> Callable[[], None]:
    """A directory that cannot be written, until it is."""
    enter_namespace()
    bind(disk)
    set_readonly(disk, readonly=True)
    return partial(set_readonly, disk, readonly=False)


def ended_of(ended: Ended) -> dict[str, Any]:
    """Return what a child found, whose own failure would be the harness's."""
    assert ended.outcome is not None, f"{ended}\n{ended.error.get('details')}"
    return ended.outcome
