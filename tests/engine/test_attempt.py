"""One attempt at an item: what is recorded after which phase, and from where the next attempt goes on."""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.markers import starts_guests
from support.scripted_items import item_of

from omnibench import HR, NDCG, Coordinator, Evaluator, FitTime, MakeImplicit, Policy, UserHoldout, from_frame
from omnibench.engine import phases
from omnibench.engine.attempt import Attempt
from omnibench.engine.items import Item
from omnibench.engine.stopping import StoppedError
from omnibench.errors import EvaluationError, PhaseError, StoreError
from omnibench.store import compression
from omnibench.store.artifacts import is_intact
from omnibench.store.schema import COSTS, GUEST_MEMBERS, START, RecordType, artifacts_of

MakeItem = Callable[..., Item]
LONGER = Evaluator(NDCG([5, 10]), HR(30))


@pytest.fixture(scope="module")
@starts_guests
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """A coordinator whose guest runs in a process of its own; the tests share it, each with items of its own."""
    root = tmp_path_factory.mktemp("attempts") / "checkpoints"
    with Coordinator(root, threads=1, notify=lambda _: None, policy=Policy(grace=0.0)) as opened:
        yield opened


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The file that tells the algorithm of a test what to do."""
    return tmp_path / "script"


@pytest.fixture
def make_item(script: Path) -> MakeItem:
    """Return items of the test's own experiment."""
    return functools.partial(item_of, script)


@pytest.fixture
def item(make_item: MakeItem) -> Item:
    """An item that succeeds while its script says nothing."""
    return make_item()


def perform(coordinator: Coordinator, item: Item) -> tuple[dict[str, float], list[str]]:
    """Make an attempt; return the metrics and the phases that ran."""
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        attempt = Attempt(coordinator.workbench, item, lease)
        metrics = attempt.run()
    return metrics, [phase for phase in attempt.progress.seconds if phase != START]


def fail(coordinator: Coordinator, item: Item) -> PhaseError:
    """Make an attempt that fails; return why."""
    with pytest.raises(PhaseError) as caught:
        perform(coordinator, item)
    return caught.value


def record(coordinator: Coordinator, key: str) -> dict[str, Any]:
    """Return a record that has to be there."""
    entry = coordinator.store.records.get(key)
    assert entry is not None, key
    return entry


def records_of(coordinator: Coordinator, item: Item) -> dict[str, dict[str, Any]]:
    """Return every record of an item, by key."""
    snapshot = coordinator.store.snapshot()
    return {key: entry for key, entry in snapshot.items() if entry.get("fit_key") == item.experiment.fit_key}


def types(records: dict[str, Any]) -> list[str]:
    return sorted(key.partition("/")[0] for key in records)


def test_an_attempt_records_each_phase_with_its_files(coordinator: Coordinator, item: Item) -> None:
    """Model, predictions, one evaluation per column, and the item itself; every file is what its record says."""
    metrics, phases = perform(coordinator, item)
    assert phases == ["Fit", "Predict", "Eval"]
    records = records_of(coordinator, item)
    assert types(records) == ["eval", "eval", "fit", "item", "predict"]
    experiment, store = item.experiment, coordinator.store
    for entry in records.values():
        assert entry["item"] == experiment.name
        assert entry["parameters"] == dict(experiment.configuration.parameters)
        assert entry["fold"] is None
        assert entry["run"] == coordinator.run_id
        assert entry["worker"] == coordinator.worker.id
        assert entry["directory"] == f"{experiment.dataset_name}/{experiment.algorithm_name}"
        assert len(entry["token"]) == 32
        assert all(is_intact(artifact, store.root) for artifact in artifacts_of(entry))
        if "status" not in entry:
            assert all(name in entry for name in COSTS)
            assert entry["seconds"] > 0
    fit, predict = records[item.fit_record_key], records[item.predict_record_key]
    assert (fit["phase"], predict["phase"]) == ("Fit", "Predict")
    assert all(entry[name] is not None for entry in (fit, predict) for name in GUEST_MEMBERS)
    assert (fit["threads"], predict["threads"], predict["start_seconds"]) == (1, 1, 0.0)
    assert fit["effective"] == dict(experiment.configuration.parameters)
    assert fit["identity"] == experiment.recorded_identity
    assert predict["rows"] == len(np.load(store.root / predict["predictions"]["path"]))
    done = records[item.record_key]
    assert (done["status"], done["phase"], done["error"], done["exported"]) == ("done", "Done", None, 20)
    assert (done["failures"], done["deaths"], done["generation"]) == (0, 0, 0)
    keys = item.eval_keys(store.records.get)
    assert keys is not None
    assert {label: metric["key"] for label, metric in done["metrics"].items()} == keys
    assert metrics == {label: records[RecordType.EVAL.key(key)]["value"] for label, key in keys.items()}
    assert list(metrics) == ["NDCG@5", "NDCG@10"]


def test_a_failed_fit_leaves_no_model(coordinator: Coordinator, item: Item, script: Path) -> None:
    """The item's record says in which phase, why, and how often; a success forgets that."""
    script.write_text("fit raise")
    for failures in (1, 2):
        error = fail(coordinator, item)
        assert (error.phase, error.died) == ("Fit", False)
        records = records_of(coordinator, item)
        assert types(records) == ["item"]
        failed = records[item.record_key]
        assert (failed["status"], failed["phase"], failed["failures"], failed["deaths"]) == (
            "failed",
            "Fit",
            failures,
            0,
        )
        assert failed["error"]["message"] == "RuntimeError: told to fail in fit"
        assert "Traceback" in failed["error"]["details"]
    script.unlink()
    perform(coordinator, item)
    done = record(coordinator, item.record_key)
    assert (done["status"], done["failures"], done["error"]) == ("done", 0, None)


def test_a_dying_guest_is_counted_and_replaced(coordinator: Coordinator, item: Item, script: Path) -> None:
    """The failure has the signal and the last words; the next attempt gets a fresh process."""
    script.write_text("fit die")
    error = fail(coordinator, item)
    assert error.died
    assert "was killed by SIGSEGV" in error.message
    assert "last words" in error.details
    failed = record(coordinator, item.record_key)
    assert (failed["failures"], failed["deaths"]) == (1, 1)
    assert not coordinator.guests.is_alive(item.experiment.configuration.runner)
    assert list(coordinator.store.root.glob("tmp/*/guests-*/Own-*")) == [], "its working directory is gone with it"
    script.write_text("fit raise")
    fail(coordinator, item)  # deaths in a row are what counts
    assert (record(coordinator, item.record_key)["failures"], record(coordinator, item.record_key)["deaths"]) == (2, 0)
    script.unlink()
    assert perform(coordinator, item)[1] == ["Fit", "Predict", "Eval"]


def test_the_start_of_a_guest_is_no_part_of_fit(coordinator: Coordinator, item: Item) -> None:
    """The seconds that are shown are those that are recorded; waiting for the process to start is counted apart."""
    coordinator.guests.discard(item.experiment.configuration.runner)
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        attempt = Attempt(coordinator.workbench, item, lease)
        attempt.run()
    seconds, records = attempt.progress.seconds, records_of(coordinator, item)
    fit, predict = records[item.fit_record_key], records[item.predict_record_key]
    (evaluation, *_) = (entry for key, entry in records.items() if RecordType.EVAL.has(key))
    measured = {"Fit": fit["seconds"], "Predict": predict["seconds"], "Eval": evaluation["seconds"]}
    assert seconds == {START: fit["start_seconds"], **measured}
    assert fit["start_seconds"] > 0
    assert predict["start_seconds"] == 0


def test_a_failure_leaves_its_costs_and_its_traceback(coordinator: Coordinator, item: Item, script: Path) -> None:
    """The guest's time and memory are kept with the item, also after it is done; err.log has what the terminal shows."""
    script.write_text("fit raise")
    error = fail(coordinator, item)
    (attempt,) = record(coordinator, item.record_key)["attempts"]
    assert (attempt["phase"], attempt["status"], attempt["threads"]) == ("Fit", "failed", 1)
    assert attempt["seconds"] > 0
    assert attempt["cpu_seconds"] > 0
    assert attempt["peak_rss"] > 1e6
    printed = (coordinator.store.root / "err.log").read_text()
    for line in (str(error), *error.details.strip().splitlines()):
        assert f"[{item.experiment.name}] {line}\n" in printed
    assert "RuntimeError: told to fail in fit" in error.details
    script.write_text("fit die")
    fail(coordinator, item)
    second = record(coordinator, item.record_key)["attempts"][1]
    assert second["seconds"] > 0
    assert second["peak_rss"] > 1e6  # as far as the host has seen
    assert second["cpu_seconds"] is None
    script.write_text("recommend repeat")
    fail(coordinator, item)
    third = record(coordinator, item.record_key)["attempts"][2]
    assert (third["phase"], third["cpu_seconds"] > 0) == ("Predict", True)
    script.unlink()
    perform(coordinator, item)
    assert [entry["phase"] for entry in record(coordinator, item.record_key)["attempts"]] == ["Fit", "Fit", "Predict"]


def test_predictions_that_break_the_contract_leave_the_model(
    coordinator: Coordinator, item: Item, script: Path
) -> None:
    """The next attempt begins with Predict."""
    script.write_text("recommend repeat")
    error = fail(coordinator, item)
    assert (error.phase, error.died) == ("Predict", False)
    assert "twice" in error.message
    assert types(records_of(coordinator, item)) == ["fit", "item"]
    script.unlink()
    assert perform(coordinator, item)[1] == ["Predict", "Eval"]


class Choosy:
    """A metric that cannot be computed for more than two users while a file is there.

    Args:
        script: The file.
    """

    def __init__(self, script: str) -> None:
        self.script = script

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        """Count the rows."""
        if Path(self.script).exists() and test["user"].nunique() > 2:
            raise EvaluationError("a feature is missing")
        return float(len(predictions))


def test_a_failed_eval_leaves_fit_and_predict(coordinator: Coordinator, make_item: MakeItem, script: Path) -> None:
    """None of its metrics is recorded, not even those that could be computed; the next attempt only evaluates."""
    item = make_item(Evaluator(NDCG(5), Choosy(str(script))))
    script.write_text("")
    error = fail(coordinator, item)
    assert (error.phase, error.message) == ("Eval", "a feature is missing")
    assert types(records_of(coordinator, item)) == ["fit", "item", "predict"]
    script.unlink()
    metrics, phases = perform(coordinator, item)
    assert phases == ["Eval"]
    assert list(metrics) == ["NDCG@5", "Choosy"]


class Broken:
    """A metric with a mistake in it."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        """Divide by zero."""
        return float(len(predictions) / (len(test) - len(test)))


def test_a_mistake_in_a_metric_is_told_with_its_traceback(coordinator: Coordinator, make_item: MakeItem) -> None:
    """What the user's own code raises is no error that omnibench knows."""
    error = fail(coordinator, make_item(Evaluator(Broken())))
    assert error.phase == "Eval"
    assert error.message.startswith("ZeroDivisionError")
    assert "def calculate" in error.details or "in calculate" in error.details


def test_another_metric_is_evaluated_alone(coordinator: Coordinator, make_item: MakeItem) -> None:
    """A new metric is evaluated from the predictions; earlier metrics stay in the record and are not computed again."""
    first = perform(coordinator, make_item(Evaluator(NDCG(5))))[0]
    item = make_item(Evaluator(NDCG(5), HR(10)))
    metrics, phases = perform(coordinator, item)
    assert phases == ["Eval"]
    assert metrics["NDCG@5"] == first["NDCG@5"]
    assert types(records_of(coordinator, item)) == ["eval", "eval", "fit", "item", "predict"]
    later = make_item(Evaluator(HR(10)))
    assert list(perform(coordinator, later)[0]) == ["HR@10"]
    assert list(record(coordinator, item.record_key)["metrics"]) == ["NDCG@5", "HR@10"]


def test_nothing_runs_again_when_everything_is_there(coordinator: Coordinator, item: Item) -> None:
    """Nothing runs again, but the item is recorded as done again: an earlier attempt may have died before it did so."""
    metrics, _ = perform(coordinator, item)
    coordinator.store.records.commit({}, [item.record_key])
    repeated, phases = perform(coordinator, item)
    assert repeated == metrics
    assert phases == ["Eval"]
    assert record(coordinator, item.record_key)["status"] == "done"


@pytest.mark.parametrize(
    ("lost", "phases"), [({"predictions"}, ["Predict", "Eval"]), ({"predictions", "model"}, ["Fit", "Predict", "Eval"])]
)
def test_lost_files_are_made_again(coordinator: Coordinator, item: Item, lost: set[str], phases: list[str]) -> None:
    """Lost files are made again from the first missing phase on, with a warning, and to the same numbers."""
    metrics, _ = perform(coordinator, item)
    for key in (item.fit_record_key, item.predict_record_key):
        for role in lost & set(record(coordinator, key)):
            (coordinator.store.root / record(coordinator, key)[role]["path"]).unlink()
    with pytest.warns(UserWarning, match="is missing; it is computed again"):
        repeated, ran = perform(coordinator, item)
    assert (repeated, ran) == (metrics, phases)


def test_a_lost_model_is_not_missed_while_there_are_predictions(coordinator: Coordinator, make_item: MakeItem) -> None:
    """A lost model is needed only for a longer list, as long as there are predictions."""
    item = make_item()
    perform(coordinator, item)
    (coordinator.store.root / record(coordinator, item.fit_record_key)["model"]["path"]).unlink()
    assert perform(coordinator, make_item(Evaluator(HR(5))))[1] == ["Eval"]
    with pytest.warns(UserWarning, match="is missing"):
        assert perform(coordinator, make_item(LONGER))[1] == ["Fit", "Predict", "Eval"]


def test_damaged_predictions_are_set_aside_and_made_again(coordinator: Coordinator, item: Item) -> None:
    """Damaged predictions are set aside and made again."""
    metrics, _ = perform(coordinator, item)
    path = coordinator.store.root / record(coordinator, item.predict_record_key)["predictions"]["path"]
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.warns(UserWarning, match="differs from its record and was set aside"):
        assert perform(coordinator, item) == (metrics, ["Predict", "Eval"])
    assert len(list(path.parent.glob("predictions-*.npy.damaged-*"))) == 1


def export_of(coordinator: Coordinator, item: Item) -> tuple[Path, int]:
    """Return the readable copy of an item's predictions, and the length of its longest list."""
    path = coordinator.store.root / record(coordinator, item.record_key)["directory"] / "predictions.json"
    return path, max(json.loads(path.read_text())["rank"]) if path.exists() else 0


def test_a_longer_list_is_predicted_from_the_model(coordinator: Coordinator, make_item: MakeItem) -> None:
    """The readable copy has the longest lists, and keeps them when shorter ones are wanted again."""
    short, long = make_item(), make_item(LONGER)
    perform(coordinator, short)
    assert export_of(coordinator, short)[1] == 20
    assert perform(coordinator, long)[1] == ["Predict", "Eval"]
    assert export_of(coordinator, long)[1] == 30
    assert record(coordinator, long.record_key)["exported"] == 30
    coordinator.store.records.commit({}, [short.predict_record_key])
    assert perform(coordinator, short)[1] == ["Predict", "Eval"]
    assert export_of(coordinator, short)[1] == 30
    assert record(coordinator, short.record_key)["exported"] == 30


def test_a_removed_export_is_written_again(coordinator: Coordinator, item: Item) -> None:
    """A removed export is written again from the predictions, without a guest."""
    perform(coordinator, item)
    path, _ = export_of(coordinator, item)
    text = path.read_text()
    path.unlink()
    assert perform(coordinator, item)[1] == ["Eval"]
    assert path.read_text() == text


def test_what_an_item_cost_stands_beside_its_metrics(coordinator: Coordinator, make_item: MakeItem) -> None:
    """The cost of an item is read from the record of Fit and has no record of its own."""
    item = make_item(Evaluator(FitTime(), NDCG(5)))
    metrics, _ = perform(coordinator, item)
    assert list(metrics) == ["FitTime", "NDCG@5"]
    assert metrics["FitTime"] == record(coordinator, item.fit_record_key)["seconds"]
    assert types(records_of(coordinator, item)) == ["eval", "fit", "item", "predict"]


def test_an_impossible_dataset_fails_in_prepare(coordinator: Coordinator, make_item: MakeItem) -> None:
    """An impossible dataset fails before the item has a directory, and all of its items fail with the same error."""
    frame = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "rating": 1})
    item = make_item(data=from_frame(frame, "empty").pipe(MakeImplicit(3), UserHoldout(0, 0.5)))
    messages = {fail(coordinator, item).message for _ in range(2)}
    assert len(messages) == 1
    failed = record(coordinator, item.record_key)
    assert (failed["status"], failed["phase"], failed["directory"]) == ("failed", "Prepare", None)
    assert failed["failures"] == 2


def test_a_run_that_was_asked_to_stop_begins_no_phase(coordinator: Coordinator, item: Item) -> None:
    """That is recorded as an interruption before Fit."""
    stopping = coordinator.workbench.stopping
    with stopping, stopping.phases("a phase"):
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(StoppedError, match="SIGTERM"):
            perform(coordinator, item)
    stopping.reason = ""
    interrupted = record(coordinator, item.record_key)
    assert (interrupted["status"], interrupted["phase"], interrupted["error"]) == ("interrupted", "Prepare", None)
    assert types(records_of(coordinator, item)) == ["item"]


def test_a_phase_that_does_not_end_in_time_is_given_up(coordinator: Coordinator, item: Item, script: Path) -> None:
    """Its guest is in the middle of something, so it is ended; the next attempt begins with that phase."""
    script.write_text("fit wait")
    stopping = coordinator.workbench.stopping

    def interrupt() -> None:
        while not script.with_suffix(".waiting").exists():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with stopping:
        thread.start()
        with pytest.raises(StoppedError, match="SIGINT"):
            perform(coordinator, item)
    thread.join()
    stopping.reason = ""
    interrupted = record(coordinator, item.record_key)
    assert (interrupted["status"], interrupted["phase"], interrupted["failures"]) == ("interrupted", "Fit", 0)
    assert not coordinator.guests.is_alive(item.experiment.configuration.runner)
    script.unlink()
    assert perform(coordinator, item)[1] == ["Fit", "Predict", "Eval"]


def test_a_guest_that_ends_with_the_run_has_not_failed(coordinator: Coordinator, item: Item, script: Path) -> None:
    """A run that is to stop at once ends its guests; whoever waits for one of them records an interruption."""
    script.write_text("fit wait")
    stopping = coordinator.workbench.stopping

    def end() -> None:
        while not script.with_suffix(".waiting").exists():
            time.sleep(0.01)
        stopping.ask("SIGINT")
        stopping.hurry()
        os.kill(coordinator.guests.get(item.experiment.configuration.runner).pid, signal.SIGKILL)

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(StoppedError, match="SIGINT"):
        perform(coordinator, item)
    thread.join()
    stopping.reason = ""
    interrupted = record(coordinator, item.record_key)
    assert (interrupted["status"], interrupted["phase"], interrupted["deaths"]) == ("interrupted", "Fit", 0)


def test_a_lost_lease_publishes_nothing(coordinator: Coordinator, item: Item) -> None:
    """Somebody else has the item: neither the result nor the failure of this attempt is recorded."""
    store = coordinator.store
    with store.lease(item.experiment.fit_key) as lease:
        lease.path.write_text(json.dumps({"token": "another", "pid": 1, "host": "elsewhere"}))
        with pytest.raises(StoreError, match="was lost to another process"):
            Attempt(coordinator.workbench, item, lease).run()
    assert records_of(coordinator, item) == {}


def test_a_store_without_room_is_no_failure_of_the_item(coordinator: Coordinator, item: Item) -> None:
    """The item is interrupted in the phase, with what the system said; no failure is counted."""
    perform(coordinator, item)
    directory = coordinator.store.root / record(coordinator, item.record_key)["directory"]
    reset = coordinator.reset([item.experiment])
    assert reset.items == (item.experiment.fit_key,)
    (directory / "generation_1").write_text("a file where a directory has to be")
    with pytest.raises(StoreError, match="generation_1"):
        perform(coordinator, item)
    interrupted = record(coordinator, item.record_key)
    assert (interrupted["status"], interrupted["phase"], interrupted["failures"]) == ("interrupted", "Fit", 0)
    assert "generation_1" in interrupted["error"]["message"]
    (directory / "generation_1").unlink()
    assert perform(coordinator, item)[1] == ["Fit", "Predict", "Eval"]
    assert "/generation_1/" in record(coordinator, item.fit_record_key)["model"]["path"]


def note_death(coordinator: Coordinator, item: Item) -> dict[str, Any]:
    """Record that the process of an earlier attempt died; return the item's record."""
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        unmeasured = replace(item, columns=(), list_length=0)  # whoever notes a death knows the experiment alone
        Attempt(coordinator.workbench, unmeasured, lease).note_death("worker gw1 was killed")
    return record(coordinator, item.record_key)


def test_deaths_that_others_notice_are_counted(coordinator: Coordinator, item: Item) -> None:
    """Deaths in a row that others notice are counted, as failures in Fit because the phase is unknown."""
    for deaths in (1, 2):
        failed = note_death(coordinator, item)
        assert (failed["status"], failed["phase"], failed["deaths"]) == ("failed", "Fit", deaths)
        assert failed["error"] == {"phase": "Fit", "message": "worker gw1 was killed", "details": ""}


def test_a_death_is_noted_in_the_phase_that_was_interrupted(coordinator: Coordinator, item: Item) -> None:
    """The attempt still said that before its process ended."""
    perform(coordinator, item)
    done = record(coordinator, item.record_key)
    interrupted = {**done, "status": "interrupted", "phase": "Predict", "metrics": {}}
    coordinator.store.records.commit({item.record_key: interrupted})
    failed = note_death(coordinator, item)
    assert (failed["phase"], failed["error"]["phase"], failed["metrics"]) == ("Predict", "Predict", {})


def test_a_death_is_noted_in_the_phase_behind_a_finished_fit(coordinator: Coordinator, item: Item) -> None:
    """A process that dies when its model is recorded, and says no more, has died in Predict."""
    perform(coordinator, item)
    kept = record(coordinator, item.fit_record_key)
    gone = {
        key: entry for key, entry in coordinator.store.snapshot().items() if entry.get("fit_key") == kept["fit_key"]
    }
    coordinator.store.records.commit({item.fit_record_key: kept}, gone)
    assert note_death(coordinator, item)["phase"] == "Predict"


def test_a_death_is_noted_in_the_phase_that_its_worker_was_seen_in(coordinator: Coordinator, item: Item) -> None:
    """What a dead process has last said of itself counts, whatever it has recorded."""
    moment = "2026-01-01T00:00:00Z"
    worker = {"item": item.experiment.name, "phase": "Eval", "ended": None, "lock": "tmp/work.1.00000000/.lock"}
    worker |= {"id": "dead", "started": moment, "heartbeat": moment}
    coordinator.store.records.commit({RecordType.WORKER.key("dead"): worker})
    assert note_death(coordinator, item)["phase"] == "Eval"


def test_a_compressed_model_is_what_was_fitted(
    coordinator: Coordinator, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published, checked and recorded as it lies there; a guest that has it in memory needs no file, another gets a plain one."""
    monkeypatch.setattr(compression, "LEAST_BYTES", 0)
    monkeypatch.setattr(compression, "_saved_per_second", lambda _: 1e15)
    written: list[Path] = []

    def noted(path: Path, directory: Path) -> Path:
        written.append(path)
        return compression.decompress(path, directory)

    monkeypatch.setattr(phases, "decompress", noted)
    perform(coordinator, item)
    model = record(coordinator, item.fit_record_key)["model"]
    assert model["path"].endswith(".zst")
    assert is_intact(model, coordinator.store.root)
    assert written == []
    coordinator.guests.discard(*item.experiment.guest)
    longer = replace(item, list_length=item.list_length + 1)
    assert perform(coordinator, longer)[1] == ["Predict", "Eval"]
    assert written == [coordinator.store.root / model["path"]]
