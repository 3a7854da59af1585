"""Events of items that take milliseconds: a worker gathers those of an item, and sends the controller one message for all.

xdist sends six for each item: that it begins, the reports of pytest's phases, that it has ended, and how long it took. Each of
them is written down by Python, and wakes two threads of the controller, one after the other, which share the cores with workers.
"""

from __future__ import annotations

import marshal
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from omnibench.plugin.items import BenchItem
from omnibench.plugin.schedule import QUICK_SECONDS

_GATHERED = "omnibench_gathered"
_LAST = "runtest_protocol_complete"
"""The event that ends an item."""
_OF_ITEMS = frozenset({"logstart", "testreport", "logfinish", _LAST})

_VERSION = 4
"""Of ``marshal``; see ``wire``."""

Event = tuple[str, dict[str, Any]]


class Gathering:
    """Gathers the events of a worker's items, as long as items take milliseconds.

    Args:
        interactor: xdist's plugin of the worker, whose method ``sendevent`` this replaces.
    """

    def __init__(self, interactor: Any) -> None:
        self._interactor = interactor
        self._send: Callable[..., None] = interactor.sendevent
        self._gathered: list[Event] = []
        self._is_quick = False
        self._lock = threading.Lock()
        interactor.sendevent = self.send

    def send(self, name: str, **members: Any) -> None:
        """Send an event, or gather it; see xdist's ``sendevent``."""
        with self._lock:
            if name in _OF_ITEMS and self._is_quick and isinstance(self._item, BenchItem):
                self._gathered.append((name, members))
                if name == _LAST:
                    self._release()
            else:
                self._release()
                self._send(name, **members)
        if name == _LAST:
            self._is_quick = members["duration"] <= QUICK_SECONDS

    @property
    def _item(self) -> Any:
        return self._interactor.session.items[self._interactor.item_index]

    def release(self) -> None:
        """Send what was gathered of an item that takes longer than those before it; from any thread."""
        with self._lock, suppress(OSError):  # the controller is gone, of which xdist hears
            self._release()

    def _release(self) -> None:
        events, self._gathered = self._gathered, []
        if not events:
            return
        try:
            packed = marshal.dumps(events, _VERSION)
        except ValueError:  # a subclass of a text or number, which execnet may carry all the same
            for name, members in events:
                self._send(name, **members)
        else:
            self._send(_GATHERED, packed=packed)


def spread_events(node: Any) -> None:
    """Have xdist's controller of a worker hear the events that the worker has gathered as if each had come alone.

    Args:
        node: The controller, before it has heard anything; its method ``process_from_remote`` is replaced.
    """
    process: Callable[[Any], None] = node.process_from_remote
    put: Callable[[Any], None] = node.putevent

    def spread(event: Any) -> None:
        if not isinstance(event, tuple) or event[0] != _GATHERED:
            process(event)
            return
        heard: list[Any] = []
        node.putevent = heard.append
        try:
            for single in marshal.loads(event[1]["packed"]):  # noqa: S302 - of our own worker, whose code this process has chosen
                process(single)
        finally:
            node.putevent = put
            _put_together(put, heard)

    node.process_from_remote = spread


def _put_together(put: Callable[[Any], None], heard: list[Any]) -> None:
    """Put what was heard into the queue of the controller's main thread, which is woken once for all of it.

    Args:
        put: The method of the queue that puts one thing.
        heard: What was heard.
    """
    waiting = getattr(put, "__self__", None)
    if type(waiting) is not queue.Queue or waiting.maxsize > 0 or not heard:
        for single in heard:
            put(single)
        return
    with waiting.mutex:
        waiting.queue.extend(heard)
        waiting.unfinished_tasks += len(heard)
        waiting.not_empty.notify()
