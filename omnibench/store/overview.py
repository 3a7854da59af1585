"""The items and workers of a store as of now, made of its records and of the locks that somebody holds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omnibench.store.leases import is_held
from omnibench.store.light_records import LightRecords, light_records_in
from omnibench.store.plans import PlannedLabels, plan_of
from omnibench.store.reader import Reader
from omnibench.store.schema import MAX_ATTEMPTS, WORKER_COLUMNS, Record, RecordType, Status
from omnibench.store.states import RecordsInMemory, is_alive, item_states, sightings

_DONE = Status.DONE.value


def items_of(root: Path, records: Mapping[str, Record]) -> dict[str, Record]:
    """Return the record of every item by name, with its ``status`` and ``phase`` as of now.

    Args:
        root: The store's directory.
        records: All of its records, by key.
    """
    holders: dict[str, str] = {}

    def is_running(record: Record) -> bool:
        holder = is_held(root / "leases" / f"{record['fit_key']}.lock")
        if holder is not None:
            holders[record["fit_key"]] = holder
        return holder is not None

    workers = (record for key, record in records.items() if RecordType.WORKER.has(key))
    items: dict[str, Record] = {}
    for record, state in item_states(RecordsInMemory(records), sightings(root, workers), is_running):
        if state.status is Status.DONE and record.get("status") == _DONE and record.get("phase") == state.phase:
            items[record["item"]] = record  # not copied: most are done, and there may be many
            continue
        holder = {"holder": holders[record["fit_key"]]} if state.status is Status.RUNNING else {}
        without_own: Record = {} if "status" in record else {"metrics": {}, "error": None}
        items[record["item"]] = {
            **record,
            **without_own,
            "status": state.status.value,
            "phase": state.phase,
            **holder,
        }
    return {name: items[name] for name in sorted(items)}


def with_states(reader: Reader, root: Path) -> Iterator[tuple[str, Record]]:
    """Yield all records, those of items with their ``status`` and ``phase`` as of now, called as in the last plan.

    Args:
        reader: Reads the records.
        root: The store's directory.
    """
    light = light_records_in(reader, with_costs=False).records
    unfinished = (item for item in items_of(root, light).values() if item["status"] != Status.DONE)
    states = {
        RecordType.ITEM.key(item["fit_key"]): {"status": item["status"], "phase": item["phase"]} for item in unfinished
    }
    plan = PlannedLabels(light.items())
    del light, unfinished  # before all records are gone through
    for key, record in reader.records():
        yield key, {**plan.labelled(record), **states.get(key, {})} if RecordType.ITEM.has(key) else record


def remaining_of(records: Mapping[str, Record], items: Mapping[str, Record]) -> list[str]:
    """Return the items that the next run computes, or waits for: of the last plan, where one is recorded.

    Args:
        records: All records.
        items: Those of the items, by name, with their status as of now.
    """
    # Most are done, and nobody has to look into the plan for them.
    remaining = [(name, item["fit_key"]) for name, item in items.items() if item["status"] != _DONE and remains(item)]
    plan = plan_of(records.items()) if remaining else []
    planned = frozenset[str]().union(*(part.items for part in plan))
    return [name for name, fit_key in remaining if not plan or fit_key in planned]


def remains(item: Record) -> bool:
    """Whether a run that asks for an item computes it, or waits for it.

    Args:
        item: Its record, with its status as of now.
    """
    if item["status"] == Status.FAILED:
        return bool(item.get("deaths", 0) < MAX_ATTEMPTS)
    return bool(item["status"] != Status.DONE)


def workers_of(root: Path, records: Mapping[str, Record], *, active: bool) -> list[dict[str, Any]]:
    """Return the processes that compute, or have computed; see ``queries.Store.workers``.

    Args:
        root: The store's directory.
        records: All of its records, by key.
        active: Only those that are alive.
    """
    workers = []
    for key in sorted(filter(RecordType.WORKER.has, records)):
        alive = is_alive(root, records[key])
        if alive or not active:
            workers.append({name: records[key].get(name) for name in WORKER_COLUMNS} | {"alive": alive})
    return workers


def summary_of(
    root: Path, light: LightRecords, items: Mapping[str, Record], remaining: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return how many items have each status, and how long they took; see ``queries.Store.summary``.

    Args:
        root: The store's directory.
        light: Its records, as far as they tell that.
        items: Those of the items, by name, with their status as of now.
        remaining: What ``remaining_of`` returns of them, where somebody has asked already.
    """
    remaining = remaining_of(light.records, items) if remaining is None else remaining
    counts = Counter(item["status"] for item in items.values())
    seconds = light.costs.by_item
    done = [seconds.get(name, 0.0) for name, item in items.items() if item["status"] == _DONE]
    return {
        "total": len(items),
        "completed": counts[Status.DONE],
        "failed": counts[Status.FAILED],
        "interrupted": counts[Status.INTERRUPTED],
        "running": counts[Status.RUNNING],
        "pending": counts[Status.PENDING],
        "remaining": len(remaining),
        "elapsed": light.elapsed,
        "starting": light.starting,
        "average": statistics.fmean(done) if done else None,
        "workers": len(workers_of(root, light.records, active=True)),
    }
