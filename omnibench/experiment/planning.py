"""The experiments of a plan: every dataset x configuration x fold, each once and under a name of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from omnibench.code import SEED_NAMES
from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import DataError, PlanError
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.circumstances import Circumstances
from omnibench.experiment.compatibility import check_configuration, check_dataset
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.labels import dataset_labels
from omnibench.experiment.plan import ExperimentPlan
from omnibench.experiment.recorded import NOTHING_RECORDED, RecordedKeys
from omnibench.experiment.refit import ValidationUse, check_refit, checked_refit, refit_of
from omnibench.experiment.resources import NOTHING_SAID, Resources
from omnibench.experiment.threads import keyed_threads
from omnibench.experiment.tuned import check_tuned, search_of
from omnibench.keys import DISPLAY_DIGITS
from omnibench.metrics.base import Metric
from omnibench.snapshots.control import Snapshots, as_snapshots

_ALL_DIGITS = 64
"""Digits of a whole key."""


def experiments(
    datasets: RecSysDataSet | Iterable[RecSysDataSet],
    plan: ExperimentPlan,
    metrics: Sequence[Metric],
    *,
    versions: Any,
    seeds: Sequence[int],
    device: Callable[[Configuration, Resources], str] = lambda *_: "cpu",
    salt: str = "",
    threads: Callable[[Configuration], int] = keyed_threads,
    candidates: Candidates = UNSEEN,
    recorded: RecordedKeys = NOTHING_RECORDED,
    refit: str | None = None,
    validation: ValidationUse | None = None,
    snapshots: Snapshots | str | None = None,
    resources: Mapping[str, Resources] = MappingProxyType({}),
) -> list[Experiment]:
    """Return every experiment of a plan, datasets first, then algorithms, folds, and seeds; each once.

    Args:
        datasets: One or several datasets.
        plan: The algorithms.
        metrics: What is to be measured; only checked against datasets and algorithms here.
        versions: A function from a runner to its framework's version.
        seeds: The seeds of everything random in the frameworks: several for experiments that differ by the seed alone.
            What is known to be deterministic is fitted with the first only.
        device: A function from a configuration, and what its Fits are to have of a machine, to its device class.
        salt: A text that goes into every key.
        threads: A function from a configuration to the number of threads that its key names; see ``keyed_threads``.
        candidates: What is ranked for each user.
        recorded: The keys under which the store has something; what it has under those of earlier releases keeps them.
        refit: The parts that models are fitted on where the plan leaves it open: ``train+validation``, or training alone.
        validation: Notes who uses the validation parts.
        snapshots: When the state of Fits is kept, where the plan says nothing.
        resources: What Fits are to have of a machine where the plan says nothing, by the names of frameworks.

    Raises:
        OmnibenchError: Something does not go together, or is impossible; nothing has been computed.
    """
    check_order(datasets, plan)
    all_datasets = [recorded.dataset(dataset) for dataset in _checked_datasets(datasets, metrics, candidates)]
    if not isinstance(plan, ExperimentPlan):
        raise PlanError(f"the plan is {plan!r}; give an ExperimentPlan.")
    configurations = plan.configurations()
    of_benchmark = as_snapshots(snapshots)
    requested = checked_refit(refit)
    check_refit(configurations, requested)
    _check_together(all_datasets, configurations, metrics)
    if validation is not None:
        validation.note(all_datasets, configurations, requested)
    first_circumstances = []
    for configuration in configurations:
        wanted = configuration.resources.over(resources.get(configuration.runner.name, NOTHING_SAID))
        device_class, n_threads = device(configuration, wanted), threads(configuration)
        circumstances = Circumstances(versions(configuration.runner), seeds[0], device_class, salt, n_threads)
        first_circumstances.append((configuration, circumstances, wanted))
    several = tuple(seeds) if len(seeds) > 1 else ()
    if several:
        _check_seeds_of_plan(configurations)
    by_fit_key: dict[str, Experiment] = {}
    labels = dataset_labels(all_datasets)
    for dataset in all_datasets:
        label = labels[dataset.key]
        for configuration, first, wanted in first_circumstances:
            parts = refit_of(configuration, dataset, requested)
            further_seeds = () if configuration.deterministic else seeds[1:]
            lowest = first._replace(refit=parts) if parts else first
            if configuration.search is not None:
                search = search_of(configuration.search, candidates, seeds[0])
                check_tuned(dataset, configuration.name, search)
                lowest = lowest._replace(search=search)
            control = of_benchmark if configuration.snapshots is None else configuration.snapshots
            all_circumstances = [lowest, *(lowest._replace(seed=seed) for seed in further_seeds)]
            for fold in range(dataset.folds or 1):
                for circumstances in all_circumstances:
                    experiment = Experiment(
                        dataset,
                        configuration,
                        fold,
                        circumstances,
                        candidates,
                        label,
                        seeds=several,
                        snapshots=control,
                        resources=wanted,
                    )
                    by_fit_key.setdefault(experiment.fit_key, experiment)
    return _with_clear_names(recorded.experiments(list(by_fit_key.values())))


def _check_seeds_of_plan(configurations: Iterable[Configuration]) -> None:
    """Refuse several seeds of what has a seed in the plan: its models would be equal, and taken for deterministic.

    Raises:
        PlanError: A configuration has a seed as a hyperparameter, and isn't known to be deterministic.
    """
    for configuration in configurations:
        name = next((name for name in SEED_NAMES if name in configuration.parameters), None)
        if name is not None and not configuration.deterministic:
            raise PlanError(
                f"{configuration.label} has its {name} in the plan, so that several seeds would make the same model of it; "
                f"leave {name} out of the plan, and seeds= sets it, or leave seeds= out."
            )


def check_order(datasets: Any, plan: Any, evaluator: Any = None) -> None:
    """Refuse datasets, plan and evaluator that are given as one another, as in another order.

    Args:
        datasets: What was given as the datasets.
        plan: What was given as the plan.
        evaluator: What was given as the evaluator.

    Raises:
        PlanError: One is given as another.
    """
    arguments = {"the datasets": datasets, "the plan": plan, "the evaluator": evaluator}
    types = {"the datasets": RecSysDataSet, "the plan": ExperimentPlan, "the evaluator": Evaluator}
    for name, argument in arguments.items():
        name_of_type = next((key for key, cls in types.items() if isinstance(argument, cls)), name)
        if name_of_type != name:
            raise PlanError(
                f"{name} {'are' if name.endswith('s') else 'is'} of type {type(argument).__name__}, which {name_of_type} "
                f"{'have' if name_of_type.endswith('s') else 'has'} to be; give them in the order (datasets, plan, evaluator), or by "
                "these names."
            )


def _checked_datasets(
    datasets: RecSysDataSet | Iterable[RecSysDataSet], metrics: Sequence[Metric], candidates: Candidates
) -> list[RecSysDataSet]:
    """Return the datasets that were given, each of which can be measured by all metrics."""
    argument: Any = datasets
    if isinstance(argument, str):
        raise DataError(
            f"{argument!r} is a text, and no dataset; load it with load_dataset({argument!r}) and give it a split."
        )
    if not isinstance(datasets, RecSysDataSet | Iterable):
        raise DataError(f"{datasets!r} is no dataset; make one with load_dataset, from_frame or from_file.")
    all_datasets = [datasets] if isinstance(datasets, RecSysDataSet) else list(datasets)
    if not all_datasets:
        raise DataError("there is no dataset to benchmark on; give one or several.")
    for dataset in all_datasets:
        check_dataset(dataset, metrics, candidates)
    return all_datasets


def _check_together(
    datasets: Sequence[RecSysDataSet], configurations: Sequence[Configuration], metrics: Sequence[Metric]
) -> None:
    """Refuse one dataset under two names, and configurations that cannot do what a dataset asks of them."""
    names: dict[str, str] = {}
    for dataset in datasets:
        if names.setdefault(dataset.key, dataset.name) != dataset.name:
            raise DataError(
                f"{names[dataset.key]} and {dataset.name} are the same data with the same steps under two names; "
                "leave out one of them."
            )
        for configuration in configurations:
            check_configuration(dataset, configuration, metrics)


def _with_clear_names(planned: list[Experiment]) -> list[Experiment]:
    """Show more digits of the keys when the first eight are shared by two datasets or configurations of one name."""
    first_folds = [experiment for experiment in planned if experiment.fold == 0]
    by_keys = {(experiment.dataset.key, experiment.configuration_key): experiment for experiment in first_folds}
    digits = DISPLAY_DIGITS
    while any(len(names) < len(by_keys) for names in _folded_names(by_keys.values())):
        if digits > _ALL_DIGITS:
            twins = ", ".join(sorted({experiment.algorithm_name for experiment in by_keys.values()}))
            raise PlanError(
                f"two of {twins} differ in their code only, so their node ids would be equal; give one of the classes "
                "another name."
            )
        digits += 4
        by_keys = {keys: replace(experiment, digits=digits) for keys, experiment in by_keys.items()}
    if digits > DISPLAY_DIGITS:
        planned = [replace(experiment, digits=digits) for experiment in planned]
    return planned


def _folded_names(planned: Iterable[Experiment]) -> tuple[set[tuple[str, str]], set[str]]:
    """Return the names of directories and of node ids, as a file system or ``-k`` that ignores case would see them."""
    directories, nodes = set(), set()
    for experiment in planned:
        directories.add((experiment.dataset_name.casefold(), experiment.algorithm_name.casefold()))
        nodes.add(experiment.node_name.casefold())
    return directories, nodes
