"""The scheduler of a run: one of its own with workers on this machine or in jobs of SLURM, or one that runs already.

Whatever the run starts speaks TLS with a key of this run alone, also on the loopback: who reaches a port without it cannot
send anything, and everybody who has an account on a machine reaches its loopback. Nothing listens on all networks, which
Dask does by default, and there is no dashboard.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omnibench.cluster.choice import LOCAL, SLURM, ClusterChoice
from omnibench.cluster.credentials import security_in, temporary_security, write_credentials
from omnibench.cluster.local_workers import LocalWorkers
from omnibench.cluster.own_directory import closing_workspace
from omnibench.cluster.settings import DASK, SlurmSettings
from omnibench.errors import ClusterError

_CONNECT_SECONDS = 30.0

_OWN_ADDRESS = "from distributed.utils import get_ip; print(get_ip())"
"""What a node says of itself in the place of the name of a network."""


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
        _slurm_class()  # while this is the main thread, which later is another's business


@contextmanager
def connected(choice: ClusterChoice, number: int, slurm: SlurmSettings, notify: Callable[[str], None]) -> Iterator[Any]:
    """Yield a client of Dask; what was started for it ends with it.

    Args:
        choice: Where the scheduler is.
        number: How many workers or jobs are started.
        slurm: The settings of ``slurm``.
        notify: Called with a line of text for the user.

    Raises:
        ClusterError: There is no such scheduler, or it cannot be reached.
    """
    require_dask(choice)
    import dask.config

    Client = _client_class()  # noqa: N806 - a class
    with dask.config.set(DASK):
        if choice.scheduler == LOCAL:
            with (
                _own_scheduler() as cluster,
                LocalWorkers(cluster.scheduler_address, cluster.security, number),
                Client(cluster, set_as_default=False) as client,
            ):
                yield client
        elif choice.scheduler == SLURM:
            with _slurm_cluster(number, slurm) as cluster, Client(cluster, set_as_default=False) as client:
                notify(f"SLURM is asked for {number} job{'s' if number > 1 else ''}")
                yield client
        else:
            address = choice.address()
            try:
                client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
            except (OSError, TimeoutError, ValueError) as error:
                raise ClusterError(
                    f"the scheduler {address} cannot be reached ({error}). Check whether it runs, and for tls:// whether "
                    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE and the variables beside it name its credentials.",
                    ends_run=True,
                ) from error
            with client:
                yield client


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
        security=temporary_security(),
        silence_logs=logging.ERROR,
    ) as cluster:
        yield cluster


@contextmanager
def _slurm_cluster(number: int, settings: SlurmSettings) -> Iterator[Any]:
    """Yield a scheduler in this process whose workers are jobs of SLURM; jobs that are lost are replaced."""
    from distributed import utils

    network: Any = utils
    SLURMCluster = _slurm_class()  # noqa: N806 - a class
    host = network.get_ip_interface(settings.interface) if settings.interface else network.get_ip()
    shared = Path(settings.shared_directory or Path.home() / ".cache" / "omnibench" / "cluster")
    python = settings.python or sys.executable
    # Without either, a worker listens on all networks of its node.
    network_of_node = [] if settings.interface else ["--host", f"$({python} -c '{_OWN_ADDRESS}')"]
    with closing_workspace(shared, "run.") as directory:
        credentials = directory / "credentials"
        write_credentials(credentials)
        cluster = SLURMCluster(
            queue=settings.partition or None,
            account=settings.account or None,
            walltime=settings.walltime,
            cores=settings.cores,
            processes=1,
            memory=settings.memory,
            job_extra_directives=list(settings.directives),
            job_script_prologue=list(settings.prologue),
            python=python,
            local_directory=os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - of the node
            log_directory=str(directory),
            death_timeout=60,
            nanny=False,
            worker_extra_args=[
                "--memory-limit",
                "0",
                "--nthreads",
                "1",
                "--no-dashboard",
                "--dashboard-address",
                "127.0.0.1:0",
                *network_of_node,
            ],
            interface=settings.interface or None,
            protocol="tls://",
            security=security_in(credentials),
            silence_logs=logging.ERROR,
            scheduler_options={"host": host, "dashboard_address": "127.0.0.1:0"},
        )
        with cluster:
            cluster.adapt(minimum_jobs=number, maximum_jobs=number, interval="2s")
            yield cluster


def _slurm_class() -> Any:
    """Return the class of dask-jobqueue, which takes Ctrl-C for itself when it is imported, and only in the main thread.

    Raises:
        ClusterError: It was not imported yet, and this is another thread.
    """
    if "dask_jobqueue" in sys.modules:
        return sys.modules["dask_jobqueue"].SLURMCluster
    if threading.current_thread() is not threading.main_thread():
        raise ClusterError("dask-jobqueue can be imported in the main thread only; begin the run there.")
    handler = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    finally:
        signal.signal(signal.SIGINT, handler if handler is not None else signal.SIG_DFL)
    return sys.modules[dask_jobqueue.__name__].SLURMCluster
