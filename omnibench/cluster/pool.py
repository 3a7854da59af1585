"""The guests of one worker thread of the submitting process, which run in a session on a worker of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.cluster.locations import Sessions
from omnibench.cluster.mailbox import Message
from omnibench.cluster.remote_guest import RemoteGuest
from omnibench.cluster.remote_session import RemoteSession
from omnibench.cluster.terms import GuestTerms
from omnibench.cluster.waits import Wait
from omnibench.errors import ClusterError, CutOffError, LostGuestError
from omnibench.experiment.resources import NOTHING_SAID, Resources
from omnibench.runners.machine import is_gpu

if TYPE_CHECKING:
    from omnibench.runners.environments import Environments
    from omnibench.runners.info import RunnerInfo

MOST_LOSSES = 3
"""So many machines may be lost while they compute one item."""


class Connections(Protocol):
    """Reaches the workers that have what an item asks for; see ``cluster.Cluster``."""

    is_this_machine: bool
    has_jobs: bool

    def reach(self, resources: Resources) -> tuple[Sessions, Mapping[str, float]]:
        """Return the connection to them, and what of their resources a session needs, by Dask's names."""


class RemotePool:
    """The guests of one worker thread: what ``runners.pool.GuestPool`` is where they run on this machine.

    Args:
        cluster: The cluster.
        environments: Where frameworks run.
        log: Called with (stream, whole lines) of what guests print.
        notify: Called with a line of text for the user.
        while_waiting: Called about once a second while a place is waited for; raising gives up.
        gpu: The GPU of this machine that guests compute on as long as they get no others.

    Attributes:
        gpu: The same; None where another machine knows which GPUs there are.
        are_here: Whether the guests need this machine's memory.
        while_waiting: As above.
    """

    def __init__(
        self,
        cluster: Connections,
        environments: Environments,
        log: Callable[[str, bytes], None],
        notify: Callable[[str], None],
        while_waiting: Callable[[], None],
        gpu: str | None = None,
    ) -> None:
        self.gpu = gpu
        self._cards: tuple[str, ...] = () if gpu is None else (gpu,)
        self.are_here = cluster.is_this_machine
        self.while_waiting = while_waiting
        self._cluster, self._environments = cluster, environments
        self._log, self._notify = log, notify
        self._session: RemoteSession | None = None
        self._rests = False
        self._guests: dict[tuple[str, str, int], RemoteGuest] = {}
        self._losses: list[str] = []
        self._resources = NOTHING_SAID
        self._item = ""
        self._show: Callable[[str | None], None] = lambda _: None

    def session(self) -> RemoteSession:
        """Return the session of the item: that of the item before, or one that is opened when something is first asked for.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        self._rests = False
        if self._session is None:
            connection, needed = self._cluster.reach(self._resources)
            self._show("")
            wait = Wait(self._item, self.while_waiting, self._show)
            self._session = RemoteSession(connection, needed, self._hear, wait)
            self._show(None)
        return self._session

    @property
    def has_worker(self) -> bool:
        """Whether there is a session already."""
        return self._session is not None

    def await_worker(self) -> None:
        """Open a session as soon as a worker has room for it.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        self.session()

    def _hear(self, message: Message) -> bool:
        if message["kind"] == "log":
            self._log(message["stream"], message["lines"])
        elif message["kind"] == "notify":
            self._notify(message["line"])
        else:
            return False
        return True

    def get(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> RemoteGuest:
        """Return a living guest of a framework; another machine is asked where one is lost.

        Raises:
            GuestEnvironmentError, GuestError: It does not start.
            ClusterError: The cluster cannot be used.
        """
        key = runner.guest_name, device, threads
        if key not in self._guests:
            self._guests[key] = RemoteGuest(self, self._terms(runner, device, threads))
        while True:
            try:
                self._guests[key].start()
            except LostGuestError as error:
                self.lost(error)
            else:
                return self._guests[key]

    def _terms(self, runner: RunnerInfo, device: str, threads: int) -> GuestTerms:
        own = runner if runner.is_of_project else runner.name
        is_dealt_there = is_gpu(device) and not self.are_here and not self._cluster.has_jobs
        return GuestTerms(
            own,
            runner.adapter_identity,
            self._environments.version(runner),
            device,
            threads,
            cards=self._cards if is_gpu(device) else (),
            n_gpus=self._resources.gpus or 0 if is_dealt_there else 0,
        )

    def is_alive(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> bool:
        """Whether a framework's guest is running, as far as is known."""
        guest = self._guests.get((runner.guest_name, device, threads))
        return self._session is not None and guest is not None and guest.alive

    def discard(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """End a framework's guest, so that the next request gets a fresh one."""
        guest = self._guests.pop((runner.guest_name, device, threads), None)
        if guest is not None and self._session is not None:
            self._session.send({"kind": "discard", "guest": guest.terms})

    def warm(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """Do nothing: no place is kept for what is not needed yet."""

    def warm_if_room(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """Do nothing: as above."""

    def lost(self, error: LostGuestError) -> None:
        """Note that the session is gone, with its machine or because this process was cut off from it.

        Raises:
            ClusterError: It is one machine too many for this item.
        """
        self.give_up()
        if isinstance(error, CutOffError):  # no machine is to blame, and what it means was said once for all items
            return
        self._losses.append(str(error))
        if len(self._losses) >= MOST_LOSSES:
            losses = ", ".join(self._losses)
            raise ClusterError(
                f"{len(self._losses)} machines that computed this item were lost: {losses}. That is counted as no failure "
                "of the item's, and the next run computes it; see the logs of the workers, e.g. whether memory ran out."
            ) from error
        self._notify(f"{error}; what it computed is computed elsewhere")

    def use_gpus(self, gpus: Sequence[str]) -> None:
        """Have guests that compute on GPUs of this machine compute on these.

        Args:
            gpus: The GPUs, as ``CUDA_VISIBLE_DEVICES`` names them.
        """
        if tuple(gpus) != self._cards:
            self._cards = tuple(gpus)
            for key in [key for key in self._guests if is_gpu(key[1])]:  # its machine ends those that see others
                del self._guests[key]

    def end_idle(self, *, only_gpus: bool = False) -> bool:
        """End every guest; return whether there was any."""
        had = any(guest.alive for guest in self._guests.values())
        for guest in list(self._guests.values()):
            if self._session is not None:
                self._session.send({"kind": "discard", "guest": guest.terms})
        self._guests.clear()
        return had

    def give_up(self) -> None:
        """Leave the session as it is: it is lost, or to end in the middle of what it does."""
        for guest in self._guests.values():
            guest.alive, guest.fitted = False, ""
        if self._session is not None:
            self._session.give_up()
            self._session = None

    def ask_for(self, resources: Mapping[str, Any], item: str, show: Callable[[str | None], None]) -> None:
        """Note what the item asks for; another place is looked for where this one may not have it.

        Args:
            resources: What it asks for, as ``Resources`` takes it.
            item: What people call the item.
            show: Called when a worker is waited for, also in place of one that was lost: with why none that is there will do, or
                nothing, whenever that changes, and with None when there is one.
        """
        self._item, self._show = item, show
        needed = Resources(**resources)
        if needed != self._resources:
            self._leave()
            self._resources = needed

    def rest(self) -> None:
        """Keep the place for the next item, unless others wait for one, may have waited long enough, or for a GPU of its machine."""
        self._losses.clear()
        if self._session is None or self._session.is_due or any(is_gpu(device) for _, device, _ in self._guests):
            self._leave()
        else:
            self._rests = True

    def leave(self) -> None:
        """Give the place back to others if no item has it now."""
        if self._rests:
            self._leave()

    def _leave(self) -> None:
        self._rests = False
        self._guests.clear()
        if self._session is not None:
            self._session.end()
            self._session = None

    def close(self) -> None:
        """End what is left of the session."""
        self.leave()
        self.give_up()
