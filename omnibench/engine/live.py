"""What a run is doing now, as lines of text: how many items have ended, what each worker computes, and for how long."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from omnibench.engine.estimates import Estimates, estimates_from
from omnibench.engine.run import CACHED, SKIPPED
from omnibench.engine.time_left import TimeLeft, clock, time_left
from omnibench.errors import StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.store.leases import is_held
from omnibench.store.logbook import NOTICE, entries
from omnibench.store.reading import read
from omnibench.store.resumption import newest_text
from omnibench.store.schema import Phase, Record, RecordType, Status

_LOOK_SECONDS = 0.5
PLAIN_SECONDS = 30.0
"""How often a run says where it is when nobody watches a terminal."""


class Tally:
    """How many items there are, how they ended, and how long the others will take.

    Args:
        experiments: The items that the run is to bring to their end, by whatever names them.
        cached: How many were done before.
        estimates: How long items are expected to take, by earlier ones.

    Attributes:
        labels: What people call the items, by their names in records.
    """

    def __init__(self, experiments: Mapping[str, Experiment], cached: int, estimates: Estimates) -> None:
        self.estimates = estimates
        self.ended: Counter[str] = Counter({CACHED: cached})
        self.total = len(experiments) + cached
        self._open = dict(experiments)
        self.labels = {experiment.name: experiment.label for experiment in experiments.values()}
        self._pending_by_name = {experiment.name: experiment for experiment in self._open.values()}
        self._pending_by_label: Counter[str] = Counter()
        self._examples: dict[str, Experiment] = {}
        for experiment in self._open.values():
            self._pending_by_label[_label(experiment)] += 1
            self._examples.setdefault(_label(experiment), experiment)

    def count(self, name: str, status: str, seconds: Mapping[str, float]) -> None:
        """Count an item that has come to its end; once, and only if it is one of the run's.

        Args:
            name: What names it.
            status: How it ended: ``done``, ``cached``, ``failed`` or ``skipped``.
            seconds: The time of each phase that ran.
        """
        experiment = self._open.pop(name, None)
        if experiment is None:
            return
        self._pending_by_label[_label(experiment)] -= 1
        self._pending_by_name.pop(experiment.name, None)
        self.ended[status] += 1
        if Phase.FIT in seconds:
            computing = seconds[Phase.FIT] + seconds.get(Phase.PREDICT, 0.0)
            self.estimates.learn(experiment.dataset_name, experiment.algorithm_name, computing)

    @property
    def pending(self) -> int:
        """The number of items that have not ended."""
        return len(self._open)

    def time_left(self, running: Mapping[str, float], workers: int) -> TimeLeft:
        """Return the time that the pending items will take.

        Args:
            running: The seconds since the items that are being computed began, by the items' names.
            workers: How many processes compute.
        """
        computed = [
            (experiment, elapsed)
            for name, elapsed in running.items()
            if (experiment := self._pending_by_name.get(name)) is not None  # another thread may count it in between
        ]
        waiting = self._pending_by_label - Counter(_label(experiment) for experiment, _ in computed)
        groups = [(self._examples[label], number) for label, number in waiting.items()]
        return time_left(self.estimates, groups, computed, workers)

    def __str__(self) -> str:
        statuses = (Status.DONE.value, CACHED, Status.FAILED.value, SKIPPED)
        words = [f"{self.ended[status]} {status}" for status in statuses if self.ended[status]]
        return f"{self.total - self.pending}/{self.total} items: {', '.join([*words, f'{self.pending} pending'])}"


def _label(experiment: Experiment) -> str:
    """Return dataset and algorithm as a text: their items are expected to take equally long."""
    return f"{experiment.dataset_name}/{experiment.algorithm_name}"


class Screen(Protocol):
    """Where a run shows itself."""

    def show(self, lines: list[str]) -> None:
        """Replace the block of lines that stays below everything else."""

    def say(self, line: str) -> None:
        """Write a line above the block, from any thread."""


class ClosableScreen(Screen, Protocol):
    """A place where a run shows itself until it is closed.

    Attributes:
        has_block: Whether it shows a block of lines that change.
    """

    has_block: bool

    def close(self) -> None:
        """Take the block away."""


class LiveView(ABC):
    """Looks at a run twice a second, from a thread of its own, and shows what it is doing.

    Args:
        directory: The checkpoint directory.
        run_id: The run.
        tally: The items.
    """

    def __init__(self, directory: Path, run_id: str, tally: Tally) -> None:
        self._directory = directory
        self._run_id = run_id
        self._tally = tally
        self._started = time.monotonic()
        self._since: dict[str, tuple[Any, float]] = {}
        self._begun: dict[str, tuple[str, float]] = {}
        self._last_entry = 0
        self._noticed: dict[str, str | None] = {}
        """The lines that workers have left, each with the first that did."""
        self._next_plain = self._started + PLAIN_SECONDS
        self._screen: Screen | None = None
        self._hidden = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="omnibench-live")

    @property
    @abstractmethod
    def _on_terminal(self) -> bool:
        """Whether to draw a block, because somebody watches."""

    @property
    @abstractmethod
    def _processes(self) -> int:
        """How many workers compute items."""

    def _start_watching(self) -> None:
        self._thread.start()

    def _end_watching(self) -> None:
        self._ending.set()
        self._thread.join(timeout=10)

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
        self._note_beginnings(workers)
        if self._on_terminal:
            self._screen.show([f"omnibench {self._tally}; {self._times()}", *map(self._line, workers)])
        elif time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + PLAIN_SECONDS
            lines = "; ".join(self._line(worker).strip() for worker in workers)
            self._screen.say(f"omnibench: {self._tally}; {self._times()}" + (f"; {lines}" if lines else ""))

    def _workers(self) -> list[Record]:
        """Return the records of this run's workers that compute something and are alive, by name."""
        prefix = RecordType.WORKER.key(self._run_id)
        try:
            workers = read(self._directory / "store", lambda reader: [record for _, record in reader.records(prefix)])
        except (StoreError, OSError):
            return []
        alive = (
            worker for worker in workers if worker["item"] and is_held(self._directory / worker["lock"]) is not None
        )
        return sorted(alive, key=lambda worker: str(worker["id"]))

    def _notices(self) -> None:
        """Show the lines that workers have left in the log: their own stderr would write into the block."""
        for entry in entries(self._directory, self._run_id, NOTICE, self._last_entry):
            self._last_entry = entry.id
            first = self._noticed.setdefault(entry.message, entry.worker)
            if self._screen is not None and first == entry.worker:  # of an algorithm, each says the same
                self._screen.say(f"omnibench: {entry.message}")

    def _note_beginnings(self, workers: list[Record]) -> None:
        """Note since when each worker is at its item, and at its phase."""
        current = time.monotonic()
        earlier, begun = self._since, self._begun
        self._since, self._begun = {}, {}
        for worker in workers:
            name, item, activity = worker["id"], worker["item"], (worker["item"], worker["phase"])
            since, start = earlier.get(name), begun.get(name)
            self._since[name] = since if since is not None and since[0] == activity else (activity, current)
            self._begun[name] = start if start is not None and start[0] == item else (item, current)

    def _line(self, worker: Record) -> str:
        name = worker["id"].split(".")[1] + (f" on {worker['at']}" if worker.get("at") else "")
        progress = progress_text(worker.get("progress") or {}) + silence_text(worker.get("silence") or {})
        elapsed = clock(time.monotonic() - self._since[worker["id"]][1])
        item = self._tally.labels.get(worker["item"], worker["item"])
        snapshot = f" ({newest_text(worker['snapshot'])})" if worker.get("snapshot") else ""
        # A narrow terminal cuts the end.
        return f"  {name}: {worker['phase']}{progress}, {elapsed}: {item}{snapshot}"

    def _times(self) -> str:
        current = time.monotonic()
        running = {item: current - start for item, start in self._begun.values()}
        return f"{clock(current - self._started)} elapsed, {self._tally.time_left(running, self._processes)}"


def progress_text(progress: dict[str, Any]) -> str:
    """Return how far a phase is, e.g. ``, trial 5 of 30, best so far NDCG@10 0.3121, epoch 3 of 20, loss 0.41``.

    Args:
        progress: What a search says of its trials, and what a framework or a user's class reports of itself.
    """
    words, remaining = [], {name: value for name, value in progress.items() if value is not None}
    for noun, total in (("trial", "trials"), ("epoch", "epochs"), ("iteration", "iterations")):
        if {noun, total} <= remaining.keys():
            words.append(f"{noun} {remaining.pop(noun)} of {remaining.pop(total)}")
        elif noun in remaining and noun != "iteration":  # what is no count of them all stays where it is
            words.append(f"{noun} {remaining.pop(noun)}")
        if noun == "trial" and words:
            metric, best = remaining.pop("metric", ""), remaining.pop("best", None)
            words += (
                [] if best is None else [f"best so far {metric} {f'{best:.4f}' if isinstance(best, float) else best}"]
            )
    words += [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in remaining.items()
    ]
    return "".join(f", {word}" for word in words)


def silence_text(silence: Mapping[str, Any]) -> str:
    """Return for how long a guest has given no sign of life, e.g. ``, no answer for 40 s (its process is stopped)``."""
    if not silence:
        return ""
    return f", no answer for {silence['seconds']} s" + (" (its process is stopped)" if silence["stopped"] else "")


def estimates_in(directory: Path, *, untouched: bool = False) -> Estimates:
    """Return how long items are expected to take, by the records of earlier ones; none when they cannot be read.

    Args:
        directory: The checkpoint directory.
        untouched: Whether nothing may be written there, not even what SQLite keeps beside its database.
    """
    with contextlib.suppress(StoreError, OSError):
        return read(directory / "store", estimates_from, untouched=untouched)
    return Estimates()
