"""Items whose guests run on a cluster: a thread of this process for each that is computed at once."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from omnibench.engine.equal_seeds import urgency
from omnibench.engine.estimates import Estimates
from omnibench.engine.item_coordinator import ItemCoordinator
from omnibench.engine.items import Item
from omnibench.engine.parallel import Waiting, compute_side_by_side, longest_first, most_workers
from omnibench.engine.workbench import Workbench
from omnibench.experiment.resources import Resources
from omnibench.runners.machine import available_cores

_LOOK_SECONDS = 2.0


class WaitingByDemand:
    """The items that wait for a worker of a cluster: of those that ask for the same few more are taken at once than its workers could compute.

    An item is taken before it has a place there, so that what only few workers can compute must not keep all threads waiting, nor
    come last. Where items ask for different things, one of each kind waits behind those that have their places: else a worker that few
    items need would go to another kind while the thread that it had computed for evaluates what came of it.

    Args:
        queue: The positions of the items, in the order in which they are begun.
        demands: What each item, by its position, asks for.
        slots: How many that ask for the same the workers of the cluster could compute at once; it may change.
    """

    def __init__(self, queue: Sequence[int], demands: Sequence[Resources], slots: Mapping[Resources, int]) -> None:
        self._slots = slots
        self._waiting: dict[Resources, deque[tuple[int, int]]] = {}
        for rank, position in enumerate(queue):
            self._waiting.setdefault(demands[position], deque()).append((rank, position))
        self._computing: dict[int, Resources] = {}
        self._taking = threading.Lock()

    def next(self) -> int | None:
        """Return the position of the item that the thread that asks is to compute; None where there is none."""
        with self._taking:
            self._computing.pop(threading.get_ident(), None)
            if not self._waiting:
                return None
            counts = Counter(self._computing.values())
            in_time = [demand for demand in self._waiting if counts[demand] < _most_taken(demand, self._slots)]
            # Of too many items the first comes too early.
            demand = min(in_time or self._waiting, key=lambda kind: self._waiting[kind][0])
            _, position = self._waiting[demand].popleft()
            if not self._waiting[demand]:
                del self._waiting[demand]
            self._computing[threading.get_ident()] = demand
            return position


def _most_taken(demand: Resources, slots: Mapping[Resources, int]) -> int:
    """Return how many items that ask for the same are taken at once; none of what no worker could compute."""
    number = slots.get(demand, 0)
    return number + 1 if number and len(slots) > 1 else number


def number_elsewhere(coordinator: ItemCoordinator, items: Sequence[Item]) -> int:
    """Return how many items are computed at once: as many as the cluster has places for, as far as that is known.

    Args:
        coordinator: The coordinator of a run on a cluster.
        items: The items.

    Raises:
        ClusterError: The cluster cannot be used.
    """
    cluster, most = coordinator.workbench.cluster, most_workers(item.experiment for item in items)
    assert cluster is not None, "the run is on a cluster"
    return max(1, min(cluster.number or sum(_slots(coordinator, set(_demands(coordinator, items))).values()), most))


def _demands(coordinator: ItemCoordinator, items: Sequence[Item]) -> list[Resources]:
    return [coordinator.workbench.resources.asked_of_cluster(item.experiment) for item in items]


def _slots(coordinator: ItemCoordinator, demands: Collection[Resources]) -> dict[Resources, int]:
    """Return how many items that ask for the same the cluster could compute at once; nothing where jobs are made for them."""
    cluster = coordinator.workbench.cluster
    assert cluster is not None, "the run is on a cluster"
    return {} if cluster.number else cluster.slots(demands)


def _number_of_threads(coordinator: ItemCoordinator, most: int, slots: Mapping[Resources, int]) -> int:
    """Return how many items are computed, or wait for a worker."""
    cluster = coordinator.workbench.cluster
    assert cluster is not None, "the run is on a cluster"
    return max(1, min(cluster.number or sum(_most_taken(demand, slots) for demand in slots), most))


def compute_elsewhere(
    coordinator: ItemCoordinator,
    items: Sequence[Item],
    estimates: Estimates,
    compute: Callable[[int, Workbench], None],
) -> None:
    """Compute items on the cluster of a run, the longest first; workers that join later get items, too.

    Args:
        coordinator: The coordinator of the run.
        items: The items.
        estimates: How long items are expected to take.
        compute: Computes the item at a position at a workbench; called in several threads.

    Raises:
        ClusterError: The cluster cannot be used any more.
        StoppedError: The run was asked to stop.
    """
    cluster = coordinator.workbench.cluster
    assert cluster is not None, "the run is on a cluster"
    most, looked = most_workers(item.experiment for item in items), time.monotonic()
    demands = _demands(coordinator, items)
    kinds = frozenset(demands)
    slots = _slots(coordinator, kinds)

    def makers(first: int, number: int) -> list[Callable[[], Workbench]]:
        names = (f"gw{position}" for position in range(first, number))
        return [partial(coordinator.workbench.beside, name, 0, available_cores() / number) for name in names]

    def joined(number: int) -> list[Callable[[], Workbench]]:
        nonlocal looked
        if cluster.number or number >= most or time.monotonic() - looked < _LOOK_SECONDS:
            return []
        slots.update(_slots(coordinator, kinds))
        looked = time.monotonic()
        return makers(number, _number_of_threads(coordinator, most, slots))

    queue = longest_first([urgency(item.experiment, estimates.expected(item.experiment)) for item in items])
    compute_side_by_side(
        Waiting(queue).next if cluster.number else WaitingByDemand(queue, demands, slots).next,
        makers(0, _number_of_threads(coordinator, most, slots)),
        compute,
        coordinator.stopping,
        partial(coordinator.help_searches, [item.experiment for item in items]),
        joined=joined,
    )
