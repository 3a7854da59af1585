"""WHICH algorithms: ExperimentPlan, grids, configurations."""

from __future__ import annotations

import copy
import enum
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from omnibench.errors import KeyValueError, PlanError, nearest
from omnibench.experiment.own import OwnAlgorithm
from omnibench.keys import canonical, sha256
from omnibench.runners.machine import device_class
from omnibench.runners.registry import RunnerInfo, algorithm_info, get_runner, runners


@dataclass(frozen=True, init=False)
class Grid:
    """Several values of one hyperparameter; a plan gets a configuration for each.

    A bare list is a value: ``{"hidden": [64, 32]}`` is one configuration, ``{"hidden": Grid([64, 32])}`` two.

    Args:
        values: At least one value; repeated ones count once.

    Raises:
        PlanError: There is no value, or one that has no canonical form.
    """

    values: tuple[Any, ...]

    def __init__(self, values: Sequence[Any]) -> None:
        given: Any = values  # a set, which has no order, and a text come from callers without a type checker
        if isinstance(given, str | bytes) or not isinstance(given, Sequence) or not given:
            raise PlanError(f"Grid got {values!r}; give a list of at least one value, e.g. Grid([20, 40]).")
        unique = {_canonical(value, "a value of a Grid"): copy.deepcopy(value) for value in values}
        object.__setattr__(self, "values", tuple(unique.values()))


class Keyed(NamedTuple):
    """A canonical text and the key that it makes."""

    text: str
    key: str


@dataclass(frozen=True)
class Configuration:
    """One algorithm with one point of its grid.

    Attributes:
        runner: The framework's runner.
        algorithm: The algorithm's name in that framework.
        parameters: The explicitly given hyperparameters, and only those.
        own: The user's class when the algorithm is one.
    """

    runner: RunnerInfo
    algorithm: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    own: OwnAlgorithm | None = None

    @property
    def name(self) -> str:
        """The full name, e.g. ``LensKit.ItemKNNScorer``; a user's own class goes by its name."""
        return self.algorithm if self.own else f"{self.runner.name}.{self.algorithm}"

    def identity(self, version: str, seed: int, device: str, salt: str = "") -> list[Any]:
        """What a model's key gets from its configuration.

        Args:
            version: The framework's version.
            seed: The run's seed.
            device: The device class, ``cpu`` or ``cuda``.
            salt: What disowns everything that was computed without it.
        """
        return [
            "configuration/1",
            {
                **({"salt": salt} if salt else {}),
                "runner": self.runner.name,
                "algorithm": self.algorithm,
                "parameters": dict(self.parameters),
                "seed": seed,
                "version": version,
                "adapter": self.runner.adapter_version,
                "device": device,
                "code": self.own.code if self.own else None,
            },
        ]

    @functools.cached_property
    def _keyed(self) -> dict[tuple[str, int, str, str], Keyed]:
        return {}

    def keyed(self, version: str, seed: int, device: str, salt: str = "") -> Keyed:
        """Return the canonical text of ``identity`` and its digest, made once."""
        wanted = (version, seed, device, salt)
        made = self._keyed.get(wanted)
        if made is None:
            # The canonical text of `identity`, put together: its names stand in order, and most of it is that of others.
            code = self.own.code if self.own else None
            around = _around(self.algorithm, self.runner.name, self.runner.adapter_version, code, *wanted)
            text = canonical(self.parameters).join(around)
            made = self._keyed[wanted] = Keyed(text, sha256(text))
        return made

    @property
    def offers_ratings(self) -> bool:
        """Whether it can predict ratings."""
        return self.own.rates if self.own else bool(algorithm_info(self.runner, self.algorithm)["ratings"])

    @property
    def offers_ranking(self) -> bool:
        """Whether it can recommend."""
        return self.own.ranks if self.own else bool(algorithm_info(self.runner, self.algorithm)["ranking"])

    @functools.cached_property
    def uses_gpu(self) -> bool:
        """Whether it computes on a GPU when it may."""
        return self.own.gpu if self.own else bool(algorithm_info(self.runner, self.algorithm).get("gpu"))

    def device(self, choice: str) -> str:
        """Return the device class that it runs on: the CPU unless it can use a GPU.

        Args:
            choice: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            OmnibenchError: A GPU is wanted, and there is none.
        """
        return device_class(choice) if self.uses_gpu else "cpu"

    @property
    def offers_history(self) -> bool:
        """Whether it can recommend for users unknown in training, from a history that they are given."""
        if self.own:
            return self.own.folds_in
        return bool(algorithm_info(self.runner, self.algorithm).get("history", False))

    @functools.cached_property
    def _text(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{self.name}({given})"

    def __str__(self) -> str:
        return self._text


@functools.lru_cache(maxsize=256, typed=True)
def _around(
    algorithm: str, runner: str, adapter: int, code: str | None, version: str, seed: int, device: str, salt: str
) -> tuple[str, str]:
    """Return the canonical text of a configuration before and after its parameters."""
    before = canonical({"adapter": adapter, "algorithm": algorithm, "code": code, "device": device})
    salted = {"salt": salt} if salt else {}
    after = canonical({"runner": runner, **salted, "seed": seed, "version": version})
    return f'["configuration/1",{before[:-1]},"parameters":', f",{after[1:]}]"


class ExperimentPlan:
    """A named list of algorithms and their hyperparameters.

    Args:
        plan_name: What to call the plan; a label.

    Example:
        >>> plan = ExperimentPlan("baselines")
        >>> plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40])})
        >>> len(plan.configurations())
        2
    """

    def __init__(self, plan_name: str = "Unnamed-Plan") -> None:
        self.plan_name = plan_name
        self._entries: dict[str, tuple[RunnerInfo, str, dict[str, Any], OwnAlgorithm | None]] = {}

    def add_algorithm(
        self, algorithm: str | type, config: Mapping[str, Any] | None = None, *, force: bool = False
    ) -> None:
        """Add an algorithm.

        Args:
            algorithm: An enum member such as ``LensKit.ItemKNNScorer``, its name as a string, or a class of
                your own with ``fit(train)`` and ``recommend(users, k)``.
            config: Hyperparameters; what is not given keeps the framework's default and stays out of the key.
            force: Replace the algorithm when the plan has it already.

        Raises:
            PlanError: The algorithm or a hyperparameter does not exist, or the plan has the algorithm already.
        """
        name, (runner, bare, own) = _resolve(algorithm)
        if name in self._entries and not force:
            raise PlanError(
                f"the plan {self.plan_name!r} has {name} already; change it with update_algorithm, replace it with "  # noqa: S608 - English
                "add_algorithm(..., force=True), or give several values as Grid([...])."
            )
        parameters = _copied(name, {} if config is None else config)
        _check_parameters(name, runner, bare, own, parameters)
        self._entries[name] = (runner, bare, parameters, own)

    def update_algorithm(self, algorithm: str | type, config: Mapping[str, Any]) -> None:
        """Change hyperparameters of an algorithm that the plan has; those not named stay.

        Raises:
            PlanError: The plan does not have it, or a hyperparameter does not exist.
        """
        name, runner, bare, parameters, own = self._entry(algorithm)
        changed = {**parameters, **_copied(name, config)}
        _check_parameters(name, runner, bare, own, changed)
        self._entries[name] = (runner, bare, changed, own)

    def get_algorithm_config(self, algorithm: str | type) -> dict[str, Any]:
        """Return a copy of an algorithm's hyperparameters, grids unexpanded."""
        return copy.deepcopy(self._entry(algorithm)[3])

    def _entry(self, algorithm: str | type) -> tuple[str, RunnerInfo, str, dict[str, Any], OwnAlgorithm | None]:
        name, _ = _resolve(algorithm)
        if name not in self._entries:
            near = nearest(name, self._entries)
            raise PlanError(f"the plan {self.plan_name!r} has no {name}{near}; add it with add_algorithm.")
        return (name, *self._entries[name])

    def configurations(self) -> list[Configuration]:
        """Return every configuration: one per algorithm, or one per point of its grid.

        Raises:
            PlanError: The plan is empty, or a class of the user's lacks an argument that it needs.
        """
        if not self._entries:
            raise PlanError(f"the plan {self.plan_name!r} is empty; add algorithms with add_algorithm.")
        for name, (_, _, parameters, own) in self._entries.items():
            missing = [one for one in own.required if one not in parameters] if own else []
            if missing:
                raise PlanError(f"{name} needs {', '.join(missing)}; give it in add_algorithm({name}, {{...}}).")
        return [
            Configuration(runner, bare, point, own)
            for runner, bare, parameters, own in self._entries.values()
            for point in _points(parameters)
        ]

    def __len__(self) -> int:
        return len(self._entries)


def _points(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    choices = [value.values if isinstance(value, Grid) else (value,) for value in parameters.values()]
    for point in itertools.product(*choices):
        yield {name: _own(value) for name, value in zip(parameters, point, strict=True)}


def _own(value: Any) -> Any:
    """Return a copy of what could be changed."""
    return value if type(value) in (int, float, str, bool) else copy.deepcopy(value)


def _copied(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Copy hyperparameters, so that a list that the user changes later does not change the plan."""
    if not isinstance(config, Mapping):
        raise PlanError(f"{name}: the hyperparameters are {config!r}; give a dictionary, e.g. {{'k': 20}}.")
    return copy.deepcopy(dict(config))


def _resolve(algorithm: str | type) -> tuple[str, tuple[RunnerInfo, str, OwnAlgorithm | None]]:
    """Return the full name of an algorithm, its runner, its bare name, and the user's class if it is one."""
    if isinstance(algorithm, type):
        own = OwnAlgorithm.of(algorithm)
        # Two classes of one name from two modules are two algorithms.
        return f"{own.module}.{own.name}", (get_runner("Own"), algorithm.__name__, own)
    if not isinstance(algorithm, str):
        raise PlanError(
            f"{algorithm!r} is no algorithm; give a member such as LensKit.ItemKNNScorer, a name such as "
            "'LensKit.ItemKNNScorer', or a class of your own."
        )
    framework, dot, bare = str(algorithm).partition(".")
    if not dot:
        having = [runner.name for runner in runners() if framework in runner.catalogue["algorithms"]]
        examples = " or ".join(repr(f"{name}.{framework}") for name in having) or "e.g. 'LensKit.ItemKNNScorer'"
        raise PlanError(f"{framework!r} is not a framework and an algorithm; write {examples}.")
    runner = get_runner(framework)
    if not runner.distribution:
        raise PlanError(f"{algorithm!r} is an algorithm of your own; give the class itself, not its name.")
    algorithm_info(runner, bare)
    return f"{framework}.{bare}", (runner, bare, None)


def _check_parameters(
    name: str, runner: RunnerInfo, bare: str, own: OwnAlgorithm | None, parameters: Mapping[str, Any]
) -> None:
    known = own.parameters if own else algorithm_info(runner, bare)["parameters"]
    for parameter, value in parameters.items():
        if not isinstance(parameter, str):
            raise PlanError(f"{name}: the hyperparameter {parameter!r} is no text; write its name in quotes.")
        if known is not None and parameter not in known:
            raise PlanError(
                f"{name} has no hyperparameter {parameter!r}{nearest(parameter, known)}; "
                f"it has {', '.join(known) or 'none'}."
            )
        if not isinstance(value, Grid):  # which has looked at its values itself
            _canonical(value, f"{name}: {parameter}")
        for one in value.values if isinstance(value, Grid) else (value,):
            _refuse_objects(one, f"{name}: {parameter}")


def _refuse_objects(value: Any, where: str) -> None:
    """Refuse what has a canonical form but cannot be handed to a framework, or written into a record."""
    if isinstance(value, Grid):
        raise PlanError(f"{where} has a Grid inside a value; only a whole hyperparameter can be one.")
    if isinstance(value, enum.Enum):
        _refuse_objects(value.value, where)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            if not isinstance(name, str):
                raise PlanError(f"{where} has the dictionary key {name!r}; use texts as keys.")
            _refuse_objects(one, where)
    elif isinstance(value, list | tuple):
        for one in value:
            _refuse_objects(one, where)
    elif not (value is None or isinstance(value, bool | int | float | str) or hasattr(value, "dtype")):
        raise PlanError(
            f"{where} is or has {value!r} of type {type(value).__name__}; give plain values: numbers, texts, booleans, "
            "None, and lists or dictionaries of them."
        )


def _canonical(value: Any, where: str) -> str:
    try:
        return canonical(value)
    except KeyValueError as error:
        raise PlanError(f"{where}: {error}") from error
