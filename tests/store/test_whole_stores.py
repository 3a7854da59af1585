"""Questions that read records one at a time have the answers that all records in memory give."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.stored import compute, prepare

from omnibench import open_store
from omnibench.comparison.configurations import measured
from omnibench.comparison.current import current_items, names_of
from omnibench.comparison.measured import Measured
from omnibench.gate.measurements import Measurements
from omnibench.gate.stores import measurements
from omnibench.report import item_facts
from omnibench.report.choices import Choices
from omnibench.report.contents import contents_of, missing_of
from omnibench.report.export import export_results, write_files
from omnibench.report.frames import frame
from omnibench.store import CheckpointStore, phase_facts
from omnibench.store.facts import explanation, is_explained_alone
from omnibench.store.frames import PHASE_COLUMNS, RESULT_COLUMNS, phase_rows
from omnibench.store.item_records import result_of
from omnibench.store.overview import items_of, remaining_of
from omnibench.store.plans import Planned, unsteady_in
from omnibench.store.queries import Store
from omnibench.store.resumption import snapshot_frame
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.selection import select_all
from omnibench.store.series import epoch_frame
from omnibench.store.states import RecordsInMemory
from omnibench.store.trial_frames import trial_frame
from omnibench.store.views import select

STORES = Path(__file__).parent.parent / "assets" / "stores"
KINDS = [*(path.name for path in sorted(STORES.glob("format-*"))), "mixed", "unindexed", "unsummed"]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A frozen store; or one with done, failed, pending and tuned items, labels, a damaged record, a lost record, two attempts."""
    root = tmp_path / "checkpoints"
    if request.param.startswith("format-"):
        return Store(shutil.copytree(STORES / request.param, root))
    made = CheckpointStore(root)
    prepare(made, "d")
    for name in "abcefg":
        compute(made, name)
    get: Callable[[str], Record] = lambda key: made.records.get(key) or {}  # noqa: E731
    changed: dict[str, Record] = {}
    metric = {"HR@5": {"value": 0.5, "key": "ea", "metric": '["HR",{"k":5},1]'}}
    changed[f"item/{'a' * 64}"] = {**get(f"item/{'a' * 64}"), "metrics": metric}
    attempt = {"phase": "Fit", "status": "failed", "seconds": 0.2, "finished": None, "run": None, "worker": None}
    error = {"phase": "Eval", "message": "no", "details": ""}
    changed[f"item/{'b' * 64}"] = {**get(f"item/{'b' * 64}"), "attempts": [attempt]}
    failed = {"status": "failed", "phase": "Eval", "metrics": {}, "error": error, "attempts": [attempt, attempt]}
    changed[f"item/{'c' * 64}"] = {**get(f"item/{'c' * 64}"), **failed}
    pending: Record = {
        "status": "pending",
        "metrics": {},
        "error": None,
        "predict_key": "ph",
        "phase": None,
        "finished": None,
    }
    changed[f"item/{'8' * 64}"] = {**get(f"item/{'a' * 64}"), **pending, "item": "D/h", "fit_key": "8" * 64}
    for key, seconds in ((f"fit/{'a' * 64}", 1.5), ("predict/pa", 2), ("eval/ea", 0.25)):  # whole numbers and others
        changed[key] = {**get(key), "seconds": seconds, "cpu_seconds": 1, "start_seconds": 0.0}
    changed["eval/ea"] |= {"stderr": 0.125, "interval": [0.5, 0.75], "users": 30, "counted": 20, "batch": "x"}
    tuned = {"search": "5" * 64, "chosen": {"number": 0, "parameters": {"K": 3}}}
    changed[f"item/{'f' * 64}"] = {**get(f"item/{'f' * 64}"), **tuned}
    search = {
        "search": "5" * 64,
        "item": "D/f",
        "dataset": "D",
        "algorithm": "A-ffffffff",
        "fold": None,
        "metric": "HR@5",
    }
    changed[f"search/{'5' * 64}"] = {**search, "space": {}, "tuning": {}, "higher_is_better": True}
    trial = {"search": "5" * 64, "status": "done", "fit_key": "7" * 64, "metric": "HR@5", "seconds": 1.5}
    trial |= {"value": 0.5, "epochs": None}
    for number in (0, 1):
        changed[f"trial/{'5' * 64}/{number:06d}"] = {**trial, "number": number, "parameters": {"K": 3 + number}}
    plan = Planned(
        "bench.py::b",
        "/",
        {"HR@5": True},
        frozenset(name * 64 for name in "abcf8"),
        {"D": "Shop"},
        {"Algorithm-aaaaaaaa": "Mine"},
    )
    made.records.commit({**changed, plan.key: plan.record}, [f"item/{'e' * 64}"])
    connection = made.records._connection
    connection.execute("UPDATE Cache SET value = replace(value, '0.5', '0.7') WHERE key = 'predict/pg'")
    if request.param == "unindexed":
        connection.execute("DROP INDEX Records_of_item")
        connection.execute("DROP INDEX Names_of_items")
    if request.param == "unsummed":
        connection.execute("DROP TABLE Costs")
    made.close()
    return Store(root)


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True), check_exact=True)


def test_lists_are_those_of_all_records(store: Store) -> None:
    """Items by status, what remains, workers, runs and unsteady data."""
    records = store.records()
    items = items_of(store.root, records)
    of_status: Mapping[Status, list[str]] = {
        status: [name for name, item in items.items() if item["status"] == status] for status in Status
    }
    assert store.completed == of_status[Status.DONE]
    assert list(store.failed) == of_status[Status.FAILED]
    assert store.interrupted == of_status[Status.INTERRUPTED]
    assert store.remaining == remaining_of(records, items)
    assert store.unsteady == unsteady_in(records)
    assert {run["id"] for run in store.runs()} == {run["id"] for key, run in records.items() if RecordType.RUN.has(key)}
    workers = [key for key in records if RecordType.WORKER.has(key)]
    assert len(store.workers(active=False)) == len(workers)


def test_frames_are_those_of_all_records(store: Store) -> None:
    """Phases (also failed ones, in the same order), trials, epochs and snapshots."""
    records = store.records()
    rows = pd.DataFrame(phase_rows(records), columns=list(PHASE_COLUMNS)).sort_values(["item", "finished"])
    pd.testing.assert_frame_equal(store.phases(), rows, check_exact=True)
    same(store.trials(), trial_frame(records))
    same(store.epochs(), epoch_frame(records))
    same(store.snapshots(), snapshot_frame(records))


def test_results_are_those_of_all_records(store: Store) -> None:
    """A row per metric, sorted, with the types that pandas gives to lists; as Parquet they come back."""
    records = store.records()
    rows: list[list[Any]] = []
    for key, item in records.items():
        if RecordType.ITEM.has(key) and item["status"] == Status.DONE:
            for label, metric in item["metrics"].items():
                evaluation = records.get(RecordType.EVAL.key(metric["key"])) or {}
                spread = [evaluation.get("stderr"), *(evaluation.get("interval") or (None, None))]
                rows.append([*(item[name] for name in RESULT_COLUMNS[:4]), label, metric["value"], *spread])
    expected = {name: [row[number] for row in rows] for number, name in enumerate(RESULT_COLUMNS)}
    same(store.results(), pd.DataFrame(expected).sort_values(["item", "metric"], kind="stable"))


def test_names_and_reasons_are_those_of_all_records(store: Store) -> None:
    """What a text stands for, and why an item is or would be computed."""
    records = store.records()
    items = items_of(store.root, records)
    for text in ("*", "*/*", *items):
        assert store.select(text) == select_all([text], items)
    for name, item in items.items():
        if item.get("identity") or is_explained_alone(item, records):
            assert store.why(name) == explanation(item, records, RecordsInMemory(records))


@pytest.mark.parametrize("view", ["items", "phases", "metrics", "files", "runs", "workers", "trials"])
def test_views_are_those_of_all_records(store: Store, view: str) -> None:
    """A query is answered from records with the statuses as of now."""
    records = store.records()
    states = {RecordType.ITEM.key(item["fit_key"]): item for item in items_of(store.root, records).values()}
    told = [
        (key, {**record, "status": states[key]["status"], "phase": states[key]["phase"]} if key in states else record)
        for key, record in records.items()
    ]
    names, rows = select(told, f"SELECT * FROM {view}", ())
    frame = store.sql(f"SELECT * FROM {view}")
    assert list(frame.columns) == names
    assert sorted(map(repr, frame.itertuples(index=False, name=None))) == sorted(
        map(repr, pd.DataFrame(rows, columns=names).itertuples(index=False, name=None))
    )


@pytest.mark.parametrize("all_items", [False, True])
def test_files_are_those_of_all_records(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, all_items: bool
) -> None:
    """Exports are the same to the last byte, whatever the format, and whether a store has few items or many."""
    if all_items:
        monkeypatch.setattr(phase_facts, "_MANY", 0)
        monkeypatch.setattr(item_facts, "_FACTS_AHEAD", 2)
    endings = ("csv", "json", "md", "tex", "html")
    records = store.records()
    items = store.items_in(records)
    if not all_items:
        current = names_of(current_items(records).items)
        items = {name: item for name, item in items.items() if name in current}
    results = [result_of(item) for item in items.values() if item["status"] == Status.DONE]
    results.sort(key=lambda result: (result.dataset, result.algorithm, -1 if result.fold is None else result.fold))
    missing = [missing_of(item, records.get) for item in items.values() if item["status"] != Status.DONE]
    contents = contents_of(records.get, results, missing, set(), set(), root=store.root)
    for side in ("whole", "one"):
        (tmp_path / side).mkdir()
    write_files(
        [tmp_path / "whole" / f"r.{ending}" for ending in endings],
        contents,
        store.root,
        Choices("", 50, 0.05, "t", "--top"),
        str,
    )
    files = [tmp_path / "one" / f"r.{ending}" for ending in endings]
    export_results(store, *files, top=50, test="t", all_items=all_items, paths=True, notify=lambda _: None)
    for file in files:
        assert file.read_bytes() == (tmp_path / "whole" / file.name).read_bytes()
    table = tmp_path / "r.parquet"
    export_results(store, table, all_items=all_items, paths=True, notify=lambda _: None)
    same(pd.read_parquet(table), frame(contents))


def test_measurements_are_those_of_all_records(store: Store) -> None:
    """The gate and comparisons have the same entries, means and values."""
    records = store.records()
    whole, one = Measured(store.root, records), measured(store, all_items=True)
    assert one.datasets == whole.datasets
    for dataset in whole.datasets:
        assert list(one.labels(dataset)) == list(whole.labels(dataset))
        for label in whole.labels(dataset):
            assert one.means(dataset, label) == whole.means(dataset, label)
    items = [record for key, record in records.items() if RecordType.ITEM.has(key)]

    def entries(make: Callable[[], Measurements]) -> Any:
        try:
            return [repr(entry) for entry in make().entries]
        except Exception as error:  # of items that note too little, both say the same
            return str(error)

    assert entries(lambda: measurements(store)) == entries(lambda: Measurements(store.root, records.get, items))


def test_a_store_that_others_write_to_or_that_is_read_only_answers(store: Store) -> None:
    """Records are read as of one moment, with another connection open for writing, and where nothing can be written."""
    before = store.results()
    writer = CheckpointStore(store.root)
    try:
        same(store.results(), open_store(store.root).results())
        assert len(store.phases()) > 0
    finally:
        writer.close()
    for path in (store.root / "store").iterdir():
        path.chmod(0o400)
    same(Store(store.root).results(), before)
