"""The scheduler of a run: one of its own with workers on this machine or in jobs of SLURM, or one that runs already.

Whatever the run starts speaks TLS with a key of this run alone, also on the loopback: who reaches a port without it cannot
send anything, and everybody who has an account on a machine reaches its loopback. Nothing listens on all networks, which
Dask does by default, and there is no dashboard.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from omnibench.cluster.choice import LOCAL, SLURM, ClusterChoice
from omnibench.cluster.credentials import temporary_security
from omnibench.cluster.jobs import slurm_classes, slurm_cluster
from omnibench.cluster.local_workers import LocalWorkers
from omnibench.cluster.settings import SlurmSettings, dask_settings
from omnibench.errors import ClusterError

_CONNECT_SECONDS = 30.0
_REACH_SECONDS = 5.0


def require_dask(choice: ClusterChoice) -> None:
    """Raise unless what a cluster needs is installed.

    Raises:
        ClusterError: It is not.
    """
    from importlib.util import find_spec

    needed = ["distributed", "cryptography", *(["dask_jobqueue"] if choice.scheduler == SLURM else [])]
    missing = [name.replace("_", "-") for name in needed if find_spec(name) is None]
    if missing:
        raise ClusterError(
            f"a cluster needs {' and '.join(missing)}, which this environment does not have: pip install 'omnibench[cluster]'."
        )
    if choice.scheduler == SLURM:
        slurm_classes()  # while this is the main thread, which later is another's business


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A scheduler that can be used.

    Attributes:
        open_client: Opens a client of it.
        local_workers: Its workers, where they are processes that this one has started.
    """

    open_client: Callable[[], Any]
    local_workers: LocalWorkers | None = None


@contextmanager
def scheduler_of(
    choice: ClusterChoice, number: int, slurm: SlurmSettings, notify: Callable[[str], None]
) -> Iterator[Scheduler]:
    """Yield a scheduler; what was started for it ends with it, clients have to be closed before.

    Args:
        choice: Where the scheduler is.
        number: How many workers are started, or jobs there are at most.
        slurm: What jobs of SLURM are asked for.
        notify: Called with a line of text for the user.

    Raises:
        ClusterError: There is no such scheduler; or, when a client is opened, it cannot be reached.
    """
    require_dask(choice)
    Client = _client_class()  # noqa: N806 - a class
    with _dask.logging_from(_printed_level(choice)):
        if choice.scheduler == LOCAL:
            with (
                _own_scheduler() as cluster,
                LocalWorkers(cluster.scheduler_address, cluster.security, number) as workers,
            ):
                yield Scheduler(lambda: Client(cluster, set_as_default=False), workers)
        elif choice.scheduler == SLURM:
            with slurm_cluster(number, slurm) as cluster:
                most = f"up to {number} jobs" if number > 1 else "a job"
                cores = f"{slurm.cores} core{'s' if slurm.cores > 1 else ''}"
                notify(f"SLURM is asked for {most} of {cores}, {slurm.memory} and {slurm.walltime}")
                yield Scheduler(lambda: Client(cluster, set_as_default=False))
        else:
            yield Scheduler(lambda: _client_at(choice.address()))  # a scheduler that was started anew may be elsewhere


class _Dask:
    """Dask in this process, as it is to be while there is a scheduler that a run uses; as many as there are share it.

    Its settings and the level of its logs are the process's, and schedulers for several shapes of jobs end in any order: the first
    that ended would take from the others what the last one brings back for good.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._levels: list[int] = []
        self._changed = ExitStack()

    @contextmanager
    def logging_from(self, level: int) -> Iterator[None]:
        """Have Dask's settings be ours, and keep off the terminal what it logs below a level, the highest of those that are asked for.

        Args:
            level: The least level that is printed.
        """
        import dask.config

        with self._changing:
            if not self._levels:
                self._changed.enter_context(dask.config.set(dask_settings()))
                self._changed.callback(_LOGGER.setLevel, _LOGGER.level)
            self._levels.append(level)
            _LOGGER.setLevel(max(self._levels))
        try:
            yield
        finally:
            with self._changing:
                self._levels.remove(level)
                if self._levels:
                    _LOGGER.setLevel(max(self._levels))
                else:
                    self._changed.close()


_LOGGER = logging.getLogger("distributed")

_dask = _Dask()


def _printed_level(choice: ClusterChoice) -> int:
    """Return the least level of Dask's logs that is printed, also while a scheduler closes, which ``silence_logs`` leaves out.

    To a scheduler in this process a lost worker is an error, and what it means for an item we say ourselves; where the scheduler
    is another process, an error of this one is of its client.
    """
    return logging.CRITICAL if choice.scheduler in (LOCAL, SLURM) else logging.ERROR


def _client_at(address: str) -> Any:
    from distributed.comm.addressing import get_address_host_port

    get_host_and_port: Any = get_address_host_port
    try:
        # Whoever does not even accept a connection is not asked by a client, which would take as long as it may.
        socket.create_connection(get_host_and_port(address), timeout=_REACH_SECONDS).close()
        return _client_class()(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"the scheduler {address} cannot be reached ({error}). Check whether it runs, and for tls:// whether "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE and the variables beside it name its credentials.",
            ends_run=True,
        ) from error


def _client_class() -> Any:
    from distributed import Client

    return Client


@contextmanager
def _own_scheduler() -> Iterator[Any]:
    """Yield a scheduler in this process, which listens on the loopback."""
    import distributed

    make: Any = distributed.LocalCluster
    with make(
        n_workers=0,
        host="127.0.0.1",
        protocol="tls://",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},  # else there is one as soon as bokeh is installed
        security=temporary_security(),
        silence_logs=logging.ERROR,
    ) as cluster:
        yield cluster
