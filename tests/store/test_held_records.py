"""The records of an item as the holder of its lease has them: read once, and never older than what it has written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore
from omnibench.store.held_records import HeldRecords
from omnibench.store.leases import Lease

pytestmark = pytest.mark.usefixtures("made_up_records")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


@pytest.fixture
def lease(store: CheckpointStore) -> Iterator[Lease]:
    with store.lease("a") as held:
        yield held


def test_a_record_is_read_once(store: CheckpointStore, lease: Lease) -> None:
    """Also that of a phase that is not there; what a reader does with its copy changes nobody else's."""
    store.commit(lease, {"fit/a": {"n": 1}})
    records = HeldRecords(store, lease)
    first = records.get("fit/a")
    assert first == store.records.get("fit/a")
    assert first is not None
    first["n"] = 2
    assert records.get("predict/a") is None
    store.records.commit({}, delete=["fit/a"])
    store.records.commit({"predict/a": {"n": 3}})
    again = records.get("fit/a")
    assert again is not None
    assert again["n"] == 1
    assert records.get("predict/a") is None


def test_what_the_holder_writes_and_forgets_is_read_again(store: CheckpointStore, lease: Lease) -> None:
    """As it stands in the store, with the token of the lease."""
    records = HeldRecords(store, lease)
    assert records.get("item/a") is None
    records.commit({"item/a": {"pair": (1, 2)}})
    assert records.get("item/a") == store.records.get("item/a") == {"pair": [1, 2], "token": lease.token}
    records.commit({}, {"item/a": {}})
    assert records.get("item/a") is None


def test_after_a_commit_that_fails_the_store_is_asked(store: CheckpointStore, lease: Lease) -> None:
    """Nobody believes to have recorded what is not there."""
    records = HeldRecords(store, lease)
    records.commit({"item/a": {"n": 1}})
    before = records.get("item/a")
    lease.path.unlink()
    with pytest.raises(StoreError, match="was lost to another process"):
        records.commit({"item/a": {"n": 2}})
    assert records.get("item/a") == before


def test_records_of_datasets_are_not_the_holders(store: CheckpointStore, lease: Lease) -> None:
    """Another process may prepare the dataset meanwhile."""
    records = HeldRecords(store, lease)
    assert records.get("data/d") is None
    store.records.commit({"data/d": {"n": 1}})
    assert records.get("data/d") == {"n": 1}


def test_an_item_that_another_run_registers_is_there_from_then_on(store: CheckpointStore, lease: Lease) -> None:
    """A run that begins records its items as pending and holds no lease for that; it changes none that is there."""
    records = HeldRecords(store, lease)
    assert records.get("item/a") is None
    with closing(CheckpointStore(store.root)) as other:
        other.register({"item/a": {"n": 1}})
        assert records.get("item/a") == {"n": 1}
        other.register({"item/a": {"n": 2}})
    assert records.get("item/a") == store.records.get("item/a") == {"n": 1}


def test_a_dataset_that_is_not_there_yet_is_asked_for_again(store: CheckpointStore, lease: Lease) -> None:
    """Whoever prepares it first records it, without the lease; from then on it is read once."""
    records = HeldRecords(store, lease)
    assert records.get("data/a") is None
    store.records.commit({"data/a": {"n": 1}})
    assert records.get("data/a") == {"n": 1}
    store.records.commit({"data/a": {"n": 2}})
    assert records.get("data/a") == {"n": 1}


def test_several_records_are_what_each_is_alone(store: CheckpointStore, lease: Lease) -> None:
    """Those that are there, those that are not, and one that is damaged, of more than one query asks for."""
    keys = [f"eval/{number}" for number in range(1200)]
    store.commit(lease, {key: {"n": number} for number, key in enumerate(keys) if number % 3 == 0})
    with store.records._transaction() as connection:
        connection.execute("UPDATE Cache SET value = replace(value, '\"n\": 3', '\"n\": 4') WHERE key = 'eval/3'")
    with pytest.warns(UserWarning, match="eval/3 is damaged"):
        several = HeldRecords(store, lease).get_all(keys)
    assert several == {key: store.records.get(key) for key in keys}
    assert [number for number, record in enumerate(several.values()) if record is not None] == [0, *range(6, 1200, 3)]


def test_several_records_are_read_once(store: CheckpointStore, lease: Lease) -> None:
    """Those that are not there are not looked for again, but for records that others may add."""
    records = HeldRecords(store, lease)
    assert records.get_all(["eval/a", "item/a"]) == {"eval/a": None, "item/a": None}
    store.records.commit({"eval/a": {"n": 1}, "item/a": {"n": 2}})
    assert records.get_all(["eval/a", "item/a"]) == {"eval/a": None, "item/a": {"n": 2}}
    assert records.get_all([]) == {}
