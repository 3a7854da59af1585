"""What is noted when a run begins, and what every record says about whose it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omnibench.engine.policy import Policy
from omnibench.engine.survey import State
from omnibench.experiment.experiment import Experiment
from omnibench.keys import canonical
from omnibench.provenance import provenance
from omnibench.store.item_records import pending_item
from omnibench.store.records import timestamp
from omnibench.store.schema import Record, Status


def opening_records(
    run_id: str, items: Sequence[Experiment], states: Sequence[State], policy: Policy, directory: Path
) -> dict[str, Record]:
    """Return what is noted when a run begins: the run itself, and every item that nothing is known of yet.

    Args:
        run_id: The run's id.
        items: Every item of the run.
        states: What is known of each.
        policy: The run's policy.
        directory: Where the user's code is.
    """
    both = list(zip(items, states, strict=True))
    unknown = [item for item, state in both if not state.known]
    recipes = {item.dataset.key: item.dataset for item in unknown}
    run = {
        "id": run_id,
        "started": timestamp(),
        "ended": None,
        "items": len(items),
        "pending": sum(state.status != Status.DONE for _, state in both),
        "policy": asdict(policy),
        **provenance(directory),
    }
    return {
        f"run/{run_id}": run,
        **{
            f"recipe/{key}": {"name": one.name, "identity": json.loads(canonical(one.identity))}
            for key, one in recipes.items()
        },
        **{f"item/{item.fit_key}": pending_item(item_labels(item)) for item in unknown},
    }


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
