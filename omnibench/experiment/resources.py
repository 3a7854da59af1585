"""What a fit is to have of a machine: cores, memory, GPUs and hours. No result depends on it, so it is part of no key."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import Any

from omnibench.arguments import refuse_unknown
from omnibench.durations import seconds
from omnibench.errors import OmnibenchError, PlanError
from omnibench.sizes import bytes_of, size_text

_EXAMPLE = 'Resources(cores=4, memory="16GiB", gpus=1, hours=8)'
_LEAST_MEMORY = 10**6
_MOST_MEMORY = 2**60
"""Bytes beyond which an amount is a mistake: an exbibyte."""

_HOUR = 3600.0


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Resources:
    """What a fit is to have: on one machine it waits until there is as much, on a cluster a job is asked for it.

    What is left out is said by what comes next: the algorithm's own ``resources``, the plan's, those of the framework in
    ``pyproject.toml`` (``[tool.omnibench.resources.RecBole]``), and else the default that stands below.

    Args:
        cores: How many cores; by default the share of the worker, cores / workers. Algorithms whose numbers do not depend on
            threads compute with as many threads.
        memory: How much memory in all: a text such as ``"16GiB"`` or ``"16 GB"``, or bytes; by default what it is estimated to
            need.
        gpus: How many GPUs of its own; by default 1 where it computes on a GPU. With 0 it shares one with whatever else computes.
        gpu_share: Instead of ``gpus``, the part of one GPU, above 0 and at most 1: fits compute on the same one as long as their
            parts are no more than it. On a cluster it gets a whole one.
        hours: After how long it is ended: a number, or a text such as ``"8h"`` or ``"90m"``; by default never.

    Raises:
        PlanError: A value is impossible, or there is no such argument.

    Example:
        >>> Resources(cores=4, memory="16GiB")
        Resources(cores=4, memory=17179869184)
    """

    cores: int | None
    memory: int | None
    gpus: int | None
    gpu_share: float | None
    hours: float | None

    @refuse_unknown(
        _EXAMPLE,
        elsewhere={
            **dict.fromkeys(("cpus", "threads"), "cores= says how many"),
            **dict.fromkeys(("ram", "mem"), 'memory="16GiB" says how much'),
            **dict.fromkeys(("time", "walltime", "minutes"), 'hours=8 or hours="90m" says how long'),
        },
    )
    def __init__(
        self,
        *,
        cores: int | None = None,
        memory: int | str | None = None,
        gpus: int | None = None,
        gpu_share: float | None = None,
        hours: float | str | None = None,
    ) -> None:
        self._set("cores", None if cores is None else _whole("cores", cores, least=1))
        self._set("memory", None if memory is None else _bytes(memory))
        self._set("gpus", None if gpus is None else _whole("gpus", gpus, least=0))
        self._set("gpu_share", None if gpu_share is None else _share(gpu_share))
        if self.gpus is not None and self.gpu_share is not None:
            raise PlanError(
                f"gpus is {gpus!r} and gpu_share is {gpu_share!r}; give one of the two: a share is of one GPU."
            )
        self._set("hours", None if hours is None else _hours(hours))

    def _set(self, name: str, value: float | None) -> None:
        object.__setattr__(self, name, value)

    @property
    def seconds(self) -> float | None:
        """The seconds after which a fit is ended; None for never."""
        return None if self.hours is None else self.hours * _HOUR

    @property
    def gpu_amount(self) -> float | None:
        """How many GPUs, or which part of one; None where nothing is said."""
        return self.gpus if self.gpu_share is None else self.gpu_share

    @property
    def is_said(self) -> bool:
        """Whether anything is said at all."""
        return any(getattr(self, entry.name) is not None for entry in fields(self))

    @property
    def arguments(self) -> dict[str, Any]:
        """What the constructor takes for equal resources."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def over(self, farther: Resources) -> Resources:
        """Return these, and where they say nothing what is said farther away."""
        said = {
            entry.name: getattr(farther, entry.name) if getattr(self, entry.name) is None else getattr(self, entry.name)
            for entry in fields(self)
        }
        if self.gpu_amount is not None:
            said |= {"gpus": self.gpus, "gpu_share": self.gpu_share}
        return Resources(**said)

    def __str__(self) -> str:
        words = [] if self.cores is None else [cores_text(self.cores)]
        words += [] if self.memory is None else [f"{size_text(self.memory)} of memory"]
        words += [] if self.gpu_amount is None else [gpus_text(self.gpu_amount)]
        words += [] if self.hours is None else [hours_text(self.hours)]
        return ", ".join(words)

    def __repr__(self) -> str:
        said = ((entry.name, getattr(self, entry.name)) for entry in fields(self))
        return f"Resources({', '.join(f'{name}={value!r}' for name, value in said if value is not None)})"


NOTHING_SAID = Resources()


def as_resources(value: Any) -> Resources:
    """Return an argument ``resources``.

    Raises:
        PlanError: It is something else.
    """
    if value is None:
        return NOTHING_SAID
    if not isinstance(value, Resources):
        raise PlanError(f"resources is {value!r}; give {_EXAMPLE}, or a part of it.")
    return value


def cores_text(number: float) -> str:
    """Return a number of cores in words, e.g. ``4 cores``; a worker's share may be a part of one."""
    return f"{round(number, 2):g} core{'' if number == 1 else 's'}"


def gpus_text(number: float) -> str:
    """Return a number of GPUs in words, e.g. ``1 GPU``, or a part of one."""
    if 0 < number < 1:
        return f"{number:g} of a GPU"
    return f"{number:g} GPU{'' if number == 1 else 's'}"


def hours_text(hours: float) -> str:
    """Return hours in words, e.g. ``1.5 hours``."""
    return f"{hours:g} hour{'' if hours == 1 else 's'}"


def _whole(name: str, value: Any, least: int) -> int:
    from numbers import Integral

    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise PlanError(f"{name} is {value!r}; give a whole number from {least} on.")
    return int(value)


def _share(value: Any) -> float:
    from numbers import Real

    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) <= 1:
        raise PlanError(f"gpu_share is {value!r}; give the part of a GPU, above 0 and at most 1, such as 0.5.")
    return float(value)


def _bytes(value: Any) -> int:
    advice = "give a size such as '16GiB' or '16 GB', or a whole number of bytes"
    try:
        size = bytes_of(value) if isinstance(value, str) else _whole("memory", value, least=1)
    except OmnibenchError as error:
        raise PlanError(f"memory is {value!r}; {advice}.") from error
    if not _LEAST_MEMORY <= size <= _MOST_MEMORY:
        raise PlanError(f"memory is {value!r}, which is {size:,} bytes; {advice}, from 1 MB on.")
    return size


def _hours(value: Any) -> float:
    from numbers import Real

    number = math.nan
    if isinstance(value, str) and re.search(r"[smhd]\s*$", value):
        try:
            number = seconds(value) / _HOUR
        except OmnibenchError:
            number = math.nan
    elif value is not True and isinstance(value, Real):
        number = float(value)
    if not 0 < number < math.inf:
        raise PlanError(
            f"hours is {value!r}; give a number above 0, such as 8 or 0.5, or a text such as '8h' or '90m'."
        )
    return number
