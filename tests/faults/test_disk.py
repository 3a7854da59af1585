"""Real trouble with the disk: the run ends with clear errors, the store stays readable, and the next run is right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faults import disks, invariants, plant
from faults.children import run
from faults.sweeps import Tally
from omnibench.metrics.base import Metric

mounts = pytest.mark.skipif(bool(disks.why_not()), reason=disks.why_not() or "never")
Trouble = Callable[[Path], Callable[[], None]]


def _reference(directory: Path, metrics: tuple[Metric, ...] = plant.METRICS) -> dict[str, Any]:
    return disks.ended_of(
        run(plant.Errand(directory / "reference", directory / "uncounted", metrics), directory / "log")
    )


def _sizes(directory: Path, trouble: Callable[[int, Path], Callable[[], None]], sizes: range) -> Tally:
    """Try every size; some are too small for a run and some are not, or nothing was tried."""
    reference = _reference(directory)
    tally = Tally("sizes")
    complete = []
    for size in sizes:
        inside = directory / str(size)
        inside.mkdir()
        ended = run(partial(disks.starved, inside, partial(trouble, size), reference), directory / "log")
        outcome = disks.ended_of(ended)
        tally.take(f"{size} bytes ({outcome['came']})", outcome["violations"])
        complete.append(outcome["complete"])
    assert not complete[0]
    assert complete[-1]
    return tally


@mounts
def test_a_full_disk(directory: Path) -> None:
    """A run on a file system with too little room fails clearly; when there is room, the next one goes on."""
    _sizes(directory, disks.full_disk, range(8_192, 1_700_000, 300_000)).check()


@mounts
def test_no_inode_is_left(directory: Path) -> None:
    """A file system that takes no more files is no item's failure either."""
    _sizes(directory, disks.few_inodes, range(15, 140, 60)).check()


@mounts
def test_the_end_of_a_run_on_a_full_disk(directory: Path) -> None:
    """Each thing that cannot be written is a line; nothing is left to the interpreter's end, which shows tracebacks."""
    outcome = disks.ended_of(run(partial(disks.closed_when_full, directory), directory / "log"))
    assert outcome["closed"]
    assert len(outcome["lines"]) in range(2, 5)
    assert all("\n" not in line for line in outcome["lines"])
    assert any("What was recorded is safe" in line for line in outcome["lines"])


@mounts
def test_a_finished_store_on_a_disk_that_is_full_by_now(directory: Path) -> None:
    """Its records can still be read, and nothing is lost by the attempt to write."""
    outcome = disks.ended_of(run(partial(disks.filled, directory / "inside", _reference(directory)), directory / "log"))
    assert not outcome["violations"]


def test_files_that_may_not_grow(directory: Path) -> None:
    """A limit on the size of files, as quotas and batch systems set it."""
    _sizes(directory, disks.limited, range(1_000, 1_300_000, 300_000)).check()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells how many files are open")
def test_too_few_open_files(directory: Path) -> None:
    """A limit on open files, at which no item counts as failed."""
    _sizes(directory, disks.few_files, range(4, 41, 12)).check()


@pytest.mark.faults
@mounts
def test_a_full_disk_at_every_size(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Room for ever more of a run."""
    tally = _sizes(directory, disks.full_disk, range(4_096, 1_400_000, 8_192))
    with capsys.disabled():
        print(f"\nfull disk: {tally}")
    tally.check()


@pytest.mark.faults
def test_files_that_may_not_grow_at_every_size(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ever larger files."""
    tally = _sizes(directory, disks.limited, range(500, 1_300_000, 10_000))
    with capsys.disabled():
        print(f"\nlimited files: {tally}")
    tally.check()


@mounts
@pytest.mark.parametrize("metrics", [plant.METRICS, plant.ONE_MORE], ids=["all known", "one more"])
def test_a_disk_that_has_become_readonly(directory: Path, metrics: tuple[Metric, ...]) -> None:
    """A finished store on it says so in a StoreError, and can be read; when it can be written again, all goes on."""
    (directory / "inside" / "disk").mkdir(parents=True)
    finished = run(plant.Errand(directory / "inside" / "disk" / "store", directory / "uncounted"), directory / "log")
    assert finished.outcome is not None
    reference = _reference(directory, metrics)
    ended = run(partial(disks.starved, directory / "inside", disks.readonly, reference, metrics), directory / "log")
    outcome = disks.ended_of(ended)
    assert not outcome["violations"]
    assert "StoreError" in outcome["came"] or outcome["complete"]


@mounts
@pytest.mark.parametrize("layer", ["new", "in the image"])
def test_a_store_in_a_container(layer: str, directory: Path) -> None:
    """On an overlay a run is like any other, also of a store that came with the image; the images's stays as it is."""
    image = directory / "image" if layer == "in the image" else directory / "empty"
    (directory / "empty").mkdir()
    reference = run(plant.Errand(directory / "image" / "store", directory / "uncounted"), directory / "log").outcome
    assert reference is not None

    def contained() -> dict[str, Any]:
        disks.enter_namespace()
        disks.mount_small(directory / "empty")
        for name in ("upper", "work", "merged", "lower"):
            (directory / "empty" / name).mkdir()
        lower = image if layer == "in the image" else directory / "empty" / "lower"
        merged = directory / "empty" / "merged"
        disks.mount_overlay(lower, directory / "empty" / "upper", directory / "empty" / "work", merged)
        errand = plant.Errand(merged / "store", directory / "work")
        ended = run(errand, directory / "log")
        return {"violations": invariants.broken_end(merged / "store", ended, reference), "error": ended.error}

    outcome = disks.ended_of(run(contained, directory / "log"))
    assert not outcome["violations"], outcome["error"]
    assert (
        invariants.broken_end(
            directory / "image" / "store",
            run(plant.Errand(directory / "image" / "store", directory / "uncounted"), directory / "log"),
            reference,
        )
        == []
    )
