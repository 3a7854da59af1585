"""Faults at every operation: whatever a run was doing when it was ended or refused, the next one is right."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from faults.points import BROKEN, CRASH, FULL, HOWS, MOVED
from faults.sweeps import STARTS, Start, Sweep

_SAMPLE = 8
"""Points per start and kind of fault in the everyday suite."""

starts = pytest.mark.parametrize("start", STARTS, ids=lambda start: start.name.replace(" ", "-"))


@starts
def test_a_run_ended_at_an_operation_is_resumed(directory: Path, start: Start) -> None:
    """A sample of the points: nothing committed is lost, redone or torn, and the table is the same."""
    sweep = Sweep(start, directory / "sweep")
    step = len(sweep.operations) // _SAMPLE
    tally = sweep.over(range(1 + step // 2, len(sweep.operations), step))
    assert tally.tried >= _SAMPLE - 1
    tally.check()


@starts
@pytest.mark.parametrize("how", [FULL, BROKEN, MOVED])
def test_a_refused_operation_is_reported_and_made_up_for(directory: Path, start: Start, how: str) -> None:
    """A sample of the points: the run ends with a clear error or the right numbers, and the next run is right."""
    sweep = Sweep(start, directory / "sweep")
    step = len(sweep.operations) // (_SAMPLE // 2)
    tally = sweep.over(range(1 + step // 3, len(sweep.operations), step), how)
    assert tally.tried >= _SAMPLE // 2 - 1
    tally.check()


@pytest.mark.faults
@starts
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_every_operation(
    directory: Path, start: Start, how: str, lasting: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """All points of one kind of fault, until a run comes through."""
    if how in (CRASH, MOVED) and lasting:
        pytest.skip("it lasts anyway")
    tally = Sweep(start, directory / "sweep").over(itertools.count(1), how, lasting=lasting)
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()
