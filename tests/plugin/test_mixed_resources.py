"""Which worker gets which item where Fits wait for each other's resources: in virtual time, by the benchmark's simulation."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.file_modules import module_of

from omnibench.engine.parallel import Waiting, weight
from omnibench.store.admission import Capacity, Needs

simulation: Any = module_of(Path(__file__).parents[2] / "benchmarks/harness/mixed_resources.py")
MACHINE: Capacity = simulation.MACHINE

NEEDS = st.builds(
    Needs,
    memory=st.integers(0, 24),
    cores=st.sampled_from([1.0, 2.0, 4.0]),
    asks_cores=st.booleans(),
    gpus=st.integers(0, 1),
)


@pytest.mark.parametrize("name", simulation.MIXTURES)
def test_the_makespan_is_near_the_ideal(name: str) -> None:
    """Sixty items on four workers: at most a tenth above what no schedule can beat, in the median of ten draws."""
    ratios = [simulation.ratio(name, seed, aware=True) for seed in range(10)]
    assert statistics.median(ratios) <= 1.1
    assert max(ratios) <= 1.3


def test_knowing_the_resources_pays_off() -> None:
    """Workers that are given what has to wait are idle: that costs more than any order by durations alone."""
    pairs = [[simulation.ratio("all sorts", seed, aware=aware) for aware in (False, True)] for seed in range(10)]
    unaware, aware = (statistics.mean(column) for column in zip(*pairs, strict=True))
    assert aware < unaware


@given(st.lists(st.tuples(st.floats(0.01, 50), NEEDS), min_size=1, max_size=25))
def test_every_item_runs(items: list[tuple[float, Needs]]) -> None:
    """Whatever they need of what there is: nothing waits for ever, on either side."""
    seconds, needs = map(list, zip(*items, strict=True))
    run = simulation.Run(seconds, needs, aware=True)
    assert run.makespan() >= max(seconds)
    assert sorted(run.ran) == list(range(len(items)))


def test_a_thread_gets_what_fits_beside_the_others() -> None:
    """Of two that cannot compute together one comes later, and what fits goes before it; where nothing fits, the first."""
    needs = {"large": Needs(16), "larger": Needs(20), "small": Needs(4)}
    waiting = Waiting(["large", "larger", "small"], needs.__getitem__, MACHINE)
    assert waiting.next() == "large"
    waiting._computing = {1: needs["large"]}  # as another thread
    assert waiting.next() == "small"
    waiting._computing = {1: needs["large"]}
    assert waiting.next() == "larger"
    assert waiting.next() is None


def test_without_anybody_asking_items_come_in_their_order() -> None:
    """As they were put."""
    waiting = Waiting([3, 1, 2])
    assert [waiting.next() for _ in range(4)] == [3, 1, 2, None]


def test_what_keeps_others_from_computing_comes_first() -> None:
    """A second of the whole machine is worth as many of one worker as there are workers."""
    assert weight(1.0, Needs(cores=4.0), MACHINE, 4) == weight(4.0, Needs(cores=1.0), MACHINE, 4)
    assert weight(1.0, Needs(16), MACHINE, 4) == weight(1.0, Needs(gpus=1), MACHINE, 4) == 1.0
    assert weight(8.0, Needs(), MACHINE, 4) == 2.0
