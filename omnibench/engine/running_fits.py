"""Asking running Fits for a snapshot, from another process: which there are, and what comes of it.

Whoever is asked answers (``engine.asking``). Who has died, has ended its Fit without having heard, or takes too long does
not, which is seen here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibench.engine.asking import Answer, Outcome
from omnibench.store.reading import read
from omnibench.store.requests import Target, placed_request, read_answer
from omnibench.store.schema import Phase, Record, RecordType
from omnibench.store.search_words import seconds_text
from omnibench.store.states import is_alive

_FITTING = (Phase.FIT.value, Phase.TUNE.value)
"""What a worker's phase ends with while it fits, or waits for the guest that will; a search fits one trial after another."""

_ANSWERS_SECONDS = 0.1
_RECORDS_SECONDS = 1.0
"""How often answers and the records of workers are looked at."""

_LAST_WORDS_SECONDS = 3.0
"""So long a worker whose Fit has ended may need to answer a request that it has heard."""

_PATIENCE_SECONDS = 5.0
"""After so long, who waits is told for what."""


@dataclass(frozen=True, slots=True)
class RunningFit:
    """A worker that is in the middle of a Fit.

    Attributes:
        worker: The worker's id.
        item: The name of the item.
        phase: What the worker says that it is in: ``Fit``, ``Tune`` or what it waits for.
        progress: What the framework last reported, e.g. ``{"epoch": 3, "epochs": 20}``.
    """

    worker: str
    item: str
    phase: str
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trial(self) -> int | None:
        """The number of the trial that a search is at, where it says so."""
        trial = self.progress.get("trial")
        return trial if type(trial) is int else None


def active_workers(root: Path, records: Iterable[Record]) -> list[RunningFit]:
    """Return what living workers that are at an item are doing, in the order of its names; also other phases than Fit.

    Args:
        root: The store's directory.
        records: The records of workers.
    """
    active = [
        RunningFit(record["id"], record["item"], record["phase"], record.get("progress") or {})
        for record in records
        if record["item"] and record["phase"] and is_alive(root, record)
    ]
    return sorted(active, key=lambda fit: (fit.item, fit.worker))


def is_fitting(phase: str | None) -> bool:
    """Whether a worker that says that it is in a phase can be asked for a snapshot."""
    return bool(phase) and str(phase).endswith(_FITTING)


def ask(
    root: Path,
    fits: Sequence[RunningFit],
    timeout: float | None = None,
    on_wait: Callable[[Sequence[RunningFit]], None] = lambda _: None,
) -> Iterator[tuple[RunningFit, Answer]]:
    """Ask running Fits for a snapshot, and yield what comes of it, one as soon as it has answered.

    Args:
        root: The store's directory.
        fits: The Fits.
        timeout: Seconds to wait for the answers; None for as long as it takes.
        on_wait: Called once, after some seconds, with those that have not answered.

    Raises:
        StoreError: The store cannot be written, or its records cannot be read.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    patience = time.monotonic() + _PATIENCE_SECONDS
    waiting = dict(enumerate(fits))
    with placed_request(root, [Target(fit.worker, fit.item) for fit in fits]) as token:
        watch = _Watch(root)
        while waiting:
            watch.look(waiting)
            is_late = time.monotonic() >= deadline
            for position, fit in list(waiting.items()):
                plain = read_answer(root, token, position)
                answer = None if plain is None else Answer.of_plain(plain)
                answer = answer or watch.last_words(position) or (_late(timeout or 0.0) if is_late else None)
                if answer is not None:
                    del waiting[position]
                    yield fit, answer
            if waiting and time.monotonic() >= patience:
                patience = math.inf
                on_wait(list(waiting.values()))
            if waiting:
                time.sleep(_ANSWERS_SECONDS)


class _Watch:
    """Sees which workers do not answer any more, because they are at something else or have died.

    Args:
        root: The store's directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._next_look = time.monotonic() + _RECORDS_SECONDS
        self._left: dict[int, tuple[float, Answer]] = {}
        """By position: since when a worker is seen to be at something else, and what is to be said of it."""

    def look(self, waiting: Mapping[int, RunningFit]) -> None:
        """Look at the workers that have not answered, by position; once a second at most."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _RECORDS_SECONDS
        prefix = RecordType.WORKER.prefix
        workers = read(
            self._root / "store", lambda reader: {record["id"]: record for _, record in reader.records(prefix)}
        )
        for position, fit in waiting.items():
            record = workers.get(fit.worker)
            if record is None or (record["ended"] is None and not is_alive(self._root, record)):
                died = Answer(Outcome.STOPPED, "its process has died without a snapshot")
                self._left[position] = (-math.inf, died)  # it has answered before that, or never does
            elif record["item"] != fit.item or not is_fitting(record["phase"]):
                ended = Answer(Outcome.ENDED, "its Fit has ended before a snapshot could be taken")
                self._left.setdefault(position, (time.monotonic(), ended))

    def last_words(self, position: int) -> Answer | None:
        """Return what has become of a worker from which no answer is to come any more; None while one is."""
        since, answer = self._left.get(position, (math.inf, None))
        return answer if time.monotonic() >= since + _LAST_WORDS_SECONDS else None


def _late(timeout: float) -> Answer:
    return Answer(Outcome.LATE, f"no snapshot within {seconds_text(timeout)}; ask again, and wait longer")
