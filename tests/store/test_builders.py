"""Builders of records: what a real run records is what they build, member by member and in their order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from faults import plant

from omnibench.engine.coordinator import Coordinator
from omnibench.experiment.evaluator import Evaluator
from omnibench.store.builders import (
    ItemLabels,
    Origin,
    data_record,
    ended_run,
    eval_record,
    fit_record,
    predict_record,
    recipe_record,
    run_record,
)
from omnibench.store.item_records import done_item, pending_item
from omnibench.store.schema import COSTS, GUEST_MEMBERS, Record, RecordType

LABELS = ("item", "fit_key", "dataset", "algorithm", "parameters", "fold")
IDENTITY = ("identity", "data_key")
NAMES = ("dataset_label", "module", "node")
ORIGIN = ("phase", "finished", "run", "worker", "directory")

MEMBERS = {
    RecordType.ITEM: (
        *LABELS,
        *IDENTITY,
        *NAMES,
        *ORIGIN,
        *("status", "metrics", "error", "exported", "generation", "predict_key", "failures", "deaths"),
        *("predicted", "test", "token"),
    ),
    RecordType.FIT: (*LABELS, *ORIGIN, *COSTS, *GUEST_MEMBERS, "effective", "version", "identity", "model", "token"),
    RecordType.PREDICT: (*LABELS, *ORIGIN, *COSTS, *GUEST_MEMBERS, "rows", "predictions", "token"),
    RecordType.EVAL: (
        *LABELS,
        *ORIGIN,
        *("label", "per_user", "value", "stderr", "interval", "users", "place"),
        *COSTS,
        "batch",
        "token",
    ),
    RecordType.DATA: (
        *(
            "identity",
            "name",
            "test",
            "users",
            "items",
            "interactions",
            "longest_user",
            "longest_item",
            "cold",
            "leakage",
        ),
        *COSTS,
        *("directory", "files", "finished", "token"),
    ),
    RecordType.RECIPE: ("name", "identity"),
    RecordType.RUN: (
        *("id", "started", "ended", "items", "pending", "policy"),
        *("host", "user", "pid", "platform", "cores", "command", "cwd", "versions", "git"),
    ),
}
"""The members of each type of record, in their order."""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """What the engine records of four items that are done."""
    directory = tmp_path_factory.mktemp("builders")
    with Coordinator(directory / "store", environments="current", threads=1, notify=lambda _: None) as coordinator:
        guests: Any = plant.InProcessGuests(plant.Work(directory / "work"))
        coordinator.workbench.guests = guests
        coordinator.run(plant.dataset(), plant.plan(), Evaluator(*plant.METRICS))
        return coordinator.store.snapshot()


def of_type(records: dict[str, Record], record_type: RecordType) -> list[Record]:
    matches = [record for key, record in records.items() if record_type.has(key)]
    assert matches, f"there are records of type {record_type}"
    return matches


def labels_of(record: Record, identity: Any = None, data_key: str = "") -> ItemLabels:
    names = {name: record[name] for name in (*LABELS, *NAMES) if name in record}
    return ItemLabels(**names, identity=identity, data_key=data_key)


def origin_of(record: Record) -> Origin:
    return Origin(record["run"], record["worker"], record["directory"])


def text(record: Record) -> str:
    """A record as it is written, but for when and under which lease."""
    moments = ("finished", "started", "ended")
    return json.dumps({name: value for name, value in record.items() if name not in (*moments, "token")})


@pytest.mark.parametrize("record_type", MEMBERS)
def test_records_have_their_members_in_their_order(records: dict[str, Record], record_type: RecordType) -> None:
    """Whoever adds, drops or moves a member of a record has to say so here."""
    for record in of_type(records, record_type):
        assert tuple(record) == MEMBERS[record_type]


def test_phases_are_recorded_as_they_are_built(records: dict[str, Record]) -> None:
    """Fit, Predict and Eval of a real run are what the builders make of the same facts."""
    for record in of_type(records, RecordType.FIT):
        labels = labels_of(record, record["identity"])
        assert text(fit_record(labels, origin_of(record), record, record["model"])) == text(record)
    for record in of_type(records, RecordType.PREDICT):
        built = predict_record(labels_of(record), origin_of(record), record, record["predictions"])
        assert text(built) == text(record)
    facts = ("value", "stderr", "interval", "users", "place")
    for record in of_type(records, RecordType.EVAL):
        measured = {name: record[name] for name in facts}
        built = eval_record(labels_of(record), origin_of(record), record["label"], record["per_user"], measured, record)
        assert text(built) == text(record)


def test_items_are_recorded_as_they_are_built(records: dict[str, Record]) -> None:
    """The record of a done item has exactly the members that its builder makes, in their order."""
    for record in of_type(records, RecordType.ITEM):
        built = done_item(
            labels_of(record, record["identity"], record["data_key"]),
            origin_of(record),
            {},
            metrics=record["metrics"],
            predict_key=record["predict_key"],
            list_length=record["exported"],
            predicted=record["predicted"],
            test=record["test"],
        )
        assert text(built) == text(record)


def test_datasets_and_runs_are_recorded_as_they_are_built(records: dict[str, Record]) -> None:
    """The records of datasets, recipes and runs have exactly the members that their builders make, in their order."""
    for record in of_type(records, RecordType.DATA):
        assert text(data_record(record, record, record["directory"], record["files"])) == text(record)
    for record in of_type(records, RecordType.RECIPE):
        assert recipe_record(record["name"], record["identity"]) == record
    for record in of_type(records, RecordType.RUN):
        provenance = {name: record[name] for name in list(record)[6:]}
        begun = run_record(
            record["id"],
            items=record["items"],
            pending=record["pending"],
            policy=record["policy"],
            provenance=provenance,
        )
        assert begun["ended"] is None
        assert text(begun) == text(record)
        assert tuple(ended_run(begun)) == tuple(record)
        assert ended_run(begun)["ended"] is not None


def test_a_planned_item_has_no_metrics_yet() -> None:
    """It begins with its labels and says that nothing has happened, in which generation."""
    labels = ItemLabels(
        "D/A", "f" * 64, "D", "A", {"k": 3}, 0, ["fit/1", {}], "d" * 64, "ours", "data", "models", "D/A-1"
    )
    record = pending_item(labels.item_members, 2)
    assert tuple(record)[:12] == (*LABELS, *IDENTITY, "user_label", *NAMES)
    assert (record["status"], record["phase"], record["generation"], record["metrics"]) == ("pending", None, 2, {})
