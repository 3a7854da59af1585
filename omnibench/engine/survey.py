"""What the records say of items before a run: done, failed, or to be computed. Reads records only, never data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from omnibench.engine.items import Item
from omnibench.store.reading import Reader
from omnibench.store.schema import Phase, RecordLookup, RecordType, Status, status_of


class State(NamedTuple):
    """What a run has to know of an item; how an item stands for people is ``schema.status_of``.

    Attributes:
        metrics: The wanted values by qualified label, or None when they are not all recorded.
        error: ``{phase, message, details}`` when they are not and its last attempt failed, else None.
        deaths: How often in a row its process died.
        recorded: Whether the item has a record of its own.
    """

    metrics: Mapping[str, float] | None = None
    error: Mapping[str, str] | None = None
    deaths: int = 0
    recorded: bool = False

    @property
    def is_done(self) -> bool:
        """Whether every wanted metric is recorded."""
        return self.metrics is not None


def look_up(get: RecordLookup, item: Item) -> State:
    """Return what the records say of one item.

    Args:
        get: From a record's key to the record, or None: a snapshot's or the store's.
        item: The item.
    """
    eval_keys = item.eval_keys(get)
    if eval_keys is not None:
        records = {label: get(RecordType.EVAL.key(key)) for label, key in eval_keys.items()}
        if all(record is not None for record in records.values()):
            values = {label: record["value"] for label, record in records.items() if record}
            return State(item.named(values | item.costs(get)), recorded=True)
    record = get(item.record_key)
    if record is not None and status_of(record, ()).status is Status.FAILED:
        return State(error=record["error"], deaths=record.get("deaths", 0), recorded=True)
    return State(recorded=record is not None)


def look_up_all(reader: Reader, items: Sequence[Item]) -> list[State]:
    """Return what the records say of many items: ``look_up`` of each, at a fraction of the cost.

    An item's own record repeats its metrics with what their evaluations were made of, so one that is done needs no
    other record. Neither those records nor what is read of them is kept: there may be 100,000.

    Args:
        reader: The records.
        items: The items.
    """
    data_records = reader.records(RecordType.DATA.prefix)
    tests = {RecordType.DATA.identity(key): record["test"] for key, record in data_records}
    positions: dict[str, tuple[int, ...]] = {}
    for position, item in enumerate(items):
        fit_key = item.experiment.fit_key
        positions[fit_key] = (*positions.get(fit_key, ()), position)
    expectations: dict[Any, _Expectation | None] = {}
    states: list[State | None] = [None] * len(items)
    for key, text in reader.sound_texts(RecordType.ITEM.prefix):
        for position in positions.get(RecordType.ITEM.identity(key), ()):
            item = items[position]
            experiment = item.experiment
            # What is expected of one item is expected of thousands.
            shared = (
                id(experiment.dataset),
                experiment.fold,
                id(experiment.candidates),
                id(item.columns),
                item.list_length,
            )
            if shared not in expectations:
                expectations[shared] = _expectation(tests, item)
            metrics = _metrics_in(text, expectations[shared])
            if metrics is not None:
                states[position] = State(metrics, recorded=True)
    return [state or look_up(reader.get, item) for state, item in zip(states, items, strict=True)]


class _Expectation(NamedTuple):
    """What the record of an item has to say, for its metrics to be those that are wanted today.

    Attributes:
        made_of: The part of its text that tells what the metrics were made of.
        metrics: Each metric's name, and what stands before its value and behind its key.
    """

    made_of: str
    metrics: list[tuple[str, str, str]]


def _expectation(tests: Mapping[str, Sequence[str]], item: Item) -> _Expectation | None:
    """Return what is expected of the record of an item, or None while its dataset is unknown."""
    experiment = item.experiment
    test = tests.get(experiment.dataset.key)
    if test is None:
        return None
    predicted = json.dumps(experiment.predicted(item.list_length))
    metrics = []
    for metric, label in item.columns:
        name = experiment.qualified(metric, label)
        identity = json.dumps(metric.canonical_identity(label))
        metrics.append((name, f'{json.dumps(name)}: {{"value": ', f'", "metric": {identity}}}'))
    return _Expectation(f'{_MADE_OF}{predicted}, "test": "{test[experiment.fold]}"', metrics)


def _metrics_in(text: str, expectation: _Expectation | None) -> dict[str, float] | None:
    """Return the wanted metrics when an item's own record has all of them, of what they would be made of today.

    The text is searched, not parsed, which takes a third of the time. In JSON no quotation mark inside of a string stands
    alone, and what is not where it is expected only sends the reader to the other records.
    """
    begin = text.rfind(_DONE)
    if begin < 0 or expectation is None or not text.startswith(expectation.made_of, text.rfind(_MADE_OF)):
        return None
    values = {}
    for name, before, behind in expectation.metrics:
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


def is_begun(get: RecordLookup, item: Item) -> bool:
    """Whether anything of an item was computed, or tried.

    Args:
        get: From a record's key to the record, or None.
        item: The item.
    """
    keys = {Phase.FIT: item.fit_record_key, Phase.PREDICT: item.predict_record_key}
    finished = [phase for phase, key in keys.items() if get(key) is not None]
    return status_of(get(item.record_key), finished).status is not Status.PENDING


def count(states: Iterable[State]) -> str:
    """Return e.g. ``12 items: 3 done, 1 failed, 8 pending``."""
    tally = Counter(_status(state) for state in states)
    total = tally.total()
    return f"{total} item{'' if total == 1 else 's'}: " + ", ".join(
        f"{tally[status]} {status}" for status in (Status.DONE, Status.FAILED, Status.PENDING)
    )


def _status(state: State) -> Status:
    """Return what a run will do with an item: nothing, try again, or compute it."""
    if state.is_done:
        return Status.DONE
    return Status.PENDING if state.error is None else Status.FAILED
