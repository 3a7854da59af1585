"""Memory for Fits: what does not fit beside the others waits for them, and what never fits is refused with its figure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.engine import fit_memory
from omnibench.engine.fit_memory import FitMemory
from omnibench.engine.policy import Policy
from omnibench.engine.stopping import StoppedError, Stopping
from omnibench.errors import OmnibenchError, PhaseError
from omnibench.runners.requirements import Requirement
from omnibench.sizes import bytes_of
from omnibench.store.reservations import COMPUTES, WAITS, Reservations

GIGABYTE = 10**9


class Guests:
    """Stands in for the guests of a worker, of which none has any memory."""

    are_here = True

    def __init__(self) -> None:
        self.ended = 0

    def is_alive(self, *_: Any) -> bool:
        return False

    def end_idle(self) -> bool:
        self.ended += 1
        return self.ended == 1


class Worker:
    """A worker whose Fits need what they are told to need."""

    def __init__(self, root: Path, memory: str = "free", stopping: Stopping | None = None) -> None:
        self.guests = Guests()
        self.lines: list[str] = []
        self.shown: list[str] = []
        requirements: Any = SimpleNamespace(of=lambda experiment: experiment.requirement)
        guests: Any = self.guests
        self.memory = FitMemory(
            Reservations(root),
            requirements,
            guests,
            Policy(memory=memory),
            stopping or Stopping(10.0, lambda _: None),
            lambda _, line: self.lines.append(line),
        )

    def fit(self, gigabytes: float, during: Callable[[], None] = lambda: None, name: str = "EASE") -> None:
        requirement = Requirement(int(gigabytes * GIGABYTE), "164,288 items", "by the formula of the algorithm")
        configuration = SimpleNamespace(name=f"RecPack.{name}")
        experiment: Any = SimpleNamespace(
            label=f"shop/{name}", guest=(), requirement=requirement, configuration=configuration
        )
        try:
            with self.memory.reserved(experiment, self.shown.append):
                during()
        finally:
            self.memory.rest()


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """A machine with 24 GB, of which 22 are free whatever is fitted: what is reserved has not been taken yet."""
    has: dict[str, int | None] = {"available": 22 * GIGABYTE, "capacity": 24 * GIGABYTE}
    monkeypatch.setattr(fit_memory, "available_memory", lambda: has["available"])
    monkeypatch.setattr(fit_memory, "memory_capacity", lambda: has["capacity"])
    monkeypatch.setattr(fit_memory, "_LOOK_SECONDS", 0.01)
    return has


def states(root: Path) -> list[str]:
    """What the workers of a store are at."""
    with Reservations(root).changed() as board:
        return sorted(entry.state for entry in board.of_others)


def test_what_does_not_fit_alone_is_refused(tmp_path: Path) -> None:
    """With the figure, what is here, and how it is tried all the same; nothing was begun."""
    with pytest.raises(PhaseError) as caught:
        Worker(tmp_path).fit(201, pytest.fail)
    assert caught.value.phase == "Fit"
    assert str(caught.value).startswith(
        "Fit failed: RecPack.EASE on 164,288 items needs about 201.0 GB of memory, and 24.0 GB are here; it was not begun."
    )
    assert "--omnirec-memory=ignore" in str(caught.value)


def test_the_way_out_leads_out(tmp_path: Path) -> None:
    """What the refusal advises begins the Fit, and so does nobody's knowledge of how much there is."""
    begun: list[int] = []
    Worker(tmp_path, "ignore").fit(201, lambda: begun.append(1))
    assert begun == [1]


def test_nobody_is_refused_where_nothing_is_known(tmp_path: Path, machine: dict[str, int | None]) -> None:
    """Without /proc, as on macOS, there is no limit to compare with."""
    machine["capacity"] = machine["available"] = None
    begun: list[int] = []
    Worker(tmp_path).fit(201, lambda: begun.append(1))
    assert begun == [1]


def test_a_limit_counts_in_the_place_of_the_machine(tmp_path: Path) -> None:
    """A user may give less than there is; more than there is does not make it more."""
    with pytest.raises(
        PhaseError, match=r"needs about 6\.0 GB of memory, and 4\.0 GB may be used \(--omnirec-memory\)"
    ):
        Worker(tmp_path, "4GB").fit(6)
    with pytest.raises(PhaseError, match=r"and 24\.0 GB are here"):
        Worker(tmp_path, "4TB").fit(60)


def test_small_fits_leave_no_trace(tmp_path: Path) -> None:
    """Most items need next to nothing beside their guest: no file is written for them."""
    Worker(tmp_path).fit(0.2)
    assert not (tmp_path / "leases").exists()


def test_no_two_that_only_fit_one_by_one(tmp_path: Path) -> None:
    """Sixteen and sixteen on twenty-four: the second begins when the first has ended, and says for whom it waits."""
    first, second = Worker(tmp_path), Worker(tmp_path)
    at_once, most = 0, 0
    lock, began = threading.Lock(), threading.Event()

    def compute() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        began.set()
        while WAITS not in states(tmp_path) and not second.shown:
            threading.Event().wait(0.01)
        with lock:
            at_once -= 1

    threads = [threading.Thread(target=first.fit, args=(16, compute, "First"))]
    threads[0].start()
    assert began.wait(10)
    assert states(tmp_path) == [COMPUTES]
    second.fit(16, compute, "Second")
    threads[0].join()
    assert most == 1
    assert second.shown[0].startswith("waiting for 16.0 GB of memory, which shop/First (process ")
    assert second.shown[-1] == ""
    assert second.guests.ended, "its idle guests have what others wait for, and so has it"
    assert second.lines[-1].startswith("waited ")
    first.memory.leave()
    second.memory.leave()
    assert states(tmp_path) == []


def test_what_fits_beside_begins_at_once(tmp_path: Path) -> None:
    """Ten and ten on twenty-two that are free."""
    first, second = Worker(tmp_path), Worker(tmp_path)
    begun: list[str] = []
    first.fit(10, lambda: second.fit(10, lambda: begun.append("second")))
    assert begun == ["second"]
    assert second.shown == []


def test_who_waits_for_others_gives_back_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without work keeps no guest that somebody else waits for: each would wait for the other for ever."""
    monkeypatch.setattr(fit_memory, "_REST_SECONDS", 0.0)
    idle, busy, waiting = Worker(tmp_path), Worker(tmp_path), Worker(tmp_path)
    idle.fit(5)
    idle.memory.rest()
    assert idle.guests.ended == 0, "nobody waits"
    thread = threading.Thread(target=waiting.fit, args=(16,))

    def compute() -> None:
        thread.start()
        while WAITS not in states(tmp_path):
            threading.Event().wait(0.01)
        idle.memory.rest()
        assert idle.guests.ended == 1

    busy.fit(16, compute)
    thread.join()


def test_what_nobody_of_ours_has_is_waited_for_a_while(
    tmp_path: Path, machine: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other programs have it: what is free is said, and the item fails instead of being killed with others."""
    monkeypatch.setattr(fit_memory, "_PATIENCE_SECONDS", 0.05)
    machine["available"] = 3 * GIGABYTE
    with pytest.raises(PhaseError, match=r"needs about 16\.0 GB of memory, and of 24\.0 GB only 3\.0 GB are free"):
        Worker(tmp_path).fit(16)


def test_who_waits_hears_that_the_run_stops(tmp_path: Path) -> None:
    """At once, as whoever computes nothing."""
    stopping = Stopping(10.0, lambda _: None)
    first, second = Worker(tmp_path), Worker(tmp_path, stopping=stopping)

    def wait() -> None:
        stopping.ask("SIGINT")
        with pytest.raises(StoppedError):
            second.fit(16)

    first.fit(16, wait)


def test_a_store_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """No result depends on the accounting: the Fit begins, and the log says that nobody accounts for it."""
    (tmp_path / "leases").write_text("a file where a directory has to be")
    worker, begun = Worker(tmp_path), []
    worker.fit(16, lambda: begun.append(1))
    assert begun == [1]
    assert any("memory is not accounted for" in line for line in worker.lines)


@pytest.mark.parametrize(
    ("text", "size"), [("16GB", 16 * 10**9), ("1.5 tb", 15 * 10**11), ("512MiB", 2**29), ("4G", 4 * 10**9), ("10", 10)]
)
def test_sizes(text: str, size: int) -> None:
    """As people write them, of a thousand or of 1024."""
    assert bytes_of(text) == size
    assert Policy(memory=text).memory_limit == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "5 iB", "GB"])
def test_an_impossible_limit_is_refused(text: str) -> None:
    """The error names what is possible."""
    with pytest.raises(OmnibenchError, match=r"memory is .*; give free, ignore, or a size such as 16GB"):
        Policy(memory=text)
