"""How well items of mixed resources fill 4 workers, in virtual time: ``python benchmarks/harness/mixed_resources.py``.

The scheduler and the rule by which Fits wait for each other are the real ones; only their durations are made up. The ideal is
a bound that no schedule can beat: of each resource all that is needed of it over all that there is, and what cannot overlap
one after the other.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from xdist.remote import Producer

from omnibench.plugin.schedule import LongestFirst
from omnibench.store.admission import Capacity, Needs, obstacle

WORKERS = 4
MACHINE = Capacity(24, 4.0, 1)
SHARE = MACHINE.cores / WORKERS

MIXTURES: dict[str, list[tuple[float, Needs]]] = {
    "nothing is asked for": [(1.0, Needs(1, SHARE))],
    "a few of 16 GB": [(0.8, Needs(1, SHARE)), (0.2, Needs(16, SHARE))],
    "a few of 4 cores": [(0.9, Needs(1, SHARE)), (0.1, Needs(1, 4.0, True))],
    "half on a GPU": [(0.5, Needs(1, SHARE)), (0.5, Needs(4, SHARE, False, 1))],
    "all sorts": [
        (0.6, Needs(1, SHARE)),
        (0.15, Needs(16, SHARE)),
        (0.15, Needs(6, 2.0, True)),
        (0.05, Needs(2, 4.0, True)),
        (0.05, Needs(4, SHARE, False, 1)),
    ],
}


@dataclass(eq=False)
class Node:
    """A worker as xdist's scheduler sees it."""

    name: str
    queue: list[int] = field(default_factory=list)
    shutting_down: bool = False
    turn: int = 0

    def send_runtest_some(self, indices: list[int]) -> None:
        """Take items."""
        self.queue += indices

    def shutdown(self) -> None:
        """Hear that there is no more."""
        self.shutting_down = True

    @property
    def gateway(self) -> SimpleNamespace:
        """What xdist calls it."""
        return SimpleNamespace(id=self.name)


@dataclass
class Fit:
    """A Fit that computes, or waits."""

    needs: Needs
    turn: int


class Run:
    """A run of items on workers that begin an item when they know the next one, and its Fit when its resources are free."""

    def __init__(self, seconds: list[float], needs: list[Needs], *, aware: bool) -> None:
        self.seconds, self.needs = seconds, needs
        self.clock, self.turn = 0.0, 0
        ids = [str(number) for number in range(len(seconds))]
        config: Any = SimpleNamespace(
            getvalue=lambda _: ["popen"] * WORKERS,
            getoption=lambda _: None,
        )
        arguments: dict[str, Any] = {"needs": lambda nodeid: needs[int(nodeid)], "capacity": MACHINE} if aware else {}
        self.scheduler = LongestFirst(
            config,
            Producer("run", enabled=False),
            lambda nodeid: seconds[int(nodeid)],
            lambda: self.clock,
            **arguments,
        )
        self.nodes = [Node(f"gw{number}") for number in range(WORKERS)]
        self.ran: list[int] = []
        self.waiting: dict[Node, Fit] = {}
        self.computing: dict[Node, tuple[float, Fit]] = {}
        for node in self.nodes:
            self.scheduler.add_node(node)
        for node in self.nodes:
            self.scheduler.add_node_collection(node, ids)

    def makespan(self) -> float:
        """Run all; return the time of the last end."""
        self.scheduler.schedule()
        self._begin()
        while self.computing:
            node, (self.clock, _) = min(self.computing.items(), key=lambda pair: pair[1][0])
            del self.computing[node]
            self.ran.append(node.queue.pop(0))
            self.scheduler.mark_test_complete(node, self.ran[-1])
            self._begin()
        assert not self.waiting
        return self.clock

    def _begin(self) -> None:
        if self.scheduler.tests_finished:
            for node in self.nodes:
                node.shutdown()
        for node in self.nodes:
            is_ready = len(node.queue) > (0 if node.shutting_down else 1)
            if is_ready and node not in self.computing and node not in self.waiting:
                self.turn += 1
                self.waiting[node] = Fit(self.needs[node.queue[0]], self.turn)
        for node, fit in sorted(self.waiting.items(), key=lambda pair: pair[1].turn):
            having = [each for _, each in self.computing.values()]
            ahead = sorted((each for each in self.waiting.values() if each.turn < fit.turn), key=lambda each: each.turn)
            assert MACHINE.memory is not None
            room = MACHINE.memory - sum(each.needs.memory for each in having)
            if obstacle(fit.needs, MACHINE, having, ahead, room) is None:
                self.turn += 1
                del self.waiting[node]
                self.computing[node] = (self.clock + self.seconds[node.queue[0]], Fit(fit.needs, self.turn))


def ideal(seconds: list[float], needs: list[Needs]) -> float:
    """Return seconds that no schedule can beat."""
    pairs = list(zip(seconds, needs, strict=True))
    assert MACHINE.memory is not None
    return max(
        sum(seconds) / WORKERS,
        *seconds,
        sum(length * each.memory for length, each in pairs) / MACHINE.memory,
        sum(length * each.cores for length, each in pairs) / MACHINE.cores,
        sum(length * each.gpus for length, each in pairs) / MACHINE.gpus,
        sum(length for length, each in pairs if 2 * each.memory > MACHINE.memory or 2 * each.cores > MACHINE.cores),
    )


def ratio(name: str, seed: int, *, aware: bool) -> float:
    """Return how much longer 60 items of a mixture take than the ideal.

    Args:
        name: The name of the mixture.
        seed: The seed of the draw.
        aware: Whether the scheduler knows what they need.
    """
    generator, mixture = random.Random(seed), MIXTURES[name]  # noqa: S311 - made durations
    needs = generator.choices([each for _, each in mixture], [share for share, _ in mixture], k=60)
    seconds = [generator.lognormvariate(0.0, 1.0) for _ in needs]
    return Run(seconds, needs, aware=aware).makespan() / ideal(seconds, needs)


def main() -> None:
    """Simulate and print."""
    print(
        f"{WORKERS} workers on {MACHINE.cores:g} cores, {MACHINE.memory} GB, {MACHINE.gpus} GPU; makespan over the ideal"
    )
    print(f"{'':24}{'longest first':>24}{'knowing the resources':>26}")
    for name in MIXTURES:
        columns = [[ratio(name, seed, aware=aware) for seed in range(30)] for aware in (False, True)]
        cells = (f"{statistics.median(values):.3f}x, worst {max(values):.3f}x" for values in columns)
        print(f"{name:24}" + "".join(f"{cell:>25}" for cell in cells))


if __name__ == "__main__":
    main()
