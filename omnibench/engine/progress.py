"""The progress of an attempt: its phase and the time it takes, reported to the worker's record and to the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from omnibench.engine.failures import phase_errors
from omnibench.engine.phases import Guest
from omnibench.engine.workbench import Workbench
from omnibench.errors import GuestError
from omnibench.experiment.experiment import Experiment
from omnibench.guest.base import Meter
from omnibench.runners.registry import RunnerInfo
from omnibench.store.schema import Phase


class Progress:
    """Measures the phases of an attempt, and reports them to the worker's record and to the log.

    Args:
        workbench: The workbench that all attempts of the process share.
        experiment: The experiment.

    Attributes:
        phase: The phase that it is in.
        seconds: Wall time of each phase that ran.
    """

    def __init__(self, workbench: Workbench, experiment: Experiment) -> None:
        self.phase = Phase.PREPARE
        self.seconds: dict[str, float] = {}
        self._workbench = workbench
        self._experiment = experiment

    def enter(self, phase: Phase) -> None:
        """Report that a phase begins."""
        self.phase = phase
        self._workbench.worker.note_phase(self._experiment.name, phase.value)

    def leave(self) -> None:
        """Report that the attempt has ended."""
        self._workbench.worker.note_phase(None)

    @contextmanager
    def timed(self, phase: Phase) -> Iterator[Meter]:
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
        meter = Meter(self._workbench.policy.track)
        started = time.perf_counter()
        try:
            with phase_errors(phase.value), self._discarding_dead_guests():
                yield meter
        finally:
            meter.stop()
            self.seconds[phase.value] = time.perf_counter() - started
        self.log(logging.INFO, f"{phase} took {self.seconds[phase.value]:.3f} s")

    @contextmanager
    def _discarding_dead_guests(self) -> Iterator[None]:
        try:
            yield
        except GuestError:
            if not self._workbench.guests.is_alive(*self.runner):
                self._workbench.guests.discard(*self.runner)
            raise

    @property
    def runner(self) -> tuple[RunnerInfo, str]:
        """The framework and the device class of the experiment's guest."""
        return self._experiment.configuration.runner, self._experiment.device

    def guest(self, phase: Phase) -> Guest:
        """Return the guest for a phase; while it starts, report that."""
        guests, worker = self._workbench.guests, self._workbench.worker
        if not guests.is_alive(*self.runner):
            worker.note_phase(self._experiment.name, f"starting {self.runner[0].name} for {phase}")
        guest = guests.get(*self.runner)
        worker.note_phase(self._experiment.name, phase.value)
        return guest

    def log(self, level: int, message: str) -> None:
        """Add an entry to the log of the run."""
        self._workbench.worker.log.add(level, "omnibench", message, self._experiment.name)
