"""Checkpoints of an item: where its files go, whatever the disk does meanwhile."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from faults import plant

from omnibench import Evaluator
from omnibench.engine.checkpoint import ItemCheckpoints
from omnibench.engine.items import Item
from omnibench.errors import StoreError
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.held_records import HeldRecords
from omnibench.store.schema import Record
from omnibench.store.workers import Worker


def test_a_claim_that_fails_halfway_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot whose item cannot be read is not taken, and what is saved later lies in the item's directory all the same."""
    item = Item.of(plant.items()[0], Evaluator(*plant.METRICS))
    read, failures = HeldRecords.get, iter([StoreError("disk I/O error")])

    def get(records: HeldRecords, key: str) -> Record | None:
        if key == item.record_key:
            for error in failures:
                raise error
        return read(records, key)

    with closing(CheckpointStore(tmp_path / "store")) as store:
        worker = Worker(store, "run")
        with store.lease(item.experiment.fit_key) as lease:
            checkpoints = ItemCheckpoints(store, item, lease, worker)
            monkeypatch.setattr(HeldRecords, "get", get)
            with pytest.raises(StoreError, match="disk I/O error"):
                checkpoints.claimed()
            assert checkpoints.directory is None
            directory = checkpoints.claimed()
            assert directory == store.root / str(checkpoints.directory)
            assert directory.parent.parent.parent == store.root
        worker.end()
