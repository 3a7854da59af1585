"""Which workers have which framework's process, and where another one pays: it takes seconds, and memory, in each worker.

Where nothing like an item was ever run, its expected seconds are a guess, which is good for an order and no reason to start
anything twice. What the first items of a process have taken is what its others are expected to take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from omnibench.engine.estimates import Estimates
    from omnibench.experiment.experiment import Experiment

_LEAST_WORK = 4
"""Another process begins where so many times its start is left to compute for each of those that there are."""


class GuestStart(NamedTuple):
    """What computes an item.

    Attributes:
        guest: What names its process: items of the same one share it within a worker.
        seconds: How long that takes to start.
        is_guess: Whether nobody knows how long the item itself takes.
    """

    guest: str
    seconds: float
    is_guess: bool = False


NO_START = GuestStart("", 0.0)
"""That of an item that nothing has to be started for."""


def start_of(experiment: Experiment, estimates: Estimates) -> GuestStart:
    """Return what computes an experiment, how long that takes to start, and whether the experiment's own time is a guess."""
    runner, device, threads = experiment.guest
    guest = f"{runner.guest_name} {device} {threads}"
    return GuestStart(guest, estimates.start(experiment), not estimates.knows(experiment))


class GuestStarts:
    """Where items' processes have been started.

    Args:
        starts: By item, what computes it.
        seconds: By item, the seconds that it is expected to take; changed where ``learn`` knows better.
    """

    def __init__(self, starts: Sequence[GuestStart], seconds: list[float]) -> None:
        self._starts, self._seconds = starts, seconds
        self._left: dict[str, float] = {}
        self._workers: dict[str, set[Any]] = {}
        self._running: dict[str, set[Any]] = {}
        self._observed: dict[str, tuple[int, float]] = {}
        for index in range(len(starts)):
            self.put_back(index)

    def give(self, worker: Any, index: int) -> None:
        """Note that a worker has got an item."""
        guest = self._starts[index].guest
        self._left[guest] -= self._known_seconds(index)
        self._workers.setdefault(guest, set()).add(worker)

    def put_back(self, index: int) -> None:
        """Note that an item is pending."""
        guest = self._starts[index].guest
        self._left[guest] = self._left.get(guest, 0.0) + self._known_seconds(index)

    def learn(self, worker: Any, index: int, seconds: float, pending: Sequence[int]) -> bool:
        """Note how long an item has taken; return whether pending ones are now expected to take another time.

        The first item of a worker's process has its start in it, which no one knows exactly.

        Args:
            worker: The worker.
            index: The item.
            seconds: What it has taken, with all that had to be started for it.
            pending: The items that nobody has got.
        """
        guest, start, is_guess = self._starts[index]
        running = self._running.setdefault(guest, set())
        has_started = worker not in running
        count, total = self._observed.get(guest, (0, 0.0))
        running.add(worker)
        if not is_guess or (has_started and count):
            return False
        if not has_started:
            count, total = count + 1, total + seconds
        self._observed[guest] = count, total
        if count & (count - 1):  # after 1, 2, 4 and 8 items: looking through thousands takes its time
            return False
        mean = total / count if count else max(0.0, seconds - _LEAST_WORK * start)
        self._left[guest] = 0.0
        for waiting in pending:
            if self._starts[waiting].guest == guest:
                if self._starts[waiting].is_guess:
                    self._seconds[waiting] = mean
                self._left[guest] += self._seconds[waiting]
        return True

    def forget(self, worker: Any) -> None:
        """Note that a worker is lost, with its processes."""
        for workers in (*self._workers.values(), *self._running.values()):
            workers.discard(worker)

    def pays(self, worker: Any, index: int) -> bool:
        """Whether a worker should compute an item: it has the process, or nobody has it, or there is work enough for another."""
        guest, seconds, _ = self._starts[index]
        workers = self._workers.get(guest)
        return not workers or worker in workers or self._left[guest] >= _LEAST_WORK * seconds * len(workers)

    def _known_seconds(self, index: int) -> float:
        """Return how much an item has to compute, as far as anybody knows."""
        guest, _, is_guess = self._starts[index]
        return 0.0 if is_guess and guest not in self._observed else self._seconds[index]
