"""The records of a run that begins, and what the records of an experiment have alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omnibench.engine.policy import Policy
from omnibench.engine.survey import State
from omnibench.experiment.experiment import Experiment
from omnibench.keys import canonical
from omnibench.provenance import provenance
from omnibench.store.builders import ItemLabels, recipe_record, run_record
from omnibench.store.item_records import pending_item
from omnibench.store.schema import Record, RecordType

_QUICK_SECONDS = 1.0
"""A Fit or a Predict of less is computed again rather than waited for until the disk has its record: the power may fail before
the item is done, which waits for the disk. No end of a process loses it."""


def opening_records(
    run_id: str, experiments: Sequence[Experiment], states: Sequence[State], policy: Policy, directory: Path
) -> dict[str, Record]:
    """Return the records of a run that begins: the run itself, and every item that has no record yet.

    Args:
        run_id: The run's id.
        experiments: Every experiment of the run.
        states: The state of each, from its records.
        policy: The run's policy.
        directory: The directory of the user's code.
    """
    run = run_record(
        run_id,
        items=len(experiments),
        pending=sum(not state.is_done for state in states),
        policy=policy.plain,
        provenance=provenance(directory),
    )
    return {RecordType.RUN.key(run_id): run, **pending_records(experiments, states)}


def pending_records(experiments: Sequence[Experiment], states: Sequence[State]) -> dict[str, Record]:
    """Return the records of every item that has none yet, and the recipes of their datasets.

    Args:
        experiments: Every experiment of the run.
        states: The state of each, from its records.
    """
    new_experiments = [experiment for experiment, state in zip(experiments, states, strict=True) if not state.recorded]
    datasets = {experiment.dataset.key: experiment.dataset for experiment in new_experiments}
    recipes = {
        RecordType.RECIPE.key(key): recipe_record(dataset.name, json.loads(canonical(dataset.identity)))
        for key, dataset in datasets.items()
    }
    items = {
        RecordType.ITEM.key(experiment.fit_key): pending_item(labels_of(experiment).item_members)
        for experiment in new_experiments
    }
    return {**recipes, **items}


def took_long(answer: Mapping[str, Any]) -> bool:
    """Whether a phase has taken so long, for all that is known, that its record waits for the disk.

    Args:
        answer: The answer of its guest, which has the costs; those of predictions that were taken over are unknown.
    """
    seconds = answer["seconds"]
    return seconds is None or bool(seconds >= _QUICK_SECONDS)


def labels_of(experiment: Experiment) -> ItemLabels:
    """Return the labels that tell which experiment a record belongs to."""
    return ItemLabels(
        item=experiment.name,
        fit_key=experiment.fit_key,
        dataset=experiment.dataset_name,
        algorithm=experiment.algorithm_name,
        parameters=experiment.configuration.plain_parameters,
        fold=None if experiment.dataset.folds is None else experiment.fold,
        identity=experiment.recorded_identity,
        data_key=experiment.dataset.key,
        user_label=experiment.configuration.user_label,
        dataset_label=experiment.dataset_label,
        module=experiment.configuration.module,
        node=stable_name if (stable_name := experiment.stable_name) != experiment.name else "",
        deterministic=experiment.configuration.deterministic,
        seeds=len(experiment.seeds) or 1,
        seed=experiment.seed if experiment.names_seed else None,
        search=experiment.search_key,
    )
