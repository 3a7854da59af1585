"""Items whose guests run on a cluster: a thread of this process for each that is computed at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from omnibench.engine.equal_seeds import urgency
from omnibench.engine.estimates import Estimates
from omnibench.engine.item_coordinator import ItemCoordinator
from omnibench.engine.items import Item
from omnibench.engine.parallel import compute_side_by_side, longest_first, most_workers
from omnibench.engine.workbench import Workbench
from omnibench.runners.machine import available_cores

_LOOK_SECONDS = 2.0


def number_elsewhere(coordinator: ItemCoordinator, items: Sequence[Item]) -> int:
    """Return how many items are computed at once: as many as the cluster has places for, as far as that is known.

    Args:
        coordinator: The coordinator of a run on a cluster.
        items: The items.

    Raises:
        ClusterError: The cluster cannot be used.
    """
    cluster = coordinator.workbench.cluster
    assert cluster is not None, "the run is on a cluster"
    return max(1, min(_most_sessions(coordinator, items), most_workers(item.experiment for item in items)))


def _most_sessions(coordinator: ItemCoordinator, items: Sequence[Item]) -> int:
    """Return how many items are kept on the cluster: of each kind as many as all its workers could take.

    An item waits there for a worker that has what it asks for, and must not keep a smaller one from another worker.
    """
    cluster = coordinator.workbench.cluster
    assert cluster is not None, "the run is on a cluster"
    needs = {coordinator.workbench.resources.asked_of_cluster(item.experiment) for item in items}
    return cluster.number or cluster.slots() * len(needs)


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

    def makers(first: int, number: int) -> list[Callable[[], Workbench]]:
        names = (f"gw{position}" for position in range(first, number))
        return [partial(coordinator.workbench.beside, name, 0, available_cores() / number) for name in names]

    def joined(number: int) -> list[Callable[[], Workbench]]:
        nonlocal looked
        if cluster.number or number >= most or time.monotonic() - looked < _LOOK_SECONDS:
            return []
        looked = time.monotonic()
        return makers(number, min(most, _most_sessions(coordinator, items)))

    compute_side_by_side(
        longest_first([urgency(item.experiment, estimates.expected(item.experiment)) for item in items]),
        makers(0, number_elsewhere(coordinator, items)),
        compute,
        coordinator.stopping,
        partial(coordinator.help_searches, [item.experiment for item in items]),
        joined=joined,
    )
