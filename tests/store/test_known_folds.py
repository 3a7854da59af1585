"""An item that begins as another fold of its configuration does has the record that its own text says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.item_records import done_item, item_metric
from omnibench.store.item_texts import light_item_in
from omnibench.store.known_folds import LightItems
from omnibench.store.packed_metrics import MetricsPacker
from omnibench.store.schema import RecordType
from omnibench.store.sealing import checked, seal


def text_of(
    number: int, name: str, fold: int | None, own_fold: int | None, parameters: dict[str, Any]
) -> tuple[str, str]:
    """Return fit key and text of a done item, as a run makes it."""
    fit_key = f"{number:064x}"
    configuration = ["configuration/1", {"runner": "Own", "algorithm": "A", "parameters": parameters, "seed": 42}]
    identity = ["fit/1", {"configuration": configuration, "data": "d" * 64, "fold": own_fold}]
    node = f"{name}[{fold}]" if number % 3 else ""
    labels = ItemLabels(name, fit_key, "D-dddddddd", "A-aaaaaaaa", parameters, fold, identity, "d" * 64, node=node)
    key = RecordType.ITEM.key(fit_key)
    metrics = {"HR@5": item_metric(number / 7, "e" * 64, "h"), "MRR": item_metric(0.5, "f" * 64, "m")}
    made = done_item(
        labels,
        Origin("run", f"worker {number}", f"D-dddddddd/A-aaaaaaaa/fold_{number}"),
        {"generation": number % 2},
        metrics=dict(list(metrics.items())[: 1 + (number % 5 > 0)]),
        predict_key=f"p{number}",
        list_length=10,
        predicted="[]",
        test="t",
    )
    return fit_key, checked(key, seal(key, made))


FOLDS = st.sampled_from([None, 0, 1, 12, 999, 1000])
ITEMS = st.tuples(
    st.sampled_from(["D-dddddddd/A-aaaaaaaa/fold_{}", "D/a_{}", "{}"]),
    FOLDS,
    FOLDS,
    FOLDS,
    st.integers(0, 1),
    st.booleans(),
)


@given(st.lists(ITEMS, min_size=2, max_size=12))
@pytest.mark.parametrize("options", [{}, {"with_node": True}, {"with_metrics": False}])
def test_records_in_turn_are_those_of_items_alone(options: dict[str, Any], items: list[tuple[Any, ...]]) -> None:
    """Whatever came before: other folds, other numbers in name, fold and identity, other hyperparameters, labels and generations."""
    in_turn = LightItems(**options)
    for number, (name, named, fold, in_identity, parameter, is_usual) in enumerate(items):
        folds = (named, named, named) if is_usual else (named, fold, in_identity)
        fit_key, text = text_of(number, name.format(folds[0]), folds[1], folds[2], {"K": parameter})
        key = RecordType.ITEM.key(fit_key)
        alone = light_item_in(key, text, MetricsPacker(), **options)
        record = in_turn.record_in(key, fit_key, text)
        for each in (alone, record):
            if each is not None and "metrics" in each:
                each["metrics"] = dict(each["metrics"])
        assert record is not None
        assert alone is not None
        assert repr(record) == repr(alone)
