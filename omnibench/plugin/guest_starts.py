"""Which workers have which framework's process, and where another one pays: it takes seconds, and memory, in each worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from omnibench.experiment.experiment import Experiment

_LEAST_WORK = 4
"""Another process begins where so many times its start is left to compute for each of those that there are."""


class GuestStart(NamedTuple):
    """What computes an item.

    Attributes:
        guest: What names its process: items of the same one share it within a worker.
        seconds: How long that takes to start.
    """

    guest: str
    seconds: float


NO_START = GuestStart("", 0.0)
"""That of an item that nothing has to be started for."""


def start_of(experiment: Experiment, seconds: float) -> GuestStart:
    """Return what computes an experiment, and takes so many seconds to start."""
    runner, device, threads = experiment.guest
    return GuestStart(f"{runner.guest_name} {device} {threads}", seconds)


class GuestStarts:
    """Where items' processes have been started.

    Args:
        starts: By item, what computes it.
        seconds: By item, the seconds that it is expected to take.
    """

    def __init__(self, starts: Sequence[GuestStart], seconds: Sequence[float]) -> None:
        self._starts, self._seconds = starts, seconds
        self._left: dict[str, float] = {}
        self._workers: dict[str, set[Any]] = {}
        for index in range(len(starts)):
            self.put_back(index)

    def give(self, worker: Any, index: int) -> None:
        """Note that a worker has got an item."""
        guest = self._starts[index].guest
        self._left[guest] -= self._seconds[index]
        self._workers.setdefault(guest, set()).add(worker)

    def put_back(self, index: int) -> None:
        """Note that an item is pending."""
        guest = self._starts[index].guest
        self._left[guest] = self._left.get(guest, 0.0) + self._seconds[index]

    def forget(self, worker: Any) -> None:
        """Note that a worker is lost, with its processes."""
        for workers in self._workers.values():
            workers.discard(worker)

    def pays(self, worker: Any, index: int) -> bool:
        """Whether a worker should compute an item: it has the process, or nobody has it, or there is work enough for another."""
        guest, seconds = self._starts[index]
        workers = self._workers.get(guest)
        return not workers or worker in workers or self._left[guest] >= _LEAST_WORK * seconds * len(workers)
