"""Resources for Fits: what does not fit beside the others waits for them, and what never fits is refused with its figure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.engine import fit_needs, fit_resources
from omnibench.engine.fit_needs import refuse_oversized
from omnibench.engine.fit_resources import FitResources
from omnibench.engine.policy import Policy
from omnibench.engine.stopping import StoppedError, Stopping
from omnibench.errors import GuestError, OmnibenchError, PhaseError
from omnibench.experiment.resources import NOTHING_SAID, Resources
from omnibench.runners.requirements import Requirement
from omnibench.sizes import bytes_of
from omnibench.store.reservations import COMPUTES, WAITS, Reservations

GIGABYTE = 10**9


class Guests:
    """Stands in for the guests of a worker, of which none has any memory."""

    are_here = True

    def __init__(self) -> None:
        self.ended = 0
        self.gpu: str | None = None

    def is_alive(self, *_: Any) -> bool:
        return False

    def end_idle(self, *, only_gpus: bool = False) -> bool:
        self.ended += 1
        return self.ended == 1

    def use_gpus(self, cards: list[str]) -> None:
        self.gpu = ",".join(cards)

    def leave(self) -> None:
        """They are in the way of nobody."""


class Worker:
    """A worker whose Fits need what they are told to need."""

    def __init__(self, root: Path, memory: str = "free", stopping: Stopping | None = None, share: float = 2.0) -> None:
        self.guests = Guests()
        self.lines: list[str] = []
        self.shown: list[str] = []
        requirements: Any = SimpleNamespace(of=lambda experiment: experiment.requirement)
        guests: Any = self.guests
        self.resources = FitResources(
            Reservations(root),
            requirements,
            guests,
            Policy(memory=memory),
            stopping or Stopping(10.0, lambda _: None),
            lambda _, line: self.lines.append(line),
            share,
        )

    def fit(
        self,
        gigabytes: float = 0.0,
        during: Callable[[], None] = lambda: None,
        name: str = "EASE",
        resources: Resources = NOTHING_SAID,
        device: str = "cpu",
    ) -> None:
        requirement = Requirement(int(gigabytes * GIGABYTE), "164,288 items", "by the formula of the algorithm")
        experiment = experiment_of(name, resources, device, requirement)
        try:
            with self.resources.reserved(experiment, self.shown.append):
                during()
        finally:
            self.resources.rest()


def experiment_of(name: str, resources: Resources, device: str = "cpu", requirement: Requirement | None = None) -> Any:
    """An experiment whose Fit needs what it is told to need."""
    configuration = SimpleNamespace(name=f"RecPack.{name}", label=name, uses_gpu=device == "cuda" or resources.gpus)
    return SimpleNamespace(
        label=f"shop/{name}",
        fit_key=name,
        guest=(),
        requirement=requirement,
        configuration=configuration,
        resources=resources,
        device=device,
    )


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """A machine with 4 cores, 2 GPUs and 24 GB, of which 22 are free whatever is fitted: nothing reserved is taken yet."""
    has: dict[str, int | None] = {"available": 22 * GIGABYTE, "capacity": 24 * GIGABYTE, "gpus": 2, "swap": 0}
    monkeypatch.setattr(fit_resources, "available_memory", lambda: has["available"])
    monkeypatch.setattr(fit_resources, "free_swap", lambda: has["swap"])
    monkeypatch.setattr(fit_needs, "memory_capacity", lambda: has["capacity"])
    monkeypatch.setattr(fit_needs, "available_cores", lambda: 4)
    for module in (fit_needs, fit_resources):
        monkeypatch.setattr(module, "gpus", lambda: ("0", "1")[: has["gpus"]])
    monkeypatch.setattr(fit_resources, "_LOOK_SECONDS", 0.01)
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
    assert began.wait(180)
    assert states(tmp_path) == [COMPUTES]
    second.fit(16, compute, "Second")
    threads[0].join()
    assert most == 1
    assert second.shown[0].startswith("waiting for 16.0 GB of memory, which shop/First (process ")
    assert second.shown[-1] == ""
    assert second.guests.ended, "its idle guests have what others wait for, and so has it"
    assert second.lines[-1].startswith("waited ")
    first.resources.leave()
    second.resources.leave()
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
    monkeypatch.setattr(fit_resources, "_REST_SECONDS", 0.0)
    idle, busy, waiting = Worker(tmp_path), Worker(tmp_path), Worker(tmp_path)
    idle.fit(5)
    idle.resources.rest()
    assert idle.guests.ended == 0, "nobody waits"
    thread = threading.Thread(target=waiting.fit, args=(16,))

    def compute() -> None:
        thread.start()
        while WAITS not in states(tmp_path):
            threading.Event().wait(0.01)
        idle.resources.rest()
        assert idle.guests.ended == 1

    busy.fit(16, compute)
    thread.join()


def test_what_nobody_of_ours_has_is_waited_for_a_while(
    tmp_path: Path, machine: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other programs have it: what is free is said, and the item fails instead of being killed with others."""
    monkeypatch.setattr(fit_resources, "_PATIENCE_SECONDS", 0.05)
    machine["available"] = 3 * GIGABYTE
    with pytest.raises(PhaseError, match=r"needs about 16\.0 GB of memory, and of 24\.0 GB only 3\.0 GB are free"):
        Worker(tmp_path).fit(16)


def test_other_programs_go_to_the_swap(
    tmp_path: Path, machine: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once they have had their minute: the Fit begins, and the log says that it may be slow."""
    monkeypatch.setattr(fit_resources, "_PATIENCE_SECONDS", 0.05)
    machine["available"], machine["swap"] = 3 * GIGABYTE, 14 * GIGABYTE
    worker, begun = Worker(tmp_path), []
    worker.fit(16, lambda: begun.extend(states(tmp_path)))
    assert begun == [COMPUTES], "others wait for what it has reserved"
    assert worker.shown == ["waiting for 16.0 GB of memory", ""]
    (line,) = (line for line in worker.lines if line.startswith("begins"))
    assert "of 24.0 GB only 3.0 GB are free" in line
    assert "to the swap, where 14.0 GB are free" in line


def test_swap_that_is_too_small_is_said(
    tmp_path: Path, machine: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that would not do either, the item fails with both figures; and a user's own limit knows no swap."""
    monkeypatch.setattr(fit_resources, "_PATIENCE_SECONDS", 0.05)
    machine["available"], machine["swap"] = 3 * GIGABYTE, 2 * GIGABYTE
    with pytest.raises(PhaseError, match=r"of 24\.0 GB only 3\.0 GB are free, and 2\.0 GB of swap; it was not begun"):
        Worker(tmp_path).fit(16)
    machine["swap"] = 100 * GIGABYTE
    with pytest.raises(PhaseError, match=r"of 20\.0 GB only 3\.0 GB are free; it was not begun"):
        Worker(tmp_path, "20GB").fit(16)


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
    assert any("resources are not accounted for" in line for line in worker.lines)


def side_by_side(*fits: tuple[Worker, dict[str, Any]]) -> list[str]:
    """Have workers fit, the next one once the one before it computes or waits; return who began and ended, in order.

    Who has begun computes until all others have begun, too, or wait.
    """
    events: list[str] = []
    threads = []
    have_come = threading.Event()
    for worker, arguments in fits:
        name = arguments["name"]

        def compute(name: str = name) -> None:
            events.append(f"{name} begins")
            have_come.wait(180)
            events.append(f"{name} ends")

        thread = threading.Thread(target=worker.fit, kwargs={**arguments, "during": compute})
        thread.start()
        threads.append(thread)
        while f"{name} begins" not in events and not worker.shown:
            assert thread.is_alive(), f"{name} has neither begun nor waited"
            threading.Event().wait(0.005)
    have_come.set()
    for thread in threads:
        thread.join(180)
    return events


def test_cores_that_another_asks_for_are_waited_for(tmp_path: Path) -> None:
    """Two workers of two cores each: who asks for four has all of them, and the other's Fit begins afterwards."""
    whole, other = Worker(tmp_path), Worker(tmp_path)
    events = side_by_side((whole, {"name": "Whole", "resources": Resources(cores=4)}), (other, {"name": "Other"}))
    assert events == ["Whole begins", "Whole ends", "Other begins", "Other ends"]
    assert other.shown[0].startswith("waiting for 2 cores, which shop/Whole (process ")


def test_the_large_is_not_starved_by_the_small(tmp_path: Path) -> None:
    """It waits for those that had begun; who comes later waits behind it, although there would be cores for it."""
    workers = [Worker(tmp_path) for _ in range(3)]
    for worker in workers:
        worker.resources.counts_all = True
    events = side_by_side(
        (workers[0], {"name": "Small"}),
        (workers[1], {"name": "Large", "resources": Resources(cores=4)}),
        (workers[2], {"name": "Later"}),
    )
    assert events == ["Small begins", "Small ends", "Large begins", "Large ends", "Later begins", "Later ends"]
    assert workers[2].shown[0].startswith("waiting for 2 cores, behind shop/Large (process ")
    assert workers[2].shown[0].endswith(", which waits longer")


def test_no_two_fits_on_one_gpu(tmp_path: Path) -> None:
    """Each gets a card of its own, the third waits; one that is to have none of its own shares."""
    workers = [Worker(tmp_path) for _ in range(4)]
    events = side_by_side(
        *((worker, {"name": f"On{number}", "device": "cuda"}) for number, worker in enumerate(workers[:3])),
        (workers[3], {"name": "Shares", "device": "cuda", "resources": Resources(gpus=0)}),
    )
    assert [worker.guests.gpu for worker in workers[:2]] == ["0", "1"]
    assert workers[2].guests.gpu in ("0", "1")
    assert workers[2].shown[0].startswith("waiting for 1 GPU, which shop/On0 (process ")
    assert events.index("On2 begins") > min(events.index("On0 ends"), events.index("On1 ends"))
    assert (workers[3].shown, workers[3].guests.gpu) == ([], None)
    assert workers[0].guests.ended, "the next Fit on its card may be another's"


def test_fits_share_a_gpu_by_parts(tmp_path: Path) -> None:
    """Two halves compute on one card at once, a whole one beside them on the other; a third half waits for none of its own."""
    workers = [Worker(tmp_path) for _ in range(4)]
    half = Resources(gpu_share=0.5)
    events = side_by_side(
        (workers[0], {"name": "Half", "device": "cuda", "resources": half}),
        (workers[1], {"name": "Other", "device": "cuda", "resources": half}),
        (workers[2], {"name": "Whole", "device": "cuda"}),
        (workers[3], {"name": "Third", "device": "cuda", "resources": half}),
    )
    assert [worker.guests.gpu for worker in workers[:3]] == ["0", "0", "1"]
    assert events[:3] == ["Half begins", "Other begins", "Whole begins"]
    assert workers[3].shown[0].startswith("waiting for 0.5 of a GPU, which shop/Whole (process ")


def test_memory_that_is_said_counts_before_what_is_estimated(tmp_path: Path) -> None:
    """Both ways: less begins beside others, more is refused where it would not fit alone, and says that it was asked for."""
    first, second = Worker(tmp_path), Worker(tmp_path)
    begun: list[str] = []
    less = Resources(memory="5GB")
    first.fit(16, lambda: second.fit(201, lambda: begun.append("second"), resources=less))
    assert begun == ["second"]
    with pytest.raises(PhaseError, match=r"RecPack\.EASE asks for 64\.0 GB of memory, and 24\.0 GB are here") as caught:
        first.fit(1, resources=Resources(memory="64GB"))
    assert "Ask for less (resources=)" in str(caught.value)


def test_who_stops_waiting_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A run that was asked to stop while it waited is behind nobody's back any more."""
    stopping = Stopping(10.0, lambda _: None)
    busy, stopped, later = Worker(tmp_path), Worker(tmp_path, stopping=stopping), Worker(tmp_path)
    begun: list[str] = []

    def compute() -> None:
        stopping.ask("SIGINT")
        with (
            pytest.raises(StoppedError),
            stopped.resources.reserved(experiment_of("Stopped", Resources(cores=4)), print),
        ):
            pass
        later.fit(0, lambda: begun.append("later"), resources=Resources(cores=2))

    busy.fit(0, compute, resources=Resources(cores=2))
    assert begun == ["later"]


def killed(peak: int, *, for_memory: bool = True) -> GuestError:
    """The error of a Fit whose process was killed."""
    return GuestError("was killed by SIGKILL", died=True, costs={"peak_rss": peak}, for_memory=for_memory)


def test_who_is_killed_for_memory_is_tried_once_with_twice_as_much(tmp_path: Path) -> None:
    """Twice what it was to have, or had if that is more; the second Fit waits until there is as much."""
    worker, other = Worker(tmp_path), Worker(tmp_path)
    experiment = experiment_of("EASE", Resources(memory="5GB"))
    words = worker.resources.raise_memory(experiment, killed(6 * GIGABYTE))
    assert words == "its Fit was killed for want of memory; it is tried once more with 12.0 GB, twice as much"
    events = side_by_side((other, {"gigabytes": 16.0, "name": "Other"}), (worker, {"name": "EASE"}))
    assert events == ["Other begins", "Other ends", "EASE begins", "EASE ends"]
    assert worker.shown[0].startswith("waiting for 12.0 GB of memory, which shop/Other (process ")
    assert worker.resources.raise_memory(experiment, killed(12 * GIGABYTE)) == "", "once"


def test_where_twice_as_much_is_not_here(tmp_path: Path) -> None:
    """It is tried with as much as one can have: what it was killed beside does not run then."""
    experiment = experiment_of("EASE", Resources(memory="13GB"))
    words = Worker(tmp_path).resources.raise_memory(experiment, killed(6 * GIGABYTE))
    assert words.endswith("tried once more with 20.4 GB, as much as one can have here")


@pytest.mark.parametrize(
    ("memory", "policy", "error"),
    [
        ("5GB", "free", killed(6 * GIGABYTE, for_memory=False)),
        ("5GB", "ignore", killed(6 * GIGABYTE)),
        ("21GB", "free", killed(6 * GIGABYTE)),
        ("5GB", "6GB", killed(6 * GIGABYTE)),
    ],
)
def test_who_is_not_tried_again(tmp_path: Path, memory: str, policy: str, error: GuestError) -> None:
    """Killed by somebody, in a run that counts no memory, or where no more is here."""
    experiment = experiment_of("EASE", Resources(memory=memory))
    assert Worker(tmp_path, policy).resources.raise_memory(experiment, error) == ""


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        (Resources(cores=8), "EASE asks for 8 cores, and 4 are here"),
        (Resources(memory="64GB"), r"EASE asks for 64\.0 GB of memory, and 24\.0 GB are here"),
        (Resources(gpus=3), "EASE asks for 3 GPUs, and 2 are here"),
    ],
)
def test_what_can_never_fit_is_refused_before_anything_runs(resources: Resources, sentence: str) -> None:
    """With what it asks for and what is here; what fits is not named."""
    experiments = [experiment_of("EASE", resources, "cuda"), experiment_of("Pop", Resources(cores=1), "cuda")]
    with pytest.raises(OmnibenchError, match=f"nothing was run, because {sentence}. Ask for less") as caught:
        refuse_oversized(experiments, Policy())
    assert "Pop" not in str(caught.value)
    refuse_oversized(experiments[1:], Policy())


def test_each_reason_is_said_once() -> None:
    """With the configurations that it concerns, however many folds each has; of very many the first few are named."""

    def refusal(*asked: tuple[str, Resources]) -> str:
        experiments = [experiment_of(name, resources, "cuda") for name, resources in asked for _ in range(2)]
        with pytest.raises(OmnibenchError) as caught:
            refuse_oversized(experiments, Policy())
        return str(caught.value).partition("because ")[2].partition(". Ask")[0]

    cores, gpus = Resources(cores=8), Resources(gpus=3)
    assert refusal(("A", cores), ("B", gpus), ("C", cores)) == (
        "A, C ask for 8 cores, and 4 are here; B asks for 3 GPUs, and 2 are here"
    )
    assert refusal(*((name, cores) for name in "ABCDE")) == "A, B, C and 2 more ask for 8 cores, and 4 are here"
    various = [(f"N{number}", Resources(cores=number)) for number in (5, 6, 7, 8, 9)]
    first = "; ".join(f"N{number} asks for {number} cores, and 4 are here" for number in (5, 6, 7))
    assert refusal(*various, ("A", Resources(cores=9))) == f"{first}; and 3 more ask for too much"
    assert refusal(*various[:-1]) == f"{first}; and 1 more asks for too much"


def test_a_gpu_is_needed_only_where_it_is_used(machine: dict[str, Any]) -> None:
    """On the CPU by the user's choice, or an algorithm without any use for it: what is said of GPUs stands aside."""
    experiments = [experiment_of("EASE", Resources(gpus=3), "cpu")]
    refuse_oversized(experiments, Policy(device="cpu"))
    refuse_oversized(experiments, Policy())
    machine["gpus"] = 0
    with pytest.raises(OmnibenchError, match="EASE asks for 3 GPUs, and none is here"):
        refuse_oversized(experiments, Policy())


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
