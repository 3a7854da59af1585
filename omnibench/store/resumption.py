"""What Fits go on from: the newest snapshot of each item whose Fit has not ended, as data and in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omnibench.store.schema import DROPPED, PASSED_OVER, SEARCHED, Record, RecordType, Status
from omnibench.store.sizes import size_text
from omnibench.store.snapshot_files import folder_of
from omnibench.store.states import RecordSource
from omnibench.store.trials import open_trials, trials_of

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SPANS = ((2 * _DAY, _DAY, "days"), (2 * _HOUR, _HOUR, "h"), (2 * _MINUTE, _MINUTE, "min"), (0, 1, "s"))
"""From how many seconds on a time is told in a unit, the seconds of that, and its name."""


def newest_by_fit(snapshots: Iterable[tuple[str, Record]]) -> dict[str, Record]:
    """Return the snapshot that each Fit would go on from, by fit key: the newest that was not passed over.

    Args:
        snapshots: Keys and records of snapshots.
    """
    newest: dict[str, Record] = {}
    for _, record in snapshots:
        earlier = newest.get(record["fit_key"])
        if not record.get(PASSED_OVER) and (earlier is None or earlier["number"] < record["number"]):
            newest[record["fit_key"]] = record
    return newest


def resumable(records: RecordSource, unfinished: Iterable[Record]) -> dict[str, Record]:
    """Return the snapshot that the next attempt at an item goes on from, by the item's name.

    Of a tuned item that is in its search, that is the newest one of a trial that has not ended.

    Args:
        records: All records; without snapshots, nothing else of them is looked at.
        unfinished: Records of items that are not done.
    """
    newest = newest_by_fit(records.records(RecordType.SNAPSHOT.prefix))
    if not newest:
        return {}
    for key, fit in records.records(RecordType.FIT.prefix):
        if not fit.get(DROPPED):
            newest.pop(RecordType.FIT.identity(key), None)
    snapshots: dict[str, Record] = {}
    for item in unfinished:
        own = newest.get(item["fit_key"]) or _newest_of_trials(records, item, newest)
        if own is not None:
            snapshots[item["item"]] = own
    return snapshots


def _newest_of_trials(records: RecordSource, item: Record, newest: Mapping[str, Record]) -> Record | None:
    if not item.get(SEARCHED):
        return None
    trials = open_trials(trials_of(records, item[SEARCHED]))
    snapshots = [newest[trial["fit_key"]] for trial in trials if trial["fit_key"] in newest]
    return max(snapshots, key=lambda snapshot: str(snapshot["finished"]), default=None)


def point_text(snapshot: Mapping[str, Any]) -> str:
    """Return the moment of a Fit that a snapshot is of, e.g. ``after epoch 37 of 50`` or ``before epoch 1 of 50``."""
    iteration = snapshot["iteration"]
    preposition, number = ("after", iteration) if iteration else ("before", 1)
    return f"{preposition} {_iteration_text(snapshot, number)}"


def resume_text(snapshot: Mapping[str, Any]) -> str:
    """Return where a Fit goes on from a snapshot, e.g. ``resumes at epoch 38 of 50``; behind the last, ``after`` that."""
    iteration, iterations = snapshot["iteration"], snapshot.get("iterations")
    if iterations is not None and iteration >= iterations:
        return f"resumes {point_text(snapshot)}"
    return f"resumes at {_iteration_text(snapshot, iteration + 1)}"


def _iteration_text(snapshot: Mapping[str, Any], number: int) -> str:
    iterations = snapshot.get("iterations")
    return f"{snapshot.get('unit') or 'iteration'} {number}{'' if iterations is None else f' of {iterations}'}"


def age_text(moment: str) -> str:
    """Return how long ago a recorded time was, e.g. ``40 s ago`` or ``3 h ago``."""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    unit, name = next((unit, name) for least, unit, name in _SPANS if seconds >= least)
    return f"{seconds // unit:.0f} {name} ago"


def snapshot_text(snapshot: Mapping[str, Any], *, running: bool) -> str:
    """Return what people are told of an item's newest snapshot, e.g. ``resumes at epoch 38 of 50, snapshot 40 s ago, 4.1 MB``.

    Args:
        snapshot: Its record.
        running: Whether somebody computes the item, so that nothing is to be resumed yet.
    """
    age, size = age_text(snapshot["finished"]), size_text(snapshot["size"])
    if running:
        return f"snapshot {point_text(snapshot)}, {age}, {size}"
    return f"{resume_text(snapshot)}, snapshot {age}, {size}"


def newest_members(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return what programs are told of an item's newest snapshot."""
    names = ("name", "iteration", "iterations", "unit")
    return {**{name: snapshot.get(name) for name in names}, "made": snapshot["finished"], "bytes": snapshot["size"]}


SNAPSHOT_COLUMNS = (
    *("item", "name", "number", "made", "iteration", "iterations", "unit", "size", "seconds", "fit_seconds", "reason"),
    *("missing", "within", PASSED_OVER, "resumes", "run", "worker", "folder", "fit_key"),
)


def snapshot_rows(records: RecordSource, root: Path) -> list[dict[str, Any]]:
    """Return a row per snapshot, by item and age, with the members of ``SNAPSHOT_COLUMNS``.

    ``resumes`` says whether the next attempt goes on from it. The snapshot of a trial belongs to the first tuned item of
    its search.

    Args:
        records: All records.
        root: The store's directory.
    """
    snapshots = [record for _, record in records.records(RecordType.SNAPSHOT.prefix)]
    if not snapshots:
        return []
    items = [record for _, record in records.records(RecordType.ITEM.prefix)]
    unfinished = (item for item in items if item["status"] != Status.DONE)
    resumed = {(record["fit_key"], record["name"]) for record in resumable(records, unfinished).values()}
    owners = dict(_owners(records, items))
    rows = [
        {
            **{name: record.get(name) for name in SNAPSHOT_COLUMNS},
            "made": record.get("finished"),
            "folder": folder_of(record, root).as_posix(),
            "item": owners.get(record["fit_key"], record["item"]),
            "missing": record.get("missing") or [],
            "resumes": (record["fit_key"], record["name"]) in resumed,
        }
        for record in snapshots
    ]
    return sorted(rows, key=lambda row: (row["item"], row["fit_key"], row["number"]))


def _owners(records: RecordSource, items: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """Yield the fit keys of trials and items, with the names of the items; items last."""
    tuned: dict[str, str] = {}
    for item in items:
        if item.get(SEARCHED):
            tuned.setdefault(item[SEARCHED], item["item"])
    if tuned:
        for _, trial in records.records(RecordType.TRIAL.prefix):
            if trial[SEARCHED] in tuned:
                yield trial["fit_key"], tuned[trial[SEARCHED]]
    for item in items:
        yield item["fit_key"], item["item"]
