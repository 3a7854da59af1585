"""The connection of a run to a scheduler: opened when an item first needs it, and closed with all that was started for it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from omnibench import __version__
from omnibench.cluster import schedulers, worker_guests
from omnibench.cluster.choice import LOCAL, ClusterChoice
from omnibench.cluster.locations import WorkerLocation
from omnibench.cluster.mailbox import hear_of
from omnibench.cluster.session import serve, topic_of
from omnibench.cluster.settings import SlurmSettings
from omnibench.cluster.terms import Terms, probe_in
from omnibench.errors import ClusterError
from omnibench.runners.environments import Environments
from omnibench.runners.machine import available_cores

_HEARTBEAT_SECONDS = 5.0
_LOOK_SECONDS = 0.5
_RECONNECT_SECONDS = 30.0
"""So long a scheduler may not answer before the run is given up."""


class Connection:
    """The scheduler of a run, or of its items that ask for jobs of the same shape. It has to be closed.

    Args:
        choice: Which it is.
        number: How many workers or jobs it has, where the run starts them.
        slurm: What jobs of SLURM are asked for.
        run: The run.
        environments: Where frameworks run.
        scratch: A directory of the store's for temporary files, in which workers look for a probe.
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
        notify: Callable[[str], None],
    ) -> None:
        self._choice, self._number, self._slurm, self._run = choice, number, slurm, run
        self._environments, self._scratch, self._notify = environments, scratch, notify
        self.is_this_machine = choice.scheduler == LOCAL
        self._opening = threading.Lock()
        self._opened = ExitStack()
        self._client: Any = None
        self._terms: Terms | None = None
        self._n_submitted = 0
        self._changed = threading.Condition()
        self._locations: dict[str, WorkerLocation] = {}
        self._futures: dict[str, Any] = {}
        """The tasks that have not ended; forgetting one takes it back."""
        self._addresses: frozenset[str] = frozenset()
        """The workers that there were when they were last looked at."""
        self._ending = threading.Event()

    @property
    def client(self) -> Any:
        """Dask's client, which is connected at the first use.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        with self._opening:
            if self._client is None:
                try:
                    self._open()
                except Exception as error:  # whatever a cluster's software raises: no other item finds it either
                    words = str(error) if isinstance(error, ClusterError) else f"{type(error).__name__}: {error}"
                    raise ClusterError(f"the cluster cannot be used: {words}", ends_run=True) from error
            return self._client

    def _open(self) -> None:
        with ExitStack() as opened:
            client = opened.enter_context(schedulers.connected(self._choice, self._number, self._slurm, self._notify))
            probe = opened.enter_context(probe_in(self._scratch))
            cores = available_cores() // max(1, self._number) if self.is_this_machine else self._slurm.cores
            directory, threads = str(Path.cwd()), max(1, cores)
            self._terms = Terms(self._run, __version__, self._environments.choice, directory, probe, threads)
            client.subscribe_topic(topic_of(self._run), self._note_location)
            beating = threading.Thread(target=self._beat, args=(client,), daemon=True, name="omnibench-cluster")
            beating.start()
            opened.callback(self._end_sessions, client)
            self._client, self._opened = client, opened.pop_all()

    def _beat(self, client: Any) -> None:
        """Tell all workers again and again that this process lives."""
        while not self._ending.wait(_HEARTBEAT_SECONDS):
            if client.status == "running":
                with suppress(Exception):  # whoever waits for an answer finds out what is broken
                    client.run(hear_of, self._run, on_error="ignore")

    def workers(self) -> dict[str, tuple[int, dict[str, float]]]:
        """Return how many items each worker computes at once, and the resources that it declares, by their addresses.

        Raises:
            ClusterError: The scheduler cannot be used.
        """
        return {
            address: (int(worker["nthreads"]), dict(worker["resources"])) for address, worker in self._workers().items()
        }

    def _workers(self) -> dict[str, Any]:
        """Return what the scheduler says of its workers, by their addresses.

        Raises:
            ClusterError: It is gone.
        """
        began = time.monotonic()
        while True:
            try:
                workers: dict[str, Any] = self.client.scheduler_info(n_workers=-1)["workers"]
                if self.client.status == "running":
                    self._addresses = frozenset(workers)
                    return workers
            except ClusterError:
                raise
            except Exception as error:  # whatever a broken connection raises
                reason = f" ({error})"
            else:
                reason = ""
            if self.client.status == "closed" or time.monotonic() - began > _RECONNECT_SECONDS:
                raise ClusterError(
                    f"the scheduler of the cluster is gone{reason}, so nothing more can be computed there. What was "
                    "finished is recorded, and the next run goes on from there.",
                    ends_run=True,
                )
            time.sleep(_LOOK_SECONDS)

    def has_worker(self, address: str) -> bool:
        """Whether the scheduler still has a worker.

        Args:
            address: Its address.

        Raises:
            ClusterError: The scheduler is gone.
        """
        return address in self._workers()

    def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on a worker, beside its tasks.

        Args:
            address: The worker's address.
            function: The function.
            arguments: Its arguments.
        """
        return self.client.run(function, *arguments, workers=[address])[address]

    def begin(
        self, resources: Mapping[str, float], while_waiting: Callable[[], None]
    ) -> tuple[str, Any, WorkerLocation]:
        """Have a session begin, as soon as a worker is free; return its token, its future, and where it is.

        Dask may tie a task to a worker that is busy, and leave it there when another one joins; then it is submitted anew.

        Args:
            resources: What its worker has to have free, by Dask's names.
            while_waiting: Called again and again while it waits; raising gives up.

        Raises:
            ClusterError: It cannot begin.
        """
        while True:
            token, future = self._submit(resources)
            try:
                location = self._location_of(token, future, while_waiting)
            except BaseException:
                self.cancel(token, future)
                raise
            if location is not None:
                return token, future, location
            self.cancel(token, future)

    def _submit(self, resources: Mapping[str, float]) -> tuple[str, Any]:
        client, token = self.client, uuid.uuid4().hex[:12]
        with self._changed:
            self._n_submitted += 1
            # Of one group of keys, tasks wait on the scheduler, and none is tied to a worker that is busy.
            key = (f"omnibench-{self._run}", self._n_submitted)
        future = client.submit(serve, token, self._terms, key=key, pure=False, resources=dict(resources) or None)
        with self._changed:
            self._futures[token] = future
        return token, future

    def _note_location(self, event: tuple[float, Sequence[Any]]) -> None:
        token, *described = event[1]
        with self._changed:
            self._locations[token] = WorkerLocation(*described)
            self._changed.notify_all()

    def _location_of(self, token: str, future: Any, while_waiting: Callable[[], None]) -> WorkerLocation | None:
        """Wait until a session has begun; return where, or None when workers have joined before that."""
        looked, known = time.monotonic(), self._addresses
        while True:
            with self._changed:
                if token in self._locations or self._changed.wait_for(lambda: token in self._locations, _LOOK_SECONDS):
                    return self._locations[token]
            while_waiting()
            if future.status == "error":
                raise ClusterError(f"no worker of the cluster can compute anything: {_reason(future)}", ends_run=True)
            if future.status == "cancelled" or time.monotonic() - looked > _HEARTBEAT_SECONDS:
                has_grown = not self._workers().keys() <= known  # which fails where the scheduler is gone
                looked = time.monotonic()
                if has_grown:
                    return None
            if future.status == "cancelled":
                raise ClusterError("the cluster has dropped what was submitted; run again.", ends_run=True)

    def forget(self, token: str, future: Any) -> None:
        """Forget a session that is about to end by itself.

        Args:
            token: The session.
            future: Its future, which is kept until then: letting it go would take the task back.
        """

        def end(_: Any) -> None:
            with self._changed:
                self._futures.pop(token, None)
                self._locations.pop(token, None)

        future.add_done_callback(end)

    def cancel(self, token: str, future: Any) -> None:
        """Take a session back.

        Args:
            token: The session.
            future: Its future.
        """
        with self._changed:
            self._futures.pop(token, None)
            self._locations.pop(token, None)
        with suppress(Exception):  # the cluster is gone, and the session with it
            future.cancel()

    def _end_sessions(self, client: Any) -> None:
        self._ending.set()
        for token, future in list(self._futures.items()):
            self.cancel(token, future)
        if client.status == "running":
            with suppress(Exception):  # likewise
                client.run(worker_guests.end_of_run, self._run, on_error="ignore")

    def close(self) -> None:
        """End all sessions, and what was started for them."""
        with self._opening:
            self._opened.close()


def _reason(future: Any) -> str:
    try:
        return f"{type(future.exception()).__name__}: {future.exception()}"
    except Exception as error:  # whatever it is
        return f"{type(error).__name__}: {error}"
