"""The series of losses and validation values: recorded with a Fit, of a snapshot until then, each epoch once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stored import compute

from omnibench.store import CheckpointStore, views
from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.deletion import delete
from omnibench.store.forms import record_of
from omnibench.store.gc import collect
from omnibench.store.generations import reset
from omnibench.store.queries import Store
from omnibench.store.schema import Record, RecordType
from omnibench.store.sealing import seal
from omnibench.store.series import (
    MOST_EPOCHS,
    Epoch,
    bounded,
    epoch_rows,
    series_facts,
    series_of,
    series_record,
    series_words,
    thinned,
)
from omnibench.store.snapshots import key_of, snapshot_record

SERIES: list[list[Any]] = [[1, {"loss": 0.9}], [2, {"loss": 0.5, "validation": 0.1, "lr": 0.01}], [3, {"loss": 0.25}]]
NAMES = ("item", "dataset", "algorithm", "fold", "epoch", "loss", "validation")


def labels(fit_key: str) -> ItemLabels:
    return ItemLabels(f"D/{fit_key[0]}", fit_key, "D", f"Algorithm-{fit_key[:8]}", {}, None, None, "d" * 64)


def recorded(fit_key: str, series: Any = SERIES, **members: Any) -> Record:
    """The record of a series, as it comes back from the store."""
    record = series_record(labels(fit_key), Origin("run", "worker", f"D-dddddddd/Algorithm-{fit_key[:8]}"), series)
    assert record is not None
    key = RecordType.SERIES.key(fit_key)
    return record_of(key, seal(key, {**record, **members}))


def snapshot(fit_key: str, number: int, series: Any, **members: Any) -> dict[str, Record]:
    """The record of a snapshot, as it comes back from the store."""
    place = f"D-dddddddd/Algorithm-{fit_key[:8]}"
    manifest = {"iteration": number, "iterations": 9, "unit": "epoch", "within": False, "reason": "interval"}
    record = snapshot_record(
        labels(fit_key),
        Origin("run", "worker", place),
        fit_key,
        f"s{number}",
        number,
        {**manifest, "missing": [], "seconds": 0.1, "series": series},
        [{"seconds": 1.0, "from": 0, "to": number}],
        [{"path": f"{place}/snapshots/s{number}/state", "size": 1, "sha256": "e" * 64}],
        None,
    )
    key = key_of(record)
    return {key: record_of(key, seal(key, {**record, **members}))}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


def commit(store: CheckpointStore, records: dict[str, Record]) -> None:
    fit_key = next(iter(records.values()))["fit_key"]
    with store.lease(fit_key) as lease:
        store.commit(lease, records)


def seen(records: dict[str, Record]) -> list[tuple[Any, ...]]:
    """The epochs of all items; SQL and Python have to agree on them."""
    rows = [tuple(row.get(name) for name in NAMES) for row in epoch_rows(records)]
    _, in_sql = views.select(records.items(), f"SELECT {', '.join(NAMES)} FROM epochs", ())
    assert sorted(in_sql, key=repr) == sorted(rows, key=repr)
    return sorted((row[0], *row[4:]) for row in rows)


def test_a_series_is_a_row_per_epoch(store: CheckpointStore) -> None:
    """Of each item, in SQL and in Python; whatever else was reported has columns of its own."""
    key = compute(store, "a")
    commit(store, {RecordType.SERIES.key(key): recorded(key)})
    records = store.records.all()
    assert seen(records) == [("D/a", 1, 0.9, None), ("D/a", 2, 0.5, 0.1), ("D/a", 3, 0.25, None)]
    assert series_of(key, records.get) == [Epoch(*pair) for pair in SERIES]
    frame = Store(store.root).epochs()
    assert list(frame.columns) == [*NAMES, "reported.lr"]
    assert frame["loss"].tolist() == [0.9, 0.5, 0.25]
    assert frame["reported.lr"].notna().tolist() == [False, True, False]
    ((numbers, name),) = views.select(records.items(), "SELECT numbers, snapshot FROM epochs WHERE epoch = 2", ())[1]
    assert (json.loads(numbers), name) == (SERIES[1][1], None)
    assert Store(store.root).epochs().equals(frame)


def test_a_store_without_series_has_an_empty_table(store: CheckpointStore) -> None:
    """Nothing was fitted by epochs, or an earlier omnibench has fitted it."""
    compute(store, "a")
    assert seen(store.records.all()) == []
    assert list(Store(store.root).epochs().columns) == list(NAMES)


def test_the_newest_snapshot_stands_in_for_a_fit(store: CheckpointStore) -> None:
    """Not one that was passed over, nor that of a trial; and none any more once the Fit is recorded."""
    key = compute(store, "a")
    records = store.records.all()
    fit = records.pop(RecordType.FIT.key(key))
    records |= snapshot(key, 1, SERIES[:1]) | snapshot(key, 2, SERIES[:2])
    records |= snapshot(key, 10, SERIES, passed_over="2026-01-01T00:00:00Z")
    records |= snapshot("b" * 64, 1, SERIES)
    assert seen(records) == [("D/a", 1, 0.9, None), ("D/a", 2, 0.5, 0.1)]
    assert views.select(records.items(), "SELECT DISTINCT snapshot FROM epochs", ())[1] == [("s2",)]
    records[RecordType.FIT.key(key)] = fit
    assert seen(records) == []
    records[RecordType.SERIES.key(key)] = recorded(key)
    assert [row[1] for row in seen(records)] == [1, 2, 3]


def test_the_series_of_a_trial_is_no_items() -> None:
    """A trial's values by epoch stand in its record; the series is kept for the item that takes its model."""
    records = {RecordType.SERIES.key("b" * 64): recorded("b" * 64, search="c" * 64)}
    assert seen(records) == []
    assert len(series_of("b" * 64, records.get)) == len(SERIES)


def test_a_series_goes_with_its_item(store: CheckpointStore) -> None:
    """A reset from Fit on puts it aside, from Predict on it stays; it is deleted with its item, and gc forgets what was reset."""
    key = compute(store, "a")
    series_key = RecordType.SERIES.key(key)
    commit(store, {series_key: recorded(key)})
    reset(store, [key], "Predict")
    assert series_key in store.records.all()
    reset(store, [key], "Fit")
    assert f"old/1/{series_key}" in store.records.all()
    assert seen(store.records.all()) == []
    commit(store, {series_key: recorded(key)})
    store.close()
    assert f"old/1/{series_key}" in collect(store.root).records
    assert [key for key in read(store.root) if "series/" in key] == [series_key]
    opened = CheckpointStore(store.root)
    delete(opened, [key])
    assert not [key for key in opened.records.all() if "series/" in key]
    opened.close()


def read(root: Path) -> dict[str, Record]:
    return Store(root).records()


def test_series_of_searches_that_are_gone_are_garbage(store: CheckpointStore) -> None:
    """As the models of their trials are."""
    key = "b" * 64
    commit(store, {RecordType.SERIES.key(key): recorded(key, search="c" * 64)})
    store.close()
    assert collect(store.root).records == [RecordType.SERIES.key(key)]


@given(st.integers(0, 12_000), st.integers(1, 50))
def test_a_long_series_is_thinned(length: int, step: int) -> None:
    """To about so many epochs, evenly; first, last and the extremes of validation stay, and the order."""
    series = [
        Epoch(
            number,
            {"loss": 1 / (number + 1), **({"validation": (number * 7919) % 104729} if number % step == 0 else {})},
        )
        for number in range(length)
    ]
    kept = thinned(series, MOST_EPOCHS)
    assert len(kept) <= MOST_EPOCHS + 5
    assert (
        kept == sorted(kept)
        if length <= MOST_EPOCHS
        else [epoch.number for epoch in kept] == sorted({epoch.number for epoch in kept})
    )
    judged = [epoch.numbers["validation"] for epoch in series if "validation" in epoch.numbers]
    left = [epoch.numbers["validation"] for epoch in kept if "validation" in epoch.numbers]
    if series:
        assert (kept[0], kept[-1]) == (series[0], series[-1])
    if judged:
        assert (min(left), max(left)) == (min(judged), max(judged))
        assert len(left) >= min(len(judged), MOST_EPOCHS // 4)


def test_only_what_a_record_can_hold_is_kept() -> None:
    """A class may report anything: what is no number, or no epoch, does not damage the record."""
    series: list[list[Any]] = [
        [-1, {"loss": 1.0}],
        [1, {"loss": float("inf"), "huge": 10**40}],
        [2, {"loss": 0.5, "lr": 3}],
        [3, {}],
    ]
    assert bounded(series) == [Epoch(2, {"loss": 0.5, "lr": 3})]
    assert series_record(labels("a" * 64), Origin("run", "worker", None), series[:2]) is None
    record = recorded("a" * 64, [[number, {"loss": 0.5}] for number in range(10_000)])
    assert record["epochs"] == 10_000
    assert len(record["series"]) <= MOST_EPOCHS + 5


def test_a_series_in_a_line() -> None:
    """First and last of each number, and where validation was highest; losses first, of many numbers three."""
    facts = series_facts(
        [Epoch(*pair) for pair in [*SERIES, [4, {"loss": 0.2, "validation": 0.31}], [5, {"validation": 0.3}]]]
    )
    assert facts is not None
    assert series_words(facts) == (
        "loss 0.9 in epoch 1, 0.2 in epoch 4; validation 0.1 in epoch 2, 0.3 in epoch 5 (lowest 0.1 in 2, highest 0.31 in 4); "
        "lr 0.01 in epoch 2"
    )
    only = series_facts([Epoch(7, {"loss": 0.5})])
    assert only is not None
    assert series_words(only) == "loss 0.5 in epoch 7"
    others = series_facts([Epoch(1, {"lr": 0.1, "error": 2.0, "norm": 3.0, "loss": 1.0})])
    assert others is not None
    assert series_words(others) == "loss 1 in epoch 1; error 2 in epoch 1; lr 0.1 in epoch 1; and 1 more"
    assert series_facts([]) is None
