"""Searches that are ended or refused at any operation: the next run proposes the same trials and chooses the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from faults.points import BROKEN, CRASH, FULL, HOWS, MOVED
from faults.searches import FIRST, SAMPLERS, STARTS, SearchSweep
from faults.sweeps import Start

_SAMPLE = 6
"""Points per sampler and kind of fault in the everyday suite."""

starts = pytest.mark.parametrize("start", STARTS, ids=lambda start: start.name.replace(" ", "-"))
samplers = pytest.mark.parametrize("sampler", SAMPLERS)


@samplers
def test_a_search_ended_at_an_operation_is_resumed(directory: Path, sampler: str) -> None:
    """A sample of the points: trials, values, states, choice and test metrics are those of an undisturbed search."""
    sweep = SearchSweep(FIRST, directory / "sweep", sampler)
    step = len(sweep.operations) // _SAMPLE
    tally = sweep.over(range(1 + step // 2, len(sweep.operations), step))
    assert tally.tried >= _SAMPLE - 1
    tally.check()


@pytest.mark.parametrize("how", [FULL, BROKEN])
def test_a_search_goes_on_after_a_refused_operation(directory: Path, how: str) -> None:
    """A sample of the points: what the disk refuses is no failure of a trial, and the next run goes on with the search."""
    sweep = SearchSweep(STARTS[1], directory / "sweep", SAMPLERS[1])
    step = len(sweep.operations) // (_SAMPLE // 2)
    tally = sweep.over(range(1 + step // 3, len(sweep.operations), step), how)
    assert tally.tried >= _SAMPLE // 2 - 1
    tally.check()


@pytest.mark.faults
@starts
@samplers
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_every_operation_of_a_search(
    directory: Path, start: Start, sampler: str, how: str, lasting: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """All points of one kind of fault, until a run comes through."""
    if how in (CRASH, MOVED) and lasting:
        pytest.skip("it lasts anyway")
    tally = SearchSweep(start, directory / "sweep", sampler).over(itertools.count(1), how, lasting=lasting)
    with capsys.disabled():
        print(f"\n{sampler}, {tally}")
    tally.check()
