"""Faults at system calls, SQLite's own among them, and the order in which a phase reaches the disk."""

from __future__ import annotations

import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from faults import mutants, plant
from faults.children import KILLED, run
from faults.invariants import artifacts_of, records_of
from faults.sweeps import EMPTY, NEW_METRIC, STARTS, Mutation, Start, Sweep, Tally
from faults.tracing import CHANGING, Call, broken_order, calls, failed_at, killed_at, traced, why_not

_SAMPLE = 7
"""Points per kind of fault in the everyday suite."""

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")


def _mutated(mutation: Mutation, errand: plant.Errand) -> dict[str, object]:
    mutation()
    return errand()


def _points(sweep: Sweep, directory: Path) -> list[Call]:
    """The calls of an undisturbed run that concern its store."""
    sweep.fresh()
    ended = traced(sweep.errand(), directory / "log", directory / "trace", ["-e", f"trace={CHANGING}"])
    assert ended.outcome is not None, ended.error
    return [call for call in calls(directory / "trace") if str(sweep.root) in call.text]


def _try(sweep: Sweep, directory: Path, points: list[Call], how: str, *, lasting: bool = False) -> Tally:
    label = "kill" if how == "SIGKILL" else how
    tally = Tally(f"{'lasting ' if lasting else ''}{label} points of strace, {sweep.start.name}")
    for call in points:
        options = killed_at(call) if how == "SIGKILL" else failed_at(call, how, lasting=lasting)
        sweep.fresh()
        ended = traced(sweep.errand(), directory / "log", directory / "trace", options)
        violations = sweep.check(ended, len(plant.items()) if lasting else 1)
        if ended.status == KILLED or "(INJECTED)" in (directory / "trace").read_text(errors="replace"):
            tally.take(f"{sweep.start.name}, {how} at {call}", violations)
    return tally


@pytest.mark.parametrize("how", ["SIGKILL", "ENOSPC", "EIO"])
def test_a_sample_of_system_calls(directory: Path, how: str) -> None:
    """A run that is ended at a system call, or whose call fails, is made up for by the next."""
    sweep = Sweep(NEW_METRIC if how == "ENOSPC" else EMPTY, directory / "sweep")
    points = _points(sweep, directory)
    shift = ["SIGKILL", "ENOSPC", "EIO"].index(how)
    tally = _try(sweep, directory, points[shift :: len(points) // _SAMPLE], how)
    assert tally.tried >= _SAMPLE - 1
    tally.check()


@pytest.mark.faults
@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.name.replace(" ", "-"))
@pytest.mark.parametrize("how", ["SIGKILL", "ENOSPC", "EIO"])
def test_every_system_call(directory: Path, start: Start, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each call that changes the store, once."""
    sweep = Sweep(start, directory / "sweep")
    points = _points(sweep, directory)
    tally = _try(sweep, directory, points, how)
    with capsys.disabled():
        print(f"\n{tally} ({', '.join(f'{n} {name}' for name, n in Counter(call.name for call in points).items())})")
    assert tally.tried >= 0.95 * len(points), "the same calls come in every run"
    tally.check()


@pytest.mark.faults
@pytest.mark.parametrize("how", ["ENOSPC", "EIO"])
def test_every_system_call_from_which_on_the_disk_is_bad(
    directory: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """From each third call on, all calls of its kind fail for the rest of the run.

    Not plain writes: with those the child could no longer report how it ended.
    """
    sweep = Sweep(EMPTY, directory / "sweep")
    points = [call for call in _points(sweep, directory)[::3] if call.name != "write"]
    tally = _try(sweep, directory, points, how, lasting=True)
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()


def _disorder(directory: Path, mutation: Mutation, left: Path | None = None) -> list[str]:
    """Return what was out of order in a run from nothing, or from what an interrupted one has left."""
    root = directory / "ordered"
    if left is not None:
        shutil.copytree(left, root)
    errand = plant.Errand(root, directory / "work")
    before = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    ended = traced(
        partial(_mutated, mutation, errand), directory / "log", directory / "trace", ["-e", f"trace={CHANGING}"]
    )
    assert ended.outcome is not None, ended.error
    log = list(calls(directory / "trace"))
    named = {str(artifact["path"]) for record in records_of(root).values() for artifact in artifacts_of(record)}
    assert len(named) >= 3 * len(plant.items()), "every phase of every item has an artifact"
    assert left is None or len(named & before) >= 3 * len(plant.items()), "they have the names of what is there"
    return list(filter(None, (broken_order(log, path, str(root), was_there=path in before) for path in sorted(named))))


def _files_without_records(directory: Path) -> Path:
    """Make a store that was interrupted before each of its records: all files are there, and empty."""
    root = directory / "left"
    ended = run(plant.Errand(root, directory / "earlier-work"), directory / "log")
    assert ended.outcome is not None, ended.error
    named = {str(artifact["path"]) for record in records_of(root).values() for artifact in artifacts_of(record)}
    shutil.rmtree(root / "store")
    for manifest in root.rglob("records.jsonl"):
        manifest.unlink()
    for path in named:
        (root / path).write_bytes(b"")
    return root


def test_every_artifact_is_on_disk_before_its_record(directory: Path) -> None:
    """fsync(file) < rename < fsync(directory) < write and fsync of the commit, for every phase and the dataset.

    A new file may be renamed before its fsync, and directories on its way are durable before the commit. So it is with large
    files; what of small ones is in the commit itself, power cuts try (``test_power``).
    """
    assert not _disorder(directory, mutants.every_file_synced)


def test_what_an_interrupted_run_has_left_is_replaced_by_files_that_are_on_disk(directory: Path) -> None:
    """Where something has the name of an artifact, the artifact is synced before it gets that name; a protocol that moves it first is seen."""
    left = _files_without_records(directory)
    (directory / "right").mkdir()
    (directory / "wrong").mkdir()
    assert not _disorder(directory / "right", mutants.every_file_synced, left)
    assert len(_disorder(directory / "wrong", mutants.named_before_it_is_synced, left)) >= 3 * len(plant.items())


@pytest.mark.parametrize(
    "mutation",
    [
        mutants.without_fsync,
        mutants.record_before_artifact,
        mutants.write_in_place,
        mutants.without_durable_directories,
    ],
)
def test_a_wrong_order_is_seen(directory: Path, mutation: Mutation) -> None:
    """The order of protocols that are wrong on purpose does not pass."""
    assert len(_disorder(directory, mutation)) >= 3 * len(plant.items())
