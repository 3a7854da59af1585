"""The runners: all frameworks, their algorithms, and the locks of their environments."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from omnibench.errors import GuestEnvironmentError, GuestError, PlanError, nearest

_FOLDER = Path(__file__).parent
GUEST_FOLDER = _FOLDER.parent / "guest"
ISOLATED, CURRENT = "isolated", "current"

NO_USE = "nothing"
"""What an algorithm does with validation data that it has no use for; see ``use_of_validation``."""

_UNNAMED_USE = "a use of its own"
"""What an algorithm does with validation data where its framework's catalogue says only that it does something."""

_DEFAULTS = {
    "parameters": {},
    "ratings": False,
    "ranking": True,
    "validation": False,
    "gpu": False,
    "history": False,
    "rating_parameters": {},
    "epochs": "",
    "deterministic": None,
    "threads": None,
}
"""What the catalogue says of an algorithm where a registered framework says nothing; None where nobody knows."""

_FACTS = ("deterministic", "threads")
"""What is true, false, or not known."""

_MEMBERS = (*_DEFAULTS, "refit", "memory")
"""What a registered framework may say of an algorithm."""


@dataclass(frozen=True)
class RunnerInfo:
    """A framework as omnibench runs it.

    Attributes:
        name: The framework's name in plans, e.g. ``LensKit``.
        distribution: Its name in the package index; empty for the user's own environment.
        adapter: The name of the module that drives it, with the functions of ``omnibench.guest.base.Adapter``: one of
            the project, or an installed one; omnibench's own lie in ``omnibench/guest``.
        adapter_version: Raised when the adapter's results change; part of every key.
        python: The Python of its isolated environment.
        lock: The file with the exact pins of that environment; without one the framework runs in the current one.
        catalogue_file: Its algorithms and their hyperparameters, as read from the framework itself.
        size: About how large the environment is, for the message while it is built.
        algorithms: What ``catalogue_file`` says, if there is none: by name ``{"parameters": {name: default}}``, and
            ``"ranking"`` (true if not given), ``"ratings"``, ``"gpu"``, ``"history"`` (false if not), ``"validation"`` (what
            it does with the validation part, e.g. ``"early stopping"``; if not given, nothing), ``"refit"`` (whether it may
            be fitted on training and validation together; if not given, those that do nothing with validation may),
            ``"rating_parameters"`` (``{name: value}`` of the hyperparameters by which it asks for ratings),
            ``"epochs"`` (the hyperparameter that is the number of its epochs, where its Fit says how many it has kept),
            ``"deterministic"`` (whether its lists are the same whatever the seed) and ``"threads"`` (whether its numbers
            depend on how many threads compute; where nobody says, it computes with one), and ``"memory"`` (what a Fit
            needs, e.g. ``{"guest": 4e8, "items*items": 86.0}``; see ``runners.requirements``).
        adapter_file: Where the adapter of a registered framework lies; found by ``register_runner``.
        measured_file: What was measured of the algorithms of ``catalogue_file``: ``"deterministic"``, ``"threads"``,
            and ``"seed_spread"``, how much a metric varies with the seed; see ``benchmarks/catalogue``. And ``"memory"``, of
            each, and once for all of the framework; see ``benchmarks/scale/memory.py``.
    """

    name: str
    distribution: str
    adapter: str
    adapter_version: int
    python: str = "3.11"
    lock: Path | None = None
    catalogue_file: Path | None = None
    size: str = ""
    algorithms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    adapter_file: Path | None = None
    measured_file: Path | None = None

    @cached_property
    def catalogue(self) -> dict[str, Any]:
        """``{"version": ..., "algorithms": {name: {"parameters": {name: default}, "ratings": bool, ...}}}``; see ``algorithms``."""
        if self.catalogue_file is None:
            algorithms: dict[str, Any] = {
                name: {**_DEFAULTS, **described} for name, described in self.algorithms.items()
            }
            return {"version": self._locked_version(), "algorithms": algorithms}
        catalogue: dict[str, Any] = json.loads(self.catalogue_file.read_text(encoding="utf-8"))
        if self.measured_file is not None:
            measured = json.loads(self.measured_file.read_text(encoding="utf-8"))
            for name, described in catalogue["algorithms"].items():
                described.update(measured["algorithms"].get(name, {}))
            catalogue["memory"] = measured.get("memory", {})
        return catalogue

    def version(self, environment: str) -> str:
        """Return the framework's version in an environment, without importing it.

        Args:
            environment: ``isolated`` or ``current``.

        Raises:
            GuestEnvironmentError: The current environment does not have the framework.
        """
        if not self.distribution:
            return ""
        if environment == ISOLATED and self.has_environment:
            return str(self.catalogue["version"])
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError as error:
            raise GuestEnvironmentError(
                f"{self.name} is to run in the current environment, but {self.distribution} is not installed in it. "
                f"Install it (pip install {self.distribution})"
                + (", or leave the choice at 'isolated'." if self.has_environment else ".")
            ) from error

    @property
    def has_environment(self) -> bool:
        """Whether it can have an isolated environment."""
        return self.lock is not None

    def _locked_version(self) -> str:
        lines = self.lock.read_text(encoding="utf-8").splitlines() if self.lock is not None else []
        pins = (line.partition("==") for line in lines)
        return next((version.split()[0] for name, _, version in pins if name.strip() == self.distribution), "")

    @property
    def adapter_identity(self) -> int | str:
        """What keys say of the adapter: its version; of a registered one also a digest of its source."""
        return (
            self.adapter_version if self._adapter_digest is None else f"{self.adapter_version} {self._adapter_digest}"
        )

    @cached_property
    def _adapter_digest(self) -> str | None:
        return None if self.adapter_file is None else _digest(self.adapter_file)

    def check_adapter(self) -> None:
        """Refuse an adapter whose source has changed since keys were made of it.

        Raises:
            GuestError: It has.
        """
        if self.adapter_file is not None and _digest(self.adapter_file) != self._adapter_digest:
            raise GuestError(
                f"{self.adapter_file}, or what it uses, has changed since this run began; the result would be recorded for "
                "the old code. Run again."
            )

    @property
    def adapter_path(self) -> list[str]:
        """Where a guest looks for the adapter and what it imports, beside its own environment."""
        if self.adapter_file is None:
            return []
        root = self.adapter_file
        for _ in range(self.adapter.count(".") + 1 + (self.adapter_file.name == "__init__.py")):
            root = root.parent
        return [str(root), *([] if self.has_environment else filter(None, sys.path))]


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
        measured_file=_FOLDER / "measured" / f"{package}.json",
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


_BUILT_IN = frozenset(_RUNNERS)


def register_runner(runner: RunnerInfo) -> None:
    """Register a framework, so that plans can name its algorithms: ``plan.add_algorithm("Mine.Popularity")``.

    Every process that makes plans has to do it, as a ``conftest.py``, a bench file or a module that they import does. A
    framework that is registered again replaces the earlier one.

    Raises:
        PlanError: omnibench itself has a framework of that name, the adapter cannot be found, or something is missing.
    """
    if runner.name in _BUILT_IN:
        raise PlanError(f"omnibench has a framework named {runner.name!r} itself; choose another name.")
    if not runner.name.isidentifier():
        raise PlanError(
            f"a framework cannot be named {runner.name!r}; give a name without dots and blanks, e.g. 'Mine'."
        )
    if not runner.distribution:
        raise PlanError(
            f"{runner.name}: distribution is empty; give the name under which pip installs the framework, whose version is "
            "part of every key. A class of your own needs no runner: plan.add_algorithm(Class)."
        )
    if runner.lock is not None and not runner.lock.is_file():
        raise PlanError(
            f"{runner.name}: there is no lock {str(runner.lock)!r}; leave it out, or make it with uv pip compile."
        )
    _check_algorithms(runner)
    _RUNNERS[runner.name] = replace(runner, adapter_file=_adapter_file(runner))


def _check_algorithms(runner: RunnerInfo) -> None:
    example = 'algorithms={"Popularity": {"parameters": {"k": 20}}}'
    if runner.catalogue_file is None and not runner.algorithms:
        raise PlanError(f"{runner.name} has no algorithm; give them, e.g. {example}, or a catalogue_file.")
    for name, described in runner.algorithms.items():
        entry: Any = described
        if not isinstance(entry, Mapping) or not isinstance(entry.get("parameters", {}), Mapping):
            raise PlanError(f"{runner.name}.{name} is described by {described!r}; give a dictionary, e.g. {example}.")
        validation = entry.get("validation", NO_USE)
        if not isinstance(validation, bool | str) or validation == "":
            raise PlanError(
                f"{runner.name}.{name}: 'validation' is {validation!r}; say what it does with the validation part, e.g. "
                f"'early stopping', or {NO_USE!r}."
            )
        epochs = entry.get("epochs", "")
        if epochs != "" and epochs not in entry.get("parameters", {}):
            raise PlanError(
                f"{runner.name}.{name}: 'epochs' is {epochs!r}; name the hyperparameter that is the number of its epochs, or "
                "leave it out."
            )
        unknown = [member for member in entry if member not in _MEMBERS]
        if unknown:
            near = nearest(unknown[0], _MEMBERS)
            raise PlanError(f"{runner.name}.{name}: {unknown[0]!r} says nothing{near}; there is {', '.join(_MEMBERS)}.")
        _check_memory(f"{runner.name}.{name}", entry.get("memory", {}))
        for fact in _FACTS:
            if entry.get(fact) not in (None, True, False):
                raise PlanError(
                    f"{runner.name}.{name}: {fact!r} is {entry[fact]!r}; give True or False, or leave it out."
                )


def _check_memory(algorithm: str, formula: Any) -> None:
    is_formula = isinstance(formula, Mapping) and all(
        isinstance(term, str) and isinstance(size, int | float) and size >= 0 for term, size in formula.items()
    )
    if not is_formula:
        raise PlanError(
            f"{algorithm}: 'memory' is {formula!r}; give bytes by what they grow with, e.g. "
            "{'guest': 4e8, 'interactions': 60, 'items*items': 86.0}."
        )


def _adapter_file(runner: RunnerInfo) -> Path:
    if (GUEST_FOLDER / f"{runner.adapter}.py").is_file():
        raise PlanError(f"{runner.name}: omnibench has an adapter named {runner.adapter!r} itself; rename yours.")
    from omnibench.code.resolve import find_module  # few register a framework

    module = find_module(runner.adapter)
    if module.file is None or not module.has_source:
        raise PlanError(
            f"{runner.name}: there is no module {runner.adapter!r} for its adapter in {', '.join(filter(None, sys.path))}; "
            "give its full name, and put its directory on the path (pytest: the ini setting pythonpath)."
        )
    return module.file.absolute()


def _digest(adapter: Path) -> str:
    from omnibench.code.identity import module_digest

    return module_digest(adapter)


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


def use_of_validation(described: Mapping[str, Any]) -> str:
    """Return what an algorithm does with validation data: ``nothing``, or e.g. ``early stopping`` or ``best epoch``.

    Args:
        described: Its entry in a catalogue; catalogues of earlier releases only say whether it does something.
    """
    use = described.get("validation", False)
    if isinstance(use, bool):
        return _UNNAMED_USE if use else NO_USE
    return str(use)


def may_refit(described: Mapping[str, Any]) -> bool:
    """Return whether an algorithm may be fitted on training and validation together: by default if it needs no validation.

    Args:
        described: Its entry in a catalogue.
    """
    return bool(described.get("refit", use_of_validation(described) == NO_USE))


def epochs_parameter(described: Mapping[str, Any]) -> str | None:
    """Return the hyperparameter that is the number of an algorithm's epochs, where its Fit says how many it has kept.

    Args:
        described: Its entry in a catalogue.
    """
    return str(described.get("epochs") or "") or None
