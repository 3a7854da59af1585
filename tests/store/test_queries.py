"""What a store tells: asked in Python and in SQL, of a real small store, while it is computed and afterwards."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.markers import starts_guests
from support.projects import OWN_ALGORITHMS

from omnibench import HR, NDCG, Coordinator, Evaluator, ExperimentPlan, Grid, ItemsFailedError, Store, open_store
from omnibench.errors import StoreError
from omnibench.store.records import Records
from omnibench.store.views import VIEWS

SETTING = """
import numpy as np
import pandas as pd
from omnibench import MakeImplicit, UserCrossValidation, from_frame

rng = np.random.default_rng(7)
frame = pd.DataFrame({"user": rng.integers(0, 30, 900), "item": (rng.pareto(1.0, 900) * 8).astype(int) % 60,
                      "rating": rng.integers(1, 6, 900)}).drop_duplicates(["user", "item"])
data = from_frame(frame, "tiny").pipe(MakeImplicit(2), UserCrossValidation(2))
"""
SLOW = """
import sys
from omnibench import NDCG, Coordinator, Evaluator, ExperimentPlan
from query_algorithms import Slow
from query_setting import data

if __name__ == "__main__":
    plan = ExperimentPlan("tests")
    plan.add_algorithm(Slow, {"seconds": 60.0})
    with Coordinator(sys.argv[1]) as coordinator:
        coordinator.run(data, plan, Evaluator(NDCG(10)))
"""


@pytest.fixture(scope="module")
@starts_guests
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store of four items that are done and two that failed."""
    place = tmp_path_factory.mktemp("query")
    for name, text in (("query_algorithms", OWN_ALGORITHMS), ("query_setting", SETTING), ("slow", SLOW)):
        (place / f"{name}.py").write_text(text)
    sys.path.insert(0, str(place))
    algorithms, setting = (importlib.import_module(name) for name in ("query_algorithms", "query_setting"))
    plan = ExperimentPlan("tests")
    plan.add_algorithm(algorithms.Popular, {"noise": Grid([0, 1])})
    plan.add_algorithm(algorithms.Broken)
    with Coordinator(place / "checkpoints", notify=lambda _: None) as coordinator, pytest.raises(ItemsFailedError):
        coordinator.run(setting.data, plan, Evaluator(NDCG([5, 10]), HR(10)))
    yield place / "checkpoints"
    sys.path.remove(str(place))
    for name in ("query_algorithms", "query_setting"):
        del sys.modules[name]


@pytest.fixture
def store(made: Path) -> Store:
    return open_store(made)


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Store:
    """A copy that may be changed."""
    shutil.copytree(made, tmp_path / "checkpoints")
    return open_store(tmp_path / "checkpoints")


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def select(store: Store, query: str, file: str = "store/cache.db") -> list[Any]:
    """Ask SQLite, as anybody can without omnibench."""
    with closing(sqlite3.connect(f"{(store.root / file).as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def test_items_are_sorted_by_what_became_of_them(store: Store) -> None:
    """Every item is in exactly one of the lists; the summary counts them and says what they took."""
    assert len(store.completed) == 4
    assert all("/Popular-" in name for name in store.completed)
    assert len(store.failed) == 2
    assert set(store.failed.values()) == {"Fit failed: RuntimeError: the algorithm is broken"}
    assert store.interrupted == []
    assert store.remaining == list(store.failed)  # which the next run tries again
    assert list(store.items()) == sorted([*store.completed, *store.failed])
    assert repr(store) == f"<Store {store.root}: 4 of 6 items completed>"
    summary = store.summary()
    counts = ("total", "completed", "failed", "interrupted", "running", "pending", "remaining", "workers")
    assert [summary[name] for name in counts] == [6, 4, 2, 0, 0, 0, 2, 0]
    phases = store.phases()
    assert summary["elapsed"] == pytest.approx(phases["seconds"].sum())
    assert summary["average"] == pytest.approx(phases.loc[phases["status"] == "done", "seconds"].sum() / 4)
    assert summary["starting"] == pytest.approx(phases["start_seconds"].sum())
    assert summary["starting"] > 0


def test_what_died_too_often_does_not_remain(own: Store) -> None:
    """The next run computes what is not done: also what failed, unless its process has died three times in a row."""
    first, second = own.failed
    for name, deaths in ((first, 2), (second, 3)):
        key = f"item/{own.items()[name]['fit_key']}"
        records = Records(own.root / "store")
        records.commit({key: {**own.records()[key], "deaths": deaths}})
        records.close()
    assert own.remaining == [first]
    assert own.summary()["remaining"] == 1


def test_results_are_the_metrics_of_what_is_done(store: Store) -> None:
    """One row each, with the values that the records have."""
    results = store.results()
    assert list(results.columns[:6]) == ["item", "dataset", "algorithm", "fold", "metric", "value"]
    assert list(results.columns[6:]) == ["stderr", "low", "high"]
    found = {(row.item, row.metric): row.value for row in results.itertuples()}
    assert len(found) == len(results) == 4 * 3
    for name in store.completed:
        metrics = store.items()[name]["metrics"]
        assert {label: metric["value"] for label, metric in metrics.items()} == {
            label: found[name, label] for label in ("NDCG@5", "NDCG@10", "HR@10")
        }


def test_phases_tell_what_they_cost(store: Store) -> None:
    """Three of each item that is done, as the metrics of one batch share one; and one of each attempt that failed."""
    every = store.phases()
    failed = every[every["status"] != "done"]
    assert [*failed["item"]] == [*store.failed]
    assert {*failed["phase"], *failed["status"]} == {"Fit", "failed"}
    assert (failed["seconds"] > 0).all()
    assert (failed["peak_rss"] > 1e6).all()
    waited = every[every["start_seconds"] > 0]
    assert len(waited) == 1, "the items share a guest"
    assert waited["phase"].item() == "Fit"
    assert (every.loc[every["phase"] != "Eval", "threads"] >= 1).all()
    phases = every[every["status"] == "done"]
    assert (len(phases), set(phases["item"])) == (12, set(store.completed))
    assert phases.groupby("item")["phase"].agg(set).map(lambda found: found == {"Fit", "Predict", "Eval"}).all()
    assert (phases["seconds"] > 0).all()
    assert (phases["peak_rss"] > 1e6).all()
    assert phases["python_peak"].isna().all()
    assert set(phases["run"]) == {store.runs()[0]["id"]}


def test_runs_and_workers_are_known(store: Store) -> None:
    """Who computed, when, with which versions."""
    (run,) = store.runs()
    assert (run["items"], run["pending"], run["pid"]) == (6, 6, os.getpid())
    assert {"omnibench", "python", "numpy"} <= set(run["versions"])
    assert run["ended"] >= run["started"]
    (worker,) = store.workers(active=False)
    assert (worker["run"], worker["completed"], worker["alive"], worker["item"]) == (run["id"], 4, False, None)
    assert store.workers() == []


def test_logs_can_be_followed_and_filtered(store: Store) -> None:
    """Logs can be read from an id on, of an item, from a level on, and so many at a time."""
    everything = store.logs()
    assert store.logs(limit=5) == everything[-5:]  # the newest
    assert store.logs(0, limit=5) == everything[:5]
    assert store.count_logs() == len(everything)
    assert store.count_logs(everything[-5]["id"]) == len(everything) - 5
    assert store.count_logs(min_level=logging.ERROR) == len(store.failed)
    assert [entry["id"] for entry in everything] == sorted(entry["id"] for entry in everything)
    followed: list[dict[str, Any]] = []
    while more := store.logs(followed[-1]["id"] if followed else 0, limit=7):
        assert len(more) <= 7
        followed += more
    assert followed == everything
    failed = next(iter(store.failed))
    for given in (failed, store.items()[failed]["fit_key"][:10]):
        assert store.logs(item=given) == [entry for entry in everything if entry["item"] == failed]
    errors = store.logs(min_level=logging.ERROR)
    assert {entry["item"] for entry in errors} == set(store.failed)
    assert all("the algorithm is broken" in entry["message"] for entry in errors)
    said = store.logs(item=store.completed[0])
    ours = [entry["message"].split(maxsplit=1)[0] for entry in said if entry["logger"] == "omnibench"]
    ours = [word for word in ours if word != "starting"]  # only of an item that waited for the guest
    assert ours == ["begins", "Fit", "Predict", "Eval", "is"]
    assert any(entry["message"].startswith("fitting Popular on") for entry in said)
    assert len(everything) == select(store, "SELECT count(*) FROM logs", "logs.db")[0][0]


def test_a_log_that_is_being_made_is_empty(own: Store) -> None:
    """Somebody follows a run from its first moment."""
    for left in own.root.glob("logs.db*"):
        left.unlink()
    assert own.logs() == []
    sqlite3.connect(own.root / "logs.db").close()
    assert own.logs() == []


def test_files_lead_to_items_and_back(store: Store) -> None:
    """Each exists, and each is one item's."""
    for name in store.completed:
        files = store.files(name)
        assert {path.name.partition("-")[0].partition(".")[0] for path in files} == {"model", "predictions", "per_user"}
        assert files[-1].name == "predictions.json"  # the readable copy
        assert all(path.is_file() for path in files)
        assert {store.item_of(path) for path in files} == {name}
        assert store.item_of(os.path.relpath(files[0])) == name
    assert store.files(next(iter(store.failed))) == []
    with pytest.raises(StoreError, match="no item's record names"):
        store.item_of(store.root / "STORE.json")


def test_an_item_is_found_by_its_name_or_by_its_key(store: Store) -> None:
    """Other words get the nearest name, and keys that several have are told apart by more of them."""
    for name, item in store.items().items():
        assert store.find(name)["fit_key"] == store.find(item["fit_key"][:12])["fit_key"] == item["fit_key"]
    with pytest.raises(StoreError, match=r"no such item; did you mean '.*fold_.'\? `omnibench status --all`"):
        store.find(store.completed[0][:-1] + "9")
    with pytest.raises(StoreError, match="'': there is no such item"):
        store.find("")


def test_provenance_leads_from_a_number_to_what_made_it(store: Store) -> None:
    """What is hashed is shown, and its sha256 is the key; seeds, versions and recipe are in it."""
    for name, item in store.items().items():
        found = store.provenance(name)
        assert hashlib.sha256(found["configuration_json"].encode()).hexdigest() == found["sha256"] == item["fit_key"]
        assert json.loads(found["configuration_json"]) == item["identity"]
        assert found["item"] == name
        assert found["run"] == store.runs()[0]
        assert "seed" in found["configuration"]
        assert found["configuration"]["dataset"]["steps"][0] == ["MakeImplicit", 1, {"threshold": 2}]


def test_why_tells_what_is_missing_and_what_differs(store: Store) -> None:
    """`why` says that an item is done, or how it failed, and what differs from the nearest one."""
    done = store.why(store.completed[0]).splitlines()
    assert done[0] == f"{store.completed[0]} is done."
    assert done[1] == "  dataset          tiny: MakeImplicit(2), UserCrossValidation(2)"
    failed = next(iter(store.failed))
    lines = store.why(failed).splitlines()
    last_time = "Last time Fit failed: RuntimeError: the algorithm is broken"
    assert lines[:3] == [f"{failed} is failed.", last_time, "No model is recorded under its key."]
    assert lines[3].startswith("The nearest item that was fitted is ")


def test_every_view_agrees_with_what_python_says(store: Store) -> None:
    """Read by plain sqlite3, without omnibench."""
    rows: dict[str, list[Any]] = {}
    for view in VIEWS:
        columns = [column[1] for column in select(store, f"PRAGMA table_info({view})")]
        rows[view] = [dict(zip(columns, row, strict=True)) for row in select(store, f"SELECT * FROM {view}")]
    facts = ("fit_key", "status", "generation", "failures", "deaths", "fold", "run", "worker")
    assert {row["item"] for row in rows["items"]} == store.items().keys()
    for row in rows["items"]:
        item = store.items()[row["item"]]
        assert [row[name] for name in facts] == [item[name] for name in facts]
        assert row["error"] == (item["error"] and item["error"]["message"])
        assert json.loads(row["parameters"]) == item["parameters"]
    cost = ("item", "phase", "status", "seconds", "cpu_seconds", "peak_rss", "finished", "run", "worker")
    python = store.phases()[list(cost)].itertuples(index=False, name=None)
    assert sorted(tuple(row[name] for name in cost) for row in rows["phases"]) == sorted(python)
    waited = sum(row["start_seconds"] or 0 for row in rows["phases"])
    assert waited == pytest.approx(store.summary()["starting"])
    values = {
        name: {label: one["value"] for label, one in store.items()[name]["metrics"].items()} for name in store.completed
    }
    assert {(row["item"], row["metric"]): row["value"] for row in rows["metrics"]} == {
        (name, label): value for name, found in values.items() for label, value in found.items()
    }
    recorded = [path for name in store.completed for path in store.files(name) if path.name != "predictions.json"]
    paths = sorted(path.relative_to(store.root).as_posix() for path in recorded)
    assert sorted(row["path"] for row in rows["files"]) == paths
    data_key = store.find(store.completed[0])["data_key"]
    assert [(row["name"], row["data_key"]) for row in rows["datasets"]] == [("tiny", data_key)]
    (run,), (worker,) = store.runs(), store.workers(active=False)
    assert [(row["id"], row["omnibench"]) for row in rows["runs"]] == [(run["id"], run["versions"]["omnibench"])]
    assert [(row["id"], row["completed"]) for row in rows["workers"]] == [(worker["id"], worker["completed"])]


def test_any_question_can_be_asked_in_sql(store: Store) -> None:
    """Any query with parameters is answered; other SQL is an error that quotes it, and nothing is written."""
    found = store.sql("SELECT status, count(*) AS n FROM items WHERE status != ? GROUP BY status", ["failed"])
    assert found.to_dict("records") == [{"status": "done", "n": 4}]
    for query in ("SELECT nothing", "DELETE FROM Cache"):
        with pytest.raises(StoreError, match=f"'{query}' cannot be answered"):
            store.sql(query)


@pytest.mark.parametrize("damage", ["replace(value, '\"value\": 0.', '\"value\": 1.')", "substr(value, 1, 200)"])
def test_a_damaged_record_becomes_no_wrong_number_and_stops_no_question(damage: str, own: Store) -> None:
    """Its metrics are missing from the results, as the item is from the items; those of others are there."""
    before = own.results()
    name = own.completed[0]
    key = f"item/{own.find(name)['fit_key']}"
    with closing(sqlite3.connect(own.root / "store" / "cache.db")) as connection, connection:
        connection.execute(f"UPDATE Cache SET value = {damage} WHERE key = ?", (key,))
    assert name not in own.completed
    assert own.results().to_dict("records") == before[before["item"] != name].to_dict("records")


def test_a_reset_item_is_computed_anew(own: Store) -> None:
    """Items are reset by name or key, all or some; with `failed` only those that failed."""
    done, failed = own.completed, list(own.failed)
    assert own.reset(what="failed").items == tuple(own.items()[name]["fit_key"] for name in failed)
    assert (own.failed, own.remaining) == ({}, failed)
    one = own.reset_item(own.items()[done[0]]["fit_key"][:12], "Eval")
    assert one.items == (own.items()[done[0]]["fit_key"],)
    assert own.completed == done[1:]
    assert {path.name.partition("-")[0].partition(".")[0] for path in own.files(done[0])} == {"model", "predictions"}
    own.reset()
    assert (own.completed, len(own.remaining)) == ([], 6)
    assert len(own.results()) == len(own.phases()) == 0
    assert own.summary()["average"] is None


def test_a_kill_in_the_middle_is_seen(own: Store, made: Path, tmp_path: Path) -> None:
    """While it computes it is running, with its worker; after kill -9 it is interrupted, and the next one pending."""
    before = set(own.items())
    environment = {**os.environ, "PYTHONPATH": str(made.parent), "COUNT_FITS_IN": str(tmp_path)}
    command = [sys.executable, str(made.parent / "slow.py"), str(own.root)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as run:
        until(lambda: list(tmp_path.glob("begin-*")))
        (worker,) = until(lambda: [one for one in own.workers() if one["phase"] == "Fit"])
        (new,) = {name for name in own.items() if name not in before and name.endswith("fold_0")}
        assert (worker["item"], worker["pid"], own.items()[new]["status"]) == (new, run.pid, "running")
        assert own.items()[new]["holder"].startswith(f"process {run.pid} on ")
        assert (own.summary()["running"], own.summary()["workers"], new in own.remaining) == (1, 1, True)
        run.kill()
    assert own.interrupted == [new]
    assert own.items()[new]["phase"] == "Fit"
    exported = json.loads((own.root / "progress.json").read_text())["items"][new]
    assert (exported["status"], exported["phase"]) == ("interrupted", "Fit")  # as the kill has left the file
    assert own.remaining == [*own.failed, new, new.replace("fold_0", "fold_1")]
    counts = ("total", "interrupted", "pending", "running", "workers")
    assert [own.summary()[name] for name in counts] == [8, 1, 1, 0, 0]
    assert own.why(new).splitlines()[0] == f"{new} is interrupted."
