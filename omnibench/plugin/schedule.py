"""Which worker of a distributed run gets which item: the longest first.

xdist's own schedulers give every worker several items up front, because a worker runs an item only when it knows the
next one: with long items that puts the two longest onto one worker. Here each worker has at most one item that waits.
To choose it, all pending items are planned anew: the worker gets its first item in that plan, or the shortest pending
item if the plan has none for it.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Any

from xdist.remote import Producer
from xdist.scheduler import LoadScheduling

from omnibench.engine.parallel import longest_first

_QUEUE_LENGTH = 2
"""Items in the queue of a worker: the one that runs, and the next one."""


class LongestFirst(LoadScheduling):  # type: ignore[misc]  # xdist's classes are seen as untyped
    """Gives the longest pending item to the worker that is expected to be free first (LPT, Graham 1969).

    Args:
        config: pytest's configuration.
        log: xdist's log.
        expected: From an item's node id to the seconds that it is expected to take.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        config: Any,
        log: Producer,
        expected: Callable[[str], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config, log)
        self.collection: list[str] | None
        self._expected = expected
        self._clock = clock
        self._seconds: list[float] = []
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
        self.pending[:] = longest_first(self._seconds)
        for node in self.nodes:
            self._give(node)
        # What is left may not be enough for all: it waits behind the shortest.
        for node in reversed(self.nodes):
            self.check_schedule(node)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Note that a worker goes on to its next item."""
        self._since[node] = self._clock()
        super().mark_test_complete(node, item_index, duration)

    def check_schedule(self, node: Any, duration: float = 0) -> None:
        """Give a worker work when it has run out of it; when there is none, let all workers end."""
        if not node.shutting_down:
            while self.pending and len(self.node2pending[node]) < _QUEUE_LENGTH:
                self._give(node)
        if not self.pending:
            for worker in self.nodes:
                if not worker.shutting_down:
                    worker.shutdown()

    def remove_node(self, node: Any) -> str | None:
        """Put the items that a lost worker has left back among the pending ones; return the one that it died of."""
        unfinished: list[int] = self.node2pending.pop(node)
        if not unfinished:
            return None
        assert self.collection is not None, "it was given out"
        self.pending[:] = sorted([*self.pending, *unfinished[1:]], key=lambda index: -self._seconds[index])
        for worker in self.nodes:
            self.check_schedule(worker)
        return self.collection[unfinished[0]]

    def _give(self, node: Any) -> None:
        if not self.pending:
            return
        index = self.pending.pop(self._next_for(node))
        queue = self.node2pending[node]
        if not queue:
            self._since[node] = self._clock()
        queue.append(index)
        node.send_runtest_some([index])

    def _next_for(self, node: Any) -> int:
        """Return the position of the pending item that a worker gets: its first in the plan for all."""
        free = [(self._seconds_left(worker), number, worker) for number, worker in enumerate(self.nodes)]
        heapq.heapify(free)
        for position, index in enumerate(self.pending):
            seconds, number, first = free[0]
            if first is node:
                return position
            heapq.heapreplace(free, (seconds + self._seconds[index], number, first))
        return len(self.pending) - 1

    def _seconds_left(self, node: Any) -> float:
        """Return the seconds until a worker is expected to have run what is in its queue."""
        queue: list[int] = self.node2pending[node]
        if not queue:
            return 0.0
        running = self._seconds[queue[0]] - (self._clock() - self._since[node])
        return max(0.0, running) + sum(self._seconds[index] for index in queue[1:])
