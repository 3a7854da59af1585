"""What the records say of an item: done, failed, or still to do. Reads records only, never data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from omnibench.experiment.experiment import Experiment, eval_key
from omnibench.metrics.base import Metric
from omnibench.metrics.cost import CostMetric
from omnibench.store.reading import Reader
from omnibench.store.schema import RecordLookup, Status

Columns = Sequence[tuple[Metric, str]]


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class State(NamedTuple):
    """What is known of an item.

    Attributes:
        status: ``done`` when every wanted metric is recorded, ``failed`` when its last attempt failed, else
            ``pending``.
        metrics: The wanted values by qualified label, when done.
        error: ``{phase, message, details}`` of the last attempt, when failed.
        deaths: How often in a row its process died.
        known: Whether the item has a record of its own.
    """

    status: str
    metrics: Mapping[str, float] = _NOTHING
    error: Mapping[str, str] = _NOTHING
    deaths: int = 0
    known: bool = False


def look_up(get: RecordLookup, experiment: Experiment, columns: Columns, list_length: int) -> State:
    """Return what the records say of one item.

    Args:
        get: From a record's key to the record, or None: a snapshot's or the store's.
        experiment: The item.
        columns: The wanted metrics and labels.
        list_length: Recommendations per user.
    """
    keys = eval_keys(get, experiment, columns, list_length)
    if keys is not None:
        records = {label: get(f"eval/{key}") for label, key in keys.items()}
        if all(record is not None for record in records.values()):
            values = {label: record["value"] for label, record in records.items() if record}
            values |= costs(get, experiment, columns, list_length)
            named = [(experiment.qualified(metric, label), values.get(label)) for metric, label in columns]
            ordered = {name: value for name, value in named if value is not None}
            return State(Status.DONE, metrics=ordered, known=True)
    item = get(f"item/{experiment.fit_key}")
    if item is not None and item["status"] == Status.FAILED:
        return State(Status.FAILED, error=item["error"], deaths=item.get("deaths", 0), known=True)
    return State(Status.PENDING, known=item is not None)


Wanted = tuple[Experiment, Columns, int]
"""An item, the wanted metrics and labels, and the recommendations per user."""


def look_up_all(reader: Reader, wanted: Sequence[Wanted]) -> list[State]:
    """Return what the records say of many items: ``look_up`` of each, at a fraction of the cost.

    An item's own record repeats its metrics with what their evaluations were made of, so one that is done needs no
    other record. Neither those records nor what is read of them is kept: there may be 100,000.

    Args:
        reader: The records.
        wanted: The items.
    """
    tests = {key.removeprefix("data/"): record["test"] for key, record in reader.records("data/")}
    positions: dict[str, tuple[int, ...]] = {}
    for position, (experiment, _, _) in enumerate(wanted):
        positions[experiment.fit_key] = (*positions.get(experiment.fit_key, ()), position)
    expected: dict[Any, _Expected | None] = {}
    states: list[State | None] = [None] * len(wanted)
    for key, text in reader.sound_texts("item/"):
        for position in positions.get(key.removeprefix("item/"), ()):
            experiment, columns, list_length = wanted[position]
            # What is expected of one item is expected of thousands.
            kind = (id(experiment.dataset), experiment.fold, id(experiment.candidates), id(columns), list_length)
            if kind not in expected:
                expected[kind] = _expected(tests, experiment, columns, list_length)
            values = _told_by_item(text, expected[kind])
            if values is not None:
                states[position] = State(Status.DONE, metrics=values, known=True)
    return [state or look_up(reader.get, *one) for state, one in zip(states, wanted, strict=True)]


class _Expected(NamedTuple):
    """What the record of an item has to say, for its metrics to be those that are wanted today.

    Attributes:
        made_of: The part of its text that tells what the metrics were made of.
        metrics: Each metric's name, and what stands before its value and behind its key.
    """

    made_of: str
    metrics: list[tuple[str, str, str]]


def _expected(
    tests: Mapping[str, Sequence[str]], experiment: Experiment, columns: Columns, list_length: int
) -> _Expected | None:
    """Return what is expected of the record of an item, or None while its dataset is unknown."""
    test = tests.get(experiment.dataset.key)
    if test is None:
        return None
    made_of = f'{_MADE_OF}{json.dumps(experiment.predicted(list_length))}, "test": "{test[experiment.fold]}"'
    metrics = []
    for metric, label in columns:
        name = experiment.qualified(metric, label)
        identity = json.dumps(metric.canonical_identity(label))
        metrics.append((name, f'{json.dumps(name)}: {{"value": ', f'", "metric": {identity}}}'))
    return _Expected(made_of, metrics)


def _told_by_item(text: str, expected: _Expected | None) -> dict[str, float] | None:
    """Return the wanted metrics when an item's own record has all of them, of what they would be made of today.

    The text is searched, not parsed, which takes a third of the time. In JSON no quotation mark inside of a string stands
    alone, and what is not where it is expected only sends the reader to the other records.
    """
    begin = text.rfind(_DONE)
    if begin < 0 or expected is None or not text.startswith(expected.made_of, text.rfind(_MADE_OF)):
        return None
    values = {}
    for name, before, behind in expected.metrics:
        start = text.find(before, begin)
        end = text.find(_KEY, start)
        if start < 0 or not text.startswith(behind, end + len(_KEY) + _DIGITS):
            return None
        value = text[start + len(before) : end]
        if value == "null":
            return None
        values[name] = float(value)
    return values


_DONE = '"status": "done", "metrics": {'
_MADE_OF = '"predicted": '
_KEY = ', "key": "'
_DIGITS = 64
"""Of a key."""


def is_begun(get: RecordLookup, experiment: Experiment, list_length: int) -> bool:
    """Whether anything of an item was computed, or tried."""
    item = get(f"item/{experiment.fit_key}")
    if item is not None and item["status"] != Status.PENDING:
        return True
    keys = (f"fit/{experiment.fit_key}", f"predict/{experiment.predict_key(list_length)}")
    return any(get(key) is not None for key in keys)


def eval_keys(get: RecordLookup, experiment: Experiment, columns: Columns, list_length: int) -> dict[str, str] | None:
    """Return the evaluations' keys by label, or None while the item has no predictions. What it cost has none."""
    data = get(f"data/{experiment.dataset.key}")
    predict = get(f"predict/{experiment.predict_key(list_length)}")
    if data is None or predict is None:
        return None
    test = data["test"][experiment.fold]
    predictions = predict["predictions"]["sha256"]
    return {
        label: eval_key(experiment.fit_key, predictions, test, metric, label)
        for metric, label in columns
        if not isinstance(metric, CostMetric)
    }


def costs(get: RecordLookup, experiment: Experiment, columns: Columns, list_length: int) -> dict[str, float]:
    """Return what an item cost, by label, as far as it was measured."""
    wanted = [(metric, label) for metric, label in columns if isinstance(metric, CostMetric)]
    if not wanted:
        return {}
    fit = get(f"fit/{experiment.fit_key}")
    predict = get(f"predict/{experiment.predict_key(list_length)}")
    found = {label: metric.read(fit, predict) for metric, label in wanted}
    return {label: value for label, value in found.items() if value is not None}


def count(states: Iterable[State]) -> str:
    """Return e.g. ``12 items: 3 done, 1 failed, 8 pending``."""
    tally = Counter(state.status for state in states)
    total = tally.total()
    return f"{total} item{'' if total == 1 else 's'}: " + ", ".join(
        f"{tally[status]} {status}" for status in (Status.DONE, Status.FAILED, Status.PENDING)
    )
