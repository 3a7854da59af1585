"""The settings of a cluster: those of SLURM, from ``[tool.omnibench.slurm]`` of the project, and Dask's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from omnibench.errors import ClusterError, DataError, OmnibenchError, nearest
from omnibench.project import nearest_settings
from omnibench.sizes import bytes_of

_DASK: Mapping[str, Any] = {
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.comm.timeouts.connect": "30s",
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": 0,  # a session that was lost is submitted anew, and counted, by us
    # Of the HTTP server of each, which encrypts nothing and asks nobody who he is; it cannot be left out.
    "distributed.scheduler.http.routes": ["distributed.http.health"],
    "distributed.worker.http.routes": ["distributed.http.health"],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.low-level-log-length": 100,
    "distributed.client.scheduler-info-interval": "60s",  # what the client asks for by itself, nobody here reads
    # Nobody looks at what is measured that often, by default 50 and 2 times a second: there is no dashboard.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}


def dask_settings() -> dict[str, Any]:
    """Return settings of Dask for clients, and for schedulers and workers of ours, but for those that the environment has.

    Those of a scheduler that runs already are its owner's.
    """
    return {name: value for name, value in _DASK.items() if dask_variable(name) not in os.environ}


def dask_variable(name: str) -> str:
    """Return the environment variable by which Dask takes a setting."""
    return f"DASK_{name.upper().replace('.', '__').replace('-', '_')}"


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """What jobs are asked for.

    Attributes:
        jobs: How many, each of which computes one item at a time.
        partition: The partition; that of the cluster by default.
        account: The account; that of the user by default.
        walltime: The longest time of a job.
        cores: The cores of a job.
        memory: The memory of a job.
        directives: Further lines of ``#SBATCH``, e.g. ``--gres=gpu:1``.
        prologue: Lines of the shell before the worker starts, e.g. ``module load cuda``.
        interface: The network of the nodes, e.g. ``ib0``; that of the machine's name by default.
        python: The interpreter on the nodes; that of this process by default.
        shared_directory: A directory that all nodes see, for the credentials of the run.
        run_walltime: The longest time of the job that holds a run with ``--omnirec-detach``; the partition's by default.
        run_memory: The memory of that job.
    """

    jobs: int = 1
    partition: str = ""
    account: str = ""
    walltime: str = "08:00:00"
    cores: int = 1
    memory: str = "4GiB"
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    interface: str = ""
    python: str = ""
    shared_directory: str = ""
    run_walltime: str = ""
    run_memory: str = "4GiB"


def slurm_settings(directory: Path) -> SlurmSettings:
    """Return the settings of the nearest ``pyproject.toml`` upwards that has any.

    Args:
        directory: Where to begin.

    Raises:
        ClusterError: A name or a type is none of these.
    """
    try:
        settings = nearest_settings(directory, "slurm")
    except DataError as error:
        raise ClusterError(str(error)) from error
    return SlurmSettings() if settings is None else _checked(settings.values["slurm"], settings.path)


def _checked(table: Any, path: Path) -> SlurmSettings:
    types = {field.name: type(field.default) for field in fields(SlurmSettings)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in types:
            names = ", ".join(name.replace("_", "-") for name in types)
            advice = nearest(key, [name.replace("_", "-") for name in types]) or f"; there are {names}."
            raise ClusterError(f"{path}, [tool.omnibench.slurm]: there is no setting {key!r}{advice}")
        expected: Any = list if types[name] is tuple else types[name]
        is_fitting = type(value) is expected and (expected is not list or all(isinstance(line, str) for line in value))
        if not is_fitting or (expected is int and value < 1):
            nouns = {int: "a whole number from 1 on", str: "a text", list: "a list of texts"}
            raise ClusterError(f"{path}, [tool.omnibench.slurm]: {key} is {value!r}; give {nouns[expected]}.")
        if name in ("memory", "run_memory"):
            try:
                bytes_of(value)
            except OmnibenchError as error:
                raise ClusterError(f"{path}, [tool.omnibench.slurm]: {key}: {error}") from error
        values[name] = tuple(value) if expected is list else value
    return SlurmSettings(**values)
