"""Rows for tables: the metrics of all items, and what their phases have cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from sys import intern
from typing import Any

from omnibench.store.columns import Column
from omnibench.store.lookups import Lookups
from omnibench.store.reader import Reader
from omnibench.store.schema import COSTS, GUEST_MEMBERS, PHASE_OF, SEARCHED, Phase, Record, RecordType, Status
from omnibench.store.states import RecordsInMemory
from omnibench.store.trials import finished_trials, searches_of

RESULT_COLUMNS = ("item", "dataset", "algorithm", "fold", "metric", "value", "stderr", "low", "high")
PHASE_COLUMNS: tuple[str, ...] = ("item", "phase", "status", *COSTS, *GUEST_MEMBERS, "finished", "run", "worker")


def result_columns(reader: Reader) -> dict[str, Column]:
    """Return the columns of ``RESULT_COLUMNS``, of a row per metric of each done item; records are read one at a time.

    Args:
        reader: Reads the records.
    """
    columns = {name: Column() for name in RESULT_COLUMNS}
    lookups = Lookups(reader)
    lookups.read_phases(RecordType.EVAL)
    rows: list[tuple[Any, ...]] = []
    keys: list[str] = []
    for _, record, _ in reader.light_items():
        if record["status"] != Status.DONE:
            continue
        metrics = record["metrics"]
        labels = [intern(label) if isinstance(label := record[name], str) else label for name in RESULT_COLUMNS[:4]]
        for label, metric in metrics.items():
            rows.append((*labels, intern(label), metric["value"]))
            keys.append(metric["key"])
        if len(rows) >= _ROWS_AT_HAND:
            _add_rows(columns, rows, lookups.uncertainties(keys))
            rows, keys = [], []
    _add_rows(columns, rows, lookups.uncertainties(keys))
    return columns


_ROWS_AT_HAND = 3000
"""How many evaluations are looked up at a time."""


def _add_rows(columns: dict[str, Column], rows: list[tuple[Any, ...]], spreads: list[list[Any]]) -> None:
    """Add rows to columns.

    Args:
        columns: The columns, by name.
        rows: Of each row the first members.
        spreads: Of the others the columns.
    """
    for name, values in zip(RESULT_COLUMNS, [*zip(*rows, strict=True), *spreads] if rows else (), strict=bool(rows)):
        columns[name].extend(values)


def phase_rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return every finished phase once, and those that failed or were interrupted, with the members of ``PHASE_COLUMNS``.

    The metrics that one Eval computed share theirs. Tune has the seconds of all trials, and belongs to the first item of
    those that share a search. A Fit that went on from snapshots has the costs of all its attempts together, which
    have no rows of their own.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for key, record in records.items():
        row = finished_row(key, record)
        if row is not None:
            rows[part_of(key, record)] = row
    tune, stopped = unfinished_rows(records)
    return [*tune, *rows.values(), *stopped]


def finished_row(key: str, record: Record) -> dict[str, Any] | None:
    """Return the row of a finished phase; None of other records, and of trials."""
    phase = PHASE_OF.get(RecordType.of(key))
    if phase is None or (phase is Phase.FIT and record.get(SEARCHED)):
        return None
    members = {name: record.get(name) for name in PHASE_COLUMNS}
    return {**members, "phase": phase.value, "status": Status.DONE.value}


def part_of(key: str, record: Record) -> tuple[str, str, str]:
    """Return what the records of phases have in common that share a row."""
    return record["fit_key"], key.partition("/")[0], record.get("batch") or key


def unfinished_rows(records: Mapping[str, Record]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of searches, and those of phases that failed or were interrupted.

    Args:
        records: Those of items, of their fits where they have attempts or are tuned, of searches and of trials.
    """
    stopped = []
    for key, record in records.items():
        if RecordType.ITEM.has(key):
            fit = records.get(RecordType.FIT.key(record["fit_key"]), {})
            attempts = (attempt for attempt in record.get("attempts", ()) if not _is_continued(attempt, fit))
            stopped += [{"item": record["item"], **attempt} for attempt in attempts]
    tune = {row["item"]: row for row in _tune_rows(records)}
    for attempt in stopped:  # its seconds are those of the trials, which are counted once
        if attempt.get("phase") == Phase.TUNE and tune.get(attempt["item"], {}).get("status") == Status.INTERRUPTED:
            tune[attempt["item"]]["status"] = attempt["status"]
    stopped_phases = [
        attempt for attempt in stopped if attempt.get("phase") != Phase.TUNE or attempt["item"] not in tune
    ]
    return [*tune.values()], stopped_phases


def phases_of(item: str, records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return the rows of ``phase_rows`` that are an item's, by time; those that do not say theirs come last.

    Args:
        item: The item's name.
        records: The records that tell of it.
    """
    rows = (row for row in phase_rows(records) if row["item"] == item)
    return sorted(rows, key=lambda row: (row.get("finished") is None, str(row.get("finished"))))


def _is_continued(attempt: Record, fit: Record) -> bool:
    """Whether a Fit went on from a snapshot of an attempt that was stopped: that is a part of the Fit, with all its costs."""
    process = (attempt.get("run"), attempt.get("worker"))
    parts = ((part.get("run"), part.get("worker")) for part in fit.get("attempts") or ())
    return attempt.get("phase") == Phase.FIT and process in parts


def _tune_rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return what each search has cost; what was taken over from earlier computations has cost nothing.

    Nor has the Fit of a trial whose model has become the item's: the item's own Fit has these seconds.
    """
    chosen = {record[SEARCHED] for key, record in records.items() if RecordType.ITEM.has(key) and record.get("chosen")}
    taken_over = _fits_of_chosen_trials(records)
    rows = []
    for search, trials in searches_of(RecordsInMemory(records)):
        computed = [trial for trial in finished_trials(trials) if not trial.get("reused")]
        if not computed or not search.get("item"):
            continue
        last = max(computed, key=lambda trial: str(trial.get("finished")))
        costs = {
            "seconds": math.fsum(
                seconds
                for trial in computed
                for phase, seconds in (trial.get("phases") or {Phase.TUNE: trial.get("seconds") or 0.0}).items()
                if phase != Phase.FIT or (trial["fit_key"], seconds) not in taken_over
            ),
            "peak_rss": max((trial["peak_rss"] for trial in computed if trial.get("peak_rss")), default=None),
        }
        origin = {name: last.get(name) for name in ("finished", "run", "worker")}
        status = Status.DONE if search[SEARCHED] in chosen else Status.INTERRUPTED
        labels = {"item": search["item"], "phase": Phase.TUNE.value, "status": status.value}
        rows.append({**dict.fromkeys(PHASE_COLUMNS), **labels, **costs, **origin})
    return rows


def _fits_of_chosen_trials(records: Mapping[str, Record]) -> set[tuple[str, float | None]]:
    """Return, of every tuned item, the key of the trial that its search has chosen with the seconds of the item's own Fit."""
    items = (record for key, record in records.items() if RecordType.ITEM.has(key) and record.get("chosen"))
    fits = ((item, records.get(RecordType.FIT.key(item["fit_key"]), {})) for item in items)
    return {(item["chosen"]["fit_key"], fit.get("seconds")) for item, fit in fits if item["chosen"].get("fit_key")}
