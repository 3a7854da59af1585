"""What was recorded as done stays done, and everybody who asks whether an item is done gets one answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import plant

from omnibench import open_store
from omnibench.engine.coordinator import Coordinator
from omnibench.engine.items import Item
from omnibench.engine.survey import State, look_up, look_up_all
from omnibench.experiment.evaluator import Evaluator
from omnibench.gate.stores import measurements
from omnibench.store.exports import Results, progress
from omnibench.store.schema import Record
from omnibench.store.states import RecordsInMemory


class Buggy:
    """A metric that has a bug, of which an example of two users shows nothing."""

    k = (10,)
    broken = True

    def calculate(self, predictions: Any, test: Any) -> dict[int, float]:
        """Return a number, or not."""
        if test["user"].nunique() > 2 and type(self).broken:
            raise ValueError("a bug of mine")
        return {10: float(len(predictions) > 0)}


USUAL = Evaluator(*plant.METRICS)
WITH_BUG = Evaluator(*plant.METRICS, Buggy())


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[Coordinator]:
    """A coordinator whose guests run in this process."""
    with Coordinator(tmp_path / "store", environments="current", threads=1, notify=lambda _: None) as opened:
        guests: Any = plant.InProcessGuests(plant.Work(tmp_path / "work"))
        opened.workbench.guests = guests
        yield opened


@pytest.fixture
def item(coordinator: Coordinator) -> Item:
    """An item that is done."""
    done = Item.of(plant.items()[0], USUAL)
    assert coordinator.run_item(done).status == "done"
    return done


def with_bug(item: Item) -> Item:
    """The same item, of which a run asks for the metric with the bug as well."""
    return Item.of(item.experiment, WITH_BUG)


def state(coordinator: Coordinator, item: Item) -> State:
    """What a run finds."""
    return coordinator.store.read(lambda reader: look_up(reader.get, item))


def answers(coordinator: Coordinator, item: Item) -> dict[str, bool]:
    """Whether the item is done, by who says so: all that ask."""
    store, name = open_store(coordinator.store.root), item.experiment.name
    records = store.records()
    (together,) = coordinator.store.read(lambda reader: look_up_all(reader, [item]))
    connection_rows = coordinator.store.records._connection.execute("SELECT item, status FROM items").fetchall()
    metrics = coordinator.store.records._connection.execute("SELECT DISTINCT item FROM metrics").fetchall()
    rows = Results()
    items = progress(RecordsInMemory(records), {}, note_done=rows.add)
    return {
        "a run": state(coordinator, item).is_done,
        "a run of many": together.is_done,
        "status": store.items()[name]["status"] == "done",
        "completed": name in store.completed,
        "results": name in set(store.results()["item"]),
        "results.json": bool(rows.rows()),
        "progress.json": items[name]["status"] == "done",
        "sql": store.sql("SELECT status FROM items")["status"].tolist() == ["done"],
        "sql of the metrics": not store.sql("SELECT * FROM metrics").empty,
        "the database's views": (name, "done") in connection_rows,
        "the database's metrics": (name,) in metrics,
        "baseline and gate": bool(measurements(store).entries),
    }


def contradictory(record: Record, status: str) -> Record:
    """The record of a done item as earlier versions left it when a later attempt came to nothing."""
    left = {name: member for name, member in record.items() if name not in ("predicted", "test", "attempts")}
    error = {"phase": "Eval", "message": "a bug of mine", "details": ""}
    return {**left, "status": status, "phase": "Eval", "error": error, "failures": 1, "deaths": 0}


def test_a_new_metric_that_fails_is_that_metrics_failure(coordinator: Coordinator, item: Item) -> None:
    """Without it the item is done, for everybody; a run that asks for it finds the failure, and tries again."""
    outcome = coordinator.run_item(with_bug(item))
    assert (outcome.status, outcome.error and outcome.error.message) == ("failed", "ValueError: a bug of mine")
    assert set(answers(coordinator, item).values()) == {True}
    found = state(coordinator, with_bug(item))
    assert (found.is_done, found.error and found.error["phase"], found.deaths) == (False, "Eval", 0)
    record = coordinator.store.records.get(item.record_key) or {}
    assert record["stopped"]["metrics"].keys() == {"Buggy@10"}
    assert [attempt["status"] for attempt in record["attempts"]] == ["failed"]


def test_a_failure_ends_with_what_it_was_about(
    coordinator: Coordinator, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other metrics leave it there; once the metric is computed, nothing speaks of it any more."""
    coordinator.run_item(with_bug(item))
    assert coordinator.run_item(Item.of(item.experiment, Evaluator(*plant.ONE_MORE))).status == "done"
    assert state(coordinator, with_bug(item)).error
    monkeypatch.setattr(Buggy, "broken", False)
    assert coordinator.run_item(with_bug(item)).status == "done"
    assert "stopped" not in (coordinator.store.records.get(item.record_key) or {})


@pytest.mark.parametrize("what", ["failed", "incomplete"])
def test_a_reset_of_failures_keeps_what_is_done(coordinator: Coordinator, item: Item, what: str) -> None:
    """The failure of the later metric is forgotten, the numbers are not."""
    coordinator.run_item(with_bug(item))
    assert coordinator.reset([item.experiment], what).items == (item.experiment.fit_key,)
    assert state(coordinator, with_bug(item)) == State(recorded=True)
    assert set(answers(coordinator, item).values()) == {True}
    assert coordinator.reset([item.experiment], what).items == ()


def test_deaths_in_a_later_metric_are_counted_for_it_alone(coordinator: Coordinator, item: Item) -> None:
    """Whoever asks for it does not try for ever; the item is done for everybody else."""
    asked = with_bug(item)
    for deaths in (1, 2, 3):
        coordinator.note_death(item.experiment, "worker gw1 was killed", asked.columns, asked.list_length)
        assert state(coordinator, asked).deaths == deaths
    assert "so it is not tried again" in str(coordinator.run_item(asked).error)
    assert set(answers(coordinator, item).values()) == {True}


def test_a_process_that_dies_in_the_body_leaves_the_item_done(coordinator: Coordinator, item: Item) -> None:
    """The item was recorded before its bench function's body killed the worker: its record is as it was."""
    before = coordinator.store.records.get(item.record_key)
    coordinator.note_death(item.experiment, "worker gw1 was killed", item.columns, item.list_length)
    assert coordinator.store.records.get(item.record_key) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_comes_right_behind_the_last_commit_changes_nothing(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Ctrl-C, or a full disk, when the item is recorded: it is done."""
    item = Item.of(plant.items()[0], USUAL)

    def trouble() -> None:
        raise error("too late")

    monkeypatch.setattr(coordinator.worker, "count_completed", trouble)
    with pytest.raises((KeyboardInterrupt, Exception)):
        coordinator.run_item(item)
    assert set(answers(coordinator, item).values()) == {True}
    assert "attempts" not in (coordinator.store.records.get(item.record_key) or {})


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_stores_that_hold_the_contradiction_are_read_as_done(coordinator: Coordinator, item: Item, status: str) -> None:
    """Earlier versions made a done item failed and left its metrics: they hold, and the failure is a later metric's."""
    done = coordinator.store.records.get(item.record_key) or {}
    coordinator.store.records.commit({item.record_key: contradictory(done, status)})
    assert set(answers(coordinator, item).values()) == {True}
    error = state(coordinator, with_bug(item)).error
    assert (error and error["message"]) == ("a bug of mine" if status == "failed" else None)
    if status == "failed":
        coordinator.reset([item.experiment], "failed")
        assert state(coordinator, with_bug(item)).error is None
        assert set(answers(coordinator, item).values()) == {True}


def test_an_item_whose_own_record_was_lost_is_recorded_again(coordinator: Coordinator, item: Item) -> None:
    """Its evaluations alone are no answer, for nobody; the next run records it again and computes nothing."""
    record = coordinator.store.records.get(item.record_key) or {}
    coordinator.store.records.commit({}, {item.record_key: record})
    assert not state(coordinator, item).is_done
    outcome = coordinator.run_item(item)
    assert (outcome.status, [*outcome.seconds]) == ("done", ["Eval"])
    assert set(answers(coordinator, item).values()) == {True}


def test_other_predictions_take_their_metrics_with_them(
    coordinator: Coordinator, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where predictions were lost and come out differently, the item is not done before these are evaluated."""
    store = coordinator.store
    predict = store.records.get(item.predict_record_key) or {}
    other = {**predict, "predictions": {**predict["predictions"], "sha256": "0" * 64}}
    store.records.commit({item.predict_record_key: other})  # as if another machine had made them
    seen: list[dict[str, bool]] = []

    def stop(*_: Any) -> None:
        seen.append(answers(coordinator, item))
        raise KeyboardInterrupt

    monkeypatch.setattr("omnibench.engine.checkpoint.ItemCheckpoints.evaluations", stop)
    with pytest.warns(UserWarning, match="differs from its record"), pytest.raises(KeyboardInterrupt):
        coordinator.run_item(item)
    assert [name for name, is_done in seen[0].items() if is_done] == []
