"""Rows for tables: the metrics of all items, and what their phases have cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.store.schema import COSTS, GUEST_MEMBERS, PHASE_OF, Record, RecordType, Status

RESULT_COLUMNS = ("item", "dataset", "algorithm", "fold", "metric", "value", "stderr", "low", "high")
PHASE_COLUMNS = ("item", "phase", "status", *COSTS, *GUEST_MEMBERS, "finished", "run", "worker")


def result_rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return a row per metric of each done item, with the members of ``RESULT_COLUMNS``."""
    rows = []
    for key, record in records.items():
        if RecordType.ITEM.has(key) and record["status"] == Status.DONE:
            labels = {name: record[name] for name in ("item", "dataset", "algorithm", "fold")}
            for label, metric in record["metrics"].items():
                evaluation = records.get(RecordType.EVAL.key(metric["key"]), {})
                low, high = evaluation.get("interval") or (None, None)
                spread = {"stderr": evaluation.get("stderr"), "low": low, "high": high}
                rows.append({**labels, "metric": label, "value": metric["value"], **spread})
    return rows


def phase_rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return every finished phase once, and those that failed or were interrupted, with the members of ``PHASE_COLUMNS``.

    The metrics that one Eval computed share theirs.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    stopped = []
    for key, record in records.items():
        if RecordType.ITEM.has(key):
            stopped += [{"item": record["item"], **attempt} for attempt in record.get("attempts", [])]
        phase = PHASE_OF.get(RecordType.of(key))
        if phase is not None:
            batch = record.get("batch") or key
            rows[record["fit_key"], phase, batch] = {
                **{name: record.get(name) for name in PHASE_COLUMNS},
                "phase": phase.value,
                "status": Status.DONE.value,
            }
    return [*rows.values(), *stopped]
