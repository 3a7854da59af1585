"""What is said of items that wait for a worker: that none of those that are there will do, and what would."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from omnibench.cluster import waits
from omnibench.cluster.waits import Wait, Waits

GPU = {"GPU": 1.0}
NO_GPU = "asks for 1 GPU, and no worker of the cluster declares any (dask worker --resources GPU=1)"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits says so at once."""
    monkeypatch.setattr(waits, "_LONELY_SECONDS", 0.0)
    monkeypatch.setattr(waits, "_UNABLE_SECONDS", 0.0)


def test_what_no_worker_has_is_said_once() -> None:
    """With the item, what it asks for, what the workers declare and what to do; anew where it was there meanwhile."""
    lines: list[str] = []
    waiting = Waits(lines.append)
    with waiting.waiting(Wait("EASE"), {"CPU": 8.0, "GPU": 1.0}):
        for workers in ([{"GPU": 1.0}], [{}, {"GPU": 1.0}], [{"CPU": 8.0, "GPU": 1.0}], [{"GPU": 1.0}]):
            waiting.look(workers)
        waiting.look([{"CPU": 4.0, "GPU": 1.0}])
        waiting.look([{"CPU": 8.0}, {"GPU": 1.0}])
    rest = "It waits until such a worker joins, and the rest of the run goes on: start one, or end the run and ask for less (resources=)"
    none = f"EASE asks for 8 cores, and no worker of the cluster declares any (dask worker --resources CPU=8). {rest}"
    assert lines == [
        none,
        none,
        f"EASE asks for 8 cores, and the largest worker of the cluster declares 4 cores. {rest}",
        f"EASE asks for 8 cores, 1 GPU, and no single worker of the cluster declares as much of everything. {rest}",
    ]


@pytest.mark.parametrize(
    ("others", "who"), [(0, "It waits"), (1, "It and 1 other item wait"), (2, "It and 2 other items wait")]
)
def test_those_that_wait_for_the_same_are_said_in_one_line(others: int, who: str) -> None:
    """The first by its name, and how many more; what a worker could take is not among them."""
    lines: list[str] = []
    waiting = Waits(lines.append)
    with ExitStack() as stack:
        for name in ("SVD", *map(str, range(others))):
            stack.enter_context(waiting.waiting(Wait(name), GPU))
        stack.enter_context(waiting.waiting(Wait("Popular"), {}))
        waiting.look([{}])
    assert [line.partition(" until ")[0] for line in lines] == [f"SVD {NO_GPU}. {who}"]


def test_a_scheduler_without_workers() -> None:
    """It is said of the run, whatever its items ask for, and anew when the last worker has left again."""
    lines: list[str] = []
    waiting = Waits(lines.append)
    waiting.look([])
    assert not lines, "nobody waits"
    with waiting.waiting(Wait(), GPU), waiting.waiting(Wait(), {}):
        for workers in ([], [], [GPU], []):
            waiting.look(workers)
    assert lines == ["the scheduler of the cluster has no worker; this run waits for one to join"] * 2


def test_workers_that_join_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one that will do joins soon after others, nothing is said; the item itself is shown with the reason at once."""
    monkeypatch.setattr(waits, "_LONELY_SECONDS", 3600.0)
    monkeypatch.setattr(waits, "_UNABLE_SECONDS", 3600.0)
    lines: list[str] = []
    noted: list[str] = []
    waiting = Waits(lines.append)
    with waiting.waiting(Wait("EASE", note=noted.append), GPU):
        waiting.look([])
        for workers in list[list[dict[str, float]]](([{}], [{}, {}], [{}, GPU], [{}])):
            waiting.look(workers)
    waiting.look([])
    assert noted == ["the cluster has no worker", "no worker declares 1 GPU", "", "no worker declares 1 GPU"]
    assert not lines
    assert not len(waiting)
