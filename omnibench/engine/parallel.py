"""Items computed side by side in one process: a thread per worker, each with guests of its own.

Fit and Predict are the guests' work, which are processes; what is left to this one is mostly waiting for them. So
threads are enough, and need nothing of the user: classes, functions and frames of a script or a notebook are there
already, and no process imports the script to get them. Eval happens in this process, one item at a time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Generic, TypeVar

from omnibench.engine.estimates import Estimates
from omnibench.engine.stopping import Stopping
from omnibench.engine.workbench import Workbench
from omnibench.errors import OmnibenchError
from omnibench.experiment.experiment import Experiment
from omnibench.memory import available_memory
from omnibench.runners.machine import available_cores
from omnibench.runners.pool import MOST_GUESTS
from omnibench.store.admission import Capacity, Needs, fits, largest_share
from omnibench.tuning.budget import Tuning

AUTO = "auto"

NOTHING_KNOWN: Mapping[str, int] = MappingProxyType({})

WORKER_MEGABYTES = 150
"""What a worker process needs without guests."""

_MEMORY_SHARE = 0.8
"""The share of the free memory that workers may fill; the rest is left to growth and to other processes."""

_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0
"""How long workers may take to end when the run is to stop at once; they look once a second, among a thousand on a cluster every five."""

AnyItem = TypeVar("AnyItem")


def longest_first(seconds: Sequence[float]) -> list[int]:
    """Return positions, those of the largest numbers first; equal ones in their order."""
    return sorted(range(len(seconds)), key=lambda position: -seconds[position])


def weight(seconds: float, needs: Needs, capacity: Capacity, workers: int) -> float:
    """Return by what items are ordered whose Fits wait for each other's resources: the largest first.

    Args:
        seconds: How long it takes.
        needs: What its Fit needs.
        capacity: What there is.
        workers: How many compute side by side: each takes as large a part of their time as of anything else.
    """
    return seconds * max(largest_share(needs, capacity), 1 / max(1, workers))


class Waiting(Generic[AnyItem]):
    """The items that wait for a worker; each gets the first whose Fit finds what it needs beside those of the others.

    Args:
        queue: The items, in the order in which they are begun.
        needs: What the Fit of an item needs of the machine; None where nobody asks for anything.
        capacity: What the machine has.
    """

    def __init__(
        self,
        queue: Iterable[AnyItem],
        needs: Callable[[AnyItem], Needs] | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self._queue = deque(queue)
        self._needs = needs
        self._capacity = capacity
        self._computing: dict[int, Needs] = {}
        self._lock = threading.Lock()

    def next(self) -> AnyItem | None:
        """Return the item that the thread that asks is to compute, whose last one has ended; None where there is none."""
        if self._needs is None or self._capacity is None:
            with suppress(IndexError):
                return self._queue.popleft()
            return None
        with self._lock:
            self._computing.pop(threading.get_ident(), None)
            if not self._queue:
                return None
            concurrent = list(self._computing.values())
            positions = (
                position
                for position, item in enumerate(self._queue)
                if fits(self._needs(item), self._capacity, concurrent)
            )
            position = next(positions, 0)  # where none fits, the first is the next to get what it needs
            item = self._queue[position]
            del self._queue[position]
            self._computing[threading.get_ident()] = self._needs(item)
            return item


def megabytes_per_worker(
    estimates: Estimates, frameworks: Collection[str], usual: Mapping[str, int] = NOTHING_KNOWN
) -> float:
    """Return what a worker and the guests that it keeps may need, in MB.

    Args:
        estimates: The memory that the frameworks' processes needed in earlier runs.
        frameworks: The frameworks that the items need.
        usual: The bytes that the frameworks' Fits need with the data of the items; see ``Requirements.usual``.
    """
    sizes = (usual[name] / 2**20 if name in usual else estimates.megabytes([name]) for name in frameworks)
    largest = sorted(sizes, reverse=True)
    return WORKER_MEGABYTES + sum(largest[:MOST_GUESTS])


def fitting_workers(
    available: int, estimates: Estimates, frameworks: Collection[str], usual: Mapping[str, int] = NOTHING_KNOWN
) -> int:
    """Return how many workers fit into the free memory, at least one.

    Args:
        available: The free memory in bytes.
        estimates: The memory that the frameworks' processes needed in earlier runs.
        frameworks: The frameworks that the items need.
        usual: See ``megabytes_per_worker``.
    """
    return max(1, int(_MEMORY_SHARE * available / 2**20 / megabytes_per_worker(estimates, frameworks, usual)))


def usable_memory(limit: int | None) -> int | None:
    """Return the bytes that workers may use; None where nobody knows.

    Args:
        limit: The bytes that the user lets all of them have; None for what is free.
    """
    amounts = [amount for amount in (available_memory(), limit) if amount is not None]
    return min(amounts, default=None)


def checked_workers(workers: int | str) -> int | str:
    """Return a number of workers as it is.

    Raises:
        OmnibenchError: It is neither ``auto`` nor a whole number from 1 on.
    """
    if workers != AUTO and (type(workers) is not int or workers < 1):
        raise OmnibenchError(f"workers is {workers!r}; give a whole number from 1 on, or 'auto' for one per core.")
    return workers


def most_workers(experiments: Iterable[Experiment]) -> int:
    """Return how many workers could be busy at once: one for each item, and for each trial that a tuned one tries at once."""
    searches = [experiment.search for experiment in experiments]
    return sum(1 if search is None else _most_trials(search.tuning) for search in searches)


def _most_trials(tuning: Tuning) -> int:
    """Return how many trials of a search can be computed at once."""
    return tuning.round_size or tuning.parallel or tuning.trials or available_cores()


def number_of_workers(
    workers: int | str,
    items: int,
    estimates: Estimates,
    frameworks: Collection[str],
    usual: Callable[[], Mapping[str, int]] = lambda: NOTHING_KNOWN,
    limit: int | None = None,
) -> int:
    """Return how many workers to start: at most one per item, and with ``auto`` no more than cores and memory allow.

    Args:
        workers: A number, or ``auto``.
        items: How many workers could be busy at once; see ``most_workers``.
        estimates: The memory that the frameworks' processes needed in earlier runs.
        frameworks: The frameworks that the items need.
        usual: Returns what their Fits need; see ``megabytes_per_worker``.
        limit: The bytes that the user lets all of them have; None for what is free.
    """
    if isinstance(workers, int):
        return max(1, min(workers, items))
    cores, available = available_cores(), usable_memory(limit)
    fitting = cores if available is None else fitting_workers(available, estimates, frameworks, usual())
    return max(1, min(cores, items, fitting))


def compute_side_by_side(
    take: Callable[[], AnyItem | None],
    workbenches: Sequence[Callable[[], Workbench]],
    compute: Callable[[AnyItem, Workbench], None],
    stopping: Stopping,
    idle: Callable[[Workbench], None] = lambda _: None,
    joined: Callable[[int], Sequence[Callable[[], Workbench]]] = lambda _: (),
) -> None:
    """Compute items, each by the worker that is free first.

    Args:
        take: Returns the item that the thread that asks is to compute, whose last one has ended; None where there is none.
        workbenches: Make the workbench of each worker, in that worker's thread.
        compute: Computes an item at a workbench; called in several threads.
        stopping: The requests to stop, which reach the thread that calls this.
        idle: Called by each worker when no item is left.
        joined: Called again and again with how many workers there are; returns what makes the workbenches of further ones.

    Raises:
        StoppedError: The run was asked to stop.
        BaseException: What a worker raised first; the others have stopped as if they had been asked to.
    """
    errors: list[BaseException] = []
    threads: list[threading.Thread] = []

    def next_item() -> AnyItem | None:
        return None if stopping.reason else take()

    def work(make: Callable[[], Workbench]) -> None:
        try:
            workbench = make()
            try:
                while (item := next_item()) is not None:
                    compute(item, workbench)
                idle(workbench)
            finally:
                workbench.leave()
        except BaseException as error:
            errors.append(error)
            stopping.ask(f"{type(error).__name__} of another worker")

    def start(makers: Sequence[Callable[[], Workbench]]) -> None:
        for make in makers:
            name = f"omnibench-worker-{len(threads)}"
            threads.append(threading.Thread(target=work, args=(make,), daemon=True, name=name))
            threads[-1].start()

    def look() -> None:
        start(joined(len(threads)) if not stopping.reason else ())

    start(workbenches)
    try:
        with stopping.phases("every worker"):
            _watch(threads, look)
    except BaseException:
        stopping.hurry()
        _await(threads)
        raise
    if errors:
        raise errors[0]
    stopping.check()


def _watch(threads: Sequence[threading.Thread], look: Callable[[], None]) -> None:
    """Wait until all threads have ended, also those that are started meanwhile.

    Args:
        threads: The threads.
        look: Called again and again; it may add threads.
    """
    for thread in threads:
        while thread.is_alive():
            thread.join(_LOOK_SECONDS)
            look()


def _await(threads: Sequence[threading.Thread]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
