"""Which Fit may begin beside the others: none of a machine's resources is promised twice, and nobody waits for ever.

A Fit gets all that it needs at once, or waits without having anything, so no two wait for each other. Whoever came later
passes those that wait only where that leaves room for each of them beside it: with no durations known, that is what keeps
the large from starving. So each waits at most for those that had begun when it came, and for those that waited before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

MEMORY, CORES, GPUS = "memory", "cores", "gpus"

_SLACK = 1e-6
"""Shares of cores are fractions, whose sums need not be exact."""


class Needs(NamedTuple):
    """What a Fit needs.

    Attributes:
        memory: Bytes in all.
        cores: Cores; of one that says nothing the share of its worker.
        asks_cores: Whether it says how many. Those that say nothing compute side by side as if nobody counted.
        gpus: GPUs of its own.
    """

    memory: int = 0
    cores: float = 0.0
    asks_cores: bool = False
    gpus: int = 0


class Capacity(NamedTuple):
    """What there is on the machine for all Fits together.

    Attributes:
        memory: Bytes; None where nobody knows.
        cores: Cores.
        gpus: GPUs.
    """

    memory: int | None
    cores: float
    gpus: int


class Admitted(Protocol):
    """A Fit that computes, or waits."""

    @property
    def needs(self) -> Needs:
        """What it has, or waits for."""

    @property
    def turn(self) -> int:
        """When it began to compute, or to wait, among the events of the machine."""


class Obstacle(NamedTuple):
    """What keeps a Fit from beginning.

    Attributes:
        resource: ``memory``, ``cores`` or ``gpus``.
        position: The position of the Fit that stands in the way, among those that compute or among those that wait.
        has_come_before: Whether that waits itself, and came before.
    """

    resource: str
    position: int
    has_come_before: bool = False


def obstacle(
    needs: Needs, capacity: Capacity, computing: Sequence[Admitted], ahead: Sequence[Admitted], room: int | None
) -> Obstacle | None:
    """Return what keeps a Fit from beginning now; None where nothing does.

    Args:
        needs: What it needs.
        capacity: What there is.
        computing: The Fits that compute.
        ahead: The Fits that wait and came before it.
        room: The bytes that are free now; None where nobody knows. Others than Fits have memory, too.
    """
    having = [fit.needs for fit in computing]
    if room is not None and needs.memory > room:
        return Obstacle(MEMORY, _holder(having, MEMORY))
    missing = _missing(needs, capacity, having)
    if missing:
        return Obstacle(missing, _holder(having, missing))
    for position, waiting in enumerate(ahead):
        passing = [fit.needs for fit in computing if fit.turn > waiting.turn]
        missing = _missing(waiting.needs, capacity, [*passing, needs])
        if missing:
            return Obstacle(missing, position, has_come_before=True)
    return None


def never_fits(needs: Needs, capacity: Capacity) -> str:
    """Return which resource a Fit needs more of than there is, however long it waits; empty where it fits."""
    return _missing(needs._replace(asks_cores=True), capacity, ())


def fits(needs: Needs, capacity: Capacity, others: Iterable[Needs]) -> bool:
    """Whether a Fit finds what it needs beside others."""
    return not _missing(needs, capacity, others)


def largest_share(needs: Needs, capacity: Capacity) -> float:
    """Return the largest share of any resource that a Fit needs; 1 where no second one like it fits beside it.

    Args:
        needs: What it needs.
        capacity: What there is.
    """
    amounts = ((needs.memory, capacity.memory), (needs.cores, capacity.cores), (needs.gpus, capacity.gpus))
    share = max((amount / total for amount, total in amounts if total), default=0.0)
    return 1.0 if share > 1 / 2 else share


def _missing(needs: Needs, capacity: Capacity, others: Iterable[Needs]) -> str:
    """Return which resource is not enough for a Fit beside others; empty where all are."""
    beside = list(others)
    if (
        capacity.memory is not None
        and needs.memory
        and needs.memory + sum(fit.memory for fit in beside) > capacity.memory
    ):
        return MEMORY
    counts = needs.asks_cores or any(fit.asks_cores for fit in beside)
    if counts and needs.cores + sum(fit.cores for fit in beside) > capacity.cores + _SLACK:
        return CORES
    if needs.gpus and needs.gpus + sum(fit.gpus for fit in beside) > capacity.gpus:
        return GPUS
    return ""


def _holder(having: Sequence[Needs], resource: str) -> int:
    """Return the position of the Fit that has most of a resource; -1 where none has any."""
    amounts = [getattr(needs, resource) for needs in having]
    return amounts.index(max(amounts)) if any(amounts) else -1
