"""ExperimentPlan with OmniRec's arguments: an omnibench plan, which also takes random samples and scripts."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from omnibench.compat.omnirec.runner.algos import Elliot
from omnibench.compat.omnirec.runner.plan_components import expanded
from omnibench.compat.omnirec.runner.registry import check_algorithm, configuration_of, is_registered
from omnibench.errors import PlanError
from omnibench.experiment import plan as native
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.grid import points_of
from omnibench.experiment.resources import Resources
from omnibench.naming import Configured, labels
from omnibench.snapshots.control import Snapshots

AlgorithmConfig: TypeAlias = Mapping[str, Any]
"""Hyperparameters; a value may be a Grid, a RandomChoice or a RandomRange."""


class ExperimentPlan(native.ExperimentPlan):
    """A named list of algorithms and their hyperparameters.

    Args:
        plan_name: What to call the plan; a label.
        snapshots: When the state of running Fits is kept, as omnibench's plan takes it.
        resources: What each Fit is to have of a machine, as omnibench's plan takes it.
    """

    def __init__(
        self,
        plan_name: str | None = None,
        *,
        snapshots: Snapshots | str | None = None,
        resources: Resources | None = None,
    ) -> None:
        super().__init__(plan_name or "Unnamed-Plan", snapshots=snapshots, resources=resources)
        self._config: dict[str, dict[str, Any]] = {}
        self._scripts: dict[str, dict[str, Any]] = {}

    def add_algorithm(  # type: ignore[override]  # OmniRec's name of the argument
        self,
        algorithm: str | type,
        algorithm_config: AlgorithmConfig | None = None,
        force: bool = False,
        *,
        config: AlgorithmConfig | None = None,
        **options: Any,
    ) -> None:
        """Add an algorithm.

        Args:
            algorithm: An enum member, its name, ``RUNNER.ALGORITHM`` of a script, or a class of your own.
            algorithm_config: Hyperparameters.
            force: Replace the algorithm when the plan has it already.
            config: Omnibench's name of ``algorithm_config``; give one of them.
            **options: What omnibench's ``add_algorithm`` takes beside these.

        Raises:
            PlanError: The algorithm or a hyperparameter does not exist, or the plan has the algorithm already.
        """
        given_config = _mapping(algorithm, config if algorithm_config is None else algorithm_config)
        name = _name(algorithm)
        values = {parameter: expanded(value) for parameter, value in given_config.items()}
        if isinstance(algorithm, str) and is_registered(algorithm):
            check_algorithm(algorithm)
            if name in self._scripts and not force:
                raise PlanError(f"the plan has {name} already; change it with update_algorithm, or give force=True.")
            self._scripts[name] = values
        else:
            _refuse_elliot(algorithm)
            super().add_algorithm(algorithm, values, force=force, **options)
        self._config[name] = given_config

    def update_algorithm(  # type: ignore[override]  # OmniRec's name of the arguments
        self,
        algorithm_name: str | type,
        algorithm_config: AlgorithmConfig | None = None,
        *,
        config: AlgorithmConfig | None = None,
    ) -> None:
        """Change hyperparameters of an algorithm; those not named stay. One that the plan does not have is added.

        Args:
            algorithm_name: The algorithm.
            algorithm_config: Hyperparameters.
            config: Omnibench's name of ``algorithm_config``; give one of them.

        Raises:
            PlanError: A hyperparameter does not exist.
        """
        changes = _mapping(algorithm_name, config if algorithm_config is None else algorithm_config)
        name = _name(algorithm_name)
        if name not in self._config:
            self.add_algorithm(algorithm_name, changes)
            return
        values = {parameter: expanded(value) for parameter, value in changes.items()}
        if name in self._scripts:
            self._scripts[name].update(values)
        else:
            super().update_algorithm(algorithm_name, values)
        self._config[name].update(changes)

    def get_algorithm_config(self, algorithm_name: str | type) -> dict[str, Any]:
        """Return a copy of an algorithm's hyperparameters as they were given; none for one that the plan does not have."""
        return copy.deepcopy(self._config.get(_name(algorithm_name), {}))

    def configurations(self) -> list[Configuration]:
        """Return every configuration: one per algorithm, or one per combination of its hyperparameters' values.

        Raises:
            PlanError: The plan is empty.
        """
        if not self._scripts:
            return super().configurations()
        from_frameworks = super().configurations() if len(self._config) > len(self._scripts) else []
        return [*from_frameworks, *_labelled(self._script_configurations())]

    def _script_configurations(self) -> Iterator[Configuration]:
        for name, parameters in self._scripts.items():
            for point in points_of(parameters):
                yield replace(configuration_of(name, point), snapshots=self.snapshots, resources=self.resources)

    def __len__(self) -> int:
        return len(self._config)


def _labelled(configurations: Iterable[Configuration]) -> list[Configuration]:
    """Return configurations of scripts with the labels by which they differ."""
    numbered = {str(number): configuration for number, configuration in enumerate(configurations)}
    texts = labels(
        Configured(number, configuration.name, configuration.parameters) for number, configuration in numbered.items()
    )
    return [replace(configuration, label=texts[number]) for number, configuration in numbered.items()]


def _name(algorithm: str | type) -> str:
    return f"{algorithm.__module__}.{algorithm.__qualname__}" if isinstance(algorithm, type) else str(algorithm)


def _mapping(algorithm: str | type, config: AlgorithmConfig | None) -> dict[str, Any]:
    if not isinstance(config, Mapping | None):
        raise PlanError(f"{_name(algorithm)}: the hyperparameters are {config!r}; give a dictionary, e.g. {{'k': 20}}.")
    return dict(config or {})


def _refuse_elliot(algorithm: str | type) -> None:
    if isinstance(algorithm, Elliot) or str(algorithm).startswith("Elliot."):
        raise PlanError(
            f"{algorithm!s}: omnibench does not have Elliot. Take the algorithm from another framework (`omnibench envs "
            "algorithms RecPack`, RecBole or LensKit list theirs), or run it as a class or runner of your own."
        )
