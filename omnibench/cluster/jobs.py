"""Jobs of SLURM, of one shape: as many as there are items that wait for one, or are computed in one."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from omnibench.cluster import job_end
from omnibench.cluster.commands import run_command
from omnibench.cluster.credentials import security_in, write_credentials
from omnibench.cluster.own_directory import closing_workspace
from omnibench.cluster.settings import SlurmSettings
from omnibench.errors import ClusterError

_OWN_ADDRESS = "from distributed.utils import get_ip; print(get_ip())"
"""What a node says of itself in the place of the name of a network."""

_LOOK = "2s"
_IDLE_LOOKS = 15
"""So many looks in a row a job has to be too many before it is ended: the next item may want it."""

_REPORTING_SECONDS = 60.0
"""How long nodes may take to report to a controller that was started a moment ago."""
_YOUNG_SECONDS = 15.0
"""So long after its start a controller may refuse jobs for nodes that run jobs: those have not reported, and nothing says so."""
_SECONDS_BETWEEN_LOOKS = 0.5

_EVERY_TASK_ITS_JOB = "1us"
"""How soon Dask is to be done with all tasks, by which it judges how many workers they need."""


@contextmanager
def slurm_cluster(most: int, settings: SlurmSettings) -> Iterator[Any]:
    """Yield a scheduler in this process whose workers are jobs of SLURM; jobs that are lost are replaced.

    Args:
        most: How many jobs there are at once.
        settings: What each is asked for.

    Raises:
        ClusterError: SLURM does not take such jobs, or a path cannot stand in their scripts.
    """
    from distributed import utils

    _refuse_blanks(settings)
    refusal = slurm_refusal(settings)
    if refusal:
        raise ClusterError(refusal)
    network: Any = utils
    SLURMCluster = slurm_classes().SLURMCluster  # noqa: N806 - a class
    host = network.get_ip_interface(settings.interface) if settings.interface else network.get_ip()
    with closing_workspace(shared_directory(settings), "run.") as directory:
        credentials = directory / "credentials"
        write_credentials(credentials)
        cluster = SLURMCluster(
            **_job_options(settings, directory),
            protocol="tls://",
            security=security_in(credentials),
            silence_logs=logging.ERROR,
            scheduler_options={"host": host, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
        )
        with cluster:
            cluster.adapt(
                minimum_jobs=0,
                maximum_jobs=most,
                interval=_LOOK,
                wait_count=_IDLE_LOOKS,
                target_duration=_EVERY_TASK_ITS_JOB,
            )
            yield cluster


def shared_directory(settings: SlurmSettings) -> Path:
    """Return the directory that all nodes see, in which credentials lie."""
    return Path(settings.shared_directory or Path.home() / ".cache" / "omnibench" / "cluster")


def _refuse_blanks(settings: SlurmSettings) -> None:
    """Refuse paths that dask-jobqueue would write into the job's script as several words: no job would ever be submitted, or begin."""
    for name, path in (
        ("shared-directory", shared_directory(settings)),
        ("python", settings.python or sys.executable),
    ):
        if len(str(path).split()) > 1:
            raise ClusterError(
                f"{str(path)!r} has a blank, which cannot be in a job of dask-jobqueue; give {name} of [tool.omnibench.slurm] "
                "without one, e.g. a symbolic link."
            )


def _job_options(settings: SlurmSettings, directory: Path) -> dict[str, Any]:
    python = settings.python or sys.executable
    # Without either, a worker listens on all networks of its node.
    network_of_node = [] if settings.interface else ["--host", f"$({python} -c '{_OWN_ADDRESS}')"]
    return {
        "queue": settings.partition or None,
        "account": settings.account or None,
        "walltime": settings.walltime,
        "cores": settings.cores,
        "processes": 1,
        "memory": settings.memory,
        "job_extra_directives": list(settings.directives),
        "job_script_prologue": list(settings.prologue),
        "python": python,
        "local_directory": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - of the node
        "log_directory": str(directory),
        "death_timeout": 60,
        "nanny": False,
        "worker_extra_args": [
            "--memory-limit",
            "0",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--preload",
            job_end.__name__,
            "--dashboard-address",
            "127.0.0.1:0",
            *network_of_node,
        ],
        "interface": settings.interface or None,
    }


@lru_cache(maxsize=64)
def slurm_refusal(settings: SlurmSettings) -> str:
    """Return why SLURM would never run jobs with some settings, in its own words and with what its nodes have.

    Args:
        settings: What a job is asked for.

    Returns:
        The reason; nothing where SLURM takes the job.
    """
    job = slurm_classes().SLURMJob(scheduler="tls://127.0.0.1:1", name="omnibench", **_job_options(settings, Path("/")))
    deadline = time.monotonic() + _REPORTING_SECONDS
    are_nodes_coming = True
    while True:
        answer = run_command("sbatch", "--test-only", "/dev/stdin", script=job.job_script())
        if answer.returncode == 0:
            return ""
        if not are_nodes_coming or time.monotonic() > deadline:
            break
        # Nodes may have reported since the job was refused: a refusal counts that came when all had.
        are_nodes_coming = _is_waiting_for_nodes(settings.partition)
        if are_nodes_coming:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    words = answer.stderr.strip().rpartition("allocation failure: ")[2].rstrip(".") or "no word of the reason"
    directives = "".join(f", {line}" for line in settings.directives)
    request = f"{settings.cores} cores, {settings.memory}, {settings.walltime}{directives}"
    return f"SLURM takes no job of {request}: {words}{_nodes(settings.partition)}"


def _is_waiting_for_nodes(partition: str) -> bool:
    """Whether SLURM was started a moment ago and some nodes may not have reported to it, for which it refuses every job."""
    chosen = ["--partition", partition] if partition else []
    answer = run_command("sinfo", "--noheader", "--format=%T", *chosen)
    return any(state.startswith("unknown") for state in answer.stdout.split()) or _is_young()


def _is_young() -> bool:
    """Whether SLURM's controller was started a moment ago, by its own clock."""
    try:
        answer = run_command("env", "SLURM_TIME_FORMAT=standard", "scontrol", "show", "config")
    except ClusterError:  # the refusal itself says more than that this command does not answer
        return False
    times = [re.search(pattern, answer.stdout) for pattern in (r"data as of (\S+)", r"BOOT_TIME\s*= (\S+)")]
    try:
        reported, start = (datetime.fromisoformat(time_of[1]) for time_of in times if time_of)
    except ValueError:
        return False
    return 0 <= (reported - start).total_seconds() < _YOUNG_SECONDS


def _nodes(partition: str) -> str:
    """Return what the largest nodes have, as the end of a sentence; nothing where SLURM does not say."""
    chosen = ["--partition", partition] if partition else []
    answer = run_command("sinfo", "--noheader", "--exact", "--format=%c %m %G %l", *chosen)
    nodes = [line.split() for line in answer.stdout.splitlines() if len(line.split()) == 4]  # noqa: PLR2004 - as asked for
    if answer.returncode or not nodes:
        return ""
    described = ", ".join(
        f"{cores} cores, {memory} MiB, GPUs {gpus.strip('()')}, at most {longest}"
        for cores, memory, gpus, longest in nodes[:3]
    )
    return f" (nodes have {described})"


def slurm_classes() -> Any:
    """Return dask-jobqueue's module of SLURM; it takes Ctrl-C for itself when imported, and only in the main thread.

    Raises:
        ClusterError: It was not imported yet, and this is another thread.
    """
    name = "dask_jobqueue.slurm"
    if name in sys.modules:
        return sys.modules[name]
    if threading.current_thread() is not threading.main_thread():
        raise ClusterError("dask-jobqueue can be imported in the main thread only; begin the run there.")
    handler = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue.slurm
    finally:
        signal.signal(signal.SIGINT, handler if handler is not None else signal.SIG_DFL)
    return sys.modules[dask_jobqueue.slurm.__name__]
