"""What was recorded as done stays done: what a later attempt that came to nothing leaves in the record of a done item.

An item that is done may be asked for more: another metric, longer lists. Where that fails, its numbers hold as before;
the failure belongs to the metrics that were asked for, and is kept beside them. Earlier versions made the whole item
failed or interrupted, and left its metrics in its record: such records are read as what they ought to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from omnibench.store.schema import Phase, Record, RecordType, Status

STOPPED = "stopped"
"""The member of a done item's record about a later attempt that failed: its phase and error, how often in a row it and its
process did, and by label the identities of the metrics that it was to compute (None: not known)."""

_GIVEN_UP = frozenset({Status.FAILED.value, Status.INTERRUPTED.value})

_BEHIND = ("as_seed", "status")
"""Members that stand behind attempts and failures in a record: ``DoneText`` finds the metrics behind them."""


def settled(key: str, record: Record) -> Record:
    """Return a record as it is to be read: an item that has metrics is done, whatever happened to a later attempt.

    Args:
        key: The record's key.
        record: The record as it stands in the store.
    """
    if not RecordType.ITEM.has(key) or record.get("status") not in _GIVEN_UP or not record.get("metrics"):
        return record
    failure = {
        "phase": record.get("phase"),
        "error": record.get("error"),
        "failures": record.get("failures", 0),
        "deaths": record.get("deaths", 0),
        "metrics": None,
    }
    done = {**record, "status": Status.DONE.value, "phase": Phase.DONE.value, "error": None}
    done |= {"failures": 0, "deaths": 0}
    return _with(done, STOPPED, failure) if record["status"] == Status.FAILED else done


def with_attempt(item: Record, attempts: Iterable[Record]) -> Record:
    """Return the record of a done item with other attempts that came to nothing."""
    return _with(item, "attempts", list(attempts))


def with_failure(item: Record, failure: Mapping[str, Any], metrics: Mapping[str, str], *, died: bool) -> Record:
    """Return the record of a done item, to which belongs a later attempt that failed.

    Args:
        item: The record.
        failure: ``phase`` and ``error`` of the attempt.
        metrics: The identities of the metrics that it was to compute, by label.
        died: Whether its process died.
    """
    previous = item.get(STOPPED) or {}
    same = previous.get("metrics") in (None, dict(metrics))
    counts = {
        "failures": (previous.get("failures", 0) if same else 0) + 1,
        "deaths": ((previous.get("deaths", 0) if same else 0) + 1) if died else 0,
    }
    return _with(item, STOPPED, {**failure, **counts, "metrics": dict(metrics)})


def has_failure(item: Record | None) -> bool:
    """Whether a later attempt at a done item failed."""
    return item is not None and item.get("status") == Status.DONE and bool(item.get(STOPPED))


def without_failure(item: Record) -> Record:
    """Return the record of a done item without the failure of a later attempt."""
    return {name: member for name, member in item.items() if name != STOPPED}


def failed_later(item: Record) -> Record:
    """Return the record of an item as a run has to show it for which a later attempt failed, to which it is not done."""
    if not has_failure(item):
        return item
    failure = item[STOPPED]
    return {**item, "status": Status.FAILED.value, "phase": failure["phase"], "error": failure["error"]}


def failure_left(item: Record, metrics: Iterable[str]) -> Record | None:
    """Return the failure of a later attempt that still holds once an item has some metrics, or None.

    Args:
        item: The item's record before.
        metrics: The labels that it has now.
    """
    failure: Record | None = item.get(STOPPED)
    if failure is None or not failure["metrics"]:
        return None
    return failure if failure["metrics"].keys() - set(metrics) else None


def failure_of(item: Record, missing: Mapping[str, str]) -> Record | None:
    """Return the failure that stands in the way of metrics that a done item lacks, or None where nothing is known of one.

    Args:
        item: The item's record.
        missing: The identities of the metrics, by label.
    """
    failure: Record | None = item.get(STOPPED)
    if failure is None:
        return None
    metrics = failure["metrics"]
    return failure if metrics is None or metrics.items() & missing.items() else None


def _with(item: Record, name: str, member: Any) -> Record:
    """Return a record with a member in front of those that are searched for in its text."""
    names = [old_name for old_name in item if old_name != name]
    position = next((number for number, old_name in enumerate(names) if old_name in _BEHIND), len(names))
    order = [*names[:position], name, *names[position:]]
    members = {**item, name: member}
    return {member_name: members[member_name] for member_name in order}
