"""How far a store is, told by records that are read one at a time: as all records in memory tell it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.stored import compute, prepare

from omnibench.commands.main import main
from omnibench.store import CheckpointStore
from omnibench.store.frames import RESULT_COLUMNS, phase_rows
from omnibench.store.light_records import light_records, light_records_in
from omnibench.store.plans import Planned
from omnibench.store.queries import Store
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType, Status


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Done items (one with a failed attempt, one with two metrics of one Eval), one that failed, one without its record."""
    made = CheckpointStore(tmp_path / "store")
    prepare(made, "d")
    for name in "abcef":
        compute(made, name)
    records: dict[str, Record] = {}
    get = made.records.get
    for number, name in enumerate("abcef", start=1):
        for key, seconds in ((f"fit/{name * 64}", 1.1), (f"predict/p{name}", 0.7), (f"eval/e{name}", 0.3)):
            records[key] = {**(get(key) or {}), "seconds": seconds * number, "start_seconds": 0.1}
    records["eval/ea"] |= {"batch": "x", "stderr": 0.1, "interval": [0.4, 0.6]}
    records["eval/ea2"] = {**records["eval/ea"], "value": 0.25}
    metrics = {"HR@5": {"value": 0.5, "key": "ea"}, "NDCG@5": {"value": 0.25, "key": "ea2"}}
    records[f"item/{'a' * 64}"] = {**(get(f"item/{'a' * 64}") or {}), "metrics": metrics}
    attempt = {"phase": "Fit", "status": "failed", "seconds": 0.2, "finished": None, "run": None, "worker": None}
    records[f"item/{'b' * 64}"] = {**(get(f"item/{'b' * 64}") or {}), "attempts": [attempt]}
    failed = {"status": "failed", "phase": "Eval", "error": {"phase": "Eval", "message": "no", "details": ""}}
    records[f"item/{'c' * 64}"] = {**(get(f"item/{'c' * 64}") or {}), **failed, "attempts": [attempt]}
    plan = Planned(
        "bench.py::b", "/", {}, frozenset({"a" * 64, "c" * 64}), {"D": "Shop"}, {"Algorithm-aaaaaaaa": "Mine"}
    )
    made.records.commit({**records, plan.key: plan.record}, [f"item/{'e' * 64}"])
    made.close()
    return Store(tmp_path / "store")


def test_summary_is_that_of_all_records(store: Store) -> None:
    """Counts and seconds are those that all records in memory give, each phase counted once."""
    records = store.records()
    items, rows, summary = store.items_in(records), phase_rows(records), store.summary()
    assert summary["total"] == len(items)
    for status in (Status.FAILED, Status.INTERRUPTED, Status.PENDING):
        assert summary[status] == sum(item["status"] == status for item in items.values())
    done = {name for name, item in items.items() if item["status"] == Status.DONE}
    own = [row["seconds"] for row in rows if row["item"] in done and row["status"] == Status.DONE]
    assert math.isclose(summary["average"], math.fsum(own) / len(done))
    assert math.isclose(summary["elapsed"], math.fsum(row["seconds"] or 0.0 for row in rows))
    assert math.isclose(summary["starting"], math.fsum(row.get("start_seconds") or 0.0 for row in rows))


def test_statuses_and_names_are_those_of_all_records(store: Store) -> None:
    """Items have the status, the phase and the labels that all records give, also one whose own record is lost."""
    light, full = store.items_in(light_records(store.root).records), store.items()
    assert light.keys() == full.keys()
    members = ("status", "phase", "fit_key", "dataset_label", "user_label", "error", "directory", "parameters")
    for name, item in full.items():
        assert [light[name].get(member) for member in members] == [item.get(member) for member in members]


def test_phases_of_done_items_are_not_kept(store: Store) -> None:
    """Of a done item no record is kept but its own."""
    records = light_records(store.root).records
    kept = {
        record["fit_key"][0] for key, record in records.items() if not RecordType.ITEM.has(key) and "fit_key" in record
    }
    assert kept == {"b", "c", "e"}  # one has a failed attempt, one failed, one has lost its own record


def test_costs_are_not_told_of_plain_items(store: Store) -> None:
    """They are kept by configuration, without names: all costs would be those of one item without a name."""
    with pytest.raises(ValueError, match="give with_costs=False with takes_plain=True"):
        read(store.root / "store", lambda reader: light_records_in(reader, takes_plain=True))


def test_of_items_of_one_name_the_one_written_last_counts(store: Store) -> None:
    """Two keys may go by one name, e.g. after an update of its framework: what was written last is what is told of it."""
    made = CheckpointStore(store.root)
    for name, fold in (("f", 2), ("a", 1)):  # in the order of the keys, the first would be the last
        item = made.records.get(f"item/{name * 64}") or {}
        made.records.commit({f"item/{name * 64}": {**item, "item": "D/one", "fold": fold}})
    made.close()
    assert store.items()["D/one"]["fold"] == 1
    assert store.items_in(light_records(store.root).records)["D/one"]["fold"] == 1


def test_status_lists_what_is_not_done(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """`omnibench status` counts the items, and has a line for each that is not done."""
    assert main(["status", "--store", str(store.root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "5 items: 3 done, 1 failed, 1 interrupted" in lines[0]
    assert sum(line.lstrip().startswith(("failed", "interrupted")) for line in lines) == 2


def test_results_have_a_row_per_metric(store: Store) -> None:
    """Rows are those of the done items' records, with the spread that their evaluations have."""
    rows: list[Any] = [
        ["D/a", "D", "Algorithm-aaaaaaaa", None, "HR@5", 0.5, 0.1, 0.4, 0.6],
        ["D/a", "D", "Algorithm-aaaaaaaa", None, "NDCG@5", 0.25, 0.1, 0.4, 0.6],
    ]
    pd.testing.assert_frame_equal(store.results(), pd.DataFrame(rows, columns=list(RESULT_COLUMNS)))
