"""A framework as omnibench runs it: its adapter, its lock, and what its catalogue says of its algorithms."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from omnibench.arguments import checked_arguments
from omnibench.errors import GuestEnvironmentError, GuestError, PlanError, nearest
from omnibench.runners.lock_file import pins_of

RUNNERS_FOLDER = Path(__file__).parent
GUEST_FOLDER = RUNNERS_FOLDER.parent / "guest"
ISOLATED, CURRENT = "isolated", "current"

NO_USE = "nothing"
"""What an algorithm does with validation data that it has no use for; see ``use_of_validation``."""

_UNNAMED_USE = "a use of its own"
"""What an algorithm does with validation data where its framework's catalogue says only that it does something."""

DEFAULTS = {
    "parameters": {},
    "aliases": {},
    "ratings": False,
    "ranking": True,
    "validation": False,
    "gpu": False,
    "history": False,
    "sequential": False,
    "timed": False,
    "required": {},
    "item_feature": "",
    "features": {},
    "needs_features": False,
    "feature_types": (),
    "usual_feature_types": (),
    "most_of_type": {},
    "rating_parameters": {},
    "evaluates_texts": False,
    "epochs": "",
    "stages": {},
    "deterministic": None,
    "threads": None,
}
"""What the catalogue says of an algorithm where a registered framework says nothing; None where nobody knows."""


@checked_arguments
@dataclass(frozen=True)
class RunnerInfo:
    """A framework as omnibench runs it.

    Attributes:
        name: The framework's name in plans, e.g. ``LensKit``.
        distribution: Its name in the package index; empty for the user's own environment.
        adapter: The name of the module that drives it, with the functions of ``omnibench.guest.base.Adapter``: one of
            the project, or an installed one; omnibench's own lie in ``omnibench/guest``. The path of one that is a file of
            its own; see ``runners.adapter_file``.
        adapter_version: Raised when the adapter's results change; part of every key.
        python: The Python of its isolated environment.
        lock: The file with the exact pins of that environment; without one the framework runs in the current one.
        catalogue_file: Its algorithms and their hyperparameters, as read from the framework itself.
        size: About how large the environment is, for the message while it is built.
        algorithms: What ``catalogue_file`` says, if there is none: by name ``{"parameters": {name: default}}``, and
            ``"aliases"`` (``{alias: name}`` of parameters that are another name of one of them), ``"ranking"`` (true if not
            given), ``"ratings"``, ``"gpu"``, ``"history"`` (false if not), ``"validation"`` (what
            it does with the validation part, e.g. ``"early stopping"``; if not given, nothing), ``"sequential"`` (whether it
            learns what comes next, and so needs timestamps; false if not given), ``"timed"``
            (whether it needs timestamps for something else, e.g. to count what is recent; false if not given), ``"required"``
            (``{name: example}`` of the hyperparameters that have no default), ``"item_feature"`` (the hyperparameter
            that names the feature of items which it needs; if not given, it needs none), ``"features"``
            (``{name: subject}`` of the hyperparameters that list features to learn from, those of ``"users"`` or ``"items"``, and
            None for all that the dataset has; by their default, None or an empty list), ``"needs_features"`` (whether it cannot do without any; false if not given), ``"feature_types"`` (the types that it can read, e.g.
            ``["text", "texts"]``; if not given, all), ``"usual_feature_types"`` (those that None stands for; if not given, all that it can read),
            ``"most_of_type"`` (``{type: number}`` of the types of which it reads a few features at most), ``"refit"`` (whether it may
            be fitted on training and validation together; if not given, those that do nothing with validation may),
            ``"rating_parameters"`` (``{name: value}`` of the hyperparameters by which it asks for ratings),
            ``"evaluates_texts"`` (whether it takes hyperparameters that are given as texts for expressions of Python, e.g. ``"[600]"``;
            false if not given),
            ``"stages"`` (``{name: settings}`` of the hyperparameters that are dicts with the settings of a later run of training,
            and which settings each may have), ``"epochs"`` (the hyperparameter that is the number of its epochs, where its Fit says how many it has kept),
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
                name: {**DEFAULTS, **described} for name, described in self.algorithms.items()
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
    def title(self) -> str:
        """What messages and `omnibench envs` call it."""
        return self.name

    @property
    def guest_name(self) -> str:
        """The name of its processes: what has another one runs in other processes."""
        return self.name

    @property
    def is_of_project(self) -> bool:
        """Whether the project brings it, so that other machines do not know it by its name."""
        return self.adapter_file is not None

    @property
    def is_file(self) -> bool:
        """Whether its adapter is a file that says all of it; see ``runners.adapter_file``."""
        return self.adapter_file is not None and self.adapter == str(self.adapter_file)

    @property
    def has_environment(self) -> bool:
        """Whether it can have an isolated environment."""
        return self.lock is not None

    def _locked_version(self) -> str:
        return "" if self.lock is None else pins_of(self.lock).get(self.distribution, "")

    @property
    def adapter_identity(self) -> int | str:
        """What keys say of the adapter: its version; of a registered one also a digest of its source."""
        return (
            self.adapter_version if self._adapter_digest is None else f"{self.adapter_version} {self._adapter_digest}"
        )

    @cached_property
    def _adapter_digest(self) -> str | None:
        return self._read_digest()

    def _read_digest(self) -> str | None:
        """Return the digest of the adapter's source as it is now; None of one that comes with omnibench."""
        return None if self.adapter_file is None else _digest(self.adapter_file)

    def check_adapter(self) -> None:
        """Refuse an adapter whose source has changed since keys were made of it.

        Raises:
            GuestError: It has.
        """
        if self._read_digest() != self._adapter_digest:
            raise GuestError(
                f"{self.adapter_file}, or what it uses, has changed since this run began; the result would be recorded for "
                "the old code. Run again."
            )

    @property
    def adapter_package(self) -> list[str]:
        """Of an adapter that is a file within a package: the folder that the package lies in, and its full name."""
        if not self.is_file or self.adapter_file is None:
            return []
        from omnibench.code.resolve import package_of

        folder, name = package_of(self.adapter_file)
        return [str(folder), name] if name else []

    @property
    def adapter_path(self) -> list[str]:
        """Where a guest looks for the adapter and what it imports, beside its own environment."""
        if self.adapter_file is None:
            return []
        if self.is_file:
            return [str(self.adapter_file.parent)]
        root = self.adapter_file
        for _ in range(self.adapter.count(".") + 1 + (self.adapter_file.name == "__init__.py")):
            root = root.parent
        return [str(root), *([] if self.has_environment else filter(None, sys.path))]


def _digest(adapter: Path) -> str:
    from omnibench.code.identity import module_digest

    return module_digest(adapter)


def algorithm_info(runner: RunnerInfo, name: str) -> dict[str, Any]:
    """Return an algorithm's entry in its framework's catalogue.

    Raises:
        PlanError: The framework has no such algorithm, or one that does not run here.
    """
    algorithms, refused = runner.catalogue["algorithms"], refused_algorithms(runner)
    reason = refused.get(name)
    if reason is not None:
        raise PlanError(f"{runner.name}.{name} does not run: {reason}.")
    if name not in algorithms:
        raise PlanError(
            f"{runner.name} has no algorithm named {name!r}{nearest(name, [*algorithms, *refused]) or '.'} "
            f"`omnibench envs algorithms {runner.name}` lists all {len(algorithms)}."
        )
    return dict(algorithms[name])


def refused_algorithms(runner: RunnerInfo) -> Mapping[str, str]:
    """Return the algorithms of a framework that do not run here, each with the reason, as a part of a sentence."""
    refused: Mapping[str, str] = runner.catalogue.get("refused", {})
    return refused


def use_of_validation(described: Mapping[str, Any]) -> str:
    """Return what an algorithm does with validation data: ``nothing``, or e.g. ``early stopping`` or ``best epoch``.

    Args:
        described: Its entry in a catalogue; catalogues of earlier releases only say whether it does something.
    """
    use = described.get("validation", False)
    if isinstance(use, bool):
        return _UNNAMED_USE if use else NO_USE
    return str(use)


def learns_from_features(described: Mapping[str, Any]) -> bool:
    """Return whether an algorithm learns from features of users or items where no hyperparameter names any.

    Args:
        described: Its entry in a catalogue.
    """
    return any(described["parameters"].get(parameter) is None for parameter in described.get("features", {}))


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
