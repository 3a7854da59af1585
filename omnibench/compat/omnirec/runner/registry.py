"""Runners of one's own: scripts with a ``Runner``, registered by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnibench.code.identity import module_digest
from omnibench.compat.omnirec_runner.runner import RunnerInfo
from omnibench.errors import PlanError, nearest
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.own import OwnAlgorithm
from omnibench.runners import registry as native
from omnibench.runners.info import RunnerInfo as Framework

__all__ = ["RunnerInfo", "register_runner"]

_RUNNER_REGISTRY: dict[str, RunnerInfo] = {}
_ADAPTER = "omnibench.compat.omnirec.runner.script_guest"


@dataclass(frozen=True)
class ScriptAlgorithm(OwnAlgorithm):
    """An algorithm of a script, which another process executes.

    Attributes:
        content: A digest of the script as it is.
    """

    content: str = ""

    @property
    def locator(self) -> dict[str, object]:
        """The script, the name that it knows the algorithm by, and a digest by which a change is noticed."""
        return {"file": self.file, "name": self.name, "content": self.content}


def register_runner(name: str, info: RunnerInfo) -> None:
    """Register a script with a ``Runner``, so that plans can name its algorithms.

    It runs in the environment of the process that registers it; ``packages`` and ``python_version`` are not installed.

    Args:
        name: The name before the dot in plans.
        info: The script, and the names of its algorithms.

    Raises:
        PlanError: The name is taken.
    """
    info = replace(info, runner_path=Path(info.runner_path).resolve())
    names = [*_RUNNER_REGISTRY, *native.runner_names(is_complete=False)]
    if name in names and _RUNNER_REGISTRY.get(name) != info:
        raise PlanError(f"there is a runner named {name!r} already; choose another name.")
    _RUNNER_REGISTRY[name] = info


def is_registered(algorithm: str) -> bool:
    """Return whether the part before the dot is a runner that was registered here."""
    return algorithm.partition(".")[0] in _RUNNER_REGISTRY


def check_algorithm(algorithm: str) -> None:
    """Refuse an algorithm that the script of its runner does not have, and a script that is not there.

    Raises:
        PlanError: It is one.
    """
    runner, _, name = algorithm.partition(".")
    info = _RUNNER_REGISTRY[runner]
    if name not in info.algorithms:
        raise PlanError(
            f"{runner} has no algorithm named {name!r}{nearest(name, info.algorithms) or '.'} It has {', '.join(info.algorithms)}."
        )
    if not info.runner_path.is_file():
        raise PlanError(
            f"the script of {runner} is not there: {str(info.runner_path)!r}; check the path given to RunnerInfo."
        )


def configuration_of(algorithm: str, parameters: dict[str, Any]) -> Configuration:
    """Return a configuration of an algorithm of a script.

    Raises:
        PlanError: The script cannot be read.
    """
    runner, _, name = algorithm.partition(".")
    path = _RUNNER_REGISTRY[runner].runner_path
    own = ScriptAlgorithm(
        module=path.stem,
        file=str(path),
        name=name,
        code=module_digest(path),
        parameters=None,
        required=(),
        ranks=True,
        rates=True,
        content=content_of(path),
    )
    host = Framework(name=runner, distribution="", adapter=_ADAPTER, adapter_version=1)
    return Configuration(host, algorithm, parameters, own)


def content_of(path: Path) -> str:
    """Return a digest of a script as it is, by which a guest notices that it has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
