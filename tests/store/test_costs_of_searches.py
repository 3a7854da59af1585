"""What searches have cost: each second once, whoever took over which model."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from support import tuned

from omnibench.store import CheckpointStore
from omnibench.store.frames import phase_rows
from omnibench.store.schema import Record

SEARCH = "5" * 64


@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b"])))
def test_a_trial_that_two_items_chose_is_counted_once(order: tuple[str, ...], tmp_path: Path) -> None:
    """One took over its model, the other fitted again: whichever is read first, the model that was taken over is no cost of Tune."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", SEARCH)
    trial = tuned.judge(store, labels, 0, {}, 0.5, phases={"Fit": 5.0, "Predict": 0.25, "Eval": 0.25})
    tuned.finish(store, labels, [trial])
    item: Record = store.records.get(f"item/{labels.fit_key}") or {}
    others: dict[str, Any] = {"a": (item, 5.0), "b": ({**item, "item": "D/other", "fit_key": "b" * 64}, 9.0)}
    records = dict(store.snapshot())
    store.close()
    rest = {key: record for key, record in records.items() if not key.startswith(("item/", "fit/"))}
    for name in order:
        record, seconds = others[name]
        rest[f"item/{record['fit_key']}"] = record
        rest[f"fit/{record['fit_key']}"] = {"item": record["item"], "fit_key": record["fit_key"], "seconds": seconds}
    (tune,) = [row for row in phase_rows(rest) if row["phase"] == "Tune"]
    assert tune["seconds"] == 0.5
