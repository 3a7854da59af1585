"""Questions about one item, which read its records by indexes: they have the answers that all records give."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.stored import compute, prepare

from omnibench.commands.main import main
from omnibench.errors import StoreError
from omnibench.store import CheckpointStore
from omnibench.store.indexes import _INDEXES
from omnibench.store.plans import Planned
from omnibench.store.queries import Store
from omnibench.store.reader import Reader
from omnibench.store.schema import Record
from omnibench.store.single_items import single_item


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store of three items of one dataset, one of which has an earlier generation's record, and a plan that names two."""
    store = CheckpointStore(tmp_path / "store")
    prepare(store, "d")
    for name in "abc":
        compute(store, name)
    item: Record = store.records.get(f"item/{'a' * 64}") or {}
    failed: Record = {
        **item,
        "status": "failed",
        "phase": "Fit",
        "run": "r",
        "metrics": {"HR@5": {"value": 0.5, "key": "ea"}},
    }
    failed |= {"error": {"phase": "Fit", "message": "no", "details": "no"}, "status": "done", "phase": "Done"}
    plan = Planned(
        "bench.py::b", "/", {}, frozenset({"a" * 64, "b" * 64}), {"D": "Shop"}, {"Algorithm-aaaaaaaa": "Mine"}
    )
    run: Record = {"id": "r", "started": "2026-01-01T00:00:00Z", "host": "h", "user": "u", "versions": {}, "git": None}
    store.records.commit(
        {
            f"item/{'a' * 64}": failed,
            f"old/1/fit/{'a' * 64}": {**(store.records.get(f"fit/{'a' * 64}") or {}), "kept": True},
            plan.key: plan.record,
            "run/r": run,
        }
    )
    store.close()
    return tmp_path / "store"


def _answers(ask: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Return the answers by the indexes and by all records, or the errors."""
    answers = []
    for indexed in (True, False):
        with monkeypatch.context() as patch:
            if not indexed:
                patch.setattr(Reader, "is_indexed", property(lambda _: False))
            try:
                answers.append(ask())
            except StoreError as error:
                answers.append(str(error))
    return answers[0], answers[1]


TEXTS = (
    "aaaa",
    "a" * 64,
    "D/a",
    "D/a/",
    "bbbbbbbb",
    "cccc",
    "dddd",
    "Mine",
    "Shop/Mine",
    "Algorithm-aaaa",
    "D/x",
    "aaa",
    "*",
)


@pytest.mark.filterwarnings("ignore:.* does not repeat")  # the old generation's record is in no manifest
@pytest.mark.parametrize("text", TEXTS)
def test_indexed_answers_are_those_of_all_records(root: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a text stands for, what is said of the item is the same whether its records are read alone or among all."""
    store = Store(root)
    for ask in (store.find, store.select, store.describe, store.provenance, store.why, store.files, store.verify):
        alone, among_all = _answers(lambda ask=ask: ask(text), monkeypatch)  # type: ignore[misc]
        assert alone == among_all


@pytest.mark.parametrize("command", ["show", "why", "logs", "verify"])
@pytest.mark.parametrize("text", ["aaaa", "D/b"])
def test_commands_say_the_same(
    root: Path, command: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`show`, `why`, `logs` and `verify` print of an item by its records alone what they print by all."""
    alone, among_all = _answers(
        lambda: (main([command, text, "--store", str(root)]), capsys.readouterr().out), monkeypatch
    )
    assert alone == among_all


def test_other_items_are_not_read(root: Path) -> None:
    """What is recorded of an item is found by its key or its name, without the records of others."""
    for text in ("aaaa", "D/a"):
        single = single_item(root, text)
        assert single is not None
        assert {record.get("fit_key") for record in single.records.values()} == {"a" * 64, None}
        assert {"run/r", f"data/{'d' * 64}", f"old/1/fit/{'a' * 64}", "eval/ea"} <= single.records.keys()


def test_damage_is_found_alone_as_among_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged record of an item, and a damaged file, are told of alike."""
    with closing(sqlite3.connect(root / "store" / "cache.db", isolation_level=None)) as connection:
        connection.execute("UPDATE Cache SET value = replace(value, '0.5', '0.6') WHERE key = 'eval/ea'")
        connection.execute("UPDATE Cache SET value = x'00ff' WHERE key = ?", (f"fit/{'b' * 64}",))
    next(root.glob("D-*/Algorithm-aaaa*/model.bin")).write_bytes(b"x")
    store = Store(root)
    for text in ("aaaa", "D/b"):
        alone, among_all = _answers(lambda text=text: store.verify(text), monkeypatch)  # type: ignore[misc]
        assert alone == among_all
        assert alone


def test_stores_without_indexes_are_answered(root: Path) -> None:
    """A store of an earlier omnibench, which nobody has written to since, has all answers; the next to open it indexes it."""
    with closing(sqlite3.connect(root / "store" / "cache.db", isolation_level=None)) as connection:
        for name in _INDEXES:
            connection.execute(f"DROP INDEX {name}")
    assert single_item(root, "aaaa") is None
    assert Store(root).find("aaaa")["item"] == "D/a"
    CheckpointStore(root).close()
    assert single_item(root, "aaaa") is not None
