"""Rows for tables: the metrics of all items, and what their phases have cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.store.schema import COSTS, GUEST_MEMBERS, PHASE_OF, SEARCHED, Phase, Record, RecordType, Status
from omnibench.store.states import RecordsInMemory
from omnibench.store.trials import finished_trials, searches_of

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

    The metrics that one Eval computed share theirs. Tune has the seconds of all trials, and belongs to the first item of
    those that share a search. A Fit that went on from snapshots has the seconds of all its attempts together; of an attempt
    that was stopped, what came behind its last snapshot is left.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    stopped = []
    for key, record in records.items():
        if RecordType.ITEM.has(key):
            fit = records.get(RecordType.FIT.key(record["fit_key"]), {})
            attempts = (without_continued(attempt, fit) for attempt in record.get("attempts", []))
            stopped += [{"item": record["item"], **attempt} for attempt in attempts]
        phase = PHASE_OF.get(RecordType.of(key))
        if phase is not None and not (phase is Phase.FIT and record.get(SEARCHED)):
            batch = record.get("batch") or key
            rows[record["fit_key"], phase, batch] = {
                **{name: record.get(name) for name in PHASE_COLUMNS},
                "phase": phase.value,
                "status": Status.DONE.value,
            }
    tune = {row["item"]: row for row in _tune_rows(records)}
    for attempt in stopped:  # its seconds are those of the trials, which are counted once
        if attempt.get("phase") == Phase.TUNE and tune.get(attempt["item"], {}).get("status") == Status.INTERRUPTED:
            tune[attempt["item"]]["status"] = attempt["status"]
    stopped_phases = [
        attempt for attempt in stopped if attempt.get("phase") != Phase.TUNE or attempt["item"] not in tune
    ]
    return [*tune.values(), *rows.values(), *stopped_phases]


def without_continued(attempt: Record, fit: Record) -> Record:
    """Return an attempt that was stopped, without the part of its costs that belongs to the Fit that went on from it.

    Args:
        attempt: What the item's record keeps of it.
        fit: The record of the item's Fit, or an empty one.
    """
    continued = continued_part(attempt, fit)
    if continued is None:
        return attempt
    costs = {name: attempt[name] for name in ("seconds", "cpu_seconds") if attempt.get(name) is not None}
    return {**attempt, **{name: max(0.0, cost - (continued.get(name) or 0.0)) for name, cost in costs.items()}}


def continued_part(attempt: Mapping[str, Any], fit: Record) -> Record | None:
    """Return the part of an attempt that was stopped from whose snapshot the Fit went on, or None where it did not.

    Args:
        attempt: A row of ``phase_rows``, or what an item's record keeps of it.
        fit: The record of the item's Fit, or an empty one.
    """
    if attempt.get("phase") != Phase.FIT or attempt.get("status") == Status.DONE:
        return None
    process = (attempt.get("run"), attempt.get("worker"))
    parts: list[Record] = fit.get("attempts") or []
    return next((part for part in parts if (part.get("run"), part.get("worker")) == process), None)


def _tune_rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return what each search has cost; what was taken over from earlier computations has cost nothing."""
    chosen = {record[SEARCHED] for key, record in records.items() if RecordType.ITEM.has(key) and record.get("chosen")}
    rows = []
    for search, trials in searches_of(RecordsInMemory(records)):
        computed = [trial for trial in finished_trials(trials) if not trial.get("reused")]
        if not computed or not search.get("item"):
            continue
        last = max(computed, key=lambda trial: str(trial.get("finished")))
        costs = {
            "seconds": sum(trial.get("seconds") or 0.0 for trial in computed),
            "peak_rss": max((trial["peak_rss"] for trial in computed if trial.get("peak_rss")), default=None),
        }
        origin = {name: last.get(name) for name in ("finished", "run", "worker")}
        status = Status.DONE if search[SEARCHED] in chosen else Status.INTERRUPTED
        labels = {"item": search["item"], "phase": Phase.TUNE.value, "status": status.value}
        rows.append({**dict.fromkeys(PHASE_COLUMNS), **labels, **costs, **origin})
    return rows
