"""The numbers of phases that one pass keeps are those that parsing their records returns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from support.stored import compute, prepare

from omnibench.store import CheckpointStore, phase_facts
from omnibench.store.lookups import Lookups
from omnibench.store.phase_facts import PhaseFacts
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import RecordType

TYPES = (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)
SPREADS: list[dict[str, Any]] = [
    {"stderr": 0.1 + 0.2, "interval": [5e-324, 1.5e300], "users": 30, "counted": 29},
    {"stderr": None, "interval": None, "users": None},
    {"stderr": 0.5, "interval": [-0.0, 0.25], "users": 0},
    {"stderr": 1, "interval": [0, 1], "users": 2**40},
    {"stderr": 0.5, "interval": [0.25, 0.75], "users": 30, "more": {"a": 1, "stderr": 0.75}},
]
COSTS: list[dict[str, Any]] = [
    {"seconds": 1.5e-7, "peak_rss": 2**40, "start_seconds": 0.0},
    {"seconds": None, "peak_rss": None, "start_seconds": None},
    {"seconds": 2, "peak_rss": 1.5, "start_seconds": 1},
    {"seconds": 0.5, "peak_rss": 10**17, "attempts": [{"seconds": 0.25}, {"seconds": 0.25}]},
    {"seconds": 0.5, "peak_rss": 1, "search": "5" * 64},
]


def recorded(root: Path, key: str, members: dict[str, Any]) -> None:
    """Change a record of a done item."""
    store = CheckpointStore(root)
    prepare(store, "d")
    compute(store, "a")
    record = store.records.get(key) or {}
    kept = {name: value for name, value in record.items() if name not in ("stderr", "interval", "users", "counted")}
    place = {"place": {"user": [1], "value": [2]}} if RecordType.EVAL.has(key) else {}
    kept.pop("place", None)
    store.records.commit({key: {**kept, **members, **place}})
    store.close()


@pytest.mark.parametrize(
    ("key", "members"),
    [
        *(("eval/ea", members) for members in SPREADS),
        *((key, members) for key in (f"fit/{'a' * 64}", "predict/pa") for members in COSTS),
    ],
)
def test_what_is_kept_is_what_is_parsed(tmp_path: Path, key: str, members: dict[str, Any]) -> None:
    """Numbers keep their types and their last digit; of a record that says them otherwise nothing is kept, and it is looked up."""
    recorded(tmp_path / "store", key, members)

    def take(reader: Reader) -> tuple[Any, Any, Any]:
        lookups = Lookups(reader)
        lookups.read_phases(*TYPES)
        return PhaseFacts(reader, *TYPES).facts(key), lookups.facts(key), reader.get(key)

    kept, looked_up, record = read(tmp_path / "store" / "store", take)
    said = {**record, "users": record.get("counted", record.get("users"))}
    if kept is None:
        assert all(looked_up[name] == members[name] for name in ("seconds", "stderr") if name in members)
    else:
        assert repr(kept) == repr(looked_up) == repr({name: said.get(name) for name in kept})


def test_usual_records_are_kept_and_damaged_ones_are_not(tmp_path: Path) -> None:
    """What runs write need not be looked up; a record that has changed since is left out."""
    recorded(tmp_path / "store", "eval/ea", SPREADS[0])
    keys = [f"fit/{'a' * 64}", "predict/pa", "eval/ea"]
    facts = read(tmp_path / "store" / "store", lambda reader: PhaseFacts(reader, *TYPES))
    assert facts.facts("eval/ea") is not None
    store = CheckpointStore(tmp_path / "store")
    for key in keys:
        store.records._connection.execute("UPDATE Cache SET value = replace(value, 'D/a', 'D/b') WHERE key = ?", (key,))
    store.close()
    facts = read(tmp_path / "store" / "store", lambda reader: PhaseFacts(reader, *TYPES))
    assert [facts.facts(key) for key in keys] == [None] * 3


def test_many_are_looked_up_as_single_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a large table finds at once is what a small one finds one by one: nothing of an unknown key, nor of two that look alike."""
    rows = {f"eval/{number}": (number / 8, math.nan, -1.5, number - 1) for number in range(50)}
    texts = {key: f"{first},,-1.5,{'' if last < 0 else last}".encode() for key, (first, _, _, last) in rows.items()}
    wanted = ["eval/7", "eval/none", *reversed(rows), "eval/7", "eval/also none", "eval/3"]
    tables = []
    for many in (0, 1000):
        monkeypatch.setattr(phase_facts, "_MANY", many)
        table = phase_facts._Table()
        table.add_all([key.encode() for key in [*rows, "eval/none"]], [*texts.values(), None])
        table.add_all([b"eval/3"], [texts["eval/3"]])
        table.sort()
        tables.append(table.get_all(wanted))
        assert repr(tables[-1]) == repr([table.get(key) for key in wanted])
        assert table.get_all([]) == []
    assert repr(tables[0]) == repr(tables[1])
    assert repr(tables[0][:2]) == repr([rows["eval/7"], None])
    assert tables[0][-1] is None
