"""What a run is doing now: a block below pytest's output on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import pytest

from omnibench.engine.estimates import Estimates, estimates_from
from omnibench.engine.run import CACHED, SKIPPED
from omnibench.errors import StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.session import BenchSession
from omnibench.plugin.wire import ItemMessage
from omnibench.store.leases import is_held
from omnibench.store.logbook import NOTICE, entries
from omnibench.store.reading import read
from omnibench.store.schema import Phase, Record, RecordType, Status

if TYPE_CHECKING:  # rich, which is imported when something is displayed
    from omnibench.plugin.screen import Screen

_LOOK_SECONDS = 0.5
PLAIN_SECONDS = 30.0
"""How often a run says where it is when nobody watches a terminal."""


class Tally:
    """How many items there are, how they ended, and how long the others will take.

    Args:
        items: The benchmark items that this run is to bring to their end.
        cached: How many were done before.
        estimates: How long items are expected to take, by earlier ones.

    Attributes:
        labels: What people call the items, by their names in records.
    """

    def __init__(self, items: list[ExperimentItem], cached: int, estimates: Estimates) -> None:
        self.estimates = estimates
        self.ended: Counter[str] = Counter({CACHED: cached})
        self.total = len(items) + cached
        self._open = {item.nodeid: item.experiment for item in items}
        self.labels = {item.experiment.name: item.experiment.label for item in items}
        self._pending_by_label: Counter[str] = Counter()
        self._examples: dict[str, Experiment] = {}
        for experiment in self._open.values():
            self._pending_by_label[_label(experiment)] += 1
            self._examples.setdefault(_label(experiment), experiment)

    def count_report(self, report: Any) -> None:
        """Count the item that a report ends; other reports change nothing."""
        if not (report.passed or report.failed or report.skipped):
            return  # e.g. the outcome "rerun" of pytest-rerunfailures: another attempt follows
        if report.when not in ("call", "???") and report.passed:
            return
        experiment = self._open.pop(report.nodeid, None)
        if experiment is None:
            return
        self._pending_by_label[_label(experiment)] -= 1
        message = ItemMessage.carried(report)
        status = message.status if message is not None and report.passed else None
        self.ended[status or (SKIPPED if report.skipped else Status.FAILED.value)] += 1
        seconds = message.seconds if message is not None else {}
        if Phase.FIT in seconds:
            computing = seconds[Phase.FIT] + seconds.get(Phase.PREDICT, 0.0)
            self.estimates.learn(experiment.dataset_name, experiment.algorithm_name, computing)

    @property
    def pending(self) -> int:
        """The number of items that have not ended."""
        return len(self._open)

    def seconds_left(self) -> float:
        """Return the expected seconds of computing that are left, whoever does it."""
        pending = ((self._examples[label], number) for label, number in self._pending_by_label.items() if number)
        return sum(number * self.estimates.expected(example) for example, number in pending)

    def __str__(self) -> str:
        statuses = (Status.DONE.value, CACHED, Status.FAILED.value, SKIPPED)
        words = [f"{self.ended[status]} {status}" for status in statuses if self.ended[status]]
        return f"{self.total - self.pending}/{self.total} items: {', '.join([*words, f'{self.pending} pending'])}"


def _label(experiment: Experiment) -> str:
    """Return dataset and algorithm as a text: their items are expected to take equally long."""
    return f"{experiment.dataset_name}/{experiment.algorithm_name}"


class Live:
    """Shows a run while it goes on; register it as a plugin, and use it as a context manager around the run.

    Args:
        session: The benchmarks of the overseeing process.
        tally: The items.
    """

    def __init__(self, session: BenchSession, tally: Tally) -> None:
        self._session = session
        self._tally = tally
        self._reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        self._started = time.monotonic()
        self._since: dict[str, tuple[Any, float]] = {}
        self._last_entry = 0
        self._next_plain = self._started + PLAIN_SECONDS
        self._screen: Screen | None = None
        self._hidden = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="omnibench-live")

    def __enter__(self) -> Self:
        from omnibench.plugin.screen import Screen

        with contextlib.suppress(OSError, AttributeError, ValueError):  # e.g. a file that is none
            self._screen = Screen(self._reporter._tw)  # noqa: SLF001 - the terminal is nowhere else
        if self._screen is not None:
            self._session.say = self._screen.say
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen is not None:
            self._ending.set()
            self._thread.join(timeout=10)
            self._session.say = None
            self._screen.close()

    @property
    def _on_terminal(self) -> bool:
        """Whether to draw a block: on a terminal that somebody watches, and that items do not print to."""
        option = self._session.config.option
        distributed = getattr(option, "dist", "no") != "no"
        return bool(
            self._reporter.isatty
            and os.environ.get("TERM") != "dumb"
            and not os.environ.get("CI")
            and (distributed or option.capture != "no")
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count the item that a report ends."""
        self._tally.count_report(report)

    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to the debugger."""
        self._hidden = True
        if self._screen is not None:
            self._screen.show([])

    def pytest_leave_pdb(self) -> None:
        """Show the run again after the debugger has ended."""
        self._hidden = False

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            self._look()
        self._notices()

    def _look(self) -> None:
        assert self._screen is not None, "the thread was started with it"
        self._notices()
        if self._hidden or not self._tally.pending:
            return
        workers = self._workers()
        present = {worker["id"] for worker in workers}
        self._since = {name: since for name, since in self._since.items() if name in present}
        if self._on_terminal:
            self._screen.show([f"omnibench {self._tally}; {self._times(len(workers))}", *map(self._line, workers)])
        elif time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + PLAIN_SECONDS
            lines = "; ".join(self._line(worker).strip() for worker in workers)
            self._screen.say(f"omnibench: {self._tally}; {self._times(len(workers))}" + (f"; {lines}" if lines else ""))

    def _workers(self) -> list[Record]:
        """Return the records of this run's workers that compute something and are alive, by name."""
        directory = self._session.directory
        prefix = RecordType.WORKER.key(self._session.run_id)
        try:
            workers = read(directory / "store", lambda reader: [record for _, record in reader.records(prefix)])
        except (StoreError, OSError):
            return []
        alive = (worker for worker in workers if worker["item"] and is_held(directory / worker["lock"]) is not None)
        return sorted(alive, key=lambda worker: str(worker["id"]))

    def _notices(self) -> None:
        """Show the lines that workers have left in the log: their own stderr would write into the block."""
        for entry in entries(self._session.directory, self._session.run_id, NOTICE, self._last_entry):
            self._last_entry = entry.id
            if self._screen is not None:
                self._screen.say(f"omnibench: {entry.message}")

    def _line(self, worker: Record) -> str:
        activity = (worker["item"], worker["phase"])
        current = time.monotonic()
        if self._since.get(worker["id"], (None, 0.0))[0] != activity:
            self._since[worker["id"]] = (activity, current)
        name = worker["id"].split(".")[1]
        progress = progress_text(worker.get("progress") or {})
        elapsed = clock(current - self._since[worker["id"]][1])
        item = self._tally.labels.get(worker["item"], worker["item"])
        return f"  {name}: {worker['phase']}{progress}, {elapsed}: {item}"  # a narrow terminal cuts the end

    def _times(self, workers: int) -> str:
        elapsed = time.monotonic() - self._started
        running = sum(time.monotonic() - since for _, since in self._since.values())
        left = max(0.0, self._tally.seconds_left() - running) / max(1, workers)
        return f"{clock(elapsed)} elapsed, about {clock(left)} left"


def progress_text(progress: dict[str, Any]) -> str:
    """Return what a framework or a user's class reports of itself, e.g. ``, epoch 3 of 20, loss 0.41``."""
    counted = {"epoch", "epochs"} & progress.keys() if {"epoch", "epochs"} <= progress.keys() else set()
    words = [f"epoch {progress['epoch']} of {progress['epochs']}"] if counted else []
    remaining = {name: value for name, value in progress.items() if name not in counted and value is not None}
    words += [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in remaining.items()
    ]
    return "".join(f", {word}" for word in words)


def clock(seconds: float) -> str:
    """Return a duration for people: ``8s``, ``3:05``, ``2:03:05``."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}" if minutes else f"{whole}s"


@contextlib.contextmanager
def live_display(session: BenchSession, estimates: Estimates) -> Iterator[None]:
    """Show a run while it goes on, unless nothing is pending or the user wants it quiet."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    pending = session.pending
    if not pending or session.looks_only or reporter is None or session.config.getoption("verbose", 0) < 0:
        yield
        return
    live = Live(session, Tally(pending, len(session.items) - len(pending), estimates))
    manager = session.config.pluginmanager
    manager.register(live, "omnibench-live")
    try:
        with live:
            yield
    finally:
        manager.unregister(live)


def estimates_of(session: BenchSession) -> Estimates:
    """Return how long items are expected to take, by the records of earlier ones."""
    try:
        return read(session.directory / "store", estimates_from, untouched=session.looks_only)
    except (StoreError, OSError):
        return Estimates()
