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
from omnibench.errors import StoreError
from omnibench.plugin.items import ExperimentItem
from omnibench.store.leases import is_held
from omnibench.store.logbook import NOTICE, entries
from omnibench.store.reading import read
from omnibench.store.schema import Record

if TYPE_CHECKING:
    from omnibench.experiment.experiment import Experiment
    from omnibench.plugin.screen import Screen
    from omnibench.plugin.session import BenchSession

_LOOK_SECONDS = 0.5
PLAIN_SECONDS = 30.0
"""How often a run says where it is when nobody watches a terminal."""


class Tally:
    """How many items there are, how they ended, and how long the others will take.

    Args:
        items: The benchmark items that this run is to bring to their end.
        cached: How many were done before.
        estimates: What is known of earlier items.
    """

    def __init__(self, items: list[ExperimentItem], cached: int, estimates: Estimates) -> None:
        self.estimates = estimates
        self.ended: Counter[str] = Counter({"cached": cached})
        self.total = len(items) + cached
        self._open = {item.nodeid: item.experiment for item in items}
        self._alike: Counter[str] = Counter()
        self._examples: dict[str, Experiment] = {}
        for experiment in self._open.values():
            self._alike[_kind(experiment)] += 1
            self._examples.setdefault(_kind(experiment), experiment)

    def take(self, report: Any) -> None:
        """Take in a report that pytest gets; the one that ends an item counts."""
        if not (report.passed or report.failed or report.skipped):
            return  # e.g. the outcome "rerun" of pytest-rerunfailures: another attempt follows
        if report.when not in ("call", "???") and report.passed:
            return
        experiment = self._open.pop(report.nodeid, None)
        if experiment is None:
            return
        self._alike[_kind(experiment)] -= 1
        told = getattr(report, "omnibench", None) or {}
        status = told.get("status") if report.passed else None
        self.ended[status or ("skipped" if report.skipped else "failed")] += 1
        seconds = told.get("seconds", {})
        if "Fit" in seconds:
            name = experiment.algorithm_name
            self.estimates.learn(experiment.dataset_name, name, seconds["Fit"] + seconds.get("Predict", 0.0))

    @property
    def pending(self) -> int:
        """How many items have not ended."""
        return len(self._open)

    def seconds_left(self) -> float:
        """Return the expected seconds of computing that are left, whoever does it."""
        return sum(
            number * self.estimates.expected(self._examples[kind]) for kind, number in self._alike.items() if number
        )

    def __str__(self) -> str:
        words = [f"{self.ended[word]} {word}" for word in ("done", "cached", "failed", "skipped") if self.ended[word]]
        return f"{self.total - self.pending}/{self.total} items: {', '.join([*words, f'{self.pending} pending'])}"


def _kind(experiment: Experiment) -> str:
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
        """Whether somebody watches; where items print to the terminal themselves, a block would be in the way."""
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
        """Count."""
        self._tally.take(report)

    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to the debugger."""
        self._hidden = True
        if self._screen is not None:
            self._screen.show([])

    def pytest_leave_pdb(self) -> None:
        """Come back."""
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
            doing = "; ".join(self._line(worker).strip() for worker in workers)
            self._screen.say(f"omnibench: {self._tally}; {self._times(len(workers))}" + (f"; {doing}" if doing else ""))

    def _workers(self) -> list[Record]:
        """Return the records of this run's workers that compute something, by name; those that died are at nothing."""
        prefix = f"worker/{self._session.run_id}"
        try:
            found = read(self._session.directory / "store", lambda reader: [one for _, one in reader.records(prefix)])
        except (StoreError, OSError):
            return []
        alive = (one for one in found if one["item"] and is_held(self._session.directory / one["lock"]) is not None)
        return sorted(alive, key=lambda one: str(one["id"]))

    def _notices(self) -> None:
        """Say what workers have to say: their own stderr would write into the block."""
        for entry in entries(self._session.directory, self._session.run_id, NOTICE, self._last_entry):
            self._last_entry = entry.id
            if self._screen is not None:
                self._screen.say(f"omnibench: {entry.message}")

    def _line(self, worker: Record) -> str:
        doing = (worker["item"], worker["phase"])
        now = time.monotonic()
        if self._since.get(worker["id"], (None, 0.0))[0] != doing:
            self._since[worker["id"]] = (doing, now)
        name = worker["id"].split(".")[1]
        progress = said(worker.get("progress") or {})
        taken = clock(now - self._since[worker["id"]][1])
        return f"  {name}: {worker['phase']}{progress}, {taken}: {worker['item']}"  # a narrow terminal cuts the end

    def _times(self, workers: int) -> str:
        elapsed = time.monotonic() - self._started
        running = sum(time.monotonic() - since for _, since in self._since.values())
        left = max(0.0, self._tally.seconds_left() - running) / max(1, workers)
        return f"{clock(elapsed)} elapsed, about {clock(left)} left"


def said(progress: dict[str, Any]) -> str:
    """Return what a framework reports of itself, e.g. ``, epoch 3 of 20, loss 0.41``."""
    words = [f"epoch {progress['epoch']} of {progress['epochs']}"] if {"epoch", "epochs"} <= progress.keys() else []
    words += [f"{name} {value:.4g}" for name, value in progress.items() if isinstance(value, float)]
    return "".join(f", {word}" for word in words)


def clock(seconds: float) -> str:
    """Return a duration for people: ``8s``, ``3:05``, ``2:03:05``."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}" if minutes else f"{whole}s"


@contextlib.contextmanager
def shown(session: BenchSession, estimates: Estimates) -> Iterator[None]:
    """Show a run while it goes on, unless there is nothing to show or nobody wants to see it."""
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
    """Return what the records know of how long things take."""
    try:
        return read(session.directory / "store", estimates_from, untouched=session.looks_only)
    except (StoreError, OSError):
        return Estimates()
