"""A configuration: an algorithm with one value for each of its hyperparameters, and what it adds to keys."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from omnibench.experiment.circumstances import USUAL_THREADS, Circumstances
from omnibench.experiment.own import ANY_NUMBER, OwnAlgorithm
from omnibench.experiment.resources import NOTHING_SAID, Resources
from omnibench.experiment.search import TuningRequest
from omnibench.guest.feature_types import ALL_TYPES
from omnibench.keys import canonical, sha256
from omnibench.naming import tuned_label
from omnibench.runners.info import NO_USE, RunnerInfo, algorithm_info, epochs_parameter, may_refit, use_of_validation
from omnibench.runners.machine import device_class
from omnibench.snapshots.control import Snapshots

_STOP_EARLY = "stop_early"
"""RecPack's hyperparameter with which an algorithm needs validation data, whatever its catalogue says."""

EPOCHS_NAMES = ("epochs", "max_epochs", "n_epochs", "num_epochs")
"""What a class of the user's own may call its number of epochs."""


class Keyed(NamedTuple):
    """The canonical text of a configuration, and its keys.

    Attributes:
        text: The canonical text.
        key: The key that it makes.
        node_key: The key in node ids, which does not depend on the code of a user's own class: an item that failed
            keeps its id when its class is mended.
        seedless_key: The key of what configurations that differ by the seed alone have in common.
    """

    text: str
    key: str
    node_key: str
    seedless_key: str


@dataclass(frozen=True)
class Configuration:
    """An algorithm with one value for each hyperparameter that was given: a point of its grid.

    Attributes:
        runner: The framework's runner.
        algorithm: The algorithm's name in that framework.
        parameters: The explicitly given hyperparameters, and only those.
        own: The user's class when the algorithm is one.
        label: What people call it among the configurations of its plan, e.g. ``RecPack.ItemKNN(K=100)``; never part of
            a key.
        user_label: The label that the user chose; empty when the label is made of hyperparameters.
        refit: The parts that the plan wants it fitted on; empty where the benchmark decides. See ``experiment.refit``.
        search: How its other hyperparameters are chosen; None where the plan gives all.
        snapshots: When the state of its Fits is kept, by its plan; None where the plan says nothing. Never part of a key.
        resources: What its Fits are to have of a machine, as far as its plan says so. Never part of a key.
    """

    runner: RunnerInfo
    algorithm: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    own: OwnAlgorithm | None = None
    label: str = field(default="", compare=False)
    user_label: str = field(default="", compare=False)
    refit: str = ""
    search: TuningRequest | None = field(default=None, compare=False)
    snapshots: Snapshots | None = field(default=None, compare=False)
    resources: Resources = field(default=NOTHING_SAID, compare=False)

    @property
    def name(self) -> str:
        """The full name, e.g. ``LensKit.ItemKNNScorer``; a user's own class goes by its name."""
        return self.algorithm if self.own else f"{self.runner.name}.{self.algorithm}"

    @property
    def display_algorithm(self) -> str:
        """The full name as labels have it, which say of a tuned one that it is."""
        return tuned_label(self.name) if self.search is not None else self.name

    @property
    def module(self) -> str:
        """The module of a user's own class; empty for a framework's algorithm."""
        return self.own.module if self.own else ""

    def identity(self, circumstances: Circumstances) -> list[Any]:
        """Return what a model's key says about its configuration.

        Args:
            circumstances: What it is fitted with.
        """
        return [
            "configuration/1",
            {
                **circumstances.optional,
                "runner": self.runner.name,
                "algorithm": self.algorithm,
                "parameters": dict(self.parameters),
                "seed": circumstances.seed,
                "version": circumstances.version,
                "adapter": self._adapter(self.runner.adapter_identity),
                "device": circumstances.device,
                "code": self.own.code if self.own else None,
            },
        ]

    def _adapter(self, identity: int | str) -> int | str:
        """Return what keys say of the adapter: of an algorithm that it fits differently by now, the revision as well."""
        revision = 0 if self.own else algorithm_info(self.runner, self.algorithm).get("revision", 0)
        return f"{identity}.{revision}" if revision else identity

    @functools.cached_property
    def _keyed(self) -> dict[Circumstances, Keyed]:
        return {}

    def keyed(self, circumstances: Circumstances) -> Keyed:
        """Return the canonical text of ``identity`` and its digest, made once."""
        keyed = self._keyed.get(circumstances)
        if keyed is None:
            # The canonical text of `identity`, put together: its names stand in order, and most of it is that of others.
            runner, parameters = self.runner, self.canonical_parameters

            def text_with(adapter: int | str, code: str | None, *, seeded: bool = True) -> str:
                enclosing = _enclosing_text(self.algorithm, runner.name, adapter, code, circumstances, seeded=seeded)
                return parameters.join(enclosing)

            adapter, code = self._adapter(runner.adapter_identity), self.own.code if self.own else None
            text = text_with(adapter, code)
            stable_code = f"module {self.own.module}" if self.own else None
            stable_text = text_with(self._adapter(runner.adapter_version), stable_code)
            key = sha256(text)
            node_key = key if stable_text == text else sha256(stable_text)
            keyed = Keyed(text, key, node_key, sha256(text_with(adapter, code, seeded=False)))
            self._keyed[circumstances] = keyed
        return keyed

    @functools.cached_property
    def canonical_parameters(self) -> str:
        """The canonical text of the hyperparameters."""
        return canonical(self.parameters)

    @functools.cached_property
    def plain_parameters(self) -> dict[str, Any]:
        """The hyperparameters as plain data, which JSON and another process understand."""
        return {name: plain(value) for name, value in self.parameters.items()}

    @property
    def offers_ratings(self) -> bool:
        """Whether it can predict ratings."""
        return self.own.rates if self.own else bool(algorithm_info(self.runner, self.algorithm)["ratings"])

    @property
    def offers_ranking(self) -> bool:
        """Whether it can recommend."""
        return self.own.ranks if self.own else bool(algorithm_info(self.runner, self.algorithm)["ranking"])

    @functools.cached_property
    def request_for_ratings(self) -> str:
        """What asks it to learn from ratings, e.g. ``use_ratings=True``; empty where nothing does."""
        if self.own:
            return "uses_ratings = True" if self.own.uses_ratings else ""
        asking = algorithm_info(self.runner, self.algorithm).get("rating_parameters", {})
        return next(
            (f"{name}={value!r}" for name, value in asking.items() if self.plain_parameters.get(name) == value), ""
        )

    @functools.cached_property
    def depends_on_threads(self) -> bool | None:
        """Whether its numbers depend on how many threads compute; None where nobody has said, as of most own classes."""
        if self.own:
            return None if self.own.threads is None else self.own.threads != ANY_NUMBER
        depends: bool | None = algorithm_info(self.runner, self.algorithm).get("threads")
        return depends

    @property
    def fixed_threads(self) -> int:
        """The number of threads that it computes with on every machine; 0 for as many as there are."""
        if self.depends_on_threads is False:
            return 0
        return (self.own.threads if self.own else None) or USUAL_THREADS

    @functools.cached_property
    def uses_gpu(self) -> bool:
        """Whether it computes on a GPU when it may."""
        return self.own.gpu if self.own else bool(algorithm_info(self.runner, self.algorithm).get("gpu"))

    @functools.cached_property
    def deterministic(self) -> bool:
        """Whether it is known to make the same model whatever the seed: by the catalogue, or by what a class says."""
        return bool(self._stated_determinism)

    @property
    def determinism_known(self) -> bool:
        """Whether anything is known of that; of a user's own class that says nothing, it is not."""
        return self._stated_determinism is not None

    @functools.cached_property
    def _stated_determinism(self) -> bool | None:
        if self.own:
            return self.own.deterministic
        stated = algorithm_info(self.runner, self.algorithm).get("deterministic")
        return None if stated is None else bool(stated)

    def device(self, choice: str) -> str:
        """Return the device class that it runs on: the CPU unless it can use a GPU.

        Args:
            choice: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            OmnibenchError: A GPU is wanted, and there is none.
        """
        return device_class(choice) if self.uses_gpu else "cpu"

    @property
    def use_of_validation(self) -> str:
        """What it does with validation data: ``nothing``, or e.g. ``early stopping``."""
        if self.own:
            return "its fit takes it" if self.own.validates else NO_USE
        if self.stops_early:
            return "early stopping"
        return use_of_validation(algorithm_info(self.runner, self.algorithm))

    @property
    def stops_early(self) -> bool:
        """Whether a hyperparameter has it stop early by the validation part."""
        return self.own is None and bool(self.parameters.get(_STOP_EARLY))

    @functools.cached_property
    def may_refit(self) -> bool:
        """Whether it may be fitted on training and validation together."""
        if self.search is not None and self.epochs_parameter:  # then its search finds how long it is to be trained
            return True
        if self.own:
            return not self.own.validates
        return not self.stops_early and may_refit(algorithm_info(self.runner, self.algorithm))

    @property
    def epochs_parameter(self) -> str | None:
        """The hyperparameter that is the number of its epochs; None where there is none, or nobody knows."""
        if self.own:
            return next((name for name in EPOCHS_NAMES if name in (self.own.parameters or ())), None)
        return epochs_parameter(algorithm_info(self.runner, self.algorithm))

    @property
    def may_report_epochs(self) -> bool:
        """Whether it may tell of epochs while it is trained, after which a pruner can end it."""
        return self.own.reports if self.own else self.epochs_parameter is not None

    @property
    def default_parameters(self) -> dict[str, Any]:
        """The values of the hyperparameters that the plan gives none of, as far as they are known."""
        if self.own:
            return dict(self.own.defaults)
        return dict(algorithm_info(self.runner, self.algorithm)["parameters"])

    def chosen(self, parameters: Mapping[str, Any]) -> Configuration:
        """Return the configuration with these hyperparameters beside its own, which nobody searches for any more."""
        together = {**self.parameters, **parameters}
        return replace(self, parameters=together, search=None, label="", user_label="")

    @property
    def reads_sequences(self) -> bool:
        """Whether it learns what comes next, for which there have to be timestamps."""
        return self.own is None and bool(algorithm_info(self.runner, self.algorithm).get("sequential", False))

    @property
    def reads_times(self) -> bool:
        """Whether it counts by time, for which there have to be timestamps as well."""
        return self.own is None and bool(algorithm_info(self.runner, self.algorithm).get("timed", False))

    @property
    def required_parameters(self) -> dict[str, Any]:
        """The hyperparameters that have no default, each with an example."""
        return {} if self.own else dict(algorithm_info(self.runner, self.algorithm).get("required", {}))

    @property
    def missing_parameters(self) -> dict[str, Any]:
        """The hyperparameters that have no default and get no value, or None, each with an example."""
        values = {**self.parameters, **(self.search.space.plain if self.search is not None else {})}
        return {name: example for name, example in self.required_parameters.items() if values.get(name) is None}

    @property
    def item_feature_parameter(self) -> str:
        """The hyperparameter that names the feature of items which it learns from; empty where it needs none."""
        return "" if self.own else str(algorithm_info(self.runner, self.algorithm).get("item_feature", ""))

    @property
    def repeated_parameters(self) -> tuple[str, ...]:
        """The names of a hyperparameter that has values under several of its names; empty where there is none."""
        if self.own is not None:
            return ()
        aliases = algorithm_info(self.runner, self.algorithm).get("aliases", {})
        valued = dict.fromkeys([*self.parameters, *(self.search.space.plain if self.search is not None else {})])
        for parameter in dict.fromkeys(aliases.values()):
            names = tuple(name for name in valued if aliases.get(name, name) == parameter)
            if len(names) > 1:
                return names
        return ()

    @property
    def feature_parameters(self) -> dict[str, str]:
        """The hyperparameters that list features which it learns from, with whose they are, ``items`` or ``users``."""
        return {} if self.own else dict(algorithm_info(self.runner, self.algorithm).get("features", {}))

    @property
    def readable_features(self) -> tuple[str, ...]:
        """The types of features that it can read: all, where its catalogue names none."""
        described = {} if self.own else algorithm_info(self.runner, self.algorithm)
        return tuple(described.get("feature_types") or ALL_TYPES)

    @property
    def usual_feature_types(self) -> tuple[str, ...]:
        """The types of features that it reads where a hyperparameter is None, and names none: all that it can read, if nothing is said."""
        described = {} if self.own else algorithm_info(self.runner, self.algorithm)
        return tuple(described.get("usual_feature_types") or self.readable_features)

    @property
    def needs_features(self) -> bool:
        """Whether it cannot do without a feature."""
        return self.own is None and bool(algorithm_info(self.runner, self.algorithm).get("needs_features", False))

    @property
    def offers_history(self) -> bool:
        """Whether it can recommend for users unknown in training, from a history of theirs."""
        if self.own:
            return self.own.folds_in
        return bool(algorithm_info(self.runner, self.algorithm).get("history", False))

    @functools.cached_property
    def _text(self) -> str:
        arguments = [f"{name}={value!r}" for name, value in self.parameters.items()]
        if self.search is not None:
            return tuned_label(self.name, arguments)
        return f"{self.name}({', '.join(arguments)})"

    def __str__(self) -> str:
        return self._text


def plain(value: Any) -> Any:
    """Return a value as plain data: no enum members, no numpy scalars, no tuples."""
    if isinstance(value, Mapping):
        return {name: plain(element) for name, element in value.items()}
    if isinstance(value, list | tuple):
        return [plain(element) for element in value]
    if hasattr(value, "dtype"):
        return value.item()
    return getattr(value, "value", value)


@functools.lru_cache(maxsize=256, typed=True)
def _enclosing_text(
    algorithm: str, runner: str, adapter: int | str, code: str | None, circumstances: Circumstances, *, seeded: bool
) -> tuple[str, str]:
    """Return the canonical text of a configuration before and after its parameters, with its seed or without."""
    version, seed, device, *_ = circumstances
    prefix = canonical({"adapter": adapter, "algorithm": algorithm, "code": code, "device": device})
    members = {"runner": runner, "version": version, **({"seed": seed} if seeded else {}), **circumstances.optional}
    suffix = canonical(members)
    return f'["configuration/1",{prefix[:-1]},"parameters":', f",{suffix[1:]}]"
