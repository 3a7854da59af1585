"""Real trouble with the disk of snapshots: it is full, too small for them, or read-only. To be called in a child of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from faults import disks, fits, invariants, plant
from faults.children import run
from omnibench.store.gc import collect

FULL, READ_ONLY = "full", "read-only"

_DISK = 64 * 2**20


def troubled(directory: Path, trouble: str, free: int, members: Mapping[str, Any]) -> dict[str, Any]:
    """Run a Fit whose snapshots lie on a disk of their own, which fails them, and run it again when that is over.

    Args:
        directory: An empty directory.
        trouble: ``full`` or ``read-only``.
        free: Bytes that are free on the full disk; of a read-only one, whether (1) there is a snapshot to go on from.
        members: The members of the errand; see ``fits.FitErrand``.

    Returns:
        ``violations``, how the first run ``came``, its ``warnings``, and whether it was ``complete``.
    """
    log, kept = directory / "log", directory / "disk" / fits.KEPT
    kept.mkdir(parents=True)
    disks.enter_namespace()
    disks.mount_small(kept, _DISK)
    errand = fits.FitErrand(directory / "disk" / "store", directory / "work", outside=True, **members)
    reference = disks.ended_of(run(replace(errand, root=directory / "reference" / "store", outside=False), log))
    facts = fits.facts_of(directory / "reference" / "store")
    relieve: Callable[[], object]
    begin = 0
    if trouble == READ_ONLY:
        if free:
            run(replace(errand, ends_after=1), log)
            begin = 2
        disks._call("mount", b"none", bytes(kept), b"tmpfs", disks._REMOUNT | disks._RDONLY, None)
        relieve = partial(disks._call, "mount", b"none", bytes(kept), b"tmpfs", disks._REMOUNT, None)
    else:
        relieve = disks.leave_free(kept, free).unlink
    first = run(errand, log)
    complete = first.outcome is not None and not first.outcome["failed"]
    violations = []
    if complete and fits.begins_of(errand.root) != dict.fromkeys(fits.begins_of(errand.root), begin):
        violations.append(f"it was begun after {fits.begins_of(errand.root)}, and not after {begin}")
    relieve()
    second = run(replace(errand, failed="retry"), log)
    if second.outcome is None or plant.as_text(second.outcome) != plant.as_text(reference):
        violations.append(f"the next run is not right: {second}")
    if fits.facts_of(errand.root) != facts:
        violations.append("models, predictions, series or metrics are others")
    collect(errand.root)
    violations += [f"left: {path}" for path in fits.litter_in(directory / "disk", errand.root)]
    warnings = first.outcome["warnings"] if first.outcome is not None else []
    return {"violations": violations, "came": str(first), "warnings": warnings, "complete": complete}


def troubled_store(directory: Path, trouble: str, free: int) -> dict[str, Any]:
    """Go on with a Fit whose store lies on a disk that is full or read-only by now, and again when that is over.

    Args:
        directory: An empty directory.
        trouble: ``full`` or ``read-only``.
        free: Bytes that are free on the full disk.

    Returns:
        ``violations``, and how the first run ``came``.
    """
    log, disk = directory / "log", directory / "disk"
    disk.mkdir(parents=True)
    disks.enter_namespace()
    disks.mount_small(disk, _DISK)
    errand = fits.FitErrand(disk / "store", directory / "work")
    reference = disks.ended_of(run(replace(errand, root=directory / "reference" / "store"), log))
    run(replace(errand, ends_after=2), log)
    before = fits.resumes_at(errand.root)
    relieve: Callable[[], object]
    if trouble == READ_ONLY:
        disks._call("mount", b"none", bytes(disk), b"tmpfs", disks._REMOUNT | disks._RDONLY, None)
        relieve = partial(disks._call, "mount", b"none", bytes(disk), b"tmpfs", disks._REMOUNT, None)
    else:
        relieve = disks.leave_free(disk, free).unlink
    first = run(errand, log)
    violations = invariants.broken_failure(first, reference)
    fitted = fits.begins_of(errand.root)
    lost = [
        key for key, step in before.items() if key not in fitted and fits.resumes_at(errand.root).get(key, 0) < step
    ]
    violations += [f"the snapshot of {key} is not there any more" for key in lost]
    violations += [f"damaged: {folder}" for folder in fits.damaged_snapshots(errand.root)]
    relieve()
    second = run(replace(errand, failed="retry"), log)
    if second.outcome is None or plant.as_text(second.outcome) != plant.as_text(reference):
        violations.append(f"the next run is not right: {second}")
    if fits.facts_of(errand.root) != fits.facts_of(directory / "reference" / "store"):
        violations.append("models, predictions, series or metrics are others")
    if not all(fits.begins_of(errand.root).values()):
        violations.append("it was begun anew")
    collect(errand.root)
    violations += [f"left: {path}" for path in fits.litter_in(disk, errand.root)]
    return {"violations": violations, "came": str(first)}
