"""Power cuts: what was told to be done is there, the store opens, and the next run goes on to the same table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from faults import disks, plant, power
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
