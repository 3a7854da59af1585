"""The connection of a run to a scheduler: opened when an item first needs it, and closed with all that was started for it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from omnibench import __version__
from omnibench.cluster import schedulers, worker_guests
from omnibench.cluster.choice import ClusterChoice
from omnibench.cluster.clients import Clients, failure_of
from omnibench.cluster.local_workers import LocalWorkers
from omnibench.cluster.locations import WorkerLocation
from omnibench.cluster.mailbox import Message, exchange, exchange_here, hear_of
from omnibench.cluster.rings import Rings
from omnibench.cluster.session import serve, topic_of
from omnibench.cluster.settings import SlurmSettings
from omnibench.cluster.terms import Terms, probe_in
from omnibench.cluster.waits import Wait, Waits
from omnibench.cluster.worker_slots import WorkerSlots
from omnibench.errors import ClusterError
from omnibench.runners.environments import Environments
from omnibench.runners.machine import available_cores

_HEARTBEAT_SECONDS = 15.0
_WORKERS_SECONDS = 5.0
_LOOK_SECONDS = 0.5


class Connection:
    """The scheduler of a run, or of its items that ask for jobs of the same shape. It has to be closed.

    Args:
        choice: Which it is.
        number: How many workers or jobs it has, where the run starts them.
        slurm: What jobs of SLURM are asked for.
        run: The run.
        environments: Where frameworks run.
        scratch: A directory of the store's for temporary files, in which workers look for a probe.
        patience: Seconds that the scheduler may be out of reach.
        notify: Called with a line of text for the user.

    Attributes:
        is_this_machine: Whether all of its workers are on this machine, as those that the run starts itself.
    """

    def __init__(
        self,
        choice: ClusterChoice,
        number: int,
        slurm: SlurmSettings,
        run: str,
        environments: Environments,
        scratch: Path,
        patience: float,
        notify: Callable[[str], None],
    ) -> None:
        self._choice, self._number, self._slurm, self._run = choice, number, slurm, run
        self._environments, self._scratch, self._patience, self._notify = environments, scratch, patience, notify
        self.is_this_machine = choice.is_this_machine
        self._opening = threading.Lock()
        self._opened = ExitStack()
        self._clients: Clients | None = None
        self._local_workers: LocalWorkers | None = None
        self._terms: Terms | None = None
        self._n_submitted = 0
        self._waits = Waits(notify)
        self._changed = threading.Condition()
        self._locations: dict[str, WorkerLocation] = {}
        self._rings = Rings()
        self._futures: dict[str, Any] = {}
        """The tasks that have not ended; forgetting one takes it back."""
        self._looked = 0.0
        self._addresses: frozenset[str] = frozenset()
        """The workers that there were then, when they were last looked at."""
        self._seen: set[frozenset[tuple[str, float]]] = set()
        """What each worker declared that was ever there."""
        # Jobs are asked for as there are sessions that wait for them, and of workers here there is one for each session.
        self._slots = None if self.has_own_workers else WorkerSlots()
        self._ending = threading.Event()

    def _client(self, while_waiting: Callable[[], None] = lambda: None) -> Any:
        """Return Dask's client, which is opened at the first use, and anew where it has lost its scheduler.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        with self._opening:
            if self._clients is None:
                try:
                    self._open()
                except Exception as error:  # whatever a cluster's software raises: no other item finds it either
                    words = str(error) if isinstance(error, ClusterError) else f"{type(error).__name__}: {error}"
                    raise ClusterError(f"the cluster cannot be used: {words}", ends_run=True) from error
            clients = self._clients
        assert clients is not None, "it was opened"
        return clients.current if clients.is_connected else clients.connected(while_waiting)

    def _open(self) -> None:
        with ExitStack() as opened:
            started = schedulers.scheduler_of(self._choice, self._number, self._slurm, self._notify)
            scheduler = opened.enter_context(started)
            self._local_workers = scheduler.local_workers
            clients = Clients(scheduler.open_client, self._begin, self._drop_sessions, self._patience, self._notify)
            opened.callback(clients.close)
            probe = opened.enter_context(probe_in(self._scratch))
            cores = available_cores() // max(1, self._number) if self.is_this_machine else self._slurm.cores
            environments, directory, threads = self._environments.choice, str(Path.cwd()), max(1, cores)
            self._terms = Terms(self._run, __version__, environments, directory, probe, threads, self._patience)
            beating = threading.Thread(target=self._beat, args=(clients,), daemon=True, name="omnibench-cluster")
            beating.start()
            opened.callback(self._end_sessions, clients)
            self._clients, self._opened = clients, opened.pop_all()

    def _begin(self, client: Any) -> None:
        client.subscribe_topic(topic_of(self._run), self._note_event)

    def _drop_sessions(self) -> None:
        """Forget all sessions: the scheduler has taken them back, or does so when it notices that this process is gone."""
        with self._changed:
            self._futures.clear()
            tokens = list(self._locations)
            self._locations.clear()
            self._changed.notify_all()
        for token in tokens:
            self._rings.ring(token)

    def _beat(self, clients: Clients) -> None:
        """Tell all workers again and again that this process lives, and have sessions called whose workers do not hear it."""
        while not self._ending.wait(_HEARTBEAT_SECONDS):
            if clients.is_connected:
                with suppress(Exception):  # whoever waits for an answer finds out what is broken
                    self._ring_unless_at(clients.current.run(hear_of, self._run, on_error="ignore"))

    def _ring_unless_at(self, addresses: Container[str]) -> None:
        with self._changed:
            lost = [token for token, location in self._locations.items() if location.address not in addresses]
        for token in lost:
            self._rings.ring(token)

    def await_ring(self, token: str, seconds: float) -> bool:
        """Wait until a session has messages, or something has happened to it; return whether it has, or may have.

        Args:
            token: The session.
            seconds: How long.
        """
        if self._local_workers is not None:  # a call costs little, and may wait as well
            return True
        return self._rings.wait(token, seconds)

    def workers(self) -> dict[str, tuple[int, dict[str, float]]]:
        """Return how many items each worker computes at once, and the resources that it declares, by their addresses.

        Raises:
            ClusterError: The scheduler cannot be used.
        """
        return {
            address: (int(worker["nthreads"]), dict(worker["resources"])) for address, worker in self._workers().items()
        }

    @property
    def seen(self) -> list[dict[str, float]]:
        """The resources that workers declare which are there or were there: those that are lost may come back."""
        return [dict(declared) for declared in tuple(self._seen)]

    def _workers(self, while_waiting: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Return what the scheduler says of its workers, by their addresses; one that is out of reach is waited for.

        Raises:
            ClusterError: It is gone.
        """
        while True:
            client = self._client(while_waiting)
            try:
                workers: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
            except Exception:  # whatever a broken connection raises
                self._note_loss(client)
                continue
            if client.status == "running":
                self._addresses, self._looked = frozenset(workers), time.monotonic()
                self._seen |= {frozenset(worker["resources"].items()) for worker in workers.values()}
                if self._slots is not None:
                    self._slots.note_workers(
                        {address: (worker["nthreads"], worker["resources"]) for address, worker in workers.items()}
                    )
                    self._waits.look([worker["resources"] for worker in workers.values()])
                return workers

    def _note_loss(self, client: Any) -> None:
        assert self._clients is not None, "it has opened the client"
        self._clients.note_loss(client)

    def is_cut_off(self, token: str) -> bool:
        """Whether a session was lost because this process had lost the scheduler.

        Args:
            token: The session.
        """
        with self._changed:
            future = self._futures.get(token)
        if future is not None and future.status == "cancelled":  # by nobody here: its client has connected again
            self._note_loss(future.client)
            return True
        return future is None

    def has_worker(self, address: str, while_waiting: Callable[[], None]) -> bool:
        """Whether the scheduler, which is waited for if it is out of reach, still has a worker.

        Args:
            address: Its address.
            while_waiting: Called again and again while it waits; raising gives up.

        Raises:
            ClusterError: The scheduler is gone.
        """
        return address in self._workers(while_waiting)

    def exchange(
        self, location: WorkerLocation, token: str, received: int, first: int, messages: Sequence[Message], wait: float
    ) -> tuple[int, list[Message]] | None:
        """Exchange messages as ``mailbox.exchange`` does, past the scheduler where the worker is a process of this one."""
        arguments = (token, received, first, messages, wait)
        if self._local_workers is not None:
            return self._local_workers.caller(location.name).call(exchange_here, *arguments)  # type: ignore[no-any-return]
        answers = self._client().run(exchange, *arguments, workers=[location.address])
        return answers[location.address]  # type: ignore[no-any-return]

    def begin(self, resources: Mapping[str, float], wait: Wait) -> tuple[str, Any, WorkerLocation]:
        """Have a session begin, as soon as a worker is free; return its token, its future, and where it is.

        Dask may tie a task to a worker that is busy with another run's, and leave it there when another one joins; then it is
        submitted anew, as it is when this process was cut off from the scheduler meanwhile.

        Args:
            resources: What its worker has to have free, by Dask's names.
            wait: The item, while it waits.

        Raises:
            ClusterError: It cannot begin.
        """
        with self._waits.waiting(wait, resources):
            return self._begun(resources, wait.check)

    @property
    def has_own_workers(self) -> bool:
        """Whether this run has started its workers, so that no other one has sessions on them."""
        return self._choice.has_own_workers

    @property
    def has_waiting(self) -> bool:
        """Whether a session waits for a worker."""
        return len(self._waits) > 0

    def _begun(
        self, resources: Mapping[str, float], while_waiting: Callable[[], None]
    ) -> tuple[str, Any, WorkerLocation]:
        while True:
            token, future = uuid.uuid4().hex[:12], None
            try:
                self._await_slot(token, resources, while_waiting)
                future = self._submit(token, resources, while_waiting)
                location = self._location_of(token, future, while_waiting)
            except BaseException:
                self.cancel(token, future)
                raise
            if location is not None:
                return token, future, location
            self.cancel(token, future)

    def _await_slot(self, token: str, resources: Mapping[str, float], while_waiting: Callable[[], None]) -> None:
        """Wait until a worker has room for a session, and those come later that more workers could take."""
        if self._slots is None:
            return
        is_due = self._slots.claim(token, resources)
        while not is_due.wait(_LOOK_SECONDS if self._looked else 0.0):
            while_waiting()
            if time.monotonic() - self._looked > _WORKERS_SECONDS:
                self._workers(while_waiting)

    def _submit(self, token: str, resources: Mapping[str, float], while_waiting: Callable[[], None]) -> Any:
        with self._changed:
            self._n_submitted += 1
            # Of one group of keys, tasks wait on the scheduler, and none is tied to a worker that is busy.
            key = (f"omnibench-{self._run}", self._n_submitted)
        while True:
            client = self._client(while_waiting)
            try:
                future = client.submit(
                    serve, token, self._terms, key=key, pure=False, resources=dict(resources) or None
                )
            except Exception:
                if client.status == "running":
                    raise
                self._note_loss(client)
            else:
                with self._changed:
                    self._futures[token] = future
                self._rings.expect(token)
                # Also where its worker, or the scheduler, is lost.
                future.add_done_callback(lambda _: self._rings.ring(token))
                return future

    def _note_event(self, event: tuple[float, Sequence[Any]]) -> None:
        """Note that a session has messages, or where it is; there it is begun anew if its worker was lost."""
        token, *described = event[1]
        self._rings.ring(token)
        if not described:
            return
        with self._changed:
            self._locations[token] = location = WorkerLocation(*described)
            self._changed.notify_all()
        if self._slots is not None:
            self._slots.note_location(token, location.address)

    def _location_of(self, token: str, future: Any, while_waiting: Callable[[], None]) -> WorkerLocation | None:
        """Wait until a session has begun; return where, or None when it has to be submitted anew."""
        looked = time.monotonic()
        addresses = self._addresses
        while True:
            with self._changed:
                if token in self._locations or self._changed.wait_for(lambda: token in self._locations, _LOOK_SECONDS):
                    return self._locations[token]
            while_waiting()
            if future.status == "error":
                raise ClusterError(
                    f"no worker of the cluster can compute anything: {failure_of(future)}", ends_run=True
                )
            if self.is_cut_off(token):
                self._client(while_waiting)
                return None
            if time.monotonic() - looked > _WORKERS_SECONDS:
                workers, looked = self._workers(while_waiting), time.monotonic()
                if not workers.keys() <= addresses:
                    return None

    def forget(self, token: str, future: Any) -> None:
        """Forget a session that is about to end; its place is another's once the scheduler knows: Dask might put that elsewhere.

        Args:
            token: The session.
            future: Its future, which is kept until then: letting it go would take the task back.
        """

        def end(_: Any) -> None:
            with self._changed:
                self._forget(token)
            self._leave(token)

        future.add_done_callback(end)

    def _forget(self, token: str) -> None:
        """Forget a session; the lock is held."""
        self._futures.pop(token, None)
        self._locations.pop(token, None)
        self._rings.forget(token)

    def _leave(self, token: str) -> None:
        if self._slots is not None:
            self._slots.leave(token)

    def cancel(self, token: str, future: Any) -> None:
        """Take a session back.

        Args:
            token: The session.
            future: Its future; None where it was not submitted yet.
        """
        with self._changed:
            self._forget(token)
        self._leave(token)
        with suppress(Exception):  # the cluster is gone, and the session with it
            future.cancel()

    def _end_sessions(self, clients: Clients) -> None:
        self._ending.set()
        for token, future in list(self._futures.items()):
            self.cancel(token, future)
        if clients.is_connected:
            with suppress(Exception):  # likewise
                clients.current.run(worker_guests.end_of_run, self._run, on_error="ignore")

    def close(self) -> None:
        """End all sessions, and what was started for them."""
        with self._opening:
            self._opened.close()
