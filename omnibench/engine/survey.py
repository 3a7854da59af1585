"""The state of items before a run: done, failed, or to be computed. Reads records only, never data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from omnibench.engine.items import Item
from omnibench.experiment.experiment import Experiment
from omnibench.metrics.base import Metric
from omnibench.store.done_text import DoneText, MetricText, alike_seed_in
from omnibench.store.reader import Reader
from omnibench.store.schema import SEARCHED, Phase, Record, RecordLookup, RecordType, Status, status_of
from omnibench.store.stops import failure_of


class State(NamedTuple):
    """The state of an item as a run needs it; the status that people see is ``schema.status_of``.

    Attributes:
        metrics: The wanted values by qualified label, or None when they are not all recorded.
        error: ``{phase, message, details}`` when they are not and its last attempt failed, else None.
        deaths: The number of times in a row that its process died.
        recorded: Whether the item has a record of its own.
        as_seed: Another seed that has made equal predictions, or None.
    """

    metrics: Mapping[str, float] | None = None
    error: Mapping[str, str] | None = None
    deaths: int = 0
    recorded: bool = False
    as_seed: int | None = None

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
    record = get(item.record_key)
    if record is None:
        return State()
    item = item.with_groups(get)
    is_done = record["status"] == Status.DONE
    eval_keys = item.eval_keys(get) if is_done else None  # else nothing more is read
    evaluations = {label: get(RecordType.EVAL.key(key)) for label, key in (eval_keys or {}).items()}
    if eval_keys is not None:
        values = {label: evaluation["value"] for label, evaluation in evaluations.items() if evaluation is not None}
        names = item.qualified_labels
        # The item's own record is what exports, gates and people go by: what it lacks is not done.
        recorded = [value is None or names[label] in record["metrics"] for label, value in values.items()]
        if len(values) == len(evaluations) and all(recorded):
            as_seed = record.get("as_seed") if item.experiment.seeds else None
            return State(item.qualified_values(values | item.costs(get)), recorded=True, as_seed=as_seed)
    if is_done:
        failure = failure_of(record, missing_metrics(get, item))
        if failure is not None and failure["error"]:
            return State(error=failure["error"], deaths=failure["deaths"], recorded=True)
    elif status_of(record, ()).status is Status.FAILED:
        return State(error=record["error"], deaths=record.get("deaths", 0), recorded=True)
    return State(recorded=True)


def missing_metrics(get: RecordLookup, item: Item) -> dict[str, str]:
    """Return the identities of those of an item's metrics that are not recorded, by what records call them.

    Args:
        get: From a record's key to the record, or None.
        item: The item.
    """
    item = item.with_groups(get)
    keys, names = item.eval_keys(get) or {}, item.qualified_labels
    return {
        names[label]: metric.canonical_identity(label)
        for metric, label in item.columns
        if label not in keys or get(RecordType.EVAL.key(keys[label])) is None
    }


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
    texts: dict[Any, DoneText | None] = {}
    states: list[State | None] = [None] * len(items)
    for key, text in reader.sound_texts(RecordType.ITEM.prefix):
        for position in positions.get(RecordType.ITEM.identity(key), ()):
            item = items[position]
            experiment = item.experiment
            # The texts to look for are the same for thousands of items, so they are made once.
            text_key = (
                id(experiment.dataset),
                experiment.fold,
                id(experiment.candidates),
                id(item.columns),
                item.list_length,
            )
            if text_key not in texts:
                texts[text_key] = _done_text(tests.get(experiment.dataset.key), item)
            done_text = texts[text_key]
            metrics = None if done_text is None else done_text.metrics_in(text)
            if metrics is not None:
                as_seed = alike_seed_in(text) if experiment.seeds else None
                states[position] = State(metrics, recorded=True, as_seed=as_seed)
    return [state or look_up(reader.get, item) for state, item in zip(states, items, strict=True)]


def _done_text(tests: Sequence[str] | None, item: Item) -> DoneText | None:
    """Return what to look for in the text of an item's record, or None while its dataset is unknown.

    Args:
        tests: The sha256 of the dataset's test part in each fold.
        item: The item.
    """
    if tests is None:
        return None
    experiment = item.experiment
    columns = [
        MetricText(
            experiment.qualified(metric, label),
            metric.canonical_identity(label),
            partial(_group_text, experiment, metric, label) if metric.groupings and not metric.group else None,
        )
        for metric, label in item.columns
    ]
    return DoneText.of(item.predicted, tests[experiment.fold], columns)


def _group_text(experiment: Experiment, metric: Metric, label: str, group: str) -> MetricText:
    """Return what to look for of one group, in the place of what stands for all groups."""
    member = metric.of_group(group)
    own_label = member.label_like(label)
    return MetricText(experiment.qualified(member, own_label), member.canonical_identity(own_label))


def recorded_threads(reader: Reader, fit_keys: Sequence[str]) -> dict[str, int]:
    """Return how many threads computed the items that were fitted, by their keys.

    The number is 0 where it is not recorded, or where Fit and Predict had different ones.

    Args:
        reader: The records, of which only these members are read: there may be thousands of items.
        fit_keys: The keys of items.
    """
    fits = reader.members([RecordType.FIT.key(key) for key in fit_keys], "threads")
    predict_keys = reader.members([RecordType.ITEM.key(key) for key in fit_keys], "predict_key")
    predicts = reader.members([RecordType.PREDICT.key(str(key)) for key in predict_keys.values()], "threads")
    threads = {}
    for key in fit_keys:
        fit_key, predict_key = RecordType.FIT.key(key), predict_keys.get(RecordType.ITEM.key(key))
        if fit_key in fits:
            count = fits[fit_key]
            alike = predicts.get(RecordType.PREDICT.key(str(predict_key)), count) == count
            threads[key] = count if isinstance(count, int) and alike else 0
    return threads


def begun(records: Mapping[str, Record], items: Iterable[Item]) -> Iterator[bool]:
    """Yield of each item whether anything of it was computed, or tried: a snapshot within its Fit counts, and its search.

    Args:
        records: The store's records.
        items: The items.
    """
    in_fit = {record["fit_key"] for key, record in records.items() if RecordType.SNAPSHOT.has(key)}
    searches = {RecordType.SEARCH.identity(key) for key in records if RecordType.SEARCH.has(key)}
    for item in items:
        record = records.get(item.record_key)
        keys = {Phase.FIT: item.fit_record_key, Phase.PREDICT: item.predict_record_key}
        finished = [phase for phase, key in keys.items() if key in records]
        is_within = item.experiment.fit_key in in_fit or (record or {}).get(SEARCHED) in searches
        yield is_within or status_of(record, finished).status is not Status.PENDING


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
