"""Which sessions are submitted when: those for which a worker has room, and of them those that the fewest workers could take.

Dask ties a task that asks for resources to a worker as soon as it is submitted, also to one that is busy, and the other tasks go to
whichever worker is free. So what only the largest worker can take would wait for what any other could have taken meanwhile. Sessions
therefore wait here, and are submitted when there is room. On which worker Dask puts one is its own business: until that is heard,
the smallest worker that has room is thought to have it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

Amounts = frozenset[tuple[str, float]]
"""Resources by Dask's names, as what a session asks for."""


@dataclass(slots=True)
class _Worker:
    """A worker, and what sessions have of it.

    Attributes:
        threads: How many sessions it takes at once.
        declared: The resources that it declares.
        n_sessions: How many it has.
        used: The resources that these have.
    """

    threads: int
    declared: Mapping[str, float]
    n_sessions: int = 0
    used: Counter[str] = field(default_factory=Counter)

    def could_take(self, amounts: Amounts) -> bool:
        """Whether it has as much when it is idle."""
        return all(self.declared.get(name, 0.0) >= amount for name, amount in amounts)

    def has_room(self, amounts: Amounts) -> bool:
        """Whether it has as much now."""
        return self.n_sessions < self.threads and all(
            self.declared.get(name, 0.0) - self.used[name] >= amount for name, amount in amounts
        )

    def change(self, amounts: Amounts, sign: int) -> None:
        """Count a session in, or out."""
        self.n_sessions += sign
        for name, amount in amounts:
            self.used[name] += sign * amount  # type: ignore[assignment]  # a Counter of floats


class WorkerSlots:
    """The sessions of a run that wait for a worker, and those that have one; for any number of threads."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._workers: dict[str, _Worker] = {}
        self._by_size: list[str] = []
        """The addresses of the workers, those that the fewest kinds of sessions need first."""
        self._waiting: dict[Amounts, deque[tuple[str, threading.Event]]] = {}
        self._assigned: dict[str, tuple[Amounts, str]] = {}
        """What each session asks for, and the worker that it has, or is thought to have."""

    def note_workers(self, workers: Mapping[str, tuple[int, Mapping[str, float]]]) -> None:
        """Note which workers there are.

        Args:
            workers: How many sessions each takes at once, and the resources that it declares, by their addresses.
        """
        with self._changing:
            self._workers = {address: _Worker(threads, declared) for address, (threads, declared) in workers.items()}
            for amounts, address in self._assigned.values():
                self._count(address, amounts, 1)
            self._by_size = sorted(self._workers, key=lambda address: sum(self._workers[address].declared.values()))
            self._submit()

    def claim(self, token: str, resources: Mapping[str, float]) -> threading.Event:
        """Return what is set when a session is to be submitted; it has to leave, also if it never is.

        Args:
            token: The session.
            resources: What its worker has to have free, by Dask's names.
        """
        amounts, is_due = frozenset(resources.items()), threading.Event()
        with self._changing:
            self._waiting.setdefault(amounts, deque()).append((token, is_due))
            self._submit()
        return is_due

    def note_location(self, token: str, address: str) -> None:
        """Note which worker a session has.

        Args:
            token: The session.
            address: The worker's address.
        """
        with self._changing:
            if token in self._assigned and self._assigned[token][1] != address:
                amounts, thought = self._assigned[token]
                self._count(thought, amounts, -1)
                self._count(address, amounts, 1)
                self._assigned[token] = amounts, address
                self._submit()

    def leave(self, token: str) -> None:
        """Give back the place of a session, or of one that waits; once is enough.

        Args:
            token: The session.
        """
        with self._changing:
            if token in self._assigned:
                amounts, address = self._assigned.pop(token)
                self._count(address, amounts, -1)
                self._submit()
                return
            for amounts, queue in self._waiting.items():
                self._waiting[amounts] = deque(claim for claim in queue if claim[0] != token)

    def _count(self, address: str, amounts: Amounts, sign: int) -> None:
        if address in self._workers:  # else it is gone
            self._workers[address].change(amounts, sign)

    def _submit(self) -> None:
        """Have sessions submitted for which there is room."""
        for amounts in sorted(filter(self._waiting.get, self._waiting), key=self._number_able):
            queue = self._waiting[amounts]
            while queue and (address := self._smallest_with_room(amounts)) is not None:
                token, is_due = queue.popleft()
                self._assigned[token] = amounts, address
                self._count(address, amounts, 1)
                is_due.set()

    def _number_able(self, amounts: Amounts) -> int:
        return sum(worker.threads for worker in self._workers.values() if worker.could_take(amounts))

    def _smallest_with_room(self, amounts: Amounts) -> str | None:
        return next((address for address in self._by_size if self._workers[address].has_room(amounts)), None)
