"""Taking items over: what a store lacks goes in, what contradicts it stays out and is told."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support import shared_items as items
from support.shared_items import RUN, assert_sound, key_of, record_item, substance
from support.stored import files

from omnibench.sharing.sources import StoreSource
from omnibench.sharing.taking import Outcome, take_over
from omnibench.store import CheckpointStore
from omnibench.store.generations import reset
from omnibench.store.reading import read_all

BOB = {**RUN, "id": "20260202T000000Z-4567cdef", "user": "bob", "host": "laptop"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[CheckpointStore]:
    with closing(CheckpointStore(tmp_path / "own")) as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[CheckpointStore]:
    with closing(CheckpointStore(tmp_path / "other")) as store:
        yield store


def merged(own: CheckpointStore, other: CheckpointStore, *, models: bool = False) -> Outcome:
    source = StoreSource(other.root)
    return take_over(own, source, source.fit_keys(), models=models)


def test_what_is_lacking_is_taken_over_with_its_files_and_its_run(own: CheckpointStore, other: CheckpointStore) -> None:
    """A finished item of the other store is here with the same numbers and files, and says whose run it was."""
    key = record_item(other, "A", metrics={"NDCG@10": 0.25}, run=BOB)
    outcome = merged(own, other)
    assert (len(outcome.gained), outcome.equal, outcome.conflicts) == (1, 0, [])
    assert substance(own) == substance(other)
    records = own.snapshot()
    assert records[f"run/{BOB['id']}"]["user"] == "bob"
    (mark,) = records[f"taken/{key}"]["marks"]
    assert (mark["from"], mark["by"]) == (str(other.root), "bob on laptop")
    assert len(mark["sha256"]) == 64
    assert list(mark["metrics"]) == ["NDCG@10"]
    assert {path for path in files(own.root) if path.endswith(".npy")} == {
        path for path in files(other.root) if path.endswith(".npy")
    }
    assert_sound(own.root)


def test_models_are_taken_over_only_when_asked_for(own: CheckpointStore, other: CheckpointStore) -> None:
    """Loading a model runs what is in it, so it stays where it is; asked for, it comes also to an item that is here."""
    key = record_item(other, "A", metrics={"NDCG@10": 0.25})
    assert merged(own, other).models == 1
    assert "dropped" in own.snapshot()[f"fit/{key}"]
    assert not list(own.root.rglob("model*"))
    assert len(merged(own, other, models=True).extended) == 1
    assert "dropped" not in own.snapshot()[f"fit/{key}"]
    (model,) = own.root.rglob("model*")
    assert model.read_bytes() == b"a model"
    assert merged(own, other, models=True).equal == 1


def test_a_second_time_nothing_changes(own: CheckpointStore, other: CheckpointStore) -> None:
    """Who merges the same store again changes neither a record nor a file."""
    record_item(other, "A", metrics={"NDCG@10": 0.25})
    merged(own, other)
    records, names = own.snapshot(), files(own.root)
    outcome = merged(own, other)
    assert (outcome.gained, outcome.extended, outcome.equal) == ([], [], 1)
    assert (own.snapshot(), files(own.root)) == (records, names)


def test_metrics_of_equal_predictions_are_joined(own: CheckpointStore, other: CheckpointStore) -> None:
    """An item with equal predictions gets the metrics that it lacks, and these alone are marked."""
    key = record_item(own, "A", metrics={"NDCG@10": 0.25})
    record_item(other, "A", metrics={"HR@10": 0.5}, run=BOB)
    assert len(merged(own, other).extended) == 1
    records = own.snapshot()
    assert {label: metric["value"] for label, metric in records[f"item/{key}"]["metrics"].items()} == {
        "NDCG@10": 0.25,
        "HR@10": 0.5,
    }
    assert list(records[f"taken/{key}"]["marks"][0]["metrics"]) == ["HR@10"]
    assert_sound(own.root)


@pytest.mark.parametrize(("predictions", "value"), [(2, 0.75), (1, 0.75), (2, 0.25)])
def test_a_conflict_is_told_with_both_origins_and_changes_nothing(
    own: CheckpointStore, other: CheckpointStore, predictions: int, value: float
) -> None:
    """The same key with other lists or another value is nobody's to decide but the user's."""
    record_item(own, "A", metrics={"NDCG@10": 0.25})
    record_item(other, "A", metrics={"NDCG@10": value}, predictions=predictions, run=BOB)
    before = own.snapshot()
    (conflict,) = merged(own, other).conflicts
    assert own.snapshot() == before
    assert "ann on workstation" in conflict.ours
    assert "bob on laptop" in conflict.theirs
    told = " ".join(map(str, conflict.differences))
    assert ("0.250000 here, 0.750000 there" in told) == (value != 0.25)
    assert ("predictions" in told) == (predictions != 1)


def test_who_resets_an_item_gets_the_other_ones_numbers(own: CheckpointStore, other: CheckpointStore) -> None:
    """The way out of a conflict that its message names leads out of it, into a generation of its own."""
    key = record_item(own, "A", metrics={"NDCG@10": 0.25})
    record_item(other, "A", metrics={"NDCG@10": 0.75}, predictions=2, run=BOB)
    reset(own, [key])
    assert len(merged(own, other).gained) == 1
    record = own.snapshot()[f"item/{key}"]
    assert (record["metrics"]["NDCG@10"]["value"], record["generation"]) == (0.75, 1)
    assert_sound(own.root)


def test_what_was_taken_over_and_is_reset_is_not_marked_any_more(own: CheckpointStore, other: CheckpointStore) -> None:
    """The mark goes with the numbers."""
    key = record_item(other, "A", metrics={"NDCG@10": 0.25})
    merged(own, other)
    reset(own, [key])
    assert f"taken/{key}" not in own.snapshot()


def test_what_was_reset_and_computed_anew_is_taken_over(own: CheckpointStore, other: CheckpointStore) -> None:
    """By another run than before: what the reset has put aside, with its run, is no part of it."""
    record_item(other, "A", metrics={"NDCG@10": 1.0})
    reset(other, [key_of("A")])
    record_item(other, "A", metrics={"NDCG@10": 2.0}, run={**RUN, "id": "20260102T000000Z-00000000"})
    outcome = merged(own, other)
    assert (outcome.gained, outcome.refused) == (["D/A/fold_0"], {})
    assert substance(own)[f"item/{key_of('A')}"] == ("done", {"NDCG@10": 2.0})


def test_an_item_that_somebody_computes_is_left_alone(own: CheckpointStore, other: CheckpointStore) -> None:
    """Who holds its lease publishes it; the next merge finds it done."""
    record_item(other, "A", metrics={"NDCG@10": 0.25})
    record_item(other, "B", metrics={"NDCG@10": 0.25})
    with own.lease(key_of("A")):
        outcome = merged(own, other)
    assert (outcome.busy, len(outcome.gained)) == (1, 1)
    assert len(merged(own, other).gained) == 1


def test_a_dataset_is_known_and_not_taken_for_prepared(own: CheckpointStore, other: CheckpointStore) -> None:
    """Its test parts are known, so that items are found done; its files are not there, so that who needs them prepares."""
    record_item(other, "A", metrics={"NDCG@10": 0.25})
    merged(own, other)
    (record,) = (record for key, record in own.snapshot().items() if key.startswith("data/"))
    assert (record["test"], record["files"], "dropped" in record) == (["test"], [], True)


@pytest.mark.parametrize("damage", ["gone", "longer", "other", "link"])
def test_a_file_that_is_not_what_its_record_says_is_not_taken_over(
    own: CheckpointStore, other: CheckpointStore, damage: str
) -> None:
    """Of an item with a damaged file nothing is here; the next one comes all the same."""
    record_item(other, "A", metrics={"NDCG@10": 0.25})
    record_item(other, "B", metrics={"NDCG@10": 0.25})
    (file,) = other.root.glob("D-*/A-*/fold_0/predictions*.npy")
    content = file.read_bytes()
    file.unlink()
    if damage == "longer":
        file.write_bytes(content + b"x")
    elif damage == "other":
        file.write_bytes(content[:-1] + b"x")
    elif damage == "link":
        (other.root / "aside").write_bytes(content)
        file.symlink_to(other.root / "aside")
    outcome = merged(own, other)
    assert [len(outcome.refused), len(outcome.gained)] == [1, 1]
    assert f"item/{key_of('A')}" not in own.snapshot()
    assert_sound(own.root)


def test_lists_with_python_objects_are_refused(own: CheckpointStore, other: CheckpointStore, tmp_path: Path) -> None:
    """A pickle in the place of an array is not even kept, though its digest is right."""
    hostile = tmp_path / "hostile.npy"
    np.save(hostile, np.array([print], dtype=object), allow_pickle=True)
    original = items.lists
    for content in (hostile.read_bytes(), pickle.dumps([1]), original(1)[:-4], b""):
        items.lists = lambda _, content=content: content  # type: ignore[assignment, misc]
        try:
            record_item(other, f"A{len(content)}", metrics={"NDCG@10": 0.25})
        finally:
            items.lists = original
    outcome = merged(own, other)
    assert (len(outcome.refused), outcome.gained) == (4, [])


def test_what_is_not_done_there_is_counted_and_left(other: CheckpointStore) -> None:
    """An item that was reset in the other store is no result."""
    key = record_item(other, "A", metrics={"NDCG@10": 0.25})
    record_item(other, "B", metrics={"NDCG@10": 0.25})
    reset(other, [key])
    source = StoreSource(other.root)
    assert (source.fit_keys(), source.unfinished) == ([key_of("B")], 1)


def test_the_other_store_is_only_read(own: CheckpointStore, tmp_path: Path) -> None:
    """Not a file of the other store changes, nor is one made."""
    with closing(CheckpointStore(tmp_path / "other")) as other:
        record_item(other, "A", metrics={"NDCG@10": 0.25})
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "other").rglob("*")}
    merged(own, other)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "other").rglob("*")} == before
    assert read_all(tmp_path / "own" / "store")
