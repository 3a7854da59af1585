"""The records of an item as the holder of its lease has them: read once, and never older than what it has written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, held_records
from omnibench.store.held_records import HELD_SECONDS, HeldRecords
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


def test_quick_phases_are_committed_together(store: CheckpointStore, lease: Lease) -> None:
    """Their records are read as if they stood in the store, and stand there with the next commit, with its token."""
    records = HeldRecords(store, lease)
    records.hold({"fit/a": {"n": 1}}, HELD_SECONDS / 4)
    records.hold({"predict/a": {"n": 2}}, HELD_SECONDS / 4)
    assert records.get("fit/a") == {"n": 1}
    assert store.records.get("fit/a") is store.records.get("predict/a") is None
    records.commit({"item/a": {"n": 3}})
    expected = {key: {"n": n, "token": lease.token} for n, key in enumerate(("fit/a", "predict/a", "item/a"), 1)}
    assert {key: store.records.get(key) for key in expected} == {key: records.get(key) for key in expected} == expected


@pytest.mark.parametrize("seconds", [HELD_SECONDS * 3 / 4, None], ids=["long together", "not to wait"])
def test_what_took_longer_is_committed_at_once(store: CheckpointStore, lease: Lease, seconds: float | None) -> None:
    """With what has waited for it, so that a kill costs no more than that."""
    records = HeldRecords(store, lease)
    records.hold({"fit/a": {"n": 1}}, HELD_SECONDS / 2)
    records.hold({"predict/a": {"n": 2}}, seconds)
    assert store.records.get("fit/a") == {"n": 1, "token": lease.token}
    assert store.records.get("predict/a") == {"n": 2, "token": lease.token}
    records.hold({"fit/b": {"n": 3}}, HELD_SECONDS / 2)  # the count has begun anew
    assert store.records.get("fit/b") is None


def test_what_waits_is_committed_while_the_next_phase_lasts(
    store: CheckpointStore, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at the store meanwhile sees the phase that is over, and a kill does not take it back."""
    records = HeldRecords(store, lease)
    records.hold({"fit/a": {"n": 1}}, 0.0)
    records.look()
    assert store.records.get("fit/a") is None
    monkeypatch.setattr(held_records, "_LONGEST_HELD", -1.0)
    records.look()
    assert store.records.get("fit/a") == {"n": 1, "token": lease.token}


def test_what_waits_for_a_commit_that_fails_waits_for_the_next(
    store: CheckpointStore, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was computed is forgotten because the disk was full for a moment."""
    records = HeldRecords(store, lease)
    records.hold({"fit/a": {"n": 1}}, 0.0)

    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "commit", refuse)
        with pytest.raises(StoreError):
            records.commit({"predict/a": {"n": 2}})
    records.commit({"item/a": {"n": 3}})
    assert store.records.get("fit/a") == {"n": 1, "token": lease.token}
    assert store.records.get("predict/a") is None
