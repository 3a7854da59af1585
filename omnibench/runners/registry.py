"""The runners: all frameworks, their algorithms, and the locks of their environments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from omnibench.errors import GuestEnvironmentError, PlanError, nearest

_FOLDER = Path(__file__).parent
ISOLATED, CURRENT = "isolated", "current"


@dataclass(frozen=True)
class RunnerInfo:
    """A framework as omnibench runs it.

    Attributes:
        name: The framework's name in plans, e.g. ``LensKit``.
        distribution: Its name in the package index; empty for the user's own environment.
        adapter: The module that drives it: one in ``omnibench/guest``, or a full name that its environment can import.
        adapter_version: Raised when the adapter's results change; part of every key.
        python: The Python of its isolated environment.
        lock: The file with the exact pins of that environment.
        catalogue_file: Its algorithms and their hyperparameters, as read from the framework itself.
        size: About how large the environment is, for the message while it is built.
    """

    name: str
    distribution: str
    adapter: str
    adapter_version: int
    python: str = "3.11"
    lock: Path | None = None
    catalogue_file: Path | None = None
    size: str = ""

    @cached_property
    def catalogue(self) -> dict[str, Any]:
        """``{"version": ..., "algorithms": {name: {"parameters", "ratings", "ranking", "validation", "gpu", "history"}}}``."""
        if self.catalogue_file is None:
            return {"version": "", "algorithms": {}}
        return dict(json.loads(self.catalogue_file.read_text(encoding="utf-8")))

    def version(self, environment: str) -> str:
        """Return the framework's version in an environment, without importing it.

        Args:
            environment: ``isolated`` or ``current``.

        Raises:
            GuestEnvironmentError: The current environment does not have the framework.
        """
        if not self.distribution:
            return ""
        if environment == ISOLATED:
            return str(self.catalogue["version"])
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError as error:
            raise GuestEnvironmentError(
                f"{self.name} is to run in the current environment, but {self.distribution} is not installed in it. "
                f"Install it (pip install {self.distribution}), or leave the choice at 'isolated'."
            ) from error


def _built_in(name: str, size: str) -> RunnerInfo:
    package = name.lower()
    return RunnerInfo(
        name=name,
        distribution=package,
        adapter=package,
        adapter_version=1,
        lock=_FOLDER / "locks" / f"{package}.txt",
        catalogue_file=_FOLDER / "catalogue" / f"{package}.json",
        size=size,
    )


_RUNNERS = {
    runner.name: runner
    for runner in (
        _built_in("LensKit", "1.2 GB"),
        _built_in("RecBole", "1.3 GB"),
        _built_in("RecPack", "1.0 GB"),
        RunnerInfo(name="Own", distribution="", adapter="omnibench.runners.own_guest", adapter_version=1),
    )
}


def register_runner(runner: RunnerInfo) -> None:
    """Register a framework, so that plans can name it.

    Raises:
        PlanError: There is one of that name already.
    """
    if runner.name in _RUNNERS:
        raise PlanError(f"there is a runner named {runner.name!r} already; choose another name.")
    _RUNNERS[runner.name] = runner


def runners() -> list[RunnerInfo]:
    """Return the frameworks, without the runner of the user's own classes."""
    return [runner for runner in _RUNNERS.values() if runner.distribution]


def get_runner(name: str) -> RunnerInfo:
    """Return a runner by name.

    Raises:
        PlanError: There is none.
    """
    if name not in _RUNNERS:
        names = [runner.name for runner in runners()]
        raise PlanError(f"there is no framework named {name!r}{nearest(name, names)}; known are: {', '.join(names)}.")
    return _RUNNERS[name]


def algorithm_info(runner: RunnerInfo, name: str) -> dict[str, Any]:
    """Return an algorithm's entry in its framework's catalogue.

    Raises:
        PlanError: The framework has no such algorithm.
    """
    algorithms = runner.catalogue["algorithms"]
    if name not in algorithms:
        raise PlanError(
            f"{runner.name} has no algorithm named {name!r}{nearest(name, algorithms) or '.'} "
            f"`omnibench envs algorithms {runner.name}` lists all {len(algorithms)}."
        )
    return dict(algorithms[name])
