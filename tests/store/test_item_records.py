"""The record of an item: what each of its endings says, and that its text is only read for what it really says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.errors import PhaseError
from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.done_text import DoneText, MetricText, alike_seed_in
from omnibench.store.item_records import (
    done_item,
    failed_item,
    have_several_seeds,
    interrupted_item,
    item_metric,
    outdated_item,
    pending_item,
    recorded_groups,
    result_of,
    results_of,
    unmeasured_item,
)
from omnibench.store.schema import Record, RecordType
from omnibench.store.sealing import checked, seal

pytestmark = pytest.mark.usefixtures("made_up_records")

COSTS = {"seconds": 1.5, "peak_rss": 2**20, "start_seconds": 8.0, "threads": 2}
KEY = "k" * 64
PREDICTED = '["unseen",20]'
TEST = "7" * 64
LABELS = ItemLabels("D/A/fold_0", KEY, "D", "A", {"k": 3}, 0, ["fit/1", {"fold": 0}], "d" * 64)
ORIGIN = Origin("run", "run.main", "D/A/fold_0")


def done(metrics: Record, before: Record | None = None, labels: ItemLabels = LABELS, **more: Any) -> Record:
    facts: dict[str, Any] = {
        "metrics": metrics,
        "predict_key": "p" * 64,
        "list_length": 20,
        "predicted": PREDICTED,
        "test": TEST,
        **more,
    }
    return done_item(labels, ORIGIN, before or {}, **facts)


def text_of(record: Record) -> str:
    """The text that a reader gets of a record that was written."""
    key = RecordType.ITEM.key(KEY)
    return checked(key, seal(key, {**record, "token": "t" * 32}))


def test_done_ends_what_was_counted() -> None:
    """Failures and deaths begin anew; the generation stays, and the longest lists stay those that are exported."""
    record = done({}, {"failures": 3, "deaths": 2, "generation": 4, "exported": 50})
    assert [record[name] for name in ("status", "phase", "error")] == ["done", "Done", None]
    assert [record[name] for name in ("failures", "deaths", "generation", "exported")] == [0, 0, 4, 50]
    assert done({}, {"exported": 5})["exported"] == 20


@pytest.mark.parametrize(("died", "deaths"), [(False, 0), (True, 3)])
def test_failures_are_counted_and_deaths_in_a_row(died: bool, deaths: int) -> None:
    """The error is kept with its phase; a failure in which no process died ends a row of deaths."""
    metrics = {"NDCG@10": item_metric(0.5, KEY, "NDCG")}
    error = PhaseError("Fit", "no memory", "the last lines", died=died)
    before = {"failures": 3, "deaths": 2, "metrics": metrics, "exported": 10}
    record = failed_item(LABELS, ORIGIN, before, predict_key="p", error=error, costs=COSTS)
    assert (record["status"], record["phase"]) == ("failed", "Fit")
    assert record["error"] == {"phase": "Fit", "message": "no memory", "details": "the last lines"}
    assert (record["failures"], record["deaths"], record["exported"]) == (4, deaths, 10)
    assert record["metrics"] == metrics
    assert "predicted" not in record


def test_what_failed_attempts_have_cost_is_kept() -> None:
    """Each has a row with its phase and status, the latest twenty; an item that is done later on keeps them."""
    error = PhaseError("Fit", "no memory")
    record = failed_item(LABELS, ORIGIN, {}, predict_key="p", error=error, costs=COSTS)
    (attempt,) = record["attempts"]
    assert {name: attempt[name] for name in COSTS} == COSTS
    assert (attempt["phase"], attempt["status"], attempt["cpu_seconds"]) == ("Fit", "failed", None)
    assert (attempt["run"], attempt["worker"], attempt["finished"]) == ("run", "run.main", record["finished"])
    record = interrupted_item(LABELS, ORIGIN, record, predict_key="p", phase="Predict", costs={"seconds": 2.0})
    stopped = [(attempt["phase"], attempt["status"], attempt["seconds"]) for attempt in record["attempts"]]
    assert stopped == [("Fit", "failed", 1.5), ("Predict", "interrupted", 2.0)]
    metrics = {"NDCG@10": item_metric(0.5, KEY, "NDCG")}
    after = done(metrics, record)
    assert after["attempts"] == record["attempts"]
    assert understood(after, metrics) == {"NDCG@10": 0.5}
    assert "attempts" not in done(metrics)
    for _ in range(25):
        record = failed_item(LABELS, ORIGIN, record, predict_key="p", error=error, costs=COSTS)
    assert [attempt["status"] for attempt in record["attempts"]] == ["failed"] * 20


def test_an_interruption_counts_as_nothing() -> None:
    """An interruption counts neither as a failure nor as a death; the error of a broken disk is kept."""
    before = {"failures": 3, "deaths": 2}
    record = interrupted_item(LABELS, ORIGIN, before, predict_key="p", phase="Predict", costs={})
    assert (record["status"], record["phase"], record["error"]) == ("interrupted", "Predict", None)
    assert (record["failures"], record["deaths"]) == (3, 2)
    full = PhaseError("Predict", "the disk is full")
    assert interrupted_item(LABELS, ORIGIN, {}, predict_key="p", phase="Predict", costs={}, error=full)["error"] == {
        "phase": "Predict",
        "message": "the disk is full",
        "details": "",
    }


words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(['a "quoted" label', "NDCG@10", "metrics", "status", "done", "key", "value", "predicted", "test"]),
    st.sampled_from(
        ['"status": "done", "metrics": {', '"predicted": ', ', "key": "', '": {"value": ', "\\", '"}}', "\udcff"]
    ),
)
values = st.one_of(st.floats(), st.integers(-5, 5))
plain = st.recursive(
    st.one_of(words, values, st.none(), st.booleans()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
keys = st.text("0123456789abcdef", min_size=64, max_size=64)
identities = st.one_of(words, st.builds(json.dumps, plain))
metric_records = st.dictionaries(words, st.builds(item_metric, values, keys, identities), max_size=4)
lookalikes = st.builds(
    lambda metrics, predicted: {
        "status": "done",
        "metrics": metrics,
        "predicted": predicted,
        "test": TEST,
        "token": "t" * 32,
    },
    metric_records,
    st.sampled_from([PREDICTED, "other"]),
)
"""Hyperparameters that look like the record of an item."""


def labelled(parameters: Any, identity: Any) -> ItemLabels:
    return ItemLabels("D/A", KEY, "D", "A", parameters, 0, identity, "d" * 64)


def same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


def understood(record: Record, wanted: Record, predicted: str = PREDICTED, test: str = TEST) -> dict[str, float] | None:
    texts = [MetricText(label, metric["metric"]) for label, metric in wanted.items()]
    return DoneText.of(predicted, test, texts).metrics_in(text_of(record))


@given(metric_records, st.one_of(plain, lookalikes), st.one_of(plain, lookalikes), st.data())
def test_what_is_written_is_understood(metrics: Record, parameters: Any, identity: Any, data: st.DataObject) -> None:
    """Every value of every label, whatever the labels and the values are; also when fewer metrics are wanted."""
    labels = data.draw(st.lists(st.sampled_from(sorted(metrics)), unique=True) if metrics else st.just([]))
    record = done(metrics, labels=labelled(parameters, identity))
    found = understood(record, {label: metrics[label] for label in labels})
    assert found is not None
    assert list(found) == labels
    assert all(same(found[label], metrics[label]["value"]) for label in labels)


@given(
    metric_records,
    st.one_of(plain, lookalikes),
    metric_records,
    st.sampled_from(["p", PREDICTED]),
    st.sampled_from(["t", TEST]),
)
def test_a_wrong_number_is_never_read(
    metrics: Record, parameters: Any, wanted: Record, predicted: str, test: str
) -> None:
    """What was measured otherwise, of other predictions or on another test part sends the reader to the other records."""
    record = done(metrics, labels=labelled(parameters, parameters))
    found = understood(record, wanted, predicted, test)
    recorded = all(
        label in metrics and json.dumps(metrics[label]["metric"]) == json.dumps(metric["metric"])
        for label, metric in wanted.items()
    )
    if (predicted, test) != (PREDICTED, TEST) or not recorded:
        assert found is None
    else:
        assert found is not None
        assert all(same(found[label], metrics[label]["value"]) for label in wanted)


@given(metric_records, lookalikes)
def test_what_is_done_stays_done(metrics: Record, parameters: Any) -> None:
    """A later attempt that fails or is interrupted leaves an item done, with its metrics where the search finds them."""
    labels = labelled(parameters, [parameters])
    before = done(metrics, labels=labels)
    error = PhaseError("Eval", '"status": "done", "metrics": {', '"predicted": ')
    missing = {'"status": "done", "metrics": {': '"as_seed": 7, "status": '}
    failed = failed_item(labels, ORIGIN, before, predict_key="p", error=error, costs=COSTS, missing=missing)
    interrupted = interrupted_item(labels, ORIGIN, failed, predict_key="p", phase="Eval", costs={}, error=error)
    for record in (failed, interrupted):
        assert (record["status"], record["metrics"]) == ("done", before["metrics"])
        assert repr(understood(record, metrics)) == repr(understood(before, metrics))  # some values are no numbers
    assert [attempt["status"] for attempt in interrupted["attempts"]] == ["failed", "interrupted"]
    assert interrupted["stopped"]["error"]["message"] == error.message


@given(metric_records, lookalikes)
def test_only_what_is_done_has_metrics(metrics: Record, parameters: Any) -> None:
    """An item that is planned, failed, was interrupted or has new predictions says nothing, whatever it repeats."""
    labels = labelled(parameters, [parameters])
    before = done(metrics, labels=labels)
    error = PhaseError("Eval", '"status": "done", "metrics": {', '"predicted": ')
    planned = pending_item(labels.item_members)
    stopped = [
        planned,
        failed_item(labels, ORIGIN, planned, predict_key="p", error=error, costs=COSTS),
        interrupted_item(labels, ORIGIN, planned, predict_key="p", phase="Eval", costs={}, error=error),
        outdated_item(before),
        unmeasured_item(before),
    ]
    for record in stopped:
        assert understood(record, metrics) is None


def test_a_value_that_is_not_defined_is_not_read() -> None:
    """No number can stand for it."""
    metrics = {"RMSE": item_metric(None, KEY, "RMSE")}  # type: ignore[arg-type]  # a damaged mind wrote it
    assert understood(done(metrics), metrics) is None


@given(st.lists(words, unique=True, max_size=4), keys, identities, st.one_of(plain, lookalikes), st.booleans())
def test_the_metrics_of_recorded_groups_are_understood(
    groups: list[str], key: str, identity: str, parameters: Any, seeded: bool
) -> None:
    """Of all groups that the record names, whatever they are called; not where one was lost, or is of another metric."""

    def of_group(group: str) -> MetricText:
        return MetricText(f"NDCG@10 {group}", f"{identity} {group}")

    metrics = {
        text.label: item_metric(number / 8, key, text.identity) for number, text in enumerate(map(of_group, groups))
    }
    entry = {"NDCG@10 by x": recorded_groups(key, identity, groups)}
    as_seed = 7 if seeded else None
    labels = labelled({"groups": parameters, "more": lookalike_groups(entry)}, parameters)
    record = done({"HR@10": item_metric(0.5, key, "HR"), **metrics}, labels=labels, groups=entry, as_seed=as_seed)
    wanted = [MetricText("NDCG@10 by x", identity, of_group), MetricText("HR@10", "HR")]
    text = text_of(record)
    values = {label: metric["value"] for label, metric in metrics.items()}
    assert DoneText.of(PREDICTED, TEST, wanted).metrics_in(text) == {**values, "HR@10": 0.5}
    assert alike_seed_in(text) == as_seed
    other = [MetricText("NDCG@10 by x", f"{identity}!", of_group)]
    assert DoneText.of(PREDICTED, TEST, other).metrics_in(text) is None
    without = done({"HR@10": item_metric(0.5, key, "HR")}, labels=labels)
    assert DoneText.of(PREDICTED, TEST, wanted).metrics_in(text_of(without)) is None
    if groups:
        del record["metrics"][of_group(groups[-1]).label]
        assert DoneText.of(PREDICTED, TEST, wanted).metrics_in(text_of(record)) is None


def lookalike_groups(entry: Record) -> Record:
    """A hyperparameter that looks like the groups of an item, with what follows them."""
    return {"groups": entry, "status": "done", "metrics": {}}


def test_results_one_after_the_other_are_those_of_each_item() -> None:
    """Items that share parts of their records, also only some of them, have the results that they have alone."""
    parameters, others = {"k": 3}, {"k": 4}
    configuration, reseeded = (["configuration/1", {"parameters": parameters, "seed": seed}] for seed in (1, 2))
    items: list[Record] = [
        {
            "dataset": "D",
            "algorithm": algorithm,
            "parameters": own,
            "fold": fold,
            "fit_key": KEY,
            "metrics": {"NDCG@10": {"value": fold / 4}},
            "identity": ["fit/1", {"configuration": made_of, "fold": fold}],
        }
        for algorithm, own, made_of in (
            ("A-1", parameters, configuration),
            ("A-1", others, configuration),
            ("B-1", others, configuration),
            ("B-1", others, reseeded),
        )
        for fold in range(2)
    ]
    items.append({**items[0], "identity": None, "search": "5" * 64})
    assert list(results_of(items)) == [result_of(item) for item in items]
    assert len({(each.configuration, each.seed, each.seedless_key, each.tuned) for each in results_of(items)}) == 5
    without = list(results_of(items, with_seedless_key=False))
    assert without == [replace(each, seedless_key="") for each in results_of(items)]
    assert without != list(results_of(items))
    assert [have_several_seeds(some) for some in (items, items[:1], ())] == [True, False, False]
