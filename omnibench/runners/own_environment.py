"""The isolated environment of a class of the user's own that needs packages: ``requirements = ["xgboost==3.*"]``.

Its lock lies beside the file of the class that says so, and is made when a plan first has that class.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from omnibench.announcements import announce
from omnibench.errors import GuestEnvironmentError
from omnibench.paths import cache_directory
from omnibench.runners.adapter_file import checked_python
from omnibench.runners.info import ISOLATED, RunnerInfo
from omnibench.runners.lock_file import (
    LockRequest,
    checked_requirements,
    distribution_of,
    heading_of,
    pins_of,
)
from omnibench.runners.locking import make_lock

REQUIREMENTS, PYTHON = "requirements", "python"
"""What a class says by these attributes: the packages that it needs, and the Python of its environment."""

NEEDS = ("numpy>=1.26", "scipy>=1.11", "pandas>=2.2")
"""What omnibench's side of the process of a class imports."""

_SUFFIX = ".lock"


@dataclass(frozen=True)
class OwnRunner(RunnerInfo):
    """The runner of classes with one environment.

    Attributes:
        requirements: What they ask for.
        owner: The class that asks, as the command line names it, e.g. ``benchmarks/booster.py::Booster``.
    """

    requirements: tuple[str, ...] = ()
    owner: str = ""

    @cached_property
    def pins(self) -> Mapping[str, str]:
        """The locked versions of all packages, by name."""
        assert self.lock is not None
        return pins_of(self.lock)

    def version(self, environment: str) -> str:
        """Return the versions of the packages that are asked for, which are part of the key.

        Raises:
            GuestEnvironmentError: The current environment does not have one.
        """
        names = [distribution_of(requirement) for requirement in self.requirements]
        if environment == ISOLATED:
            return ", ".join(f"{name} {self.pins.get(name, '')}" for name in names)
        try:
            return ", ".join(f"{name} {metadata.version(name)}" for name in names)
        except metadata.PackageNotFoundError as error:
            raise GuestEnvironmentError(
                f"{self.owner} is to run in the current environment, which does not have {error.name}. Install it, or leave the "
                "choice at 'isolated'."
            ) from error

    @property
    def title(self) -> str:
        """The class, by which `omnibench envs` knows its environment."""
        return self.owner

    @cached_property
    def guest_name(self) -> str:
        """A name that classes with equal locks have in common."""
        assert self.lock is not None
        return f"{self.name} {hashlib.sha256(self.lock.read_bytes()).hexdigest()}"

    @property
    def is_of_project(self) -> bool:
        """True: whoever has only the name of the runner has no lock."""
        return True


def own_environment(algorithm: type) -> OwnRunner | None:
    """Return the runner of a class that says what it needs, whose lock is made where there is none; None of other classes.

    Raises:
        PlanError: What it says is no list of requirements, or no version of Python.
        GuestEnvironmentError: Nothing satisfies its requirements, or the lock cannot be written.
    """
    owner = next((base for base in algorithm.__mro__ if _says(base, REQUIREMENTS)), None)
    if owner is None:
        return None
    from omnibench.code.identity import source_file  # few classes have requirements

    stated = getattr(algorithm, PYTHON, None) if _says(algorithm, PYTHON, inherited=True) else None
    return runner_of(owner.__name__, source_file(owner), getattr(owner, REQUIREMENTS), stated)


def _says(algorithm: type, name: str, *, inherited: bool = False) -> bool:
    """Whether a class says something by an attribute; what only instances have a value of says nothing."""
    value = getattr(algorithm, name, None) if inherited else vars(algorithm).get(name)
    return value is not None and not callable(value) and not hasattr(type(value), "__get__")


def runner_of(name: str, file: Path | None, requirements: Any, python: Any) -> OwnRunner:
    """Return the runner of a class, whose lock is made where there is none, or one of other requirements.

    Args:
        name: The class's name.
        file: Its file; None of a class of a notebook's cells.
        requirements: What it says that it needs.
        python: The Python that it asks for; None for that of its lock, or the running one.

    Raises:
        PlanError, GuestEnvironmentError: As ``own_environment``.
    """
    request = lock_request(name, file, requirements, python)
    if not request.is_made:
        announce(f"{request.owner}: resolving {', '.join(request.requirements)}, once, into {request.lock.name}")
        make_lock(request)
    return OwnRunner(
        name="Own",
        distribution="",
        adapter="omnibench.runners.own_guest",
        adapter_version=1,
        python=request.python,
        lock=request.lock,
        requirements=request.requirements,
        owner=request.owner,
    )


def lock_request(name: str, file: Path | None, requirements: Any, python: Any) -> LockRequest:
    """Return what the lock of a class is made of; see ``runner_of``.

    Raises:
        PlanError: It says something impossible.
    """
    checked = checked_requirements(f"{name}.{REQUIREMENTS}", requirements)
    if file is None:
        digest = hashlib.sha256("\n".join(checked).encode()).hexdigest()[:12]
        lock, owner = cache_directory() / "locks" / f"{name}-{digest}{_SUFFIX}", name
    else:
        lock, owner = file.absolute().with_name(f"{file.stem}.{name}{_SUFFIX}"), f"{os.path.relpath(file)}::{name}"
    heading = heading_of(lock)
    if python is None:
        python = heading[1] if heading is not None else f"{sys.version_info.major}.{sys.version_info.minor}"
    return LockRequest(lock, checked, checked_python(f"{name}.{PYTHON}", python), owner, NEEDS)


def project_folders(path: Iterable[str]) -> list[str]:
    """Return the folders of a path of imports that are the project's: what is installed there is not in the environment."""
    from omnibench.code.resolve import Origin, origin_of  # as above

    return [
        folder for folder in path if origin_of(Path(folder or os.curdir)) is Origin.PROJECT and ".zip" not in folder
    ]
