"""Faults at system calls, SQLite's own among them, and the order in which a phase reaches the disk."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from faults import mutants, plant
from faults.children import KILLED
from faults.invariants import artifacts_of, records_of
from faults.sweeps import EMPTY, NEW_METRIC, STARTS, Mutation, Start, Sweep, Tally, unchanged
from faults.tracing import CHANGING, Call, broken_order, calls, failed_at, killed_at, traced, why_not

_SAMPLE = 7
"""Points per kind of fault in the everyday suite."""

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")


def _mutated(mutation: Mutation, errand: plant.Errand) -> dict[str, object]:
    mutation()
    return errand()


def _points(sweep: Sweep, place: Path) -> list[Call]:
    """The calls of an undisturbed run that concern its store."""
    sweep.fresh()
    ended = traced(sweep.errand(), place / "log", place / "trace", ["-e", f"trace={CHANGING}"])
    assert ended.outcome is not None, ended.error
    return [call for call in calls(place / "trace") if str(sweep.root) in call.text]


def _try(sweep: Sweep, place: Path, points: list[Call], how: str, *, lasting: bool = False) -> Tally:
    kind = "kill" if how == "SIGKILL" else how
    tally = Tally(f"{'lasting ' if lasting else ''}{kind} points of strace, {sweep.start.name}")
    for call in points:
        options = killed_at(call) if how == "SIGKILL" else failed_at(call, how, lasting=lasting)
        sweep.fresh()
        ended = traced(sweep.errand(), place / "log", place / "trace", options)
        found = sweep.check(ended, len(plant.items()) if lasting else 1)
        if ended.status == KILLED or "(INJECTED)" in (place / "trace").read_text(errors="replace"):
            tally.take(f"{sweep.start.name}, {how} at {call}", found)
    return tally


@pytest.mark.parametrize("how", ["SIGKILL", "ENOSPC", "EIO"])
def test_a_sample_of_system_calls(place: Path, how: str) -> None:
    """A run that is ended at a system call, or whose call fails, is made up for by the next."""
    sweep = Sweep(NEW_METRIC if how == "ENOSPC" else EMPTY, place / "sweep")
    points = _points(sweep, place)
    shift = ["SIGKILL", "ENOSPC", "EIO"].index(how)
    tally = _try(sweep, place, points[shift :: len(points) // _SAMPLE], how)
    assert tally.tried >= _SAMPLE - 1
    tally.check()


@pytest.mark.faults
@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.name.replace(" ", "-"))
@pytest.mark.parametrize("how", ["SIGKILL", "ENOSPC", "EIO"])
def test_every_system_call(place: Path, start: Start, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each call that changes the store, once."""
    sweep = Sweep(start, place / "sweep")
    points = _points(sweep, place)
    tally = _try(sweep, place, points, how)
    with capsys.disabled():
        print(f"\n{tally} ({', '.join(f'{n} {name}' for name, n in Counter(one.name for one in points).items())})")
    assert tally.tried >= 0.95 * len(points), "the same calls come in every run"
    tally.check()


@pytest.mark.faults
@pytest.mark.parametrize("how", ["ENOSPC", "EIO"])
def test_every_system_call_from_which_on_the_disk_is_bad(
    place: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """From each third call on, all calls of its kind fail for the rest of the run.

    Not plain writes: with those the child could no longer report how it ended.
    """
    sweep = Sweep(EMPTY, place / "sweep")
    points = [one for one in _points(sweep, place)[::3] if one.name != "write"]
    tally = _try(sweep, place, points, how, lasting=True)
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()


def _disorder(place: Path, mutation: Mutation) -> list[str]:
    """Return what was out of order in a run from nothing."""
    root = place / "ordered"
    errand = plant.Errand(root, place / "work")
    ended = traced(partial(_mutated, mutation, errand), place / "log", place / "trace", ["-e", f"trace={CHANGING}"])
    assert ended.outcome is not None, ended.error
    log = list(calls(place / "trace"))
    named = {str(one["path"]) for record in records_of(root).values() for one in artifacts_of(record)}
    assert len(named) >= 3 * len(plant.items()), "every phase of every item has an artifact"
    return list(filter(None, (broken_order(log, path, str(root)) for path in sorted(named))))


def test_every_artifact_is_on_disk_before_its_record(place: Path) -> None:
    """fsync(file) < rename < fsync(directory) < write and fsync of the commit, for every phase and the dataset."""
    assert not _disorder(place, unchanged)


@pytest.mark.parametrize("mutation", [mutants.without_fsync, mutants.record_before_artifact, mutants.write_in_place])
def test_a_wrong_order_is_seen(place: Path, mutation: Mutation) -> None:
    """The order of protocols that are wrong on purpose does not pass."""
    assert len(_disorder(place, mutation)) >= 3 * len(plant.items())
