"""Evaluations that are looked up when they are asked for: while the store is open, and afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.stored import compute, prepare

from omnibench.store import CheckpointStore
from omnibench.store.evaluations import EvaluationsByLookup, StoredEvaluations, has_user_values
from omnibench.store.packed_metrics import MetricsPacker, PackedMetrics
from omnibench.store.phase_texts import has_users_in, user_file_in
from omnibench.store.reader import Reader
from omnibench.store.reading import read, read_all

FACTS = {"stderr": 0.125, "interval": [0.5, 0.75], "users": 30, "counted": 20}
FILE = {"path": "D-dddddddd/A-aaaaaaaa/per_user-0123456789abcdef.parquet", "size": 3, "sha256": "a" * 64}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with an evaluation that has values of users, one that has none, and a damaged one."""
    store = CheckpointStore(tmp_path / "checkpoints")
    prepare(store, "d")
    for name in "abc":
        compute(store, name)
    for key, place in (("eval/ea", {"user": [1], "value": [2]}), ("eval/eb", None)):
        record = store.records.get(key) or {}
        start = {name: value for name, value in record.items() if name not in ("per_user", "place")}
        store.records.commit({key: {**start, "per_user": FILE, **FACTS, "place": place}})
    store.records._connection.execute("UPDATE Cache SET value = replace(value, '0.5', '0.7') WHERE key = 'eval/ec'")
    store.close()
    return tmp_path / "checkpoints"


def test_the_same_is_said_of_texts_and_of_records(root: Path) -> None:
    """Whether there are values of users: while the store is open most texts are not parsed, afterwards all are."""
    by_lookup = EvaluationsByLookup(read_all(root / "store").get)
    expected = {"ea": True, "eb": False, "ec": None, "unknown": None}
    kept: list[StoredEvaluations] = []

    def take(reader: Reader) -> dict[str, bool | None]:
        kept.append(StoredEvaluations(root, reader))
        assert kept[0].records(["ea", "ec"]) == by_lookup.records(["ea", "ec"])
        return {key: kept[0].has_users(key) for key in expected}

    assert read(root / "store", take) == expected
    kept[0].close()
    assert {key: kept[0].has_users(key) for key in expected} == expected
    assert {key: by_lookup.has_users(key) for key in expected} == expected
    assert kept[0].records(["eb", "unknown"]) == by_lookup.records(["eb", "unknown"])


@pytest.mark.parametrize(
    "members",
    [
        {"per_user": FILE, **FACTS, "place": {"user": [], "value": []}},
        {"per_user": FILE, **FACTS, "place": None},
        {"per_user": None, **FACTS, "place": {"user": [], "value": []}},
        {"per_user": FILE, **FACTS},
        {**FACTS, "place": None},
        {"label": '"per_user": null', "per_user": FILE, **FACTS, "place": None},
        {"more": {"a": 1, "per_user": None}, "per_user": FILE, **FACTS, "place": None},
    ],
)
def test_a_text_says_what_its_record_says_or_nothing(members: dict[str, object]) -> None:
    """Where a member is missing, or stands elsewhere too, the record has to be parsed."""
    record = {"item": "D/a", **members}
    assert has_users_in(json.dumps(record)) in (has_user_values(record), None)


HEAD = {"item": "D/a", "label": "HR@5", "per_user": FILE, "value": 0.5}
COLUMNS = {"place": {"user": [25], "value": [688, 9]}, "seconds": 0.5}
ELSEWHERE = {**FILE, "path": "../outside.parquet"}


@pytest.mark.parametrize(
    ("record", "is_read"),
    [
        ({**HEAD, **FACTS, **COLUMNS}, True),
        ({**HEAD, **FACTS, "counted": None, **COLUMNS}, True),
        (
            {**HEAD, "per_user": {**FILE, "stat": [1, 2, 3]}, "stderr": None, "interval": None, "users": 0, **COLUMNS},
            True,
        ),
        ({**HEAD, **FACTS, "place": None, "seconds": 0.5}, False),
        ({**HEAD, "per_user": ELSEWHERE, **FACTS, **COLUMNS}, False),
        ({**HEAD, "label": "\u00e4@5", **FACTS, **COLUMNS}, False),
        ({"item": "D/a", "parameters": {"a": 1, "label": "x"}, **HEAD, **FACTS, **COLUMNS}, False),
        ({"label": "HR@5", **HEAD, **FACTS, **COLUMNS}, False),
        ({**HEAD, **FACTS, "users": -1, **COLUMNS}, False),
        ({**HEAD, **FACTS, **COLUMNS, "place": {"user": [-25], "value": [688]}}, False),
    ],
)
def test_where_values_are_is_what_the_record_says_or_nothing(record: dict[str, Any], is_read: bool) -> None:
    """What is not as it is written, or names a file elsewhere, is left to whoever looks the whole record over."""
    files = user_file_in(json.dumps(record))
    assert (files is not None) == is_read
    if files is not None:
        artifact = {name: record["per_user"][name] for name in ("path", "sha256")}
        assert files == {name: record[name] for name in ("item", "label", "users", "place")} | {"per_user": artifact}


def test_packed_metrics_are_a_mapping() -> None:
    """Labels, metrics and their number are those of the JSON, to the last digit; whole numbers stay such, and other labels are met."""
    packer = MetricsPacker()
    key = "0123456789abcdef" * 4
    metrics = {
        "NDCG@10": {"value": 0.1 + 0.2, "key": key, "metric": "m"},
        'a\u00e4 "(b), {c}"': {"value": -0.0, "key": key[::-1], "metric": "n\\"},
    }
    other = {"RMSE": {"value": 0.5, "key": key, "metric": "r"}}
    for value, packed in ((0.25, True), (5e-324, True), (1.7976931348623157e308, True), (1, False), (1e-5, True)):
        if value == 1:
            assert dict(packer.packed(json.dumps(other))) == other
        metrics["HR@5"] = {"value": value, "key": key, "metric": "h"}
        kept = packer.packed(json.dumps(metrics))
        assert isinstance(kept, PackedMetrics) is packed
        assert repr(dict(kept)) == repr(dict(kept.items())) == repr(metrics)
        assert list(kept.values()) == list(metrics.values())
        assert len(kept) == 3
        assert kept.get("RMSE") is None
        assert kept["HR@5"] == metrics["HR@5"]
        if isinstance(kept, PackedMetrics):
            numbers = {label: metric["value"] for label, metric in metrics.items()}
            assert repr(kept.numbers) == repr(dict(kept.numbers)) == repr(numbers)
            assert kept.numbers.get("RMSE") is None
            assert len(kept.numbers) == 3
