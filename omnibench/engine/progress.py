"""The progress of an attempt: its phase and what that costs, reported to the worker's record and to the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from omnibench.engine.failures import phase_errors
from omnibench.engine.workbench import Workbench
from omnibench.errors import GuestError, PhaseError, PrunedError
from omnibench.experiment.experiment import Experiment
from omnibench.guest.meter import Meter
from omnibench.runners.info import RunnerInfo
from omnibench.runners.replies import AnsweringGuest
from omnibench.sizes import size_text
from omnibench.store.schema import COSTS, START, Phase, RecordLookup, RecordType, Status
from omnibench.store.superseded import OWN, phase_words

_OF_GUESTS = (Phase.FIT, Phase.PREDICT)
"""The phases of which guests measure the costs."""


class PhaseMeter:
    """Measures what a phase costs: the guest does where it computes, this process where it computes itself.

    The time that a guest takes to start is no part of any phase's seconds: the first item of a framework would seem to
    be the slowest, and the same Fit would take longer in a run of its own than in a run of many.

    Args:
        track: The memory peaks to measure; see ``guest.meter.Meter``.

    Attributes:
        costs: What was measured when the phase had ended, by the names of ``COSTS``; None until then.
        start_seconds: Wall seconds of waiting for a guest to start.
        threads: The number of the guest's threads, or None while no guest computes.
    """

    def __init__(self, track: Sequence[str]) -> None:
        self.costs: Mapping[str, Any] | None = None
        self.start_seconds = 0.0
        self.threads: int | None = None
        self._track = track
        self._began = time.perf_counter()
        self._meter: Meter | None = None

    def start(self) -> None:
        """Begin to measure this process."""
        self._meter = Meter(self._track)

    def stop(self) -> None:
        """Stop measuring this process."""
        if self._meter is not None:
            self._meter.stop()

    def read(self) -> Mapping[str, Any]:
        """Return what this process has measured, which are the phase's costs."""
        assert self._meter is not None, "it was started"
        self.costs = self._meter.read()
        return self.costs

    def answered(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Take a guest's answer, whose costs are those of the phase; return it with ``start_seconds``."""
        self.costs = answer
        return {**answer, "start_seconds": self.start_seconds}

    def stopped(self, phase: Phase, measured: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what a phase has cost that came to nothing, as far as anybody knows.

        Args:
            phase: The phase.
            measured: What the guest has measured, or None.
        """
        own = self._meter.read() if phase is Phase.EVAL and self._meter is not None else {}
        seconds = time.perf_counter() - self._began - self.start_seconds
        costs = {name: value for name, value in (measured or {}).items() if name in COSTS and value is not None}
        return {"seconds": seconds, **own, **costs, "start_seconds": self.start_seconds, "threads": self.threads}


class Progress:
    """Measures the phases of an attempt, and reports them to the worker's record and to the log.

    Args:
        workbench: The workbench that all attempts of the process share.
        experiment: The experiment.
        get: From a record's key to the record, or None; the store's by default.

    Attributes:
        item: The name of the item; of a trial that of the tuned item.
        phase: The phase that it is in.
        seconds: Wall seconds of each phase that ran, as its record has them, and under ``START`` those of waiting for a
            guest to start.
    """

    def __init__(self, workbench: Workbench, experiment: Experiment, get: RecordLookup | None = None) -> None:
        self.phase = Phase.PREPARE
        self.seconds: dict[str, float] = {}
        self._meter = PhaseMeter(workbench.policy.track)
        self._workbench = workbench
        self._experiment = experiment
        self.item = experiment.name
        self._get = get or workbench.store.records.get
        self._asked = workbench.resources.asked_of_cluster(experiment)

    @property
    def label(self) -> str:
        """What people call the item."""
        return self._experiment.label

    @property
    def shares_trials(self) -> bool:
        """Whether the trials of the item are those of all folds."""
        search = self._experiment.search
        return search is not None and not search.tuning.per_fold

    @property
    def was_left(self) -> bool:
        """Whether an earlier attempt at the item has ended before the item was done, also without a word."""
        record = self._get(RecordType.ITEM.key(self._experiment.fit_key)) or {}
        stopped = record.get("status") in (Status.FAILED, Status.INTERRUPTED)
        return stopped or self.item in self._workbench.abandoned

    def enter(self, phase: Phase) -> None:
        """Report that a phase begins."""
        self.phase = phase
        self._meter = PhaseMeter(self._workbench.policy.track)
        self._workbench.worker.note_phase(self.item, phase.value)

    def stopped_costs(self, error: PhaseError | None = None) -> dict[str, Any]:
        """Return what the phase has cost that failed or was interrupted; see ``item_records.stopped_attempt``."""
        return self._meter.stopped(self.phase, None if error is None else error.costs)

    def leave(self) -> None:
        """Report that the attempt has ended."""
        self._workbench.worker.note_phase(None)

    @contextmanager
    def timed(self, phase: Phase) -> Iterator[PhaseMeter]:
        """Measure a phase, and raise its errors as PhaseError; see ``failures.phase_errors``.

        Raises:
            StoppedError: The run was asked to stop before the phase has begun.
        """
        if self.seconds:  # also when the run stops here: the phase before this one has ended and is recorded
            self.phase = phase
        self._workbench.stopping.check()
        self.enter(phase)
        if self.seconds:  # the phase before this is recorded now
            self._workbench.export_progress()
        meter = self._meter
        if phase not in _OF_GUESTS:
            meter.start()
        try:
            with (
                phase_errors(phase.value, self._workbench.store.root, self._workbench.elsewhere),
                self.discarding_dead_guests(),
            ):
                yield meter
            self.seconds[phase.value] = (meter.costs or meter.read())["seconds"]
        except (PhaseError, PrunedError) as error:
            self.seconds[phase.value] = meter.stopped(phase, error.costs)["seconds"]
            raise
        finally:
            meter.stop()
        self.say(phase_words(phase.value, self.seconds[phase.value]))

    @contextmanager
    def discarding_dead_guests(self) -> Iterator[None]:
        """End a guest that is dead, or at its limits: what it keeps open, the next one does not."""
        try:
            yield
        except GuestError as error:
            if error.short or not self._workbench.guests.is_alive(*self.runner):
                self._workbench.guests.discard(*self.runner)
            raise

    @property
    def runner(self) -> tuple[RunnerInfo, str, int]:
        """The framework, the device class and the number of threads of the experiment's guest."""
        return self._experiment.guest

    def guest(self, phase: Phase) -> AnsweringGuest:
        """Return the guest for a phase; while it, or a worker for it, is waited for, report that."""
        guests, worker = self._workbench.guests, self._workbench.worker
        guests.ask_for(self._asked.arguments, self.label, partial(self._show_wait, phase))
        if guests.is_alive(*self.runner):
            guest = guests.get(*self.runner)
        else:
            name = self.runner[0].name
            if not guests.has_worker:
                guests.await_worker()
            worker.note_phase(self.item, f"starting {name} for {phase}")
            began = time.perf_counter()
            try:
                guest = guests.get(*self.runner)
            finally:
                waited = time.perf_counter() - began
                self._meter.start_seconds += waited
                self.seconds[START] = self.seconds.get(START, 0.0) + waited
            self.log(logging.INFO, f"starting {name} took {waited:.3f} s")
            worker.note_phase(self.item, phase.value)
        self._meter.threads = guest.threads
        worker.note_host(guest.host)
        self._workbench.resources.begun(guest.pid)
        return guest

    def _show_wait(self, phase: Phase, words: str | None) -> None:
        """Report that a worker is waited for, and why none that is there will do; or that there is one."""
        reason = f"{words}; " if words else ""  # in front: what begins or waits for a phase ends with its name
        activity = phase.value if words is None else f"{reason}waiting for a worker for {phase}"
        self._workbench.worker.note_phase(self.item, activity)

    def fit(
        self, experiment: Experiment, phase: Phase, compute: Callable[[AnsweringGuest], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the answer of a Fit that has what it needs; one that is killed for memory is tried once more with more.

        Args:
            experiment: What is fitted: of a tuned item one of its trials, or what was chosen.
            phase: The phase that the guest is for.
            compute: Asks the guest for the Fit.

        Raises:
            GuestError: The framework failed, or its process died.
        """
        try:
            return self._fit(experiment, phase, compute)
        except GuestError as error:
            remedy = self._workbench.resources.raise_memory(experiment, error)
            if not remedy:
                raise
            self.log(logging.WARNING, f"{error}; {remedy}")
        self._workbench.say(f"{self.label}: {remedy}")
        self._workbench.guests.discard(*self.runner)
        return self._fit(experiment, phase, compute)

    def _fit(
        self, experiment: Experiment, phase: Phase, compute: Callable[[AnsweringGuest], dict[str, Any]]
    ) -> dict[str, Any]:
        self._asked = self._workbench.resources.asked_of_cluster(experiment)
        with self.resources_reserved(experiment):
            answer = compute(self.guest(phase))
        self._workbench.resources.learn(experiment, answer)
        said, peak = experiment.resources.memory, answer.get("peak_rss")
        if said is not None and peak and peak > said:
            name, needed = experiment.configuration.name, f"{size_text(peak)} of memory"
            self._workbench.say_once(
                f"{name} needed {needed}, more than the {size_text(said)} that it asks for (resources)"
            )
        return answer

    @contextmanager
    def resources_reserved(self, experiment: Experiment) -> Iterator[None]:
        """Hold what a Fit needs; waiting for it counts as waiting for its guest. See ``FitResources.reserved``.

        Args:
            experiment: What is fitted: of a tuned item one of its trials, or what was chosen.
        """
        began = time.perf_counter()
        has_waited = False

        def show(activity: str) -> None:
            nonlocal has_waited
            has_waited = True
            self._workbench.worker.note_phase(self.item, activity or self.phase.value)

        with self._workbench.resources.reserved(experiment, show):
            if has_waited:
                waited = time.perf_counter() - began
                self._meter.start_seconds += waited
                self.seconds[START] = self.seconds.get(START, 0.0) + waited
            yield

    def say(self, words: str) -> None:
        """Add words of omnibench's own to the log of the run, which have no secrets."""
        self._workbench.worker.log.add_own(logging.INFO, OWN, words, self.item)

    def log(self, level: int, message: str) -> None:
        """Add an entry to the log of the run."""
        self._workbench.worker.log.add(level, OWN, message, self.item)
