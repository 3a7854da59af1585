"""The client of a run that loses its scheduler: another one takes its place, once for all who ask, or after a limit none."""

from __future__ import annotations

import threading

import pytest

from omnibench.cluster import clients
from omnibench.cluster.clients import Clients
from omnibench.errors import ClusterError, OmnibenchError


class Scheduler:
    """What opens clients, unless it is out of reach; and what the run hears and says of that."""

    def __init__(self, patience: float = 60.0) -> None:
        self.opened: list[Scheduler.Client] = []
        self.is_reachable = True
        self.lines: list[str] = []
        self.losses = 0
        self.clients = Clients(self.open, lambda _: None, self.note, patience, self.lines.append)

    class Client:
        """Stands for Dask's."""

        status = "running"

        def close(self, timeout: float) -> None:
            self.status = "closed"

    def open(self) -> Scheduler.Client:
        if not self.is_reachable:
            raise ClusterError("the scheduler tcp://node1:8786 cannot be reached")
        self.opened.append(Scheduler.Client())
        return self.opened[-1]

    def note(self) -> None:
        self.losses += 1


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often."""
    monkeypatch.setattr(clients, "_LOOK_SECONDS", 0.01)


def test_one_takes_the_place_of_the_lost_one() -> None:
    """All threads that ask get the same other one, what was submitted is forgotten once, and the run says so once."""
    scheduler = Scheduler()
    first = scheduler.clients.connected(lambda: None)
    assert first is scheduler.opened[0]
    first.status = "connecting"
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(scheduler.clients.connected(lambda: None))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scheduler.opened[1:] == [found[0]]
    assert set(found) == {found[0]}
    assert (first.status, scheduler.losses) == ("closed", 1)
    assert [line.partition(";")[0] for line in scheduler.lines] == [
        "the scheduler of the cluster is out of reach",
        "the scheduler answers again, and the run goes on",
    ]


def test_one_that_has_connected_again_is_lost_all_the_same() -> None:
    """Its futures are cancelled and its subscriptions gone; who notices, says so, and late comers change nothing."""
    scheduler = Scheduler()
    first = scheduler.clients.current
    scheduler.clients.note_loss(first)
    assert not scheduler.clients.is_connected
    second = scheduler.clients.connected(lambda: None)
    scheduler.clients.note_loss(first)
    assert scheduler.clients.connected(lambda: None) is second


def test_a_scheduler_that_stays_away() -> None:
    """After the limit the run ends, which the error says with the limit and the reason; stopping meanwhile ends the waiting."""
    scheduler = Scheduler(patience=0.05)
    scheduler.is_reachable = False
    scheduler.clients.note_loss(scheduler.clients.current)
    with pytest.raises(ClusterError, match=r"out of reach for 0\.05 s \(--omnirec-reconnect\).*node1:8786") as caught:
        scheduler.clients.connected(lambda: None)
    assert caught.value.ends_run
    patient = Scheduler()
    patient.is_reachable = False
    patient.clients.note_loss(patient.clients.current)

    def stop() -> None:
        raise OmnibenchError("stopped")

    with pytest.raises(OmnibenchError, match="stopped"):
        patient.clients.connected(stop)


def test_nothing_is_opened_after_the_end() -> None:
    """Threads that still compute when the run ends do not wait for a scheduler that ends with it."""
    scheduler = Scheduler()
    scheduler.clients.close()
    scheduler.is_reachable = False
    with pytest.raises(ClusterError):
        scheduler.clients.connected(lambda: None)
    assert scheduler.lines == []
