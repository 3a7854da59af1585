"""Longest first: who gets what, on workers that are simulated as xdist's behave.

An xdist worker begins an item only when it knows the next one, or knows that there is none.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdist.remote import Producer
from xdist.scheduler import LoadScheduling

from omnibench.engine.parallel import longest_first
from omnibench.plugin.guest_starts import NO_START, GuestStart
from omnibench.plugin.schedule import LongestFirst


@dataclass(eq=False)
class Node:
    """A worker: what it was sent, in order, and whether it was told that there is no more."""

    name: str
    sent: list[int] = field(default_factory=list)
    shutting_down: bool = False
    messages: int = 0
    longest_queue: int = 0
    queues: list[list[int]] = field(default_factory=list)

    def send_runtest_some(self, indices: list[int]) -> None:
        """Take items."""
        assert not self.shutting_down, "xdist sends nothing to a worker that was told to end"
        self.sent += indices
        self.messages += 1
        self.longest_queue = max(self.longest_queue, len(self.sent))
        self.queues.append(list(self.sent))

    def shutdown(self) -> None:
        """Hear that there is no more."""
        self.shutting_down = True

    @property
    def gateway(self) -> SimpleNamespace:
        """What xdist calls it."""
        return SimpleNamespace(id=self.name)


class Simulation:
    """A distributed run in virtual time, driven as xdist's session drives its scheduler.

    Args:
        seconds: How long each item takes; the scheduler expects just that, unless told.
        workers: How many workers there are.
        crashing: Items that kill their worker at their end.
        kind: The scheduler.
        expected: How long the scheduler expects each to take, if it is wrong.
        starts: By item, the process that computes it, which each worker starts for itself; by default none is to be started.
        kinds: By item, what those have in common that take about as long; by default nobody knows.
        families: By item, what those have in common that may take as long; likewise.
    """

    def __init__(
        self,
        seconds: list[float],
        workers: int,
        crashing: frozenset[int] = frozenset(),
        kind: Any = LongestFirst,
        expected: list[float] | None = None,
        starts: list[GuestStart] | None = None,
        kinds: list[str] | None = None,
        families: list[str] | None = None,
    ) -> None:
        self.starts = starts or [NO_START] * len(seconds)
        self.started: list[tuple[Node, str]] = []
        self.seconds, self.crashing = seconds, crashing
        self.clock = 0.0
        self.ids = [f"item-{number}" for number in range(len(seconds))]
        config: Any = SimpleNamespace(
            getvalue=lambda name: {"tx": ["popen"] * workers}[name],
            getoption=lambda name: {"maxschedchunk": None}[name],
        )
        told = dict(zip(self.ids, expected or seconds, strict=True))
        more = (told.__getitem__, lambda: self.clock) if kind is LongestFirst else ()
        by_id = dict(zip(self.ids, self.starts, strict=True))
        named: dict[str, Any] = {"start": by_id.__getitem__} if kind is LongestFirst else {}
        if kinds is not None:
            named["likeness"] = dict(zip(self.ids, kinds, strict=True)).get
        if families is not None:
            named["family"] = dict(zip(self.ids, families, strict=True)).get
        self.scheduler = kind(config, Producer("test", enabled=False), *more, **named)
        self.begun: list[int] = []
        self.ran: list[int] = []
        self.crashed: list[str] = []
        self.running: dict[Node, tuple[float, int]] = {}
        self.alive = [Node(f"gw{number}") for number in range(workers)]
        self._names = iter(range(workers, 1000))

    def run(self) -> float:
        """Go on until nothing moves; return the makespan."""
        for node in self.alive:
            self.scheduler.add_node(node)
        for node in self.alive:
            self.scheduler.add_node_collection(node, self.ids)
        self.scheduler.schedule()
        while self._begin():
            node, (self.clock, index) = min(self.running.items(), key=lambda one: one[1][0])
            del self.running[node]
            if index in self.crashing:
                self._crash(node)
            else:
                self.ran.append(node.sent.pop(0))
                self.scheduler.mark_test_complete(node, index)
        return self.clock

    def _begin(self) -> bool:
        if self.scheduler.tests_finished:
            for node in self.alive:
                node.shutdown()
        for node in self.alive:
            if node not in self.running and len(node.sent) > (0 if node.shutting_down else 1):
                self.running[node] = (self.clock + self._start(node) + self.seconds[node.sent[0]], node.sent[0])
                self.begun.append(node.sent[0])
        return bool(self.running)

    def _start(self, node: Node) -> float:
        guest, seconds, _ = self.starts[node.sent[0]]
        if (node, guest) in self.started:
            return 0.0
        self.started.append((node, guest))
        return seconds

    def _crash(self, node: Node) -> None:
        self.alive.remove(node)
        self.crashed.append(self.scheduler.remove_node(node))
        replacement = Node(f"gw{next(self._names)}")
        self.alive.append(replacement)
        self.scheduler.add_node(replacement)
        self.scheduler.add_node_collection(replacement, self.ids)
        self.scheduler.schedule()

    def ideal(self) -> float:
        """No schedule can take less: all work shared evenly, the longest item, and two on one worker."""
        workers = len(self.alive)
        falling = sorted(self.seconds, reverse=True)
        pair = falling[workers - 1] + falling[workers] if len(falling) > workers else 0.0
        return max(math.fsum(falling) / workers, falling[0], pair)


durations = st.lists(st.floats(0.01, 100), min_size=1, max_size=40)


@given(durations, st.integers(1, 6))
def test_every_item_runs_exactly_once(seconds: list[float], workers: int) -> None:
    """Whatever the durations and the number of workers, nothing is lost, nothing is run twice, and all workers end."""
    run = Simulation(seconds, workers)
    run.run()
    assert sorted(run.ran) == list(range(len(seconds)))
    assert all(node.shutting_down and not node.sent for node in run.alive)


@given(durations, st.integers(1, 6))
def test_the_makespan_has_a_bound(seconds: list[float], workers: int) -> None:
    """Nobody idles while items wait, and then a worker has at most two to finish."""
    run = Simulation(seconds, workers)
    assert run.run() <= math.fsum(seconds) / workers + 2 * max(seconds) + 1e-6


@pytest.mark.parametrize("order", range(5))
def test_mixed_items_take_hardly_longer_than_the_ideal(order: int) -> None:
    """Twenty items of 6 s down to 0.15 s, on 4 workers, in any order: within 5 % of the ideal, unlike xdist's own."""
    seconds = [6.0 * (0.15 / 6.0) ** (number / 19) for number in range(20)]
    random.Random(order).shuffle(seconds)
    ours, theirs = Simulation(seconds, 4), Simulation(seconds, 4, kind=LoadScheduling)
    assert ours.run() <= 1.05 * ours.ideal()
    assert theirs.run() > 1.10 * theirs.ideal()


@pytest.mark.parametrize("order", range(20))
def test_durations_that_are_not_what_was_expected(order: int) -> None:
    """Items that take up to twice as long as expected, or half: the plan is made anew as they end."""
    chance = random.Random(order)
    seconds = [chance.lognormvariate(1, 1) for _ in range(40)]
    run = Simulation(seconds, 4, expected=[one * 2 ** chance.uniform(-1, 1) for one in seconds])
    assert run.run() <= 1.25 * run.ideal()


@given(durations, st.integers(1, 5), st.data())
def test_a_crashed_worker_costs_its_item_only(seconds: list[float], workers: int, data: st.DataObject) -> None:
    """Each item whose worker dies is named once; every other item is run exactly once, by whoever is left or comes."""
    crashing = data.draw(st.frozensets(st.sampled_from(range(len(seconds))), max_size=4))
    run = Simulation(seconds, workers, crashing)
    run.run()
    assert sorted(run.crashed) == sorted(run.ids[index] for index in crashing)
    assert sorted(run.ran) == sorted(set(range(len(seconds))) - crashing)


def test_what_a_crashed_worker_had_waiting_keeps_its_place() -> None:
    """A long item that waited behind a crash is not taken for a short one: the next worker gets it as the longest."""
    seconds = [9.0, 8.0, 7.0, 3.0, 2.0, 1.0, 0.5, 0.25]
    run = Simulation(seconds, 2, frozenset({1}))
    run.run()
    assert run.crashed == ["item-1"]
    assert run.begun.index(2) < run.begun.index(3), "the 7 s that waited behind the crash came before what is shorter"


FRAMEWORKS = {
    "LensKit": (6.5, 1.1),
    "RecBole": (4.7, 10.0),
    "RecPack": (3.4, 1.7),
    "RecTools": (9.4, 0.45),
    "own": (0.2, 0.15),
}
"""Seconds of a start, and of each of five folds."""


def test_what_little_work_has_is_started_once() -> None:
    """Two workers and five frameworks: only the one with much to compute is started in both, which takes hardly longer than the work."""
    starts = [GuestStart(name, start) for name, (start, _) in FRAMEWORKS.items() for _ in range(5)]
    seconds = [each for _, each in FRAMEWORKS.values() for _ in range(5)]
    ours, careless = Simulation(seconds, 2, starts=starts), Simulation(seconds, 2, starts=starts)
    careless.scheduler._start_of = lambda _: NO_START
    least = math.fsum([*seconds, *(start for start, _ in FRAMEWORKS.values()), FRAMEWORKS["RecBole"][0]]) / 2
    assert ours.run() <= 1.02 * least
    assert careless.run() > 1.15 * least
    guests = [guest for _, guest in ours.started]
    assert [name for name in FRAMEWORKS if guests.count(name) == 2] == ["RecBole"]
    assert sorted(ours.ran) == list(range(25))


SEVEN = {
    "RecBole": (4.7, 3.3, 30.0),
    "RecTools": (9.4, 0.45, 30.0),
    "Surprise": (0.5, 1.4, 10.0),
    "RecPack": (3.4, 0.6, 5.0),
    "Cornac": (2.0, 1.1, 5.0),
    "own": (0.2, 0.15, 5.0),
    "LensKit": (6.5, 1.1, 3.0),
    "Implicit": (0.6, 0.5, 3.0),
}
"""Seconds of a start, of each of five folds, and what a run guesses of them that has never seen one."""


def first_run(*, is_guess: bool) -> Simulation:
    """Return a run of all of them on two workers, which knows that its guesses are some, or takes them for recorded."""
    starts = [GuestStart(name, start, is_guess) for name, (start, _, _) in SEVEN.items() for _ in range(5)]
    seconds = [each for _, each, _ in SEVEN.values() for _ in range(5)]
    guesses = [guess for _, _, guess in SEVEN.values() for _ in range(5)]
    return Simulation(seconds, 2, expected=guesses, starts=starts)


def test_on_a_first_run_a_guess_starts_nothing_dear_twice() -> None:
    """Workers divide the frameworks between them: hardly longer than the work and one start of each, shared evenly."""
    run, trusting = first_run(is_guess=True), first_run(is_guess=False)
    least = math.fsum(start + 5 * each for start, each, _ in SEVEN.values()) / 2
    assert run.run() <= 1.1 * least
    assert trusting.run() > 1.2 * least
    assert all(start < 1.0 for start in started_twice(run))
    assert max(started_twice(trusting)) > 5.0


def started_twice(run: Simulation) -> list[float]:
    """Return the seconds of the starts of what both workers have started."""
    guests = [guest for _, guest in run.started]
    return [start for name, (start, _, _) in SEVEN.items() if guests.count(name) == 2]


def test_what_turns_out_to_be_long_is_started_again() -> None:
    """A second worker joins as soon as an item of a process has shown that the others take long."""
    starts = [GuestStart("RecBole", 4.7, is_guess=True)] * 20 + [GuestStart("LensKit", 6.5, is_guess=True)] * 20
    run = Simulation([60.0] * 20 + [1.0] * 20, 2, expected=[3.0] * 40, starts=starts)
    assert run.run() <= 1.1 * (20 * 60 + 20 + 2 * 4.7 + 6.5) / 2
    assert sorted(guest for _, guest in run.started) == ["LensKit", "RecBole", "RecBole"]


@given(
    st.lists(st.tuples(st.floats(0.01, 20), st.sampled_from("abcd")), min_size=1, max_size=30),
    st.integers(1, 4),
    st.data(),
)
def test_every_item_runs_once_whatever_has_to_be_started(
    items: list[tuple[float, str]], workers: int, data: st.DataObject
) -> None:
    """Nothing is lost to a preference, nor to a crash, and nobody idles for long."""
    seconds = [each for each, _ in items]
    starts = [GuestStart(name, 3.0 * (ord(name) - ord("a")), is_guess=data.draw(st.booleans())) for _, name in items]
    crashing = data.draw(st.frozensets(st.sampled_from(range(len(items))), max_size=2))
    run = Simulation(seconds, workers, crashing, starts=starts)
    run.run()
    assert sorted(run.crashed) == sorted(run.ids[index] for index in crashing)
    assert sorted(run.ran) == sorted(set(range(len(items))) - crashing)
    if not crashing:
        starting = math.fsum({start.guest: start.seconds for start in starts}.values())
        assert run.clock <= math.fsum(seconds) / workers + 2 * max(seconds) + 2 * starting + 1e-6


def test_items_of_milliseconds_come_several_at_a_time() -> None:
    """Where a kind turns out to be quick, workers get several in one message and wait for none; no worker is without in the end."""
    run = Simulation([0.01] * 400, 2, expected=[1.0] * 400, kinds=["quick"] * 400)
    makespan = run.run()
    assert sorted(run.ran) == list(range(400))
    assert makespan == pytest.approx(2.0, abs=0.011)
    assert [node.longest_queue for node in run.alive] == [8, 8]
    assert sum(node.messages for node in run.alive) < 150


def test_no_long_item_waits_behind_another_in_a_queue_of_quick_ones() -> None:
    """Of kinds that take seconds, and of those that nobody knows, a worker has one that waits, also between quick ones."""
    kinds = [*["quick"] * 100, *["slow"] * 6, *["quick"] * 100]
    seconds = [0.01 if kind == "quick" else 60.0 for kind in kinds]
    run = Simulation(seconds, 3, expected=[1.0] * 206, kinds=kinds)
    assert run.run() == pytest.approx(120.0, abs=2.0)
    queues = [[kinds[index] for index in queue] for node in run.alive for queue in node.queues]
    assert any(queue[0] == "slow" for queue in queues)
    assert max(len(queue) for queue in queues if "slow" in queue) == 2, "what is quick waits for nothing long, either"
    unknown = Simulation([0.01] * 100, 2)
    unknown.run()
    assert [node.longest_queue for node in unknown.alive] == [2, 2]


def test_items_of_many_quick_configurations_wait_for_none() -> None:
    """Whose folds are too few to tell: those of the algorithm's other configurations do, and a few more come at a time."""
    kinds = [f"configuration-{number // 5}" for number in range(400)]
    run = Simulation([0.01] * 400, 2, expected=[1.0] * 400, kinds=kinds, families=["algorithm"] * 400)
    assert run.run() == pytest.approx(2.0, abs=0.011)
    assert [node.longest_queue for node in run.alive] == [4, 4]
    assert sum(node.messages for node in run.alive) < 230


def test_few_items_wait_behind_one_of_a_configuration_that_takes_long() -> None:
    """Ten items of hours among milliseconds of the same algorithm: two at most wait longer than the best schedule has them."""
    seconds = [*[0.01] * 200, *[60.0] * 10, *[0.01] * 200]
    kinds = [f"configuration-{number // 5}" for number in range(410)]
    run = Simulation(seconds, 2, expected=[1.0] * 410, kinds=kinds, families=["algorithm"] * 410)
    assert run.run() <= 300.0 + 2 * 60.0 + 5.0


def test_a_kind_that_becomes_long_is_no_quick_one_any_more() -> None:
    """After an item that takes long, others of its kind wait where whoever is free first gets them."""
    run = Simulation([*[0.01] * 60, *[30.0] * 40], 4, expected=[1.0] * 100, kinds=["mixed"] * 100)
    assert run.run() <= 300.0 + 2 * 30.0 + 1


@pytest.mark.parametrize("n_quick", [1, 3])
def test_a_few_quick_items_make_no_quick_kind(n_quick: int) -> None:
    """On a first run the first items of a kind may be its smallest: nothing is queued up behind those that follow."""
    run = Simulation(
        [*[0.01] * n_quick, *[30.0] * 60], 2, expected=[1.0] * (60 + n_quick), kinds=["any"] * (60 + n_quick)
    )
    run.run()
    assert [node.longest_queue for node in run.alive] == [2, 2]


@given(durations, st.integers(1, 5), st.data())
def test_a_crash_among_quick_items_costs_one(seconds: list[float], workers: int, data: st.DataObject) -> None:
    """What else a crashed worker had in its queue is run by others, each once."""
    all_seconds = [*seconds, *[0.001] * 200]
    crashing = data.draw(st.frozensets(st.integers(0, len(all_seconds) - 1), max_size=3))
    kinds = ["any"] * len(all_seconds)
    run = Simulation(all_seconds, workers, crashing, expected=[1.0] * len(all_seconds), kinds=kinds)
    run.run()
    assert sorted(run.ran) == sorted(set(range(len(all_seconds))) - crashing)
    assert sorted(run.crashed) == sorted(run.ids[index] for index in crashing)


def test_fewer_items_than_workers() -> None:
    """Each gets one, and is told at once that there is no more."""
    run = Simulation([3.0, 1.0], 4)
    assert run.run() == 3.0
    assert all(node.shutting_down for node in run.alive)


def test_a_worker_that_collected_something_else_stops_the_run() -> None:
    """Nothing is handed out when workers disagree about what there is, as with xdist's own schedulers."""
    reports: list[Any] = []

    def collected(report: Any) -> None:
        reports.append(report)

    run = Simulation([1.0, 2.0], 2)
    run.scheduler.config.hook = SimpleNamespace(pytest_collectreport=collected)
    for node, ids in zip(run.alive, (run.ids, run.ids[:1]), strict=True):
        run.scheduler.add_node(node)
        run.scheduler.add_node_collection(node, ids)
    run.scheduler.schedule()
    assert [node.sent for node in run.alive] == [[], []]
    assert reports[0].failed


@given(st.lists(st.floats(0, 10)))
def test_longest_first_is_a_stable_order(seconds: list[float]) -> None:
    """Falling durations; equal ones stay in the order of the plan."""
    order = longest_first(seconds)
    assert order == [position for _, position in sorted((-one, position) for position, one in enumerate(seconds))]
