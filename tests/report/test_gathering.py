"""What is kept by configuration is written as what is gathered item by item: to the last byte, with the same notice."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from omnibench.report import gathering, rows, summaries
from omnibench.report.export import export_results
from omnibench.store import phase_facts
from omnibench.store.light_records import light_records_in
from omnibench.store.lookups import Lookups
from omnibench.store.reading import read
from omnibench.store.schema import RecordType
from omnibench.store.sealing import checked, seal

SUFFIXES = ("csv", "json", "parquet")
Change = Callable[[dict[str, Any]], object]


def exported(store: Path, directory: Path, *more: str, **options: Any) -> tuple[list[bytes], list[str]]:
    directory.mkdir()
    notices: list[str] = []
    files = [directory / f"r.{suffix}" for suffix in (*SUFFIXES, *more)]
    export_results(store, *files, notify=notices.append, **options)
    return [file.read_bytes() for file in files], notices


def assert_alike(
    store: Path, directory: Path, monkeypatch: pytest.MonkeyPatch, *more: str, **options: Any
) -> list[bytes]:
    """Assert that both ways have the same files and notices; return the files."""
    directory.mkdir()
    folded = exported(store, directory / "folded", *more, **options)
    with monkeypatch.context() as patch:
        patch.setattr(gathering, "_may_be_folded", lambda *_: False)
        assert folded == exported(store, directory / "each", *more, **options)
    return folded[0]


@pytest.fixture
def store(measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a store that counts as a large one, of which blocks are small."""
    monkeypatch.setattr(phase_facts, "_MANY", 0)
    monkeypatch.setattr(summaries, "_MANY", 0)
    monkeypatch.setattr(rows, "ROWS_AT_HAND", 7)
    return Path(shutil.copytree(measured_store, tmp_path / "store"))


def change(store: Path, changed: Change, *, every: int = 1) -> None:
    """Change the records of items as another hand would, with checksums that fit."""
    with closing(sqlite3.connect(store / "store" / "cache.db")) as connection, connection:
        query = "SELECT key, value FROM Cache WHERE key >= ? AND key < ? ORDER BY key"
        for key, text in connection.execute(query, RecordType.ITEM.bounds).fetchall()[::every]:
            record = json.loads(checked(key, text))
            changed(record)
            connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (seal(key, record), key))


def plain_items_in(store: Path) -> int:
    """Return how many items are kept by configuration."""
    return read(
        store / "store",
        lambda reader: sum(
            map(len, light_records_in(reader, with_costs=False, with_metrics=True, takes_plain=True).plain)
        ),
    )


def test_files_are_the_same_both_ways(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the plan, and of all items."""
    assert plain_items_in(store)
    of_plan = assert_alike(store, tmp_path / "plan", monkeypatch, "md", "html")
    assert of_plan[0].count(b"\n") > 1
    assert_alike(store, tmp_path / "all", monkeypatch, all_items=True)
    assert_alike(store, tmp_path / "better", monkeypatch, better="lower")


NUMBERS = {"whole": 1, "negative": -0.5, "tiny": 5e-324, "large": 1e300, "nothing": None}


@pytest.mark.parametrize("value", NUMBERS.values(), ids=list(NUMBERS))
@pytest.mark.parametrize("every", [1, 2])
def test_odd_values(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float | None, every: int
) -> None:
    """Of all items, and of every other one, so that folds of a configuration differ in what is packed."""

    def changed(record: dict[str, Any]) -> None:
        for metric in record["metrics"].values():
            metric["value"] = value

    change(store, changed, every=every)
    assert_alike(store, tmp_path / "odd", monkeypatch)


CHANGES: dict[str, Change] = {
    "a metric less": lambda record: record["metrics"].pop(next(iter(record["metrics"]))),
    "no metric": lambda record: record.update(metrics={}),
    "failed": lambda record: record.update(status="failed", error={"phase": "Fit", "message": "m", "details": "d"}),
    "pending": lambda record: record.update(status="pending", phase=None, metrics={}),
    "another seed made the same": lambda record: record.update(as_seed=1),
    "an odd dataset label": lambda record: record.update(dataset_label='a "b", \u00fc\n=1'),
    "an odd label": lambda record: record.update(user_label='=x,\ny"'),
    "an odd key of predictions": lambda record: record.update(predict_key="p"),
    "a key in capital letters": lambda record: record.update(predict_key=record["predict_key"].upper()),
    "another name": lambda record: record.update(item=f"{record['item']}0"),
    "the name of another": lambda record: record.update(item=record["item"].partition("/fold_")[0]),
    "another fold": lambda record: record.update(fold=7),
    "done earlier": lambda record: record.update(finished="2001-01-01T00:00:00Z"),
    "another seed": lambda record: record["identity"][1]["configuration"][1].update(seed=7),
    "an attempt": lambda record: record.update(attempts=[]),
}


@pytest.mark.parametrize("name", list(CHANGES))
@pytest.mark.parametrize("every", [1, 3])
def test_items_that_are_not_as_most_are(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, every: int
) -> None:
    """All of them, and every third, so that folds of a configuration are of two kinds."""
    change(store, CHANGES[name], every=every)
    assert_alike(store, tmp_path / "changed", monkeypatch)


def test_damaged_and_unplanned_items(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flipped letter is left out; what no plan names is left out with a notice; without a plan each item is looked at."""
    with closing(sqlite3.connect(store / "store" / "cache.db")) as connection, connection:
        first, behind = RecordType.ITEM.bounds
        connection.execute(
            """UPDATE Cache SET value = replace(value, '"exported"', '"Exported"')
            WHERE key = (SELECT min(key) FROM Cache WHERE key >= ? AND key < ?)""",
            (first, behind),
        )
    assert_alike(store, tmp_path / "damaged", monkeypatch)
    with closing(sqlite3.connect(store / "store" / "cache.db")) as connection, connection:
        for key, text in connection.execute(
            "SELECT key, value FROM Cache WHERE key >= ? AND key < ?", RecordType.PLAN.bounds
        ).fetchall():
            plan = json.loads(checked(key, text))
            plan["items"] = plan["items"][::2]
            connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (seal(key, plan), key))
    halved = assert_alike(store, tmp_path / "halved", monkeypatch)
    assert halved != assert_alike(store, tmp_path / "all", monkeypatch, all_items=True)
    with closing(sqlite3.connect(store / "store" / "cache.db")) as connection, connection:
        connection.execute("DELETE FROM Cache WHERE key >= ? AND key < ?", RecordType.PLAN.bounds)
    assert_alike(store, tmp_path / "no plan", monkeypatch)


def test_documents_look_up_what_they_show(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of all phases are read for files of values alone, and for documents that show all; documents are the same."""
    readings: list[tuple[RecordType, ...]] = []
    read_phases = Lookups.read_phases

    def noted(self: Lookups, *record_types: RecordType) -> None:
        readings.append(record_types)
        read_phases(self, *record_types)

    monkeypatch.setattr(Lookups, "read_phases", noted)
    monkeypatch.setattr(gathering, "_TIMES_ASKED", 0.3)  # as if there were more configurations
    documents = [tmp_path / f"r.{suffix}" for suffix in ("md", "html", "tex")]
    export_results(store, *documents, top=1)
    assert not readings
    looked_up = [document.read_bytes() for document in documents]
    export_results(store, *documents, tmp_path / "r.csv", top=1)
    assert len(readings) == 1
    assert [document.read_bytes() for document in documents] == looked_up
    export_results(store, *documents, top=None)
    assert len(readings) == 2
    assert [document.read_bytes() for document in documents] != looked_up
