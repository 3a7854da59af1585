"""Power cuts: what was told to be done is there, the store opens, and the next run goes on to the same table."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faults import disks, mutants, plant, power
from faults.children import Child
from faults.sweeps import Tally

pytestmark = pytest.mark.skipif(bool(power.why_not()), reason=power.why_not() or "never")


def _rounds(directory: Path, errand: plant.Errand | plant.RealErrand, rounds: int, items: int) -> Tally:
    reference, seconds = power.reference_of(errand, directory / "log")
    tally = Tally("power cuts")
    told = []
    for number in range(rounds):
        inside = directory / f"round-{number}"
        inside.mkdir()
        cut = power.Cut.at_random(number, seconds, items)
        if isinstance(errand, plant.Errand):
            errand.work.unlink(missing_ok=True)
        child = Child(partial(power.cut_off, inside, errand, cut, reference), directory / "log")
        outcome = disks.ended_of(child.wait(1200))
        tally.take(f"round {number}, {cut}, {outcome['told']} told", outcome["violations"])
        told.append(outcome["told"])
    tally.name += f" (items done before: {', '.join(map(str, told))})"
    return tally


@pytest.mark.slow
def test_power_cuts(directory: Path) -> None:
    """Three of them, at random moments of a run of a user's own classes."""
    errand = plant.Errand(directory / "reference", directory / "work")
    _rounds(directory, errand, 3, len(plant.items())).check()


def _cut_at_syncs(directory: Path, first: int, step: int) -> tuple[Tally, list[str]]:
    """Cut the power before or behind each so manieth sync, with all names on disk; return also which files had no content then."""
    errand = plant.Errand(directory / "reference", directory / "work")
    reference, _ = power.reference_of(errand, directory / "log")
    tally = Tally("power cuts before syncs")
    empty: list[str] = []
    for syncs in itertools.count(first, step):
        inside = directory / f"sync-{syncs}"
        inside.mkdir()
        errand.work.unlink(missing_ok=True)
        cut = power.Cut(how=power.JOURNAL_FLUSHED, syncs=syncs)
        child = Child(partial(power.cut_off, inside, errand, cut, reference), directory / "log")
        outcome = disks.ended_of(child.wait(1200))
        shutil.rmtree(inside)
        if outcome["came_through"]:
            return tally, empty
        tally.take(f"{cut}, {outcome['told']} told", outcome["violations"])
        empty += outcome["empty"]
    raise AssertionError("a run has an end")


@pytest.mark.slow
def test_a_sample_of_power_cuts_before_syncs(directory: Path) -> None:
    """What has its name and not its content, or a name in a directory that has none, is no part of any record."""
    tally, _ = _cut_at_syncs(directory, 24, 9)
    assert tally.tried > 1
    tally.check()


@dataclass(frozen=True)
class _Mutated(plant.Errand):
    """A run by a wrong protocol."""

    mutation: Callable[[], None] = mutants.without_fsync

    def __call__(self) -> dict[str, Any]:
        """Run it."""
        self.mutation()
        return super().__call__()


@pytest.mark.slow
@pytest.mark.parametrize("mutation", [mutants.without_fsync, mutants.without_contents])
def test_files_that_were_never_synced_are_found(directory: Path, mutation: Callable[[], None]) -> None:
    """Whether they are moved into place without more, or nobody has their contents: after such a cut their records tell."""
    errand = _Mutated(directory / "reference", directory / "work", mutation=mutation)
    reference, _ = power.reference_of(errand, directory / "log")
    errand.work.unlink()
    inside, cut = directory / "disk", power.Cut(how=power.JOURNAL_FLUSHED, syncs=36)
    inside.mkdir()
    child = Child(partial(power.cut_off, inside, errand, cut, reference), directory / "log")
    violations = disks.ended_of(child.wait(1200))["violations"]
    assert any(violation.startswith("I1 damaged") for violation in violations), violations


@pytest.mark.faults
def test_power_cuts_before_every_sync(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each once; files that have their names and no content are among what they leave."""
    tally, empty = _cut_at_syncs(directory, 1, 1)
    with capsys.disabled():
        print(f"\n{tally} (without content: {dict(Counter(empty))})")
    assert any(name.startswith("predictions-") for name in empty)
    tally.check()


@pytest.mark.faults
def test_many_power_cuts(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred of them."""
    errand = plant.Errand(directory / "reference", directory / "work")
    tally = _rounds(directory, errand, 100, len(plant.items()))
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()


@pytest.mark.faults
@pytest.mark.guests
def test_power_cuts_while_lenskit_computes(
    directory: Path, environment_python: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight of them, with guests of their own."""
    environment_python("LensKit")
    tally = _rounds(directory, plant.RealErrand(directory / "reference"), 8, 4)
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()
