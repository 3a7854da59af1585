"""Which worker of a distributed run gets which item: the longest first.

xdist's own schedulers give every worker several items up front, because a worker runs an item only when it knows the
next one: with long items that puts the two longest onto one worker. Here the look-ahead is the shortest item left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdist.remote import Producer
from xdist.scheduler import LoadScheduling


class LongestFirst(LoadScheduling):  # type: ignore[misc]  # xdist's classes are seen as untyped
    """Gives each worker the longest item that is left, and parks the shortest one behind it.

    Args:
        config: pytest's configuration.
        log: xdist's log.
        expected: From an item's node id to the seconds that it is expected to take.
    """

    def __init__(self, config: Any, log: Producer, expected: Callable[[str], float]) -> None:
        super().__init__(config, log)
        self.collection: list[str] | None
        self._expected = expected
        self._seconds: list[float] = []
        self._parked: set[int] = set()

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
            self._give(node, longest=True)
        # What is left may not be enough for all: it waits behind the shortest.
        for node in reversed(self.nodes):
            self.check_schedule(node)

    def check_schedule(self, node: Any, duration: float = 0) -> None:
        """Give a worker work when it has run out of it; when there is none, let all workers end."""
        if not node.shutting_down:
            held = self.node2pending[node]
            while self.pending and len(held) < 2:  # noqa: PLR2004 - one to run, one to know of
                self._give(node, longest=not held or held[-1] in self._parked)
        if not self.pending:
            for each in self.nodes:
                if not each.shutting_down:
                    each.shutdown()

    def remove_node(self, node: Any) -> str | None:
        """Take back what a worker has left, each item to its place among the others; return the one that it died of."""
        left: list[int] = self.node2pending.pop(node)
        if not left:
            return None
        assert self.collection is not None, "it was given out"
        self._parked.difference_update(left)
        self.pending[:] = sorted([*self.pending, *left[1:]], key=lambda index: -self._seconds[index])
        for each in self.nodes:
            self.check_schedule(each)
        return self.collection[left[0]]

    def _give(self, node: Any, *, longest: bool) -> None:
        if not self.pending:
            return
        index = self.pending.pop(0 if longest else -1)
        if not longest:
            self._parked.add(index)
        self.node2pending[node].append(index)
        node.send_runtest_some([index])


def longest_first(seconds: Sequence[float]) -> list[int]:
    """Return positions, those of the largest numbers first; equal ones in their order."""
    return sorted(range(len(seconds)), key=lambda position: -seconds[position])
