"""What Fits go on from: the newest snapshot of each item whose Fit has not ended, as data and in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.guest.snapshots import progress
from omnibench.sizes import size_text
from omnibench.store.schema import DROPPED, PASSED_OVER, SEARCHED, UNSUPPLIED, Record, RecordType, Status
from omnibench.store.snapshot_files import folder_of
from omnibench.store.states import RecordsInMemory, RecordSource
from omnibench.store.trials import best_of, open_trials, trials_of

if TYPE_CHECKING:
    import pandas as pd

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SPANS = ((2 * _DAY, _DAY, "days"), (2 * _HOUR, _HOUR, "h"), (2 * _MINUTE, _MINUTE, "min"), (0, 1, "s"))
"""From how many seconds on a time is told in a unit, the seconds of that, and its name."""


def open_snapshots(records: RecordSource) -> dict[str, Record]:
    """Return the snapshot that each Fit without a model would go on from, by fit key: the newest that was not passed over.

    Args:
        records: All records; without snapshots, nothing else of them is looked at.
    """
    newest: dict[str, Record] = {}
    for _, record in records.records(RecordType.SNAPSHOT.prefix):
        earlier = newest.get(record["fit_key"])
        if not record.get(PASSED_OVER) and (earlier is None or earlier["number"] < record["number"]):
            newest[record["fit_key"]] = record
    if newest:
        for key, fit in records.records(RecordType.FIT.prefix):
            if not fit.get(DROPPED):
                newest.pop(RecordType.FIT.identity(key), None)
    return newest


def snapshot_of(records: RecordSource, item: Record, newest: Mapping[str, Record]) -> Record | None:
    """Return the snapshot that the next attempt at an item goes on from, or None.

    Of a tuned item that is in its search, that is the newest one of a trial that has not ended.

    Args:
        records: All records.
        item: The record of an item that is not done.
        newest: The snapshots by fit key; see ``open_snapshots``.
    """
    own = newest.get(item["fit_key"])
    if own is not None and is_of_choice(records, item, own):
        return own
    if not newest or not item.get(SEARCHED):
        return None
    trials = open_trials(trials_of(records, item[SEARCHED]))
    snapshots = (newest[trial["fit_key"]] for trial in trials if trial["fit_key"] in newest)
    return max(snapshots, key=lambda snapshot: str(snapshot["finished"]), default=None)


def is_of_choice(records: RecordSource, item: Record, snapshot: Record) -> bool:
    """Whether a snapshot is of what the next Fit of its item is asked for; of a tuned one, as far as its trials tell.

    Args:
        records: All records.
        item: The record of the item.
        snapshot: The record of a snapshot of its Fit, not of a trial's.
    """
    requested = snapshot["requested"]
    if not item.get(SEARCHED):
        return bool(requested == item["fit_key"])
    trials = trials_of(records, item[SEARCHED])
    if all(trial["fit_key"] != requested for trial in trials):  # of both parts, or of as many epochs as were the best
        return True
    searches = (record for _, record in records.records(RecordType.SEARCH.key(item[SEARCHED])))
    chosen = best_of(trials, higher_is_better=next(searches, {}).get("higher_is_better", True))
    return chosen is None or chosen["fit_key"] == requested


def resumable(records: RecordSource, unfinished: Iterable[Record]) -> dict[str, Record]:
    """Return the snapshots that the next attempts at items go on from, by the items' names.

    Args:
        records: All records.
        unfinished: Records of items that are not done.
    """
    newest = open_snapshots(records)
    by_item = ((item["item"], snapshot_of(records, item, newest)) for item in unfinished) if newest else ()
    return {name: snapshot for name, snapshot in by_item if snapshot is not None}


def point_text(snapshot: Mapping[str, Any]) -> str:
    """Return the moment of a Fit that a snapshot is of, e.g. ``after epoch 37 of 50``; in the beginning it is 0."""
    return f"after {progress(snapshot)}"


def resume_text(snapshot: Mapping[str, Any]) -> str:
    """Return where a Fit goes on from a snapshot, e.g. ``resumes at epoch 38 of 50``; behind the last, ``after`` that.

    Of one from which none can go on, it says that.
    """
    if snapshot.get(UNSUPPLIED):
        return f"cannot resume: its snapshot {point_text(snapshot)} is {without_text(snapshot)}"
    iteration, iterations = snapshot["iteration"], snapshot.get("iterations")
    if iterations is not None and iteration >= iterations:
        return f"resumes {point_text(snapshot)}"
    return f"resumes at {_iteration_text(snapshot, iteration + 1)}"


def without_text(snapshot: Mapping[str, Any]) -> str:
    """Return what a snapshot lacks, e.g. ``without lock``; nothing where it is complete."""
    missing = snapshot.get("missing")
    return f"without {', '.join(missing)}" if missing else ""


def _iteration_text(snapshot: Mapping[str, Any], number: int) -> str:
    return progress({**snapshot, "iteration": number, "within": False})


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
    if running:
        return newest_text(newest_members(snapshot))
    return f"{resume_text(snapshot)}, snapshot {age_text(snapshot['finished'])}, {size_text(snapshot['size'])}"


def newest_text(members: Mapping[str, Any]) -> str:
    """Return what ``newest_members`` has, for people, e.g. ``snapshot after epoch 37 of 50, 40 s ago, 4.1 MB``."""
    facts = (point_text(members), age_text(members["made"]), size_text(members["bytes"]), without_text(members))
    return f"snapshot {', '.join(filter(None, facts))}"


def snapshot_line(row: Mapping[str, Any], *, running: bool = False) -> str:
    """Return a row of ``snapshot_rows`` for people: its name, the moment that it is of, age, size, and what is to be known.

    Args:
        row: The row.
        running: Whether somebody computes the item, so that nothing is to be resumed yet.
    """
    remarks = [
        without_text(row),
        "passed over" if row[PASSED_OVER] else "",
        resume_text(row) if row["resumes"] and not running else "",
    ]
    moment = point_text(row) if row.get("trial") is None else f"trial {row['trial']} {point_text(row)}"
    facts = [moment, age_text(row["made"]), size_text(row["size"] or 0), *filter(None, remarks)]
    return f"{row['name']}  {', '.join(facts)}"


def attempt_lines(attempts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what each attempt at a Fit has cost, for people, e.g. ``attempt 1  95.0 s wall, peak 300 MiB, until 37``.

    Args:
        attempts: As records of Fits and snapshots keep them.
    """
    for number, attempt in enumerate(attempts, 1):
        costs = [f"{attempt[name]:.3f} s {noun}" for name, noun in _TIMES if attempt.get(name) is not None]
        peaks = [f"peak {attempt[name] / 2**20:.0f} MiB{noun}" for name, noun in _PEAKS if attempt.get(name)]
        last = "the end" if attempt.get("to") is None else attempt["to"]
        span = "" if attempt.get("from") is None else f"; iterations from {attempt['from']} to {last}"
        yield f"attempt {number:<6} {', '.join([*costs, *peaks])}{span}"


_TIMES = (("seconds", "wall"), ("cpu_seconds", "CPU"))
_PEAKS = (("peak_rss", ""), ("gpu_peak", " of the GPU"))
"""The members of an attempt that say what it has cost, and their words."""


def newest_members(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return what programs are told of an item's newest snapshot."""
    names = ("name", "iteration", "iterations", "unit", "within")
    missing = {"missing": snapshot["missing"]} if snapshot.get("missing") else {}
    costs = {"made": snapshot["finished"], "bytes": snapshot["size"]}
    return {**{name: snapshot.get(name) for name in names}, **costs, **missing}


SNAPSHOT_COLUMNS = (
    *(
        "item",
        "trial",
        "name",
        "number",
        "made",
        "iteration",
        "iterations",
        "unit",
        "size",
        "seconds",
        "fit_seconds",
        "reason",
    ),
    *("missing", "within", PASSED_OVER, "resumes", "run", "worker", "folder", "fit_key"),
)


def snapshot_rows(records: RecordSource) -> list[dict[str, Any]]:
    """Return a row per snapshot, by item and age, with the members of ``SNAPSHOT_COLUMNS``.

    ``resumes`` says whether the next attempt goes on from it. The snapshot of a trial belongs to the first tuned item of
    its search, and has the ``trial``'s number. The ``folder`` is relative to the store's directory, or absolute where it lies outside of that.

    Args:
        records: All records.
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
            "folder": folder_of(record, Path()).as_posix(),
            **dict(zip(("item", "trial"), owners.get(record["fit_key"], (record["item"], None)), strict=True)),
            "missing": record.get("missing") or [],
            "resumes": (record["fit_key"], record["name"]) in resumed and not record.get(UNSUPPLIED),
        }
        for record in snapshots
    ]
    return sorted(rows, key=lambda row: (row["item"], -1 if row["trial"] is None else row["trial"], row["number"]))


def _owners(records: RecordSource, items: Iterable[Record]) -> Iterator[tuple[str, tuple[str, int | None]]]:
    """Yield the fit keys of trials and items, with the names of the items and the trials' numbers; items last."""
    tuned: dict[str, str] = {}
    for item in items:
        if item.get(SEARCHED):
            tuned.setdefault(item[SEARCHED], item["item"])
    if tuned:
        for _, trial in records.records(RecordType.TRIAL.prefix):
            if trial[SEARCHED] in tuned:
                yield trial["fit_key"], (tuned[trial[SEARCHED]], int(trial["number"]))
    for item in items:
        yield item["fit_key"], (item["item"], None)


def snapshot_frame(records: Mapping[str, Record], items: Collection[str] | None = None) -> pd.DataFrame:
    """Return a row per snapshot of a Fit, by item, the oldest first.

    Columns: item, trial (its number, where it is of one), name, number; made (when), iteration, iterations (missing where nobody knows how many there will be) and
    unit, e.g. ``epoch``; size (bytes), seconds (to take it), fit_seconds (of the Fit until then, in all attempts), reason,
    missing (parts that could not be saved), within (whether it is of a moment inside of the next iteration), passed_over
    (when an older one was chosen in its place), resumes (whether the next attempt goes on from it), run, worker, folder
    (relative to the store's directory, or absolute where it lies outside), fit_key.

    Args:
        records: All records.
        items: The names of the items to show; all by default.
    """
    import pandas as pd

    rows = [row for row in snapshot_rows(RecordsInMemory(records)) if items is None or row["item"] in items]
    return pd.DataFrame(rows, columns=list(SNAPSHOT_COLUMNS))
