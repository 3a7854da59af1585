"""Plans: which algorithms are compared, with which hyperparameters."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from omnibench.arguments import checked_arguments, checked_call, refuse_unknown
from omnibench.errors import PlanError, nearest
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.entries import (
    Hyperparameters,
    PlanEntry,
    alternatives_of,
    check_entry,
    check_required,
    checked_label,
    copied,
    entry_of,
)
from omnibench.experiment.grid import number_of_points, points_of
from omnibench.experiment.refit import check_may_refit, checked_refit
from omnibench.experiment.resources import Resources, as_resources
from omnibench.experiment.tunable import check_update, checked_tuning, tuned_entry
from omnibench.keys import canonical
from omnibench.markup import heading_and_list, one_line
from omnibench.naming import Configured, labels
from omnibench.snapshots.control import Snapshots, as_snapshots
from omnibench.tuning.budget import BUDGET_ARGUMENTS, Tuning

_BUDGET_EXAMPLE = "tuning=Tuning('NDCG@10', trials=30)"

_MOST_SHOWN = 30
"""Configurations that a plan shows of itself."""

_MOST_EXPANDED = 1000
"""Configurations up to which a plan's description counts those that were added twice once."""


@checked_arguments
class ExperimentPlan:
    """A named list of algorithms and their hyperparameters.

    Args:
        plan_name: What to call the plan; a label.
        tuning: The budget of what is tuned, the same for all algorithms.
        snapshots: When the state of running Fits is kept: ``Snapshots(...)``, or a text such as ``10m``, ``50it`` or ``off``;
            by default what the benchmark says, or the run. Part of no key.
        resources: What each Fit is to have of a machine, ``Resources(cores=4, memory="16GiB")``; by default what
            ``pyproject.toml`` says of the framework. Part of no key.

    Example:
        >>> plan = ExperimentPlan("baselines")
        >>> plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40])})
        >>> len(plan.configurations())
        2
    """

    def __init__(
        self,
        plan_name: str = "Unnamed-Plan",
        *,
        tuning: Tuning | None = None,
        snapshots: Snapshots | str | None = None,
        resources: Resources | None = None,
    ) -> None:
        self.plan_name = plan_name
        self.tuning = checked_tuning(tuning)
        self.snapshots = as_snapshots(snapshots)
        self.resources = as_resources(resources)
        self._entries: list[PlanEntry] = []

    @checked_call
    def add_algorithm(
        self,
        algorithm: str | type,
        config: Hyperparameters | None = None,
        *,
        label: str = "",
        force: bool = False,
        refit: str | None = None,
        snapshots: Snapshots | str | None = None,
        resources: Resources | None = None,
    ) -> None:
        """Add an algorithm; one that the plan has already gets these configurations as well.

        Args:
            algorithm: An enum member such as ``LensKit.ItemKNNScorer``, its name as a string, or a class of
                your own with ``fit(train)`` and ``recommend(users, k)``.
            config: Hyperparameters; what is not given keeps the framework's default and stays out of the key. Where
                values depend on each other, a list of several dictionaries, each of which may have grids.
            label: What tables and node ids call it instead of its name; hyperparameters in which the configurations of
                one label differ follow it in parentheses.
            force: Replace what the plan has of the algorithm.
            refit: ``train+validation`` to fit it on both parts, ``train`` to fit it on training alone; by default what the
                benchmark asks for.
            snapshots: When the state of its running Fits is kept, instead of what the plan, the benchmark or the run says.
            resources: What each of its Fits is to have of a machine, instead of what the plan says.

        Raises:
            OmnibenchError: The algorithm or a hyperparameter does not exist, or it needs the validation part for itself.
        """
        entry = _entry(algorithm, label, refit, snapshots, resources)
        check_may_refit(self._configuration(entry, {}))
        entry = replace(entry, alternatives=alternatives_of(entry.display_name, {} if config is None else config))
        check_entry(entry)
        if force:
            self._entries = [earlier for earlier in self._entries if earlier.name != entry.name]
        self._entries.append(entry)

    @refuse_unknown(
        'plan.tune(RecPack.EASE, {"l2": Log(1, 10000)})',
        "plan.tune",
        dict.fromkeys(BUDGET_ARGUMENTS, f"it belongs to a budget: {_BUDGET_EXAMPLE}"),
    )
    def tune(
        self,
        algorithm: str | type,
        space: Mapping[str, Any] | None = None,
        *,
        fixed: Mapping[str, Any] | None = None,
        tuning: Tuning | None = None,
        label: str = "",
        refit: str | None = None,
        snapshots: Snapshots | str | None = None,
        resources: Resources | None = None,
    ) -> None:
        """Add an algorithm whose hyperparameters are chosen on the validation part of each fold.

        Its defaults are always the first trial. It is one row of the tables, measured on the test part once.

        Args:
            algorithm: As for ``add_algorithm``.
            space: The search space: by name ``Choice``, ``Int``, ``Float``, ``Log``, or a constant; ``When`` for
                hyperparameters that exist only with a value of another. By default the one that omnibench ships; see
                ``omnibench envs spaces``.
            fixed: Hyperparameters that all trials have; of a space that omnibench ships, they are searched no more.
            tuning: Another budget than the plan's, which tables and exports say.
            label: What tables and node ids call it instead of its name.
            refit: The parts that the chosen configuration is fitted on for the test, instead of what the budget or the
                benchmark says: ``train+validation`` or ``train``.
            snapshots: As for ``add_algorithm``; for the Fits of all its trials, too.
            resources: As for ``add_algorithm``; each of its trials has as much.

        Raises:
            OmnibenchError: The algorithm, a hyperparameter or the budget does not exist, a range is empty, or it cannot be fitted
                on both parts.
        """
        entry = _entry(algorithm, label, refit, snapshots, resources)
        entry = tuned_entry(entry, space, {} if fixed is None else fixed, tuning, self.tuning)
        check_may_refit(self._configuration(entry, {}))
        self._entries.append(entry)

    @checked_call
    def update_algorithm(self, algorithm: str | type, config: Mapping[str, Any]) -> None:
        """Change hyperparameters of an algorithm that the plan has, in all of its configurations; those not named stay.

        Raises:
            PlanError: The plan does not have it, or a hyperparameter does not exist.
        """
        existing = self._existing(algorithm)
        changes = copied(existing[0].display_name, config)
        for entry in existing:
            if entry.search is not None:
                check_update(entry.display_name, changes, entry.search.space)
        updated = {
            id(entry): replace(entry, alternatives=tuple({**old, **changes} for old in entry.alternatives))
            for entry in existing
        }
        for entry in updated.values():
            check_entry(entry)
        self._entries = [updated.get(id(entry), entry) for entry in self._entries]

    @checked_call
    def get_algorithm_config(self, algorithm: str | type) -> dict[str, Any]:
        """Return a copy of an algorithm's hyperparameters, grids unexpanded.

        Raises:
            PlanError: The plan does not have it, or has it with several sets of hyperparameters.
        """
        alternatives = [mapping for entry in self._existing(algorithm) for mapping in entry.alternatives]
        if len(alternatives) > 1:
            raise PlanError(
                f"the plan {self.plan_name!r} has {entry_of(algorithm).display_name} with {len(alternatives)} sets of "
                "hyperparameters; configurations() returns all of them."
            )
        return copy.deepcopy(dict(alternatives[0]))

    def _existing(self, algorithm: str | type) -> list[PlanEntry]:
        sought = entry_of(algorithm)
        entries = [entry for entry in self._entries if entry.name == sought.name]
        if not entries:
            near = nearest(sought.display_name, [entry.display_name for entry in self._entries])
            raise PlanError(
                f"the plan {self.plan_name!r} has no {sought.display_name}{near}; add it with add_algorithm."
            )
        return entries

    def configurations(self) -> list[Configuration]:
        """Return every configuration, each once: one per algorithm, or one per point of its grid.

        Raises:
            PlanError: The plan is empty, a class of the user's lacks an argument that it needs, or a configuration has
                two labels, two sorts of snapshots, or two sorts of resources.
        """
        if not self._entries:
            raise PlanError(f"the plan {self.plan_name!r} is empty; add algorithms with add_algorithm.")
        configurations: dict[tuple[str, str, str, str], Configuration] = {}
        for entry in self._entries:
            for mapping in entry.alternatives:
                searched = entry.search.space.names if entry.search is not None else ()
                check_required(entry, {**dict.fromkeys(searched), **mapping})
                for point in points_of(mapping):
                    configuration = self._configuration(entry, point)
                    request = "" if entry.search is None else canonical(entry.search.identity)
                    identity = entry.name, configuration.canonical_parameters, entry.refit, request
                    first = configurations.setdefault(identity, configuration)
                    if first.user_label != configuration.user_label:
                        raise PlanError(
                            f"the plan {self.plan_name!r} has {configuration} twice, {_label_words(first)} and "
                            f"{_label_words(configuration)}; leave out one of them."
                        )
                    self._check_alike(first, configuration)
        return _labelled(configurations)

    def _configuration(self, entry: PlanEntry, point: Mapping[str, Any]) -> Configuration:
        """Return the configuration of a point of an entry's grid."""
        return Configuration(
            entry.runner,
            entry.algorithm,
            point,
            entry.own,
            user_label=entry.label,
            refit=entry.refit,
            search=entry.search,
            snapshots=self.snapshots if entry.snapshots is None else entry.snapshots,
            resources=entry.resources.over(self.resources),
        )

    def _check_alike(self, first: Configuration, second: Configuration) -> None:
        """Refuse two sorts of snapshots or resources of one configuration: it is fitted once."""
        for name in ("snapshots", "resources"):
            values = getattr(first, name), getattr(second, name)
            if values[0] != values[1]:
                raise PlanError(
                    f"the plan {self.plan_name!r} has {second} twice, with {name}={values[0]!r} and with {values[1]!r}; "
                    "leave out one of them."
                )

    def __len__(self) -> int:
        return len({entry.name for entry in self._entries})

    def __repr__(self) -> str:
        heading, entries = self._described()
        return "\n  ".join(one_line(line) for line in (heading, *entries))

    def _repr_html_(self) -> str:
        return heading_and_list(*self._described())

    def _described(self) -> tuple[str, list[str]]:
        """Return a heading, and the configurations as far as a person reads them; also of a plan that lacks something."""
        total = sum(number_of_points(mapping) for entry in self._entries for mapping in entry.alternatives)
        configurations: Iterator[str] = (
            (f"{entry.label}: " if entry.label else "")
            + str(self._configuration(entry, point)).removesuffix("()")
            + (f", refit={entry.refit!r}" if entry.refit else "")
            + ("" if entry.snapshots is None else f", snapshots={entry.snapshots!r}")
            + (f", resources={entry.resources!r}" if entry.resources.is_said else "")
            + ("" if entry.search is None else f": {entry.search.words}")
            for entry in self._entries
            for mapping in entry.alternatives
            for point in points_of(mapping)
        )
        if total <= _MOST_EXPANDED:  # then what was added twice counts once, as it runs
            unique = list(dict.fromkeys(configurations))
            configurations, total = iter(unique), len(unique)
        examples = list(itertools.islice(configurations, _MOST_SHOWN if total > _MOST_SHOWN + 1 else total))
        more = [f"... and {total - len(examples):,} more"] if len(examples) < total else []
        words = f"{total:,} configuration{'' if total == 1 else 's'}" if total else "empty"
        return f"ExperimentPlan {self.plan_name!r}: {words}", [*examples, *more]


def _entry(
    algorithm: str | type,
    label: str,
    refit: str | None,
    snapshots: Snapshots | str | None,
    resources: Resources | None,
) -> PlanEntry:
    """Return an algorithm as an entry without hyperparameters, with what a plan may say of it beside them."""
    return replace(
        entry_of(algorithm),
        label=checked_label(label),
        refit=checked_refit(refit),
        snapshots=as_snapshots(snapshots),
        resources=as_resources(resources),
    )


def _label_words(configuration: Configuration) -> str:
    return f"once with the label {configuration.user_label!r}" if configuration.user_label else "once without a label"


def _labelled(configurations: Mapping[tuple[str, str, str, str], Configuration]) -> list[Configuration]:
    """Return configurations with the labels by which they differ."""
    parts = [
        Configured(
            f"{algorithm}{text}{refit}{searched}",
            configuration.display_algorithm,
            configuration.parameters,
            {
                name: value
                for name, value in (
                    ("module", configuration.module),
                    ("refit", refit),
                    ("search", configuration.search.short_hash if configuration.search is not None else ""),
                )
                if value
            },
            configuration.user_label,
        )
        for (algorithm, text, refit, searched), configuration in configurations.items()
    ]
    texts = labels(parts)
    for part, configuration in zip(parts, configurations.values(), strict=True):
        object.__setattr__(configuration, "label", texts[part.name])  # a copy would make its canonical text once more
    return list(configurations.values())
