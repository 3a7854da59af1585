"""Items side by side: each is computed once, errors and requests to stop reach every worker, and nobody stays behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from omnibench.engine import parallel
from omnibench.engine.estimates import Estimates
from omnibench.engine.parallel import Waiting, checked_workers, compute_side_by_side, number_of_workers
from omnibench.engine.stopping import StoppedError, Stopping
from omnibench.errors import OmnibenchError, StoreError


class Bench:
    """Stands in for a workbench; notes when it is left."""

    def __init__(self) -> None:
        self.left = False

    def leave(self) -> None:
        self.left = True


def run(
    number: int, workers: int, compute: Callable[[int, Any], None], stopping: Stopping | None = None
) -> list[Bench]:
    """Compute numbers side by side, and return the workbenches."""
    benches: list[Bench] = []

    def make() -> Any:
        benches.append(Bench())
        return benches[-1]

    try:
        compute_side_by_side(
            Waiting(range(number)).next, [make] * workers, compute, stopping or Stopping(10.0, lambda _: None)
        )
    finally:
        assert len(benches) == workers
        assert all(bench.left for bench in benches)
    return benches


def test_every_item_is_computed_once_and_in_order() -> None:
    """Workers take the next item when they are free; none of them is idle while items wait."""
    begun: list[int] = []
    together = threading.Barrier(3, timeout=180)

    def compute(number: int, _: Any) -> None:
        begun.append(number)
        if number < 3:
            together.wait()  # none of the three comes back before all have begun

    run(20, 3, compute)
    assert sorted(begun) == list(range(20))
    assert sorted(begun[:3]) == [0, 1, 2]


def test_an_error_of_one_worker_ends_the_run() -> None:
    """The others begin nothing more and leave their workbenches; the error is the one that came first."""
    stopping = Stopping(10.0, lambda _: None)
    computed: list[int] = []

    def compute(number: int, _: Any) -> None:
        if number == 0:
            raise StoreError("the disk is full")
        while not stopping.reason:
            threading.Event().wait(0.01)
        computed.append(number)

    with pytest.raises(StoreError, match="the disk is full"):
        run(10, 2, compute, stopping)
    assert computed in ([], [1]), "the other had begun its first item at most"


def test_a_request_to_stop_reaches_every_worker() -> None:
    """Each finishes what it is at, and the run ends with the request."""
    stopping = Stopping(10.0, lambda _: None)
    computed: list[int] = []

    def compute(number: int, _: Any) -> None:
        stopping.ask("SIGINT")
        computed.append(number)

    with pytest.raises(StoppedError, match="stopped by SIGINT"):
        run(10, 2, compute, stopping)
    assert 1 <= len(computed) <= 2


def test_how_many_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than items; with `auto` no more than cores, and no more than fit into the free memory."""
    estimates = Estimates()
    assert number_of_workers(4, 2, estimates, {"Own"}) == 2
    assert number_of_workers(4, 100, estimates, {"Own"}) == 4
    monkeypatch.setattr(parallel, "available_cores", lambda: 16)
    monkeypatch.setattr(parallel, "available_memory", lambda: None)
    assert number_of_workers("auto", 100, estimates, {"Own"}) == 16
    each = parallel.megabytes_per_worker(estimates, {"RecBole"})
    monkeypatch.setattr(parallel, "available_memory", lambda: int(4 * each * 2**20))
    assert number_of_workers("auto", 100, estimates, {"RecBole"}) == 3
    monkeypatch.setattr(parallel, "available_memory", lambda: 2**20)
    assert number_of_workers("auto", 100, estimates, {"RecBole"}) == 1


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "many", None])
def test_an_impossible_number_of_workers_is_refused(workers: Any) -> None:
    """The error names the values that are possible."""
    with pytest.raises(OmnibenchError, match="give a whole number from 1 on, or 'auto'"):
        checked_workers(workers)
