"""Items: the keys under which they are recorded, and the names of their metrics."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from support.scripted_items import item_of

from omnibench import HR, NDCG, Evaluator, FitTime, PeakMemory
from omnibench.experiment.experiment import eval_key

ACCURACY = Evaluator(NDCG([5, 10]), HR(10))


def test_the_names_of_an_items_records() -> None:
    """Each under the key that identifies it; a longer list changes what was predicted, not what was fitted."""
    item, longer = (item_of(Path("script"), evaluator) for evaluator in (ACCURACY, Evaluator(HR(30))))
    experiment = item.experiment
    assert item.record_key == f"item/{experiment.fit_key}"
    assert item.fit_record_key == longer.fit_record_key == f"fit/{experiment.fit_key}"
    assert item.predict_record_key == f"predict/{experiment.predict_key(20)}"
    assert longer.predict_record_key == f"predict/{experiment.predict_key(30)}"
    assert item.data_record_key == f"data/{experiment.dataset.key}"
    assert item.qualified_labels == {"NDCG@5": "NDCG@5", "NDCG@10": "NDCG@10", "HR@10": "HR@10"}
    assert item.qualified_values({"HR@10": 0.5, "NDCG@5": 0.25, "NDCG@10": None}) == {"NDCG@5": 0.25, "HR@10": 0.5}


def test_evaluations_have_keys_once_there_are_predictions() -> None:
    """They depend on what was predicted and on the test part, so before that nobody knows them; costs have none."""
    item = item_of(Path("script"), Evaluator(NDCG([5, 10]), FitTime()))
    ((metric, _), *_) = item.columns
    records: dict[str, dict[str, Any]] = {}
    assert item.eval_keys(records.get) is None
    records[item.data_record_key] = {"test": ["digest of the test part"]}
    assert item.eval_keys(records.get) is None
    records[item.predict_record_key] = {"predictions": {"sha256": "digest of the predictions"}}
    digests = ("digest of the predictions", "digest of the test part")
    expected = {label: eval_key(item.experiment.fit_key, *digests, metric, label) for label in ("NDCG@5", "NDCG@10")}
    assert item.eval_keys(records.get) == expected


def test_costs_are_read_from_the_records_of_the_phases() -> None:
    """Costs are read from the records of the phases: those that are wanted and were measured."""
    item = item_of(Path("script"), Evaluator(NDCG(5), FitTime(), PeakMemory()))
    records: dict[str, dict[str, Any]] = {}
    assert item.costs(records.get) == {}
    records[item.fit_record_key] = {"seconds": 1.5, "peak_rss": None}
    assert item.costs(records.get) == {"FitTime": 1.5}
    records[item.predict_record_key] = {"seconds": 0.5, "peak_rss": 3 << 20}
    assert item.costs(records.get) == {"FitTime": 1.5, "PeakMemory": 3.0}
    assert replace(item, columns=item.columns[:1]).costs(records.get) == {}


def test_nobody_changes_an_item() -> None:
    """Many share what it is made of."""
    item = item_of(Path("script"), ACCURACY)
    with pytest.raises(FrozenInstanceError):
        item.list_length = 30  # type: ignore[misc]  # that is what is tested
    assert not hasattr(item, "__dict__")
