"""What the records of runs and items say: at the beginning of a run, and at the end of an attempt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omnibench.engine.items import Item
from omnibench.engine.policy import Policy
from omnibench.engine.survey import State
from omnibench.errors import PhaseError
from omnibench.experiment.experiment import Experiment
from omnibench.keys import canonical
from omnibench.provenance import provenance
from omnibench.store.records import timestamp
from omnibench.store.schema import Record, RecordType, Status, pending_item


def opening_records(
    run_id: str, experiments: Sequence[Experiment], states: Sequence[State], policy: Policy, directory: Path
) -> dict[str, Record]:
    """Return what is noted when a run begins: the run itself, and every item that has no record yet.

    Args:
        run_id: The run's id.
        experiments: Every experiment of the run.
        states: What the records say of each.
        policy: The run's policy.
        directory: Where the user's code is.
    """
    new = [experiment for experiment, state in zip(experiments, states, strict=True) if not state.recorded]
    datasets = {experiment.dataset.key: experiment.dataset for experiment in new}
    run = {
        "id": run_id,
        "started": timestamp(),
        "ended": None,
        "items": len(experiments),
        "pending": sum(not state.is_done for state in states),
        "policy": asdict(policy),
        **provenance(directory),
    }
    recipes = {
        RecordType.RECIPE.key(key): {"name": dataset.name, "identity": json.loads(canonical(dataset.identity))}
        for key, dataset in datasets.items()
    }
    items = {RecordType.ITEM.key(experiment.fit_key): pending_item(item_labels(experiment)) for experiment in new}
    return {RecordType.RUN.key(run_id): run, **recipes, **items}


def item_labels(experiment: Experiment) -> Record:
    """Return what an item's record says about whose it is, and what its key is made of."""
    return {
        **labels(experiment),
        "identity": experiment.recorded_identity,
        "data_key": experiment.dataset.key,
    }


def labels(experiment: Experiment) -> dict[str, Any]:
    """Return what every record of an item says about whose it is."""
    from omnibench.engine import phases  # which a run that has nothing to compute does not need

    return {
        "item": experiment.name,
        "fit_key": experiment.fit_key,
        "dataset": experiment.dataset_name,
        "algorithm": experiment.algorithm_name,
        "parameters": phases.plain(experiment.configuration.parameters),
        "fold": None if experiment.dataset.folds is None else experiment.fold,
    }


def ended_item(
    item: Item,
    previous: Record,
    attempt_labels: Record,
    status: Status,
    metrics: Mapping[str, Any],
    error: PhaseError | None = None,
) -> Record:
    """Return the record of an item whose attempt has ended, whichever way.

    Args:
        item: The item.
        previous: Its record as earlier attempts left it.
        attempt_labels: What every record of the attempt says.
        status: How the attempt ended.
        metrics: The metrics that are recorded of the item.
        error: Why the attempt failed or was given up, if it was.
    """
    counts = {"failures": previous.get("failures", 0), "deaths": previous.get("deaths", 0)}
    if status is Status.DONE:
        counts = {"failures": 0, "deaths": 0}
    if status is Status.FAILED:
        died = error is not None and error.died
        counts = {"failures": counts["failures"] + 1, "deaths": counts["deaths"] + 1 if died else 0}
    exported = previous.get("exported", 0)
    return {
        **item_labels(item.experiment),
        **attempt_labels,
        "status": status.value,
        "metrics": dict(metrics),
        "error": error and {"phase": error.phase, "message": error.message, "details": error.details},
        "exported": max(exported, item.list_length) if status is Status.DONE else exported,
        "generation": previous.get("generation", 0),
        "predict_key": item.predict_key,
        **counts,
    }
