"""Memory for Fits: one that needs more than is free waits for the others, and is refused where it would not fit alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from omnibench.engine.policy import IGNORE, Policy
from omnibench.engine.requirements import Requirements
from omnibench.engine.stopping import Stopping
from omnibench.errors import PhaseError
from omnibench.experiment.experiment import Experiment
from omnibench.limits import address_limit
from omnibench.memory import available_memory, memory_capacity
from omnibench.proc import rss_of
from omnibench.runners.pool import Guests
from omnibench.runners.requirements import Requirement
from omnibench.sizes import size_text
from omnibench.store.beneath import LinkedFileError
from omnibench.store.reservations import COMPUTES, IDLES, WAITS, Reservation, Reservations
from omnibench.store.schema import Phase

_LOOK_SECONDS = 0.25
_REST_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
"""So long memory is waited for that no Fit of ours has: others may give it back, or never do."""

_NO_ACCOUNT = (OSError, LinkedFileError)
"""What keeps reservations from being written; no result depends on them."""

_SMALL = 1 / 64
"""A Fit that needs less than this share of all memory, beside what its guest has already, is not accounted for."""


class FitMemory:
    """The memory that one worker's Fits need, among those of all workers of the store on this machine.

    Args:
        reservations: The reservations of the worker.
        requirements: How much Fits need.
        guests: The worker's guests, which are ended where their memory is needed.
        policy: Says how much there may be.
        stopping: Whether the run was asked to stop.
        log: Called with a level and a line for the log of the run.
    """

    def __init__(
        self,
        reservations: Reservations,
        requirements: Requirements,
        guests: Guests,
        policy: Policy,
        stopping: Stopping,
        log: Callable[[int, str], None],
    ) -> None:
        self._reservations = reservations
        self._requirements = requirements
        self._guests = guests
        self._policy = policy
        self._stopping = stopping
        self._log = log
        self._limit = policy.memory_limit
        self._has_reserved = False
        self._rests_until = 0.0
        self._item = ""

    @contextmanager
    def reserved(self, experiment: Experiment, show: Callable[[str], None]) -> Iterator[None]:
        """Hold the memory of a Fit, waiting for it first if need be.

        Args:
            experiment: What is fitted.
            show: Called with what is waited for, and with nothing when that is over.

        Raises:
            PhaseError: It would not fit alone.
            StoppedError: The run was asked to stop meanwhile.
        """
        is_ours = self._policy.memory != IGNORE and self._guests.are_here
        requirement = self._requirements.of(experiment) if is_ours else None
        capacity = self._capacity
        if requirement is None or capacity is None:
            yield
            return
        self._refuse_if_larger(experiment, requirement, capacity)
        self._item, self._rests_until = experiment.label, 0.0
        if requirement.size - self._guest_memory(experiment) < _SMALL * capacity:
            if self._has_reserved:
                self._put(COMPUTES)
            yield
            return
        self._wait(experiment, requirement, capacity, show)
        try:
            yield
        finally:
            self._put(COMPUTES)

    def begun(self, guest: int) -> None:
        """Note which process takes what is reserved.

        Args:
            guest: Its process id.
        """
        if self._has_reserved:
            with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
                own = board.own
                if own is not None:
                    board.put(own.state, own.item, own.size, guest)

    def learn(self, experiment: Experiment, answer: dict[str, Any]) -> None:
        """Note what a Fit has needed; see ``Requirements.learn``."""
        if self._policy.memory != IGNORE:
            self._requirements.learn(experiment, answer["effective"], answer.get("peak_rss"))

    def rest(self) -> None:
        """Note that nothing is computed; give back what idle guests have if another worker waits for it.

        To be called again and again by a worker that waits for others: they may wait for its memory. It looks once a second.
        """
        if not self._has_reserved or time.monotonic() < self._rests_until:
            return
        is_awaited, self._rests_until = False, time.monotonic() + _REST_SECONDS
        with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
            board.put(IDLES)
            is_awaited = any(entry.state == WAITS for entry in board.of_others)
        if is_awaited:
            self._guests.end_idle()

    def leave(self) -> None:
        """Give back everything."""
        if self._has_reserved:
            self._has_reserved = False
            with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
                board.remove()

    @cached_property
    def _capacity(self) -> int | None:
        """The bytes that a Fit may have when it is alone; None where nobody knows."""
        address_space = address_limit()
        amounts = [memory_capacity(), self._limit, None if address_space is None else address_space.maximum]
        return min((amount for amount in amounts if amount is not None), default=None)

    def _refuse_if_larger(self, experiment: Experiment, requirement: Requirement, capacity: int) -> None:
        if requirement.size > capacity:
            noun = "may be used (--omnirec-memory)" if capacity == self._limit else "are here"
            raise _refusal(experiment, requirement, f"{size_text(capacity)} {noun}")

    def _guest_memory(self, experiment: Experiment) -> int:
        return rss_of(self._guests.get(*experiment.guest).pid) if self._guests.is_alive(*experiment.guest) else 0

    def _wait(
        self, experiment: Experiment, requirement: Requirement, capacity: int, show: Callable[[str], None]
    ) -> None:
        self._has_reserved = True
        began, is_shown, patience = time.monotonic(), "", _PATIENCE_SECONDS
        try:
            while True:
                has = self._guest_memory(experiment)
                with self._reservations.changed() as board:
                    room = self._room(board.of_others, has)
                    if room is None or requirement.size <= room:
                        board.put(COMPUTES, self._item, requirement.size)
                        return
                    board.put(WAITS, self._item)
                    holders = [entry for entry in board.of_others if entry.state == COMPUTES]
                if self._guests.end_idle():
                    continue  # what they had is free now
                words = f"waiting for {size_text(requirement.size)} of memory"
                words += f", which {holders[0].holder} has" if holders else ""
                if words != is_shown:
                    show(words)
                    self._log(logging.INFO, f"{words}; {size_text(max(0, room))} are free")
                    is_shown = words
                patience = _PATIENCE_SECONDS if holders else patience - _LOOK_SECONDS
                if patience < 0:
                    self._put(IDLES)
                    raise _refusal(
                        experiment, requirement, f"of {size_text(capacity)} only {size_text(max(0, room))} are free"
                    )
                self._stopping.check()
                time.sleep(_LOOK_SECONDS)
        except _NO_ACCOUNT as error:  # no result depends on it
            self._log(logging.WARNING, f"memory is not accounted for: {error}")
        finally:
            if is_shown:
                show("")
                self._log(logging.INFO, f"waited {time.monotonic() - began:.1f} s for memory")

    def _room(self, reservations: list[Reservation], has: int) -> int | None:
        """Return the bytes that a Fit may have in all now, with those that its guest has; None where nobody knows."""
        available = available_memory()
        rooms = [] if available is None else [available + has - sum(entry.outstanding for entry in reservations)]
        if self._limit is not None:
            rooms.append(self._limit - sum(max(entry.size, entry.has) for entry in reservations))
        return min(rooms, default=None)

    def _put(self, state: str) -> None:
        with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
            guest = board.own.guest if board.own is not None else 0
            board.put(state, self._item, 0, guest)


def _refusal(experiment: Experiment, requirement: Requirement, capacity: str) -> PhaseError:
    return PhaseError(
        Phase.FIT.value,
        f"{experiment.configuration.name} on {requirement.reason} needs about {size_text(requirement.size)} of memory, and "
        f"{capacity}; it was not begun. That is estimated {requirement.basis}: fit it on a machine with more, or on less data "
        "(CorePruning, a sample), or with --omnirec-memory=ignore (in a script Policy(memory='ignore')) to try it all the same.",
    )
