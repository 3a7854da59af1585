"""Rows for a table of trials: one per trial of every search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnibench.store.schema import COMPUTED, SEARCHED, Record, RecordType
from omnibench.store.states import RecordsInMemory
from omnibench.store.trials import searches_of

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

PARAMETER = "parameters."
"""What the names of the columns of single hyperparameters begin with."""


def trial_frame(records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row per trial of every search, by item and number.

    Columns: item, dataset, algorithm and fold of the search (of the first fold where all folds share it); search (its
    key), number (0 has the algorithm's defaults), status (done, pruned, failed, proposed), metric and value (on the
    validation part), chosen; parameters (those that were proposed), and each of them as ``parameters.<name>``; seconds,
    and fit_seconds, predict_seconds, eval_seconds; epochs (the best one), pruned_epoch and pruned_value, reason (why it
    was pruned or has failed), reused (taken over from an earlier computation); threads, peak_rss (bytes), fit_key,
    finished, run, worker.

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
    chosen = {
        (item[SEARCHED], item["chosen"]["number"])
        for key, item in records.items()
        if RecordType.ITEM.has(key) and item.get(SEARCHED) and item.get("chosen")
    }
    searches = sorted(searches_of(RecordsInMemory(records)), key=lambda pair: str(pair[0].get("item")))
    return [
        {
            **{name: search.get(name) for name in ("item", "dataset", "algorithm", "fold")},
            **{name: trial.get(name) for name in _TYPES if name in trial},
            **_costs(trial),
            "chosen": (trial[SEARCHED], trial["number"]) in chosen,
            "reused": bool(trial.get("reused")),
            "pruned_epoch": (trial.get("pruned") or {}).get("epoch"),
            "pruned_value": (trial.get("pruned") or {}).get("value"),
            "reason": (trial.get("pruned") or {}).get("reason") or (trial.get("error") or {}).get("message"),
        }
        for search, trials in searches
        for trial in trials
    ]


def _costs(trial: Record) -> dict[str, float | None]:
    phases = trial.get("phases") or {}
    return {f"{phase.value.lower()}_seconds": phases.get(phase.value) for phase in COMPUTED}
