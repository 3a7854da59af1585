"""The items of a run that wait for a worker, and what the user is told where no worker that is there will ever do.

To a scheduler of the user's own workers come when they like, and those that declare what an item asks for may be hours late, or
be started again after a loss. So no item is given up for want of them: it waits, and the user hears what it waits for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from omnibench.cluster.shapes import amounts_shortage, amounts_text

_LONELY_SECONDS = 30.0
"""After so long without any worker the run says that it waits for one."""

_UNABLE_SECONDS = 10.0
"""After so long with workers of which none will do the run says so: of those that are started together, some join later."""

_NONE = "the cluster has no worker"


@dataclass(eq=False, slots=True)
class Wait:
    """What waits for a worker.

    Attributes:
        item: What people call the item.
        check: Called again and again while it waits; raising gives up.
        note: Called in a few words with why no worker that is there will do, whenever that changes; with nothing where one will.
        noted: The words.
    """

    item: str = "an item"
    check: Callable[[], None] = lambda: None
    note: Callable[[str], None] = lambda _: None
    noted: str = field(default="", init=False)


class Waits:
    """The items that wait for a worker; for any number of threads.

    Args:
        notify: Called with a line of text for the user.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._changing = threading.Lock()
        self._waiting: dict[Wait, tuple[tuple[str, float], ...]] = {}
        self._since: dict[str, float] = {}
        """Since when each reason has kept items waiting, in ``time.monotonic`` seconds."""
        self._reported: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    @contextmanager
    def waiting(self, wait: Wait, resources: Mapping[str, float]) -> Iterator[None]:
        """Count an item among those that wait.

        Args:
            wait: The item.
            resources: What its worker has to have free, by Dask's names.
        """
        with self._changing:
            self._waiting[wait] = tuple(resources.items())
        try:
            yield
        finally:
            with self._changing:
                del self._waiting[wait]
                if not self._waiting:  # nobody may look before another one waits
                    self._since.clear()
                    self._reported.clear()

    def look(self, workers: Sequence[Mapping[str, float]]) -> None:
        """Note which workers there are, and say what has waited long enough for others.

        Args:
            workers: What each worker declares.
        """
        with self._changing:
            moment = time.monotonic()
            reasons: dict[str, list[str]] = {}
            shortages: dict[tuple[tuple[str, float], ...], str] = {}
            for wait, amounts in self._waiting.items():
                if amounts not in shortages:  # a thousand items may ask a thousand workers for the same
                    shortages[amounts] = amounts_shortage(dict(amounts), workers)
                shortage = shortages[amounts]
                words = _NONE if not workers else shortage and f"no worker declares {amounts_text(dict(amounts))}"
                if words != wait.noted:
                    wait.noted = words
                    with suppress(Exception):  # whoever looks may wait for something else
                        wait.note(words)
                if words:
                    reasons.setdefault(shortage, []).append(wait.item)
            self._since = {shortage: self._since.get(shortage, moment) for shortage in reasons}
            self._reported &= self._since.keys()
            due = [
                shortage
                for shortage, since in self._since.items()
                if shortage not in self._reported
                and moment - since >= (_UNABLE_SECONDS if shortage else _LONELY_SECONDS)
            ]
            self._reported.update(due)
        for shortage in due:
            self._notify(_sentence(shortage, reasons[shortage]))


def _sentence(shortage: str, items: Sequence[str]) -> str:
    """Return what items wait for: a worker that has what they lack, or any worker."""
    if not shortage:
        return "the scheduler of the cluster has no worker; this run waits for one to join"
    n_others = len(items) - 1
    subject = "It waits" if not n_others else f"It and {n_others} other item{'s' if n_others > 1 else ''} wait"
    return (
        f"{items[0]} {shortage}. {subject} until such a worker joins, and the rest of the run goes on: start one, or end the run "
        "and ask for less (resources=)"
    )
