"""What a search tries may be an item of a plan, too; whose its model is, is decided when it is recorded."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from faults import plant

from omnibench import open_store
from omnibench.engine.checkpoint import ItemCheckpoints
from omnibench.engine.items import Item
from omnibench.engine.records import pending_records
from omnibench.engine.survey import State
from omnibench.experiment.evaluator import Evaluator
from omnibench.store import CheckpointStore
from omnibench.store.schema import COSTS, GUEST_MEMBERS, SEARCHED, RecordType
from omnibench.store.workers import Worker

ANSWER = {
    **dict.fromkeys((*COSTS, *GUEST_MEMBERS), 1),
    "file": "model.pkl",
    "effective": {},
    "version": "1.0",
    "series": [(1, {"loss": 0.5})],
}


@pytest.mark.parametrize("planned", [True, False], ids=["of-a-plan", "of-the-search"])
def test_a_trial_that_a_plan_takes_up_meanwhile_is_the_items_own(tmp_path: Path, planned: bool) -> None:
    """Its first snapshot has looked for the item's record before another run began; phases count the Fit all the same."""
    item = Item.of(plant.items()[0], Evaluator(*plant.METRICS))
    fit_key = item.experiment.fit_key
    with closing(CheckpointStore(tmp_path / "store")) as store, closing(CheckpointStore(tmp_path / "store")) as other:
        worker = Worker(store, "run")
        with store.lease(fit_key) as lease, store.temporary() as scratch:
            checkpoints = ItemCheckpoints(store, item, lease, worker, search="f" * 64)
            checkpoints.claimed()
            assert checkpoints.previous == {}
            if planned:
                other.register(pending_records([item.experiment], [State()]))
            (scratch / "model.pkl").write_bytes(b"model")
            checkpoints.save_model(ANSWER, scratch)
        worker.end()
        records = [store.records.get(key) for key in (item.fit_record_key, RecordType.SERIES.key(fit_key))]
    assert [record is not None and SEARCHED in record for record in records] == [not planned] * 2
    assert open_store(tmp_path / "store").phases()["phase"].tolist().count("Fit") == planned
