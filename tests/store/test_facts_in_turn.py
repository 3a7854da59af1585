"""Facts that are made one item at a time are those that all records of the store say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.stored import compute, prepare

from omnibench.store import CheckpointStore
from omnibench.store.facts import FactSource
from omnibench.store.facts_in_turn import FactsInTurn
from omnibench.store.plans import Planned
from omnibench.store.queries import Store
from omnibench.store.reading import read

TUNED: dict[str, Any] = {"search": "5" * 64, "chosen": {"number": 0, "parameters": {"K": 3}}}


def made(root: Path, *, damaged: str = "", indexed: bool = True) -> Store:
    """A store of items that are done, tuned, failed and pending, of which some records may be damaged."""
    store = CheckpointStore(root)
    prepare(store, "d")
    for name in "abcd":
        compute(store, name)
    tuned, failed, pending = (store.records.get(f"item/{name * 64}") or {} for name in "bcd")
    error = {"phase": "Fit", "message": "no room", "details": ""}
    pending |= {"status": "pending", "metrics": {}, "finished": None, "item": "D/h", "fit_key": "8" * 64, "phase": None}
    plan = Planned("bench.py::b", "/", {}, frozenset(name * 64 for name in "ab"), {"D": "Shop"}, {})
    worker = {"id": "w", "run": "r", "host": "lab", "pid": 1, "lock": "leases/w.lock", "item": None, "phase": None}
    worker |= {"started": "2026-01-01T00:00:00Z", "heartbeat": "2026-01-01T00:00:00Z", "ended": "2026-01-02T00:00:00Z"}
    fit = store.records.get(f"fit/{'a' * 64}") or {}
    store.records.commit(
        {
            f"item/{'b' * 64}": {**tuned, **TUNED},
            f"item/{'c' * 64}": {**failed, "status": "failed", "error": error},
            f"item/{'8' * 64}": pending,
            f"fit/{'a' * 64}": {**fit, "run": "r", "worker": "w", "finished": "2026-01-01T00:00:00Z"},
            "worker/w": worker,
            plan.key: plan.record,
        }
    )
    connection = store.records._connection
    if damaged:
        connection.execute("UPDATE Cache SET value = replace(value, 'D/', 'E/') WHERE key = ?", (damaged,))
    if not indexed:
        connection.execute("DROP INDEX Records_of_item")
    store.close()
    return Store(root)


@pytest.mark.parametrize(
    "change",
    [{}, {"indexed": False}, {"damaged": f"item/{'a' * 64}"}, {"damaged": f"fit/{'d' * 64}"}, {"damaged": "eval/ea"}],
)
def test_facts_are_those_of_all_records(tmp_path: Path, change: dict[str, Any]) -> None:
    """Also of tuned items, of those whose own record is damaged, and of a database without indexes."""
    store = made(tmp_path / "store", **change)
    records = store.records()
    source = FactSource(records)
    expected = [source.facts_of(item) for item in store.items_in(records).values()]

    def in_turn(reader: Any) -> list[dict[str, Any]]:
        items = FactsInTurn(store.root, reader)
        return [items[number] for number in range(len(items.fit_keys))]

    facts = read(store.root / "store", in_turn)
    assert len(facts) == 5
    assert repr(facts) == repr(expected)
    assert store.diff(store).agrees
