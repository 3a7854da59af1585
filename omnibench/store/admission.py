"""Which Fit may begin beside the others: none of a machine's resources is promised twice, and nobody waits for ever.

A Fit gets all that it needs at once, or waits without having anything, so no two wait for each other. Whoever came later
passes those that wait only where that leaves room for each of them beside it: with no durations known, that is what keeps
the large from starving. So each waits at most for those that had begun when it came, and for those that waited before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
        gpus: GPUs of its own, or the part of one that it shares.
    """

    memory: int = 0
    cores: float = 0.0
    asks_cores: bool = False
    gpus: float = 0


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


class OnGpus(Admitted, Protocol):
    """A Fit that computes on GPUs, or waits for some."""

    @property
    def cards(self) -> Sequence[str]:
        """Those that it has."""


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
    if needs.gpus and _count_of_gpus([needs.gpus, *(fit.gpus for fit in beside)]) > capacity.gpus:
        return GPUS
    return ""


def _count_of_gpus(amounts: Iterable[float]) -> int:
    """Return how many GPUs some Fits need together: parts of one are packed, the largest first (first fit decreasing)."""
    count, rooms = 0, [0.0]
    for amount in sorted(amounts, reverse=True):
        if amount >= 1:
            count += round(amount)
        elif amount > 0:
            position = next((number for number, room in enumerate(rooms) if amount <= room + _SLACK), None)
            if position is None:
                rooms.append(1 - amount)
                count += 1
            else:
                rooms[position] -= amount
    return count


def dealt_gpus(
    amount: float, gpus: Iterable[str], computing: Sequence[OnGpus], ahead: Sequence[OnGpus], usual: str | None
) -> list[str] | Obstacle:
    """Return the GPUs that a Fit gets, of which ``obstacle`` knows the number alone, or what keeps it from having any.

    Args:
        amount: How many GPUs, or which part of one; 0 for none.
        gpus: The machine's.
        computing: The Fits that compute.
        ahead: The Fits that wait and came before it.
        usual: The GPU that its guests run on, which it gets rather than others.
    """
    names = list(gpus)
    cards = _cards_for(amount, _loads(names, computing), usual)
    if cards is None:
        return Obstacle(GPUS, next(position for position, fit in enumerate(computing) if fit.cards))
    for position, waiting in enumerate(ahead if cards else ()):
        loads = _loads(names, [fit for fit in computing if fit.turn > waiting.turn])
        loads |= {card: loads[card] + min(amount, 1) for card in cards}
        if _cards_for(waiting.needs.gpus, loads, None) is None:
            return Obstacle(GPUS, position, has_come_before=True)
    return cards


def _loads(gpus: Iterable[str], having: Iterable[OnGpus]) -> dict[str, float]:
    """Return by GPU how much of it Fits have."""
    loads = dict.fromkeys(gpus, 0.0)
    for fit in having:
        for card in fit.cards:
            loads[card] = loads.get(card, 0.0) + min(fit.needs.gpus, 1)
    return loads


def _cards_for(amount: float, loads: Mapping[str, float], usual: str | None) -> list[str] | None:
    """Return the GPUs for a Fit; None where those that are free are not enough.

    For a part it is the fullest GPU that has room, so that others stay whole for those who need whole ones.
    """
    if 0 < amount < 1:
        fitting = [card for card, load in loads.items() if load + amount <= 1 + _SLACK]
        return sorted(fitting, key=lambda card: (-loads[card], card != usual))[:1] or None
    free = sorted((card for card, load in loads.items() if not load), key=lambda card: card != usual)
    return free[: round(amount)] if len(free) >= amount else None


def _holder(having: Sequence[Needs], resource: str) -> int:
    """Return the position of the Fit that has most of a resource; -1 where none has any."""
    amounts = [getattr(needs, resource) for needs in having]
    return amounts.index(max(amounts)) if any(amounts) else -1
