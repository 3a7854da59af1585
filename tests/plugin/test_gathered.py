"""What a worker has gathered arrives as if it had come alone, in order, and in time."""

from __future__ import annotations

import enum
import queue
import threading
from types import SimpleNamespace
from typing import Any

import execnet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.plugin.gathered import Event, Gathering, spread_events
from omnibench.plugin.items import BenchItem
from omnibench.plugin.schedule import QUICK_SECONDS

QUICK, LONG = QUICK_SECONDS / 2, QUICK_SECONDS * 2


class Ends:
    """A worker and its controller.

    Args:
        are_benchmarks: Whether each of the items is a benchmark's.
    """

    def __init__(self, *are_benchmarks: bool) -> None:
        items = [object.__new__(BenchItem) if is_one else object() for is_one in are_benchmarks]
        self.messages = 0
        self.queue: queue.Queue[Event] = queue.Queue()
        self.node: Any = SimpleNamespace(process_from_remote=self._process, putevent=self.queue.put)
        spread_events(self.node)
        self.interactor: Any = SimpleNamespace(
            sendevent=self._carry, item_index=0, session=SimpleNamespace(items=items)
        )
        self.gathering = Gathering(self.interactor)

    @property
    def heard(self) -> list[Event]:
        """The events that the controller's main thread has before it."""
        return list(self.queue.queue)

    def _process(self, event: Event) -> None:
        self.node.putevent(event)

    def _carry(self, name: str, **members: Any) -> None:
        self.messages += 1
        self.node.process_from_remote(execnet.loads(execnet.dumps((name, members))))

    def run(self, index: int, seconds: float, *reports: Any) -> list[Event]:
        """Have an item begin, report and end; return its events."""
        self.interactor.item_index = index
        return [*self.begin(index), *self.end(index, seconds, *reports)]

    def begin(self, index: int) -> list[Event]:
        """Have an item begin; return its events."""
        self.interactor.item_index = index
        return self.tell(("logstart", {"nodeid": f"item-{index}", "location": ("bench_a.py", None, "a")}))

    def end(self, index: int, seconds: float, *reports: Any) -> list[Event]:
        """Have an item report and end; return its events."""
        return self.tell(
            *(("testreport", {"data": report}) for report in reports),
            ("logfinish", {"nodeid": f"item-{index}", "location": ("bench_a.py", None, "a")}),
            ("runtest_protocol_complete", {"item_index": index, "duration": seconds}),
        )

    def tell(self, *events: Event) -> list[Event]:
        """Send events, and return them."""
        for name, members in events:
            self.interactor.sendevent(name, **members)
        return list(events)


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([QUICK, LONG]), st.lists(st.text() | st.binary() | st.integers(0, 9))),
        min_size=1,
        max_size=6,
    )
)
def test_all_events_arrive_in_order(run: list[tuple[bool, float, list[Any]]]) -> None:
    """Whatever items there are, and however long they take, the controller hears each event once, as it was sent."""
    ends = Ends(*(is_benchmark for is_benchmark, _, _ in run))
    sent = [event for index, (_, seconds, reports) in enumerate(run) for event in ends.run(index, seconds, *reports)]
    sent += ends.tell(("workerfinished", {"workeroutput": {"exitstatus": 0}}))
    assert ends.heard == sent


def test_a_quick_item_costs_one_message() -> None:
    """Behind one that was quick; a test that is no benchmark's, and what comes behind a long item, is sent at once."""
    ends = Ends(True, True, True, False, True)
    counts = []
    for index, seconds in enumerate((QUICK, QUICK, LONG, QUICK, QUICK)):
        before = ends.messages
        ends.run(index, seconds, "setup", "call", "teardown")
        counts.append(ends.messages - before)
    assert counts == [6, 1, 1, 6, 1]


def test_the_controller_wakes_once_for_all_that_was_gathered() -> None:
    """With the first event of a quick item all others are there, whoever runs first; a queue of another kind gets them one by one."""
    ends = Ends(True, True)
    ends.run(0, QUICK)
    while not ends.queue.empty():
        ends.queue.get()
    left: list[int] = []

    def listen() -> None:
        ends.queue.get()
        left.append(ends.queue.qsize())

    listener = threading.Thread(target=listen)
    listener.start()
    sent = ends.run(1, QUICK, "setup", "call", "teardown")
    listener.join()
    assert left == [len(sent) - 1]
    one_by_one: list[Event] = []
    ends = Ends(True, True)
    ends.node = SimpleNamespace(process_from_remote=ends._process, putevent=one_by_one.append)
    spread_events(ends.node)
    assert [*ends.run(0, QUICK), *ends.run(1, QUICK, "call")] == one_by_one


def test_what_was_gathered_of_a_long_item_is_sent_meanwhile() -> None:
    """Somebody who looks at the controller sees what its workers are at."""
    ends = Ends(True, True)
    ends.run(0, QUICK)
    before = list(ends.heard)
    begun = ends.begin(1)
    assert ends.heard == before
    ends.gathering.release()
    assert ends.heard == before + begun
    ended = ends.end(1, LONG, "call")
    assert ends.heard == [*before, *begun, *ended]


@pytest.mark.parametrize("name", ["workerfinished", "internal_error", "warning_recorded"])
def test_no_event_overtakes_what_was_gathered(name: str) -> None:
    """An interrupted item has told what it has come to before the worker tells of its end."""
    ends = Ends(True, True)
    ends.run(0, QUICK)
    before = list(ends.heard)
    begun = ends.begin(1)
    assert ends.heard == before
    assert ends.tell((name, {})) == ends.heard[-1:]
    assert ends.heard[len(before) :] == [*begun, (name, {})]


def test_what_cannot_be_packed_is_sent_alone() -> None:
    """Subclasses of numbers are carried by execnet, as they are without omnibench."""

    class Number(enum.IntEnum):
        ONE = 1

    ends = Ends(True, True)
    ends.gathering._send = lambda name, **members: ends.queue.put((name, members))
    ends.run(0, QUICK)
    before = list(ends.heard)
    assert ends.run(1, QUICK, Number.ONE) == ends.heard[len(before) :]


def test_a_controller_that_is_gone_does_not_end_the_thread_that_releases() -> None:
    """A thread of xdist's hears of it; the one that writes the worker's state goes on to its end."""

    def refuse(_: str, **__: Any) -> None:
        raise OSError("cannot send")

    ends = Ends(True, True)
    ends.run(0, QUICK)
    ends.begin(1)
    ends.gathering._send = refuse
    ends.gathering.release()
