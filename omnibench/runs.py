"""A run: its id, what is noted when it begins, and the store of one that keeps nothing."""

from __future__ import annotations

import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omnibench.errors import OmnibenchError
from omnibench.experiment import Experiment
from omnibench.keys import canonical
from omnibench.policy import Policy
from omnibench.provenance import provenance
from omnibench.store.generations import pending_item
from omnibench.store.leases import Workspace
from omnibench.store.records import timestamp
from omnibench.store.sealing import Record
from omnibench.survey import DONE, State


def new_run_id() -> str:
    """Return an id for a run: when, and a few digits."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def throwaway() -> Workspace:
    """Return a directory for a store that nobody keeps; it is gone when its process is, if need be by the next one."""
    return Workspace(Path(tempfile.gettempdir()) / f"omnibench-{os.getuid()}")


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
        "pending": sum(state.status != DONE for _, state in both),
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
    from omnibench import phases  # which a run that has nothing to compute does not need

    return {
        "item": experiment.name,
        "fit_key": experiment.fit_key,
        "dataset": experiment.dataset_name,
        "algorithm": experiment.algorithm_name,
        "parameters": phases.plain(experiment.configuration.parameters),
        "fold": None if experiment.dataset.folds is None else experiment.fold,
    }


def require(begun: Iterable[bool]) -> None:
    """Refuse a run that has nothing to go on from.

    Raises:
        OmnibenchError: Of none of the items anything is recorded.
    """
    if not any(begun):
        raise OmnibenchError(
            "there is nothing to resume: nothing is recorded of the selected items. Check --omnirec-checkpoint-dir, or "
            "leave out --omnirec-resume=require."
        )
