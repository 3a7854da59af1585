"""Rows for a table of trials: one per trial of every tuned item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnibench.store.schema import COMPUTED, SEARCHED, Record, RecordType
from omnibench.store.tuned_items import paid_trials, searches_by_key

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {
    "item": "string",
    "dataset": "string",
    "algorithm": "string",
    "fold": "Int64",
    "search": "string",
    "number": "Int64",
    "status": "string",
    "metric": "string",
    "value": "float64",
    "chosen": "boolean",
    "parameters": "object",
    "seconds": "float64",
    **{f"{phase.value.lower()}_seconds": "float64" for phase in COMPUTED},
    "epochs": "Int64",
    "pruned_epoch": "Int64",
    "pruned_value": "float64",
    "reason": "string",
    "reused": "boolean",
    "threads": "Int64",
    "peak_rss": "Int64",
    "fit_key": "string",
    "finished": "string",
    "run": "string",
    "worker": "string",
}

_LABELS = ("item", "dataset", "algorithm", "fold")

PARAMETER = "parameters."
"""What the names of the columns of single hyperparameters begin with."""


def trial_frame(records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row per trial of every tuned item, by item and number.

    Items may share a search, e.g. folds with ``per_fold=False`` or plans with other budgets: each has a row for every
    trial that its budget pays for. A trial that no item has any more stands last, with no item.

    Columns: item, dataset, algorithm, fold; search (its key), number (0 has the algorithm's defaults; together they say
    which trial a row is of), status (done, pruned, failed, proposed), metric and value (on the validation part), chosen (by
    this item); parameters (those that were proposed), and each of them as ``parameters.<name>``; seconds, and fit_seconds,
    predict_seconds, eval_seconds; epochs (the best one), pruned_epoch and pruned_value, reason (why it was pruned or has
    failed), reused (taken over from an earlier computation); threads, peak_rss (bytes), fit_key, finished, run, worker.

    Args:
        records: All records.
    """
    import pandas as pd

    rows = _rows(records)
    names = sorted({name for row in rows for name in row["parameters"]})
    frame = pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)
    single = {f"{PARAMETER}{name}": [row["parameters"].get(name) for row in rows] for name in names}
    return pd.concat([frame, pd.DataFrame(single, index=frame.index)], axis=1) if single else frame


def _rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    items = sorted(
        (record for key, record in records.items() if RecordType.ITEM.has(key) and record.get(SEARCHED)),
        key=lambda item: str(item["item"]),
    )
    searches = searches_by_key(records)
    rows, paid = [], set()
    for item in items:
        search, trials = searches.get(item[SEARCHED], ({}, []))
        chosen = (item.get("chosen") or {}).get("number")
        labels = {name: item.get(name) for name in _LABELS}
        for trial in paid_trials(trials, search, item):
            rows.append(_row(trial, labels, is_chosen=trial["number"] == chosen))
            paid.add((item[SEARCHED], trial["number"]))
    for search, trials in sorted(searches.values(), key=lambda pair: str(pair[0].get("item"))):
        labels = {**{name: search.get(name) for name in _LABELS}, "item": None}
        rows += [
            _row(trial, labels, is_chosen=False) for trial in trials if (trial[SEARCHED], trial["number"]) not in paid
        ]
    return rows


def _row(trial: Record, labels: Mapping[str, Any], *, is_chosen: bool) -> dict[str, Any]:
    return {
        **labels,
        **{name: trial.get(name) for name in _TYPES if name in trial},
        **_costs(trial),
        "chosen": is_chosen,
        "reused": bool(trial.get("reused")),
        "pruned_epoch": (trial.get("pruned") or {}).get("epoch"),
        "pruned_value": (trial.get("pruned") or {}).get("value"),
        "reason": (trial.get("pruned") or {}).get("reason") or (trial.get("error") or {}).get("message"),
    }


def _costs(trial: Record) -> dict[str, float | None]:
    phases = trial.get("phases") or {}
    return {f"{phase.value.lower()}_seconds": phases.get(phase.value) for phase in COMPUTED}
