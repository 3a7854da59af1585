"""The facts about an item that stand beside its numbers in files: what it was made of, with which uncertainty, at which cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

from omnibench.report.folds import Folds
from omnibench.report.recorded_items import Making, RecordedItem, making_of
from omnibench.store.lookups import Lookups, uncertainty_of
from omnibench.store.packed_metrics import PackedMetrics, evaluation_keys
from omnibench.store.phase_facts import PhaseFacts, Texts, Uncertainty, spread_of
from omnibench.store.schema import Record, RecordLookup, RecordType
from omnibench.store.taken import Origin, origins_of

_FACTS_AT_HAND = 1000
"""How many items the facts are kept of that are looked up: a row per metric, and a configuration with all of its folds."""

_FACTS_AHEAD = 500
"""How many items the facts are made of together."""


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """The facts about an item that are recorded beside its metrics; what is not recorded is None, or empty.

    Attributes:
        dataset_key: Identifies its dataset.
        configuration_key: Identifies its configuration, whatever the data.
        parameters: The hyperparameters that were given, as JSON with sorted names and no blanks.
        framework: The framework, e.g. ``RecPack``.
        version: The framework's version.
        fit_seconds: Wall seconds of Fit, without the start of the framework's process.
        predict_seconds: Wall seconds of Predict, for all users with test items; likewise.
        peak_memory: Largest resident set of the framework's process in Fit and Predict, in bytes.
        finished: When it was done, as an ISO timestamp.
        uncertainties: By label, of the metrics that are recorded.
        start_seconds: Wall seconds that Fit and Predict waited for that process to start; 0 when it ran already.
        attempts: What each attempt at Fit has cost, where it went on from a snapshot; its seconds and memory are those of all.
        origins: Where metrics come from that were not computed in this store.
    """

    dataset_key: str = ""
    configuration_key: str = ""
    parameters: str = "{}"
    framework: str = ""
    version: str = ""
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    peak_memory: int | None = None
    finished: str = ""
    uncertainties: Mapping[str, Uncertainty] = field(default_factory=dict)
    start_seconds: float | None = None
    attempts: tuple[Mapping[str, Any], ...] = ()
    origins: tuple[Origin, ...] = ()

    def origin_of(self, label: str) -> Origin | None:
        """Return where a metric comes from, or None where it was computed in this store."""
        return next((origin for origin in self.origins if label in origin.labels), None)


class PlainFacts(NamedTuple):
    """The facts about several items of which all is recorded as runs record it, and nothing was taken over, by column.

    Attributes:
        data_keys: What identifies their datasets.
        makings: How they were made: digests of configurations, hyperparameters as text, frameworks and versions.
        versions: The versions of their frameworks.
        fits: Of their fits the seconds, those of waiting, the peaks of memory; see ``store.phase_facts``.
        predictions: Likewise.
        spreads: Of their metrics, one item after the other, the standard errors, both ends of intervals, the users.
    """

    data_keys: list[str]
    makings: list[Making]
    versions: list[str]
    fits: Texts
    predictions: Texts
    spreads: Texts


class FactsInBlocks(Mapping[str, ItemFacts]):
    """Facts about items by fit key, of which those of many may be had by column."""

    def plain(self, block: Sequence[Folds]) -> PlainFacts | None:
        """Return the facts about the items of several results by column; None where those of one have to be looked at alone.

        Args:
            block: The results, which are of different items.
        """
        return None


class _Makings:
    """Tells how items were made; of the folds of a configuration, which follow each other, it is the same object."""

    def __init__(self) -> None:
        self._latest: tuple[RecordedItem, Making] | None = None

    def of(self, item: RecordedItem) -> Making:
        """Return how an item was made, by what its own record says."""
        latest = self._latest
        if (
            latest is None
            or latest[0].configuration is not item.configuration
            or latest[0].parameters is not item.parameters
        ):
            self._latest = latest = item, making_of(item.configuration or [], item.parameters)
        return latest[1]


def _looked_up(items: Mapping[str, RecordedItem], lookups: Lookups, makings: _Makings, fit_key: str) -> ItemFacts:
    """Return the facts about an item whose records are looked up.

    Args:
        items: What the own records of items say, by fit key.
        lookups: Looks up what facts take of records.
        makings: Tells how it was made.
        fit_key: Its key.
    """
    item = items[fit_key]
    if item.configuration is None:
        return _facts(fit_key, item, lookups.get)
    return _facts(fit_key, item, lookups.facts, lookups.uncertainty, makings.of(item))


class FactsByKey(FactsInBlocks):
    """The facts about items by fit key, made when they are asked for: there may be a hundred thousand.

    Args:
        items: What their own records say, by fit key.
        lookups: Looks up what facts take of records; whole records of items whose own record does not say what they were made of.
    """

    def __init__(self, items: Mapping[str, RecordedItem], lookups: Lookups) -> None:
        self._items = items
        self._lookups = lookups
        self._makings = _Makings()
        # Of no method: an object that holds a bound method of its own is freed by the garbage collector alone, some time later.
        self._facts = lru_cache(maxsize=_FACTS_AT_HAND)(partial(_looked_up, items, lookups, self._makings))
        self._ahead: dict[str, ItemFacts | None] = {}
        self._next = 0

    def _look_ahead(self, fit_key: str, phases: PhaseFacts) -> None:
        """Make the facts about the next items together, of which the first should be this one: most ask for one after the other."""
        for begin in (self._next, 0):  # 0 for the next file
            fit_keys = self._order[begin : begin + _FACTS_AHEAD]
            if fit_key in fit_keys:
                break
        else:
            return
        self._next = begin + len(fit_keys)
        self._ahead.clear()
        items = [self._items[key] for key in fit_keys]
        fits = phases.numbers(RecordType.FIT, fit_keys)
        predictions = phases.numbers(RecordType.PREDICT, [item.predict_key for item in items])
        keys_by_label = [evaluation_keys(item.metrics) for item in items]
        spreads = iter(phases.numbers(RecordType.EVAL, [key for keys in keys_by_label for key in keys.values()]))
        for key, item, fit, prediction, keys in zip(fit_keys, items, fits, predictions, keys_by_label, strict=True):
            numbers = [*zip(keys, spreads, strict=False)]
            whole = all(spread is not None for _, spread in numbers) and len(numbers) == len(keys)
            if (
                fit is None
                or prediction is None
                or item.configuration is None
                or not whole
                or self._lookups.is_taken(key)
            ):
                self._ahead[key] = None  # it is looked up
                continue
            uncertainties = {label: spread_of(spread) for label, spread in numbers if spread is not None}
            costs = phases.costs_of(fit), phases.costs_of(prediction)
            self._ahead[key] = _facts_from(item, self._makings.of(item), *costs, uncertainties)

    def plain(self, block: Sequence[Folds]) -> PlainFacts | None:
        """Return the facts about the items of several results by column; see ``FactsInBlocks``."""
        phases, lookups = self._lookups.phases, self._lookups
        fit_keys = [key for folds in block for key in folds.fit_keys]
        if phases is None or any(map(lookups.is_taken, fit_keys)):
            return None
        items = [folds.recorded_item(0) if folds.items is not None else None for folds in block]
        listed = [[] if folds.items is not None else [self._items[key] for key in folds.fit_keys] for folds in block]
        if any(item.configuration is None for of_folds in listed for item in of_folds):
            return None
        predict_keys: list[str] | bytes
        evaluations: list[str] | bytes
        if not any(listed):
            predict_keys = b"".join([folds.items.predictions for folds in block if folds.items is not None])
            evaluations = b"".join([folds.items.digests for folds in block if folds.items is not None])
        else:
            whole = [
                ([folds.recorded_item(number) for number in range(len(folds))] if folds.items is not None else of_folds)
                for folds, of_folds in zip(block, listed, strict=True)
            ]
            predict_keys = [item.predict_key for of_folds in whole for item in of_folds]
            labels = [folds.labels for folds in block for _ in range(len(folds))]
            evaluations = _keys_of_evaluations([item for of_folds in whole for item in of_folds], labels)
        fits = phases.texts(RecordType.FIT, fit_keys)
        predictions = phases.texts(RecordType.PREDICT, predict_keys)
        spreads = phases.texts(RecordType.EVAL, evaluations)
        if fits is None or predictions is None or spreads is None:
            return None
        makings: list[Making] = []
        data_keys: list[str] = []
        for folds, item, of_folds in zip(block, items, listed, strict=True):
            recorded = of_folds if item is None else [item] * len(folds)
            makings += [self._makings.of(of_item) for of_item in recorded]
            data_keys += [of_item.data_key for of_item in recorded]
        versions = [phases.version(number) or making.version for number, making in zip(fits.last, makings, strict=True)]
        return PlainFacts(data_keys, makings, versions, fits, predictions, spreads)

    @cached_property
    def _order(self) -> list[str]:
        return list(self._items)

    def __getitem__(self, fit_key: str) -> ItemFacts:
        if fit_key not in self._ahead and (phases := self._lookups.phases) is not None:
            self._look_ahead(fit_key, phases)
        return self._ahead.get(fit_key) or self._facts(fit_key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def _keys_of_evaluations(items: Sequence[RecordedItem], labels_of_items: Sequence[Sequence[str]]) -> list[str] | bytes:
    """Return the keys of the evaluations of some metrics of items; as digests where these are all that items have, packed.

    Args:
        items: What their own records say.
        labels_of_items: The labels of each.
    """
    digests = [
        item.metrics.digests
        for item, labels in zip(items, labels_of_items, strict=True)
        if isinstance(item.metrics, PackedMetrics) and labels is item.metrics.labels
    ]
    if len(digests) == len(items):
        return b"".join(digests)
    keys_by_label = [evaluation_keys(item.metrics) for item in items]
    return [keys[label] for keys, labels in zip(keys_by_label, labels_of_items, strict=True) for label in labels]


def facts_of_item(fit_key: str, lookup: RecordLookup) -> ItemFacts:
    """Return the facts about an item, of which there may be no record.

    Args:
        fit_key: Its key.
        lookup: From a record's key to the record, or None.
    """
    item = lookup(RecordType.ITEM.key(fit_key))
    return ItemFacts() if item is None else _facts(fit_key, RecordedItem.of(item), lookup)


def _facts(
    fit_key: str,
    item: RecordedItem,
    lookup: RecordLookup,
    uncertainty: Callable[[str], Uncertainty] | None = None,
    making: Making | None = None,
) -> ItemFacts:
    uncertainty = uncertainty or (lambda key: uncertainty_of(lookup(key) or {}))
    fit = lookup(RecordType.FIT.key(fit_key)) or {}
    predict = (lookup(RecordType.PREDICT.key(item.predict_key)) if item.predict_key else None) or {}
    data_key = item.data_key
    if making is None:
        fields = {} if item.configuration is not None or not fit.get("identity") else fit["identity"][1]
        making = making_of(item.configuration or fields.get("configuration"), item.parameters)
        data_key = data_key or fields.get("data", "")
    marked = lookup(RecordType.TAKEN.key(fit_key))
    return _facts_from(
        item._replace(data_key=data_key),
        making,
        fit,
        predict,
        {label: uncertainty(RecordType.EVAL.key(key)) for label, key in evaluation_keys(item.metrics).items()},
        () if marked is None else tuple(origins_of(marked, {"metrics": item.metrics})),
    )


def _facts_from(
    item: RecordedItem,
    making: Making,
    fit: Record,
    predict: Record,
    uncertainties: Mapping[str, Uncertainty],
    origins: tuple[Origin, ...] = (),
) -> ItemFacts:
    """Return the facts about an item.

    Args:
        item: What its own record says.
        making: How it was made.
        fit: What facts take of the record of its fit.
        predict: Likewise of its predictions.
        uncertainties: Those of its metrics, by label.
        origins: Where metrics come from that were not computed in this store.
    """
    peaks = [peak for phase in (fit, predict) if (peak := phase.get("peak_rss")) is not None]
    waits = [waited for phase in (fit, predict) if (waited := phase.get("start_seconds")) is not None]
    return ItemFacts(
        item.data_key,
        making.configuration_key,
        making.parameters,
        making.framework,
        fit.get("version") or making.version,
        fit.get("seconds"),
        predict.get("seconds"),
        max(peaks) if peaks else None,
        item.finished,
        uncertainties,
        sum(waits) if waits else None,
        tuple(fit.get("attempts") or ()),
        origins,
    )
