"""The cluster of a run: a single scheduler, or for jobs of SLURM one for each shape of a job that items ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from omnibench.cluster.choice import SLURM, ClusterChoice
from omnibench.cluster.connection import Connection
from omnibench.cluster.jobs import slurm_refusal
from omnibench.cluster.pool import RemotePool
from omnibench.cluster.settings import SlurmSettings
from omnibench.cluster.shapes import MEMORY, asks_for_gpus, job_settings, worker_resources, workers_shortage
from omnibench.errors import ClusterError
from omnibench.experiment.resources import NOTHING_SAID, Resources
from omnibench.runners.environments import Environments
from omnibench.runners.machine import available_cores
from omnibench.sizes import bytes_of

_WORKER_BYTES = 300 * 2**20
"""What a job needs beside the guest, for the worker itself."""

_KNOWN_SECONDS = 1.0
"""So long what workers declare is not asked for again, unless to refuse an item.

Each of 100,000 items asks, and a thousand workers take 40 ms to describe.
"""


class Cluster:
    """The cluster of a run. It has to be closed.

    Args:
        choice: Where the run computes.
        slurm: The project's settings of SLURM.
        run: The run.
        environments: Where frameworks run.
        scratch: A directory of the store's for temporary files, in which workers look for a probe.
        patience: Seconds that a scheduler may be out of reach.
        notify: Called with a line of text for the user.

    Attributes:
        is_this_machine: Whether all of its workers are on this machine, as those that the run starts itself.
        has_jobs: Whether an item has a job for itself, with all that is in it.
        jobs_have_gpus: Whether jobs have GPUs where an item does not ask for any.
    """

    def __init__(
        self,
        choice: ClusterChoice,
        slurm: SlurmSettings,
        run: str,
        environments: Environments,
        scratch: Path,
        patience: float,
        notify: Callable[[str], None],
    ) -> None:
        self._choice, self._slurm = choice, slurm
        self._run, self._environments, self._scratch, self._notify = run, environments, scratch, notify
        self._patience = patience
        self.is_this_machine = choice.is_this_machine
        self.has_jobs = choice.scheduler == SLURM
        self.jobs_have_gpus = self.has_jobs and asks_for_gpus(slurm.directives)
        self._opening = threading.Lock()
        self._connections: dict[SlurmSettings, Connection] = {}
        self._asking = threading.Lock()
        self._asked = -_KNOWN_SECONDS
        self._declared: Sequence[tuple[int, Mapping[str, float]]] = ()

    @property
    def number(self) -> int:
        """How many items are computed at once, as far as is known before the cluster is there; 0 for not at all."""
        if self.is_this_machine:
            return self._choice.number or available_cores()
        return self._choice.number or self._slurm.jobs if self.has_jobs else 0

    def slots(self, demands: Iterable[Resources]) -> dict[Resources, int]:
        """Return how many items that ask for the same the workers that are there could compute at once, each beside nothing else.

        Args:
            demands: What items ask for.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        workers = self._workers()
        return {
            resources: sum(threads for threads, declared in workers if not workers_shortage(resources, [declared]))
            for resources in demands
        }

    def shortage(self, resources: Resources) -> str:
        """Return what an item asks for and nothing of the cluster has, or SLURM takes no job of; nothing where all is well.

        Args:
            resources: What the item asks for.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        if self.is_this_machine or not resources.is_said:
            return ""
        if self.has_jobs:
            refusal = slurm_refusal(job_settings(resources, self._slurm))
            return f"asks for {resources}, and {refusal}" if refusal else ""
        if not worker_resources(resources):
            return ""
        shortage = workers_shortage(resources, [declared for _, declared in self._workers()])
        if not shortage:
            return ""
        # It is refused for good, so a worker that has just joined counts.
        return workers_shortage(resources, [declared for _, declared in self._workers(anew=True)])

    def is_beyond(self, resources: Resources) -> bool:
        """Whether nothing of the cluster ever had what an item asks for; a worker that was there and is lost may come back.

        Args:
            resources: What the item asks for.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        return bool(self.shortage(resources) and (self.has_jobs or workers_shortage(resources, self._seen_workers())))

    def usual_memory(self, resources: Resources) -> int | None:
        """Return the bytes that the job of an item has, whether it asks for them or not; None where nobody knows.

        Args:
            resources: What the item asks for.
        """
        if resources.memory is not None or not self.has_jobs:
            return resources.memory
        return bytes_of(self._slurm.memory)

    def raised_memory(self, needed: int) -> int | None:
        """Return the memory to ask for where nobody has said how much, and a Fit is known to need it.

        That of jobs is doubled until it suffices, so that there are few shapes of jobs.

        Args:
            needed: The bytes that its guest needs.

        Returns:
            Bytes; None where it has as much without asking, or nothing that has, or had, as much is known.

        Raises:
            ClusterError: The cluster cannot be used.
        """
        if self.is_this_machine:
            return None
        if not self.has_jobs:
            declared = [has.get(MEMORY, 0.0) for has in self._seen_workers()]
            return needed if max(declared, default=0.0) >= needed else None
        usual, whole = bytes_of(self._slurm.memory), needed + _WORKER_BYTES
        doubled = usual
        while doubled < whole:
            doubled *= 2
        if doubled == usual:
            return None
        amounts = (doubled, whole)
        return next((amount for amount in amounts if not self.shortage(Resources(memory=amount))), None)

    def pool(
        self, log: Callable[[str, bytes], None], while_waiting: Callable[[], None], gpu: str | None = None
    ) -> RemotePool:
        """Return the guests of another worker thread.

        Args:
            log: Called with (stream, whole lines) of what guests print.
            while_waiting: Called about once a second while a place is waited for; raising gives up.
            gpu: The GPU of this machine that its guests compute on as long as they get no others.
        """
        return RemotePool(self, self._environments, log, self._notify, while_waiting, gpu)

    def reach(self, resources: Resources) -> tuple[Connection, dict[str, float]]:
        """Return the connection to workers that have what an item asks for, or may come to have it.

        Args:
            resources: What the item asks for.

        Returns:
            The connection, and what of its workers' resources a session needs, by Dask's names: nothing where jobs are of the
            right shape, or where the engine deals out what this machine has.

        Raises:
            ClusterError: There are none, and never will be, which of workers of the user's own nobody knows.
        """
        shortage = self.shortage(resources) if self.has_jobs else ""
        if shortage:
            raise ClusterError(f"an item {shortage}. Ask for less (resources=).")
        is_declared = not self.is_this_machine and not self.has_jobs
        return self._connection(resources), worker_resources(resources) if is_declared else {}

    def _workers(self, *, anew: bool = False) -> Sequence[tuple[int, Mapping[str, float]]]:
        """Return how many items each worker computes at once, and the resources that it declares, as of a moment ago or of now."""
        with self._asking:
            if anew or time.monotonic() - self._asked >= _KNOWN_SECONDS:
                self._declared = list(self._connection(NOTHING_SAID).workers().values())
                self._asked = time.monotonic()
            return self._declared

    def _seen_workers(self) -> list[dict[str, float]]:
        """Return what workers declare that are there, or were there since the run began."""
        self._workers()
        return self._connection(NOTHING_SAID).seen

    def _connection(self, resources: Resources) -> Connection:
        settings = job_settings(resources, self._slurm) if self.has_jobs else self._slurm
        with self._opening:
            if settings not in self._connections:
                self._connections[settings] = Connection(
                    self._choice,
                    self.number,
                    settings,
                    self._run,
                    self._environments,
                    self._scratch,
                    self._patience,
                    self._notify,
                )
            return self._connections[settings]

    def close(self) -> None:
        """End all sessions, and what was started for them."""
        for connection in self._connections.values():
            connection.close()
