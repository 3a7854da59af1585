"""What a run would do with an item: from which phase on, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omnibench.engine.survey import Columns, eval_keys
from omnibench.experiment.experiment import Experiment
from omnibench.store.schema import Record, RecordLookup


@dataclass(frozen=True)
class Outlook:
    """What a run would do with an item.

    Attributes:
        phase: The first phase that it would run: Fit, Predict or Eval.
        reason: Why.
    """

    phase: str
    reason: str


def outlook(
    get: RecordLookup, experiment: Experiment, columns: Columns, list_length: int, is_there: Callable[[Record], bool]
) -> Outlook:
    """Return from which phase an item that is not done would run.

    Args:
        get: From a record's key to the record, or None.
        experiment: The item.
        columns: The wanted metrics and labels.
        list_length: Recommendations per user.
        is_there: Whether the files that a record names are there.
    """
    item = get(f"item/{experiment.fit_key}") or {}
    before = {
        "failed": f"it failed in {item.get('phase')}: {(item.get('error') or {}).get('message', '')}",
        "interrupted": f"it was interrupted in {item.get('phase')}",
    }.get(item.get("status", ""), "")
    predict = get(f"predict/{experiment.predict_key(list_length)}")
    if predict is None or not is_there(predict):
        fit = get(f"fit/{experiment.fit_key}")
        if fit is None:
            return Outlook("Fit", before or _first_time(item))
        if not is_there(fit):
            return Outlook("Fit", f"its model {fit['model']['path']} is missing")
        if predict is not None:
            return Outlook("Predict", f"its predictions {predict['predictions']['path']} are missing")
        return Outlook("Predict", before or f"there are no predictions with lists of {list_length}")
    keys = eval_keys(get, experiment, columns, list_length)
    if keys is None:
        return Outlook("Eval", "its dataset is not prepared")
    missing = [label for label, key in keys.items() if get(f"eval/{key}") is None]
    return Outlook("Eval", f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not recorded")


def _first_time(item: Record) -> str:
    if item.get("generation"):
        return "it was reset"
    return "it was never begun" if item else "nothing is recorded under its key"
