"""What an item asks for, in the terms of those who provide it: the shape of a SLURM job, and Dask's resources of a worker."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from omnibench.cluster.settings import SlurmSettings
from omnibench.experiment.resources import Resources, cores_text, gpus_text
from omnibench.sizes import size_text

CPU, MEMORY, GPU = "CPU", "MEMORY", "GPU"
"""The names under which workers declare what they have, as Dask's documentation spells them; memory in bytes."""

_AMOUNT_TEXTS: Mapping[str, Callable[[float], str]] = {
    CPU: cores_text,
    MEMORY: lambda size: f"{size_text(size)} of memory",
    GPU: lambda number: gpus_text(round(number)),
}

_GPUS = re.compile(
    r"(--gres[= ]gpu(?::[A-Za-z][^:,]*)?)(?::\d+)?|((?:--gpus|--gpus-per-node|-G)[= ](?:[A-Za-z][^:,]*:)?)\d+"
)
"""A directive that asks for GPUs: by ``--gres`` with what stands before the number first, else with that second."""

_SPARE_SECONDS = 900.0
"""What a job has beyond the hours of a Fit: for its start, the data, the predictions."""


def job_settings(resources: Resources, settings: SlurmSettings) -> SlurmSettings:
    """Return the settings of the jobs in which an item is computed: those of the project, and over them what it asks for.

    Args:
        resources: What the item asks for.
        settings: The project's settings.
    """
    changes: dict[str, Any] = {}
    if resources.cores is not None:
        changes["cores"] = resources.cores
    if resources.memory is not None:
        changes["memory"] = f"{math.ceil(resources.memory / 2**20)}MiB"
    if resources.gpus:
        changes["directives"] = _with_gpus(settings.directives, resources.gpus)
    if resources.seconds is not None and resources.seconds + _SPARE_SECONDS > walltime_seconds(settings.walltime):
        changes["walltime"] = _walltime(resources.seconds + _SPARE_SECONDS)
    return replace(settings, **changes)


def asks_for_gpus(directives: Iterable[str]) -> bool:
    """Whether lines of ``#SBATCH`` ask for GPUs.

    Args:
        directives: The lines.
    """
    return any(map(_GPUS.fullmatch, directives))


def _with_gpus(directives: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Return directives that ask for so many GPUs: of the type that they ask for already, if they do."""
    if not asks_for_gpus(directives):
        return (*directives, f"--gres=gpu:{number}")
    return tuple(_with_number(line, number) for line in directives)


def _with_number(directive: str, number: int) -> str:
    matched = _GPUS.fullmatch(directive)
    if matched is None:
        return directive
    return f"{matched[1]}:{number}" if matched[1] else f"{matched[2]}{number}"


def walltime_seconds(text: str) -> float:
    """Return the seconds of a walltime as sbatch spells it: ``M``, ``M:S``, ``H:M:S``, ``D-H``, ``D-H:M`` or ``D-H:M:S``.

    What is none of these is left to SLURM to judge, and taken for no limit.
    """
    matched = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if matched is None:
        return math.inf
    days, first, second, third = (int(part or 0) for part in matched.groups())
    if matched[1] is not None or matched[4] is not None:
        return ((days * 24 + first) * 60 + second) * 60 + third
    return first * 60 + second


def _walltime(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 1440}-{minutes // 60 % 24:02d}:{minutes % 60:02d}:00"


def worker_resources(resources: Resources) -> dict[str, float]:
    """Return what a worker has to have free for an item, by Dask's names; nothing where the item asks for nothing.

    Args:
        resources: What the item asks for.
    """
    amounts = {CPU: resources.cores, MEMORY: resources.memory, GPU: resources.gpus}
    return {name: float(amount) for name, amount in amounts.items() if amount}


def workers_shortage(resources: Resources, workers: Iterable[Mapping[str, float]]) -> str:
    """Return what an item asks for that none of some workers has; nothing where one has all of it, or there is none yet.

    Args:
        resources: What the item asks for.
        workers: What each worker declares.
    """
    return amounts_shortage(worker_resources(resources), workers)


def amounts_shortage(needed: Mapping[str, float], workers: Iterable[Mapping[str, float]]) -> str:
    """Return the same of resources by Dask's names.

    Args:
        needed: What an item asks for.
        workers: What each worker declares.
    """
    declared = list(workers)
    if not declared or any(all(has.get(name, 0.0) >= needed[name] for name in needed) for has in declared):
        return ""
    for name, amount in needed.items():
        most = max(has.get(name, 0.0) for has in declared)
        if amount > most:
            words = f"the largest worker of the cluster declares {_AMOUNT_TEXTS[name](most)}"
            if not most:
                words = f"no worker of the cluster declares any (dask worker --resources {name}={amount:g})"
            return f"asks for {_AMOUNT_TEXTS[name](amount)}, and {words}"
    return f"asks for {amounts_text(needed)}, and no single worker of the cluster declares as much of everything"


def amounts_text(needed: Mapping[str, float]) -> str:
    """Return resources by Dask's names in words, e.g. ``4 cores, 1 GPU``.

    Args:
        needed: The resources.
    """
    return ", ".join(_AMOUNT_TEXTS[name](amount) for name, amount in needed.items())
