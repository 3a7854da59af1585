"""Power cuts: an ext4 file system that is shut down while a run writes its store there, and then mounted again.

``EXT4_IOC_SHUTDOWN`` ends all writing at once, as a cut does: what was not synced is gone, and with it what the journal
held in memory. The image, its mount and its loop device belong to a mount namespace of a child, and end with that.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from faults import disks, invariants, plant
from faults.children import CRASHED, Child, Ended, run
from omnibench.engine.item_coordinator import ItemCoordinator
from omnibench.engine.run import Outcome
from omnibench.store import unsynced_files
from omnibench.store.queries import open_store
from omnibench.store.records import Records
from omnibench.store.schema import Status

_SHUTDOWN = 0x8004587D
"""``EXT4_IOC_SHUTDOWN``, which takes one of the flags below."""
FLUSHED, JOURNAL_FLUSHED, NOT_FLUSHED = 0, 1, 2
"""Everything is synced first; the journal is; nothing is, which is what a cut does."""

_MEBIBYTES = 96
_PATIENCE = 300.0


class Disk:
    """An ext4 file system in a file, mounted in this process's namespace.

    Args:
        directory: An empty directory for the image and the mount point.
    """

    def __init__(self, directory: Path) -> None:
        self.root = directory / "disk"
        self._image = directory / "image"
        self.root.mkdir()
        with self._image.open("wb") as file:
            file.truncate(_MEBIBYTES * 2**20)
        _command("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))

    def mount(self) -> None:
        """Mount it; the journal is replayed."""
        _command("mount", "-o", "loop", str(self._image), str(self.root))

    def unmount(self) -> None:
        """Unmount it as soon as nobody uses it."""
        deadline = time.monotonic() + 30
        while subprocess.run(["umount", str(self.root)], capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < deadline, "somebody still uses the disk"
            time.sleep(0.05)

    def cut(self, how: int) -> None:
        """Shut it down, in one of the ways above."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", how))
        finally:
            os.close(descriptor)


def _command(*words: str) -> None:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise OSError(f"{' '.join(words)}: {ended.stderr.strip()}")


@cache
def why_not() -> str:
    """Return why no disk can be shut down here, or nothing."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "only root mounts ext4, on Linux"
    if not all(map(shutil.which, ("mkfs.ext4", "mount", "umount"))):
        return "mkfs.ext4, mount or umount is missing"
    ended = run(_probe, Path(os.devnull))
    return "" if ended.outcome is not None else f"no disk can be shut down here: {ended.error.get('message')}"


def _probe() -> dict[str, Any]:
    import tempfile

    disks.enter_namespace()
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(Path(directory))
        disk.mount()
        try:
            disk.cut(NOT_FLUSHED)
        finally:
            disk.unmount()
    return {}


@dataclass(frozen=True)
class Telling:
    """A run that notes outside of the disk which items it has brought to their end, when it would print so.

    Attributes:
        errand: The run.
        told: The file that gets their names.
        disk: The disk that the run cuts itself off from, where the cut comes before one of its syncs.
        cut: When.
    """

    errand: plant.Errand | plant.RealErrand
    told: Path
    disk: Disk
    cut: Cut

    def __call__(self) -> dict[str, Any]:
        """Run it."""
        if self.cut.syncs:
            self._plant()
        run_item = ItemCoordinator.run_item

        def telling(coordinator: ItemCoordinator, *arguments: Any, **options: Any) -> Outcome:
            outcome = run_item(coordinator, *arguments, **options)
            if outcome.status not in (Status.FAILED, "skipped"):
                with self.told.open("a", encoding="utf-8") as file:
                    file.write(f"{arguments[0].experiment.name}\n")
            return outcome

        with mock.patch.object(ItemCoordinator, "run_item", telling):
            return self.errand()

    def _plant(self) -> None:
        """Have the power fail, and this process end, when something is about to be synced, or a transaction has ended."""
        left = itertools.count(self.cut.syncs - 1, -1)

        def pass_or_end() -> None:
            if next(left) == 0:
                self.disk.cut(self.cut.how)
                os._exit(CRASHED)

        def counted(sync: Callable[[Any], None]) -> Callable[[Any], None]:
            def pass_and_sync(thing: Any) -> None:
                pass_or_end()
                sync(thing)

            return pass_and_sync

        commit_texts = Records.commit_texts

        def commit_and_pass(records: Records, *arguments: Any, **options: Any) -> None:
            commit_texts(records, *arguments, **options)
            pass_or_end()

        namespace: Any = os
        namespace.fsync = counted(os.fsync)
        namespace = unsynced_files
        namespace.sync_file_system = counted(unsynced_files.sync_file_system)
        namespace = Records
        namespace.commit_texts = commit_and_pass


@dataclass(frozen=True)
class Cut:
    """When and how the power fails.

    Attributes:
        seconds: After the start of the run, or after the item that ``items`` counts.
        items: How many items are told to be done before.
        how: One of the flags above.
        linger: Seconds for which the run goes on without a disk, before it is killed.
        syncs: Before which sync of a file, a directory or the file system by Python, or behind which transaction, it fails,
            from 1, whatever the time; 0 for none. With the journal flushed (``JOURNAL_FLUSHED``) names are on disk whose files
            have no content there.
    """

    seconds: float = 0.0
    items: int = 0
    how: int = NOT_FLUSHED
    linger: float = 0.0
    syncs: int = 0

    @classmethod
    def at_random(cls, number: int, seconds: float, items: int) -> Cut:
        """Return a cut at any moment of a run, three of four without the journal.

        Args:
            number: The round, which is the seed.
            seconds: How long an undisturbed run takes.
            items: How many items it has.
        """
        draw = random.Random(number)
        how = draw.choice((NOT_FLUSHED, NOT_FLUSHED, NOT_FLUSHED, NOT_FLUSHED, JOURNAL_FLUSHED, FLUSHED))
        linger = draw.choice((0.0, 0.0, seconds / 4))
        if draw.random() < 0.5:
            return cls(draw.uniform(0, seconds), how=how, linger=linger)
        return cls(draw.uniform(0, seconds / items), draw.randrange(items), how, linger)


def cut_off(directory: Path, errand: plant.Errand | plant.RealErrand, cut: Cut, reference: dict[str, Any]) -> Any:
    """Run, cut the power, mount again, look, and resume. To be called in a child of its own.

    Args:
        directory: An empty directory.
        errand: The run, whose root is replaced by one on the disk.
        cut: When the power fails.
        reference: What comes out when it does not.

    Returns:
        ``violations`` (what was wrong), ``told`` (how many items were told to be done before the cut), ``came_through``
        (whether the run had ended before), and ``empty`` (the names of files in the store that have no content after it).
    """
    disks.enter_namespace()
    disk, told, log = Disk(directory), directory / "told", directory / "log"
    disk.mount()
    told.touch()
    errand = replace(errand, root=disk.root / "store")
    ended, names = _run_into(cut, disk, Child(Telling(errand, told, disk, cut), log), told)
    disk.unmount()
    disk.mount()
    files = (path for path in sorted(errand.root.glob("*-*/**/*")) if path.is_file())
    empty = [path.name for path in files if path.stat().st_size == 0]
    violations = [] if ended.outcome is None else invariants.broken_failure(ended, reference)
    violations += _broken_promises(errand.root, names)
    work = _executed(errand)
    resumed = Child(errand, log).wait(_PATIENCE)
    violations += invariants.broken_end(errand.root, resumed, reference)
    if isinstance(errand, plant.Errand):
        keys = {str(record["fit_key"]) for record in _items(errand.root) if record["item"] in names}
        again = [
            f"I3 {operation} again of {key[:8]}" for operation, key in _executed(errand)[len(work) :] if key in keys
        ]
        violations += again
    disk.unmount()
    return {"violations": violations, "told": len(names), "came_through": ended.outcome is not None, "empty": empty}


def _run_into(cut: Cut, disk: Disk, child: Child, told: Path) -> tuple[Ended, list[str]]:
    """Cut the power while a child runs; return how it ended, and the names of the items that were told to be done before.

    Nothing is told after a real cut. After this one ``fdatasync`` may return as if it had synced: ext4 takes a transaction that
    is neither running nor being committed for one that is on disk, also where the shutdown has aborted it (three of 150 bare
    loops that write and sync lost what was synced at the moment of the cut, and none what was before).
    """
    if cut.syncs:
        ended = child.wait(_PATIENCE)
        return ended, _names_in(told)
    started = time.monotonic()
    while (
        child.poll(0.0005) is None
        and told.read_bytes().count(b"\n") < cut.items
        and time.monotonic() - started < _PATIENCE
    ):
        pass
    child.poll(cut.seconds)
    names = _names_in(told)
    disk.cut(cut.how)
    child.poll(cut.linger)
    child.send(signal.SIGKILL)
    return child.wait(), names


def _names_in(told: Path) -> list[str]:
    return told.read_text(encoding="utf-8").split("\n")[:-1]


def _executed(errand: plant.Errand | plant.RealErrand) -> list[tuple[str, str]]:
    return plant.executed(errand.work) if isinstance(errand, plant.Errand) else []


def _items(root: Path) -> list[dict[str, Any]]:
    records = invariants.records_of(root)
    return [record for key, record in records.items() if key.startswith("item/")]


def _broken_promises(root: Path, names: list[str]) -> list[str]:
    """Return what a store lacks of what was told to be done, and what its parts disagree about."""
    if not root.exists():
        return [f"I1 the store is gone, and {names} were done"] if names else []
    if not (root / "store" / "cache.db").exists() and not names:
        return []
    refusal = invariants.opens(root)
    if refusal:
        return [f"I0 the store does not open: {refusal}"]
    violations = []
    records = invariants.records_of(root)
    done = {record["item"] for record in _items(root) if record["status"] == Status.DONE}
    violations += [f"I1 {name} was told to be done, and is not" for name in names if name not in done]
    violations += [f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, records)]
    statuses = {name: item["status"] for name, item in open_store(root).items().items()}
    shown = {name for name, status in statuses.items() if status == Status.DONE}
    if shown != done:
        violations.append(f"I2 status shows {sorted(shown)} as done, the records {sorted(done)}")
    return violations


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Append how long something takes."""
    started = time.monotonic()
    yield
    seconds.append(time.monotonic() - started)


def reference_of(errand: Callable[[], dict[str, Any]], log: Path) -> tuple[dict[str, Any], float]:
    """Return what an undisturbed run finds, and how many seconds it takes."""
    seconds: list[float] = []
    with timed(seconds):
        ended = Child(errand, log).wait(_PATIENCE)
    return disks.ended_of(ended), seconds[0]
