"""Resources for Fits: one that needs more than is free waits for the others, and is refused where it would not fit alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.engine.fit_needs import (
    asked_of_cluster,
    asks,
    machine_capacity,
    memory_of_one,
    memory_words,
    needed_memory,
    needs_of,
    refusal,
)
from omnibench.engine.policy import IGNORE, Policy
from omnibench.engine.requirements import Requirements
from omnibench.engine.stopping import Stopping
from omnibench.errors import GuestError
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.resources import Resources, cores_text, gpus_text
from omnibench.memory import available_memory, free_swap
from omnibench.proc import rss_of
from omnibench.runners.machine import gpus
from omnibench.runners.pool import Guests
from omnibench.runners.requirements import Requirement
from omnibench.sizes import size_text
from omnibench.store.admission import CORES, MEMORY, Capacity, Needs, Obstacle, dealt_gpus, obstacle
from omnibench.store.beneath import LinkedFileError
from omnibench.store.reservations import IDLES, WAITS, Reservation, Reservations

if TYPE_CHECKING:  # which runs on this machine do not need
    from omnibench.cluster.cluster import Cluster

_LOOK_SECONDS = 0.25
_REST_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
"""So long memory is waited for that no Fit of ours has: others may give it back, or never do; then they are swapped out."""

_NO_ACCOUNT = (OSError, LinkedFileError)
"""What keeps reservations from being written; no result depends on them."""

_FOR_ONE = 0.85
"""The share of all memory that a Fit may hope for when it is alone: the system and our own processes have some."""

_SMALL = 1 / 64
"""A Fit that needs less than this share of all memory, beside what its guest has already, is not accounted for."""


class FitResources:
    """What one worker's Fits have of this machine, among those of all workers of the store on it.

    Args:
        reservations: The reservations of the worker.
        requirements: How much memory Fits need.
        guests: The worker's guests, which are ended where their memory is needed.
        policy: Says how much memory there may be.
        stopping: Whether the run was asked to stop.
        log: Called with a level and a line for the log of the run.
        share: How many cores the worker has, of which a Fit makes use that asks for no other number.
        counts_all: Whether all Fits of the run have to be counted, however small; see ``expect``.
        cluster: Where Fits run; on this machine by default.

    Attributes:
        counts_all: The same.
    """

    def __init__(
        self,
        reservations: Reservations,
        requirements: Requirements,
        guests: Guests,
        policy: Policy,
        stopping: Stopping,
        log: Callable[[int, str], None],
        share: float = 1.0,
        counts_all: bool = False,
        cluster: Cluster | None = None,
    ) -> None:
        self._reservations = reservations
        self._requirements = requirements
        self._guests = guests
        self._policy = policy
        self._stopping = stopping
        self._log = log
        self._share = share
        self.counts_all = counts_all
        self._cluster = cluster
        self._has_reserved = False
        self._rests_until = 0.0
        self._item = ""
        self._raised: dict[str, int] = {}

    def expect(self, experiments: Iterable[Experiment]) -> None:
        """Note what the run computes: where one of them asks for cores, all others have to be counted, however small.

        Args:
            experiments: All experiments of the run.
        """
        self.counts_all = any(map(asks, experiments))

    @contextmanager
    def reserved(self, experiment: Experiment, show: Callable[[str], None]) -> Iterator[None]:
        """Hold what a Fit needs, waiting for it first if need be.

        Args:
            experiment: What is fitted.
            show: Called with what is waited for, and with nothing when that is over.

        Raises:
            PhaseError: It would not fit alone.
            StoppedError: The run was asked to stop meanwhile.
        """
        if not self._guests.are_here:  # the machine that they are on is not ours to deal out
            yield
            return
        requirement = needed_memory(experiment, self._requirements, self._policy, self._raised)
        if requirement is not None and self._capacity_of_one is not None:
            if requirement.size > self._capacity_of_one:
                raise refusal(experiment, requirement, memory_words(self._capacity_of_one, self._policy))
            small = _SMALL * self._capacity_of_one
            is_small = requirement.size < small or requirement.size - self._guest_memory(experiment) < small
        else:
            is_small = True
        needs = needs_of(experiment, None if is_small else requirement, self._policy, self._share)
        self._item, self._rests_until = experiment.label, 0.0
        if self._is_beside_the_point(needs):
            self._finish()
            yield
            return
        self._wait(experiment, requirement, needs, show)
        try:
            yield
        finally:
            self._finish()

    def begun(self, guest: int) -> None:
        """Note which process takes what is reserved.

        Args:
            guest: Its process id.
        """
        if self._has_reserved:
            with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
                board.note_guest(guest)

    def learn(self, experiment: Experiment, answer: dict[str, Any]) -> None:
        """Note what a Fit has needed; see ``Requirements.learn``."""
        if self._policy.memory != IGNORE:
            self._requirements.learn(experiment, answer["effective"], answer.get("peak_rss"))

    def asked_of_cluster(self, experiment: Experiment) -> Resources:
        """Return what a Fit is to have of a machine of a cluster; see the function of this name.

        What Fits of its algorithm with as much to do were measured to need counts where it says nothing itself.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        if self._cluster is None:
            return experiment.resources
        memory = self._raised.get(experiment.fit_key)
        if memory is None and experiment.resources.memory is None and self._policy.memory != IGNORE:
            requirement = self._requirements.of(experiment)
            if requirement is not None and requirement.is_measured:
                memory = self._cluster.raised_memory(requirement.size)
        return asked_of_cluster(experiment, self._policy, self._cluster, memory)

    def raise_memory(self, experiment: Experiment, error: GuestError) -> str:
        """Have a Fit that was killed for memory be tried once more with twice as much, where there is as much.

        Args:
            experiment: What was fitted.
            error: How it ended.

        Returns:
            What is done about it, in words; nothing where it is not to be tried again.
        """
        if not error.for_memory or self._policy.memory == IGNORE or experiment.fit_key in self._raised:
            return ""
        requirement = needed_memory(experiment, self._requirements, self._policy)
        peak = (error.costs or {}).get("peak_rss")
        had = max(0 if requirement is None else requirement.size, peak if isinstance(peak, int) else 0)
        if self._cluster is not None:
            had = max(had, self._cluster.usual_memory(self.asked_of_cluster(experiment)) or 0)
        most = self._capacity_of_one
        memory = 2 * had if most is None else min(2 * had, int(most * _FOR_ONE))
        if memory <= had or self._is_beyond_cluster(experiment, memory):
            return ""
        self._raised[experiment.fit_key] = memory
        amount = "twice as much" if memory == 2 * had else "as much as one can have here"
        return f"its Fit was killed for want of memory; it is tried once more with {size_text(memory)}, {amount}"

    def _is_beyond_cluster(self, experiment: Experiment, memory: int) -> bool:
        """Whether no machine of the cluster ever had so much memory for a Fit: for one that is lost, as with it, it waits."""
        if self._cluster is None:
            return False
        return self._cluster.is_beyond(asked_of_cluster(experiment, self._policy, self._cluster, memory))

    def wait_for_others(self) -> None:
        """Keep nothing that those could need for whom this worker waits; to be called again and again while it does."""
        self._guests.leave()
        self.rest()

    def rest(self) -> None:
        """Note that nothing is computed; give back what idle guests have if another worker waits for it.

        It looks once a second, as often as it is called.
        """
        if not self._has_reserved or time.monotonic() < self._rests_until:
            return
        is_awaited, is_contested, self._rests_until = False, False, time.monotonic() + _REST_SECONDS
        with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
            cards = board.own.cards if board.own is not None else ()
            board.put(IDLES)
            is_awaited = any(entry.state == WAITS and (entry.size or entry.gpus) for entry in board.of_others)
            is_contested = len(cards) * len(board.entries) > len(gpus())
        if is_awaited:
            self._guests.end_idle()
        elif is_contested:  # the next Fit on these GPUs may be another worker's
            self._guests.end_idle(only_gpus=True)

    def leave(self) -> None:
        """Give back everything."""
        if self._has_reserved:
            self._has_reserved = False
            with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
                board.remove()

    @cached_property
    def _capacity(self) -> Capacity:
        return machine_capacity(self._policy)

    @cached_property
    def _capacity_of_one(self) -> int | None:
        return memory_of_one(self._policy) if self._guests.are_here else None

    def _is_beside_the_point(self, needs: Needs) -> bool:
        """Whether a Fit keeps nobody waiting, and waits for nobody, so that no file is written for it."""
        if needs.memory or needs.asks_cores or needs.gpus or self.counts_all:
            return False
        try:
            return not self._reservations.are_asked_for()
        except _NO_ACCOUNT:
            return True

    def _guest_memory(self, experiment: Experiment) -> int:
        return rss_of(self._guests.get(*experiment.guest).pid) if self._guests.is_alive(*experiment.guest) else 0

    def _wait(
        self,
        experiment: Experiment,
        requirement: Requirement | None,
        needs: Needs,
        show: Callable[[str], None],
    ) -> None:
        self._has_reserved = True
        began, is_shown, patience, swaps = time.monotonic(), "", _PATIENCE_SECONDS, False
        try:
            while (wait := self._begin_or_wait(needs, self._guest_memory(experiment), swaps)) is not None:
                if wait.lacks_memory and self._guests.end_idle():
                    continue  # what they had is free now
                if wait.words != is_shown:
                    show(wait.words)
                    self._log(logging.INFO, f"{wait.words}{wait.remark}")
                    is_shown = wait.words
                patience = patience - _LOOK_SECONDS if wait.is_for_strangers else _PATIENCE_SECONDS
                if patience < 0 and requirement is not None:
                    self._count_on_swap(experiment, requirement, wait.room)
                    swaps = True
                    continue
                self._stopping.check()
                time.sleep(_LOOK_SECONDS)
        except _NO_ACCOUNT as error:  # no result depends on it
            self._log(logging.WARNING, f"resources are not accounted for: {error}")
        except BaseException:  # or those that came later would wait for this one
            with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
                board.put(IDLES)
            raise
        finally:
            if is_shown:
                show("")
                self._log(logging.INFO, f"waited {time.monotonic() - began:.1f} s for resources")

    def _begin_or_wait(self, needs: Needs, has: int, swaps: bool) -> _Wait | None:
        """Reserve what a Fit needs, and return None; or what it waits for.

        Args:
            needs: What it needs.
            has: The bytes that its guest has already.
            swaps: Whether other programs may have the memory, since they can be swapped out.
        """
        with self._reservations.changed() as board:
            computing, ahead = board.computing, board.ahead
            room = None if swaps else self._room(board.of_others, has)
            hindrance = obstacle(needs, self._capacity, computing, ahead, room)
            if hindrance is None:
                dealt = dealt_gpus(needs.gpus, gpus(), computing, ahead, self._guests.gpu)
                if not isinstance(dealt, Obstacle):
                    board.begin(self._item, needs, dealt)
                    if dealt:  # which its guests are shown
                        self._guests.use_gpus(dealt)
                    return None
                hindrance = dealt
            board.wait(self._item, needs)
        return _Wait(hindrance, _waiting_words(needs, hindrance, computing, ahead), room)

    def _count_on_swap(self, experiment: Experiment, requirement: Requirement, room: int | None) -> None:
        """Let a Fit begin where other programs have what it needs and the disk has room for them: a laptop with a browser."""
        swap = free_swap() if self._policy.memory_limit is None else 0  # what we may have in all is no more with swap
        free = f"of {size_text(self._capacity_of_one or 0)} only {size_text(max(0, room or 0))} are free"
        if requirement.size > max(0, room or 0) + swap:
            raise refusal(experiment, requirement, f"{free}{f', and {size_text(swap)} of swap' if swap else ''}")
        self._log(
            logging.WARNING,
            f"begins with {size_text(requirement.size)} of memory, though {free}: other programs have to go to the swap, "
            f"where {size_text(swap)} are free, so this may be slow",
        )

    def _room(self, reservations: list[Reservation], has: int) -> int | None:
        """Return the bytes that a Fit may have in all now, with those that its guest has; None where nobody knows."""
        available, limit = available_memory(), self._policy.memory_limit
        rooms = [] if available is None else [available + has - sum(entry.outstanding for entry in reservations)]
        if limit is not None:
            sizes = (max(entry.size, entry.has) for entry in reservations if entry.state != WAITS)
            rooms.append(limit - sum(sizes))
        return min(rooms, default=None)

    def _finish(self) -> None:
        """Give back memory and cores; GPUs are kept until the item has ended, which predicts on them."""
        if self._has_reserved:
            with suppress(*_NO_ACCOUNT), self._reservations.changed() as board:
                board.finish(self._item)


class _Wait(NamedTuple):
    """What a Fit waits for.

    Attributes:
        hindrance: What keeps it from beginning.
        words: The same for people.
        room: The bytes that are free; None where nobody knows.
    """

    hindrance: Obstacle
    words: str
    room: int | None

    @property
    def lacks_memory(self) -> bool:
        """Whether there is too little memory for it now, whoever came before it."""
        return self.hindrance.resource == MEMORY and not self.hindrance.has_come_before

    @property
    def is_for_strangers(self) -> bool:
        """Whether no Fit of ours has what it lacks."""
        return self.lacks_memory and self.hindrance.position < 0

    @property
    def remark(self) -> str:
        """What the log has behind the words."""
        return f"; {size_text(max(0, self.room))} are free" if self.lacks_memory and self.room is not None else ""


def _waiting_words(needs: Needs, hindrance: Obstacle, computing: list[Reservation], ahead: list[Reservation]) -> str:
    """Return what a Fit waits for, and whom."""
    amounts = {MEMORY: f"{size_text(needs.memory)} of memory", CORES: cores_text(needs.cores)}
    words = f"waiting for {amounts.get(hindrance.resource, gpus_text(needs.gpus))}"
    if hindrance.has_come_before:
        return f"{words}, behind {ahead[hindrance.position].holder}, which waits longer"
    return words if hindrance.position < 0 else f"{words}, which {computing[hindrance.position].holder} has"
