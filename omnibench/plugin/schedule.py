"""Which worker of a distributed run gets which item: the longest first.

xdist's own schedulers give every worker several items up front, because a worker runs an item only when it knows the
next one: with long items that puts the two longest onto one worker. Here each worker has at most one item that waits,
unless items take milliseconds: there a worker would wait for the controller between any two of them, so it has a few more.
To choose it, all pending items are planned anew: the worker gets its first item in that plan, or the shortest pending
item if the plan has none for it.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from xdist.remote import Producer
from xdist.scheduler import LoadScheduling

from omnibench.engine.parallel import longest_first, weight
from omnibench.plugin.guest_starts import NO_START, GuestStart, GuestStarts
from omnibench.store.admission import Capacity, Needs, fits

NOTHING, UNLIMITED = Needs(), Capacity(None, float("inf"), 0)

_OVERDUE = 0.1
"""Of one that takes longer than expected: the share of its time until now that it is expected to go on."""

_QUEUE_LENGTH = 2
"""Items in the queue of a worker: the one that runs, and the next one."""

QUICK_SECONDS = 0.1
"""Where items of a kind take no more, a worker has more of them in its queue."""

_QUICK_IN_A_ROW = 4
"""So many items of a kind in a row have to have taken no more: the first one alone says little of the others."""

_QUICK_LENGTH, _QUICK_AT_LEAST = 8, 3
"""Items in such a queue at most, and how many are left when it is filled up, in one message."""

_ALIKE_LENGTH = 4
"""Likewise, where only other items of the algorithm were quick: other hyperparameters may take hours, but few do beside milliseconds."""

_NEWEST = 0.2
"""The weight of the newest item in the usual seconds of its kind.

A single long one is enough to let the others that are not given out yet wait for whoever is free first; those that wait behind
it in a worker's queue stay there.
"""


class _Span(NamedTuple):
    """When an item is expected to compute, in seconds from now, and what it needs."""

    start: float
    end: float
    needs: Needs


def _at(moment: float, spans: list[_Span]) -> list[Needs]:
    return [span.needs for span in spans if span.start <= moment < span.end]


class LongestFirst(LoadScheduling):  # type: ignore[misc]  # xdist's classes are seen as untyped
    """Gives the longest pending item to the worker that is expected to be free first (LPT, Graham 1969).

    Args:
        config: pytest's configuration.
        log: xdist's log.
        expected: From an item's node id to the seconds that it is expected to take.
        clock: Tells the time in seconds.
        needs: From an item's node id to what its Fit needs of the machine; None where nobody asks for anything.
        capacity: What the machine has.
        start: From an item's node id to the process that computes it: a worker gets what its own ones compute, unless there is
            so much of it that another start pays. By default starts cost nothing.
        likeness: From an item's node id to what items have in common that take about as long, e.g. hyperparameters and data;
            None of those that are known to take longer than others.
        family: From an item's node id to what items have in common that may take as long, e.g. the algorithm; likewise.
    """

    def __init__(
        self,
        config: Any,
        log: Producer,
        expected: Callable[[str], float],
        clock: Callable[[], float] = time.monotonic,
        needs: Callable[[str], Needs] | None = None,
        capacity: Capacity = UNLIMITED,
        start: Callable[[str], GuestStart] = lambda _: NO_START,
        likeness: Callable[[str], Hashable] = lambda _: None,
        family: Callable[[str], Hashable] = lambda _: None,
    ) -> None:
        super().__init__(config, log)
        self.collection: list[str] | None
        self._expected = expected
        self._clock = clock
        self._needs_of = needs
        self._capacity = capacity
        self._start_of = start
        self._starts = GuestStarts((), [])
        self._likeness_of = likeness
        self._family_of = family
        self._usual: dict[Hashable, float] = {}
        """The seconds that items of each kind have taken lately."""
        self._quick_in_a_row: dict[Hashable, int] = {}
        """How many items of each kind have taken milliseconds since the last one that took longer."""
        self._needs: list[Needs] = []
        self._seconds: list[float] = []
        self._weights: list[float] = []
        self._since: dict[Any, float] = {}

    def schedule(self) -> None:
        """Begin when every worker has collected, or give a worker that came later something to do."""
        assert self.collection_is_completed
        if self.collection is not None:
            for node in self.nodes:
                self.check_schedule(node)
            return
        if not self._check_nodes_have_same_collection():
            self.log("**Different tests collected, aborting run**")
            return
        collection: list[str] = next(iter(self.node2collection.values()))
        self.collection = collection
        self._seconds = [self._expected(nodeid) for nodeid in collection]
        self._needs = [NOTHING if self._needs_of is None else self._needs_of(nodeid) for nodeid in collection]
        self._weights = list(map(self._weight, range(len(collection))))
        self._starts = GuestStarts(list(map(self._start_of, collection)), self._seconds)
        self.pending[:] = longest_first(self._weights)
        for node in self.nodes:
            self._give(node)
        # What is left may not be enough for all: it waits behind the shortest.
        for node in reversed(self.nodes):
            self.check_schedule(node)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Note that a worker goes on to its next item, and how long this one has taken."""
        moment = self._clock()
        if self._starts.learn(node, item_index, moment - self._since[node], self.pending):
            self._weights = list(map(self._weight, range(len(self._weights))))
            self.pending.sort(key=lambda index: -self._weights[index])
        self._note_seconds(item_index, moment - self._since[node])
        self._since[node] = moment
        super().mark_test_complete(node, item_index, duration)

    def check_schedule(self, node: Any, duration: float = 0) -> None:
        """Give a worker work when it has run out of it; when there is none, let all workers end."""
        if not node.shutting_down:
            while self.pending and len(self.node2pending[node]) < _QUEUE_LENGTH:
                self._give(node)
            self._give_quick(node)
        if not self.pending:
            for worker in self.nodes:
                if not worker.shutting_down:
                    worker.shutdown()

    def remove_node(self, node: Any) -> str | None:
        """Put the items that a lost worker has left back among the pending ones; return the one that it died of."""
        unfinished: list[int] = self.node2pending.pop(node)
        self._starts.forget(node)
        if not unfinished:
            return None
        assert self.collection is not None, "it was given out"
        self.pending[:] = sorted([*self.pending, *unfinished[1:]], key=lambda index: -self._weights[index])
        for index in unfinished[1:]:
            self._starts.put_back(index)
        for worker in self.nodes:
            self.check_schedule(worker)
        return self.collection[unfinished[0]]

    def _give(self, node: Any) -> None:
        if self.pending:
            node.send_runtest_some([self._taken_by(node, self._next_for(node))])

    def _taken_by(self, node: Any, position: int) -> int:
        """Move a pending item into the queue of a worker, and return its index."""
        index: int = self.pending.pop(position)
        queue = self.node2pending[node]
        if not queue:
            self._since[node] = self._clock()
        queue.append(index)
        self._starts.give(node, index)
        return index

    def _give_quick(self, node: Any) -> None:
        """Give a worker further items of kinds that take milliseconds, in one message, as long as there are many left for all."""
        queue = self.node2pending[node]
        enough = 2 * _QUICK_LENGTH * len(self.nodes)
        # Whoever is free first is to have what would wait behind a long one.
        most = min(map(self._queue_length, queue), default=_QUICK_LENGTH)
        at_least = _QUICK_AT_LEAST if most == _QUICK_LENGTH else _QUEUE_LENGTH
        if self._needs_of is not None or len(queue) > at_least or len(self.pending) < enough:
            return
        indices = []
        while len(queue) < most:
            position = self._next_for(node)
            most = min(most, self._queue_length(self.pending[position]))
            if len(queue) < most:
                indices.append(self._taken_by(node, position))
        if indices:
            node.send_runtest_some(indices)

    def _queue_length(self, index: int) -> int:
        """Return how many items a queue may have in which an item stands."""
        kind, family = self._kinds(index)
        if self._is_quick(kind):
            return _QUICK_LENGTH
        return _ALIKE_LENGTH if self._is_quick(family) else _QUEUE_LENGTH

    def _is_quick(self, kind: Hashable) -> bool:
        """Whether items of a kind have taken milliseconds lately, several in a row."""
        is_known = self._quick_in_a_row.get(kind, 0) >= _QUICK_IN_A_ROW
        return is_known and self._usual.get(kind, math.inf) <= QUICK_SECONDS

    def _kinds(self, index: int) -> tuple[Hashable, Hashable]:
        """Return an item's kind, and the family of kinds that it is of; None where nobody knows."""
        if self.collection is None:
            return None, None
        nodeid = self.collection[index]
        return self._likeness_of(nodeid), self._family_of(nodeid)

    def _note_seconds(self, index: int, seconds: float) -> None:
        is_quick = seconds <= QUICK_SECONDS
        for kind in self._kinds(index):
            if kind is not None:
                self._usual[kind] = _NEWEST * seconds + (1 - _NEWEST) * self._usual.get(kind, seconds)
                self._quick_in_a_row[kind] = self._quick_in_a_row.get(kind, 0) + 1 if is_quick else 0

    def _next_for(self, node: Any) -> int:
        """Return the position of the pending item that a worker gets: its first in the plan for all."""
        free = [(self._seconds_left(worker), number, worker) for number, worker in enumerate(self.nodes)]
        heapq.heapify(free)
        if self._needs_of is not None:
            return self._first_that_fits(node, free)
        longest_elsewhere = None
        for position, index in enumerate(self.pending):
            seconds, number, first = free[0]
            if self._starts.pays(first, index):
                if first is node:
                    return position
                heapq.heapreplace(free, (seconds + self._seconds[index], number, first))
            elif first is node and longest_elsewhere is None:
                longest_elsewhere = position
        return len(self.pending) - 1 if longest_elsewhere is None else longest_elsewhere

    def _first_that_fits(self, node: Any, free: list[tuple[float, int, Any]]) -> int:
        """Return as above where Fits wait for each other's resources: the first pending item that fits when a worker is free.

        Args:
            node: The worker.
            free: When each worker is free, its number, and itself, as a heap.
        """
        spans = [span for worker in self.nodes for span in self._spans(worker)]
        left = list(range(len(self.pending)))
        while left:
            moment, number, first = free[0]
            spans = [span for span in spans if span.end > moment]
            position = self._fitting(left, moment, spans)
            if position is None:  # it waits for the first that ends
                heapq.heapreplace(free, (min(span.end for span in spans), number, first))
                continue
            if first is node:
                return position
            left.remove(position)
            index = self.pending[position]
            end = moment + self._seconds[index]
            spans.append(_Span(moment, end, self._needs[index]))
            heapq.heapreplace(free, (end, number, first))
        return len(self.pending) - 1

    def _fitting(self, positions: list[int], moment: float, spans: list[_Span]) -> int | None:
        """Return the first of some positions whose item fits from a moment on beside others; None where none does."""
        concurrent = [span.needs for span in spans if span.start <= moment]
        refused: set[Needs] = set()
        for position in positions:
            index = self.pending[position]
            needs = self._needs[index]
            if needs in refused:
                continue
            if concurrent and not fits(needs, self._capacity, concurrent):
                refused.add(needs)
                continue
            end = moment + self._seconds[index]
            beginnings = {span.start for span in spans if moment < span.start < end}
            if all(fits(needs, self._capacity, _at(beginning, spans)) for beginning in beginnings):
                return position
        return None

    def _spans(self, node: Any) -> list[_Span]:
        """Return when, in seconds from now, the items in a worker's queue are expected to compute."""
        queue, start = self.node2pending[node], 0.0
        spans: list[_Span] = []
        for position, index in enumerate(queue):
            end = self._seconds_left(node, position + 1)
            if not position:  # one that takes longer than expected has what it has for a while yet
                end = max(end, _OVERDUE * (self._clock() - self._since[node]))
            spans.append(_Span(start, end, self._needs[index]))
            start = end
        return spans

    def _weight(self, index: int) -> float:
        """Return by what an item is ordered: its seconds, as far as it keeps others from computing."""
        if self._needs_of is None:
            return self._seconds[index]
        return weight(self._seconds[index], self._needs[index], self._capacity, len(self.nodes))

    def _seconds_left(self, node: Any, length: int | None = None) -> float:
        """Return the seconds until a worker is expected to have run what is in its queue, or the first part of that."""
        queue: list[int] = self.node2pending[node][:length]
        if not queue:
            return 0.0
        running = self._seconds[queue[0]] - (self._clock() - self._since[node])
        return max(0.0, running) + sum(self._seconds[index] for index in queue[1:])
