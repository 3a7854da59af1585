"""The facts about the items of a store, each made when it is asked for: those of ten thousand items take half a gigabyte."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from omnibench.store.facts import FactSource
from omnibench.store.light_records import light_records_in
from omnibench.store.overview import items_of
from omnibench.store.plans import PlannedLabels, with_planned_labels
from omnibench.store.reader import Reader
from omnibench.store.schema import SEARCHED, Phase, Record, RecordType, Status
from omnibench.store.single_items import keys_named_in

_AT_HAND = 1024
"""Records of datasets, runs and workers that are kept: most items share them."""


class FactsInTurn:
    """The facts about the items of a store as of one moment, by the items' names.

    Args:
        root: The store's directory.
        reader: Reads the records, for as long as facts are asked for.

    Attributes:
        fit_keys: The key of each item, in the order of the items' names.
    """

    def __init__(self, root: Path, reader: Reader) -> None:
        self._reader = reader
        light = light_records_in(reader, with_costs=False).records
        items = items_of(root, light)
        self._plan = PlannedLabels(light.items())
        self._is_indexed = reader.is_indexed
        self._datasets: dict[tuple[str, str, int | None], dict[str, Any]] = {}
        self._shared = lru_cache(maxsize=_AT_HAND)(reader.get)
        self.fit_keys = [item["fit_key"] for item in items.values()]
        self._unfinished = {item["fit_key"]: item for item in items.values() if item["status"] != Status.DONE}

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return the facts about an item, as ``facts.FactSource`` has them."""
        fit_key = self.fit_keys[number]
        item = self._unfinished.get(fit_key) or self._done(fit_key)
        # Those that are tuned share their trials with others.
        alone = self._is_indexed and not item.get(SEARCHED)
        source = FactSource(dict(self._telling(fit_key, item)), self._datasets) if alone else self._of_all
        return source.facts_of(item)

    def _done(self, fit_key: str) -> Record:
        item = self._reader.get(RecordType.ITEM.key(fit_key)) or {}  # sound: it was read as of this moment
        return {**self._plan.labelled(item), "status": Status.DONE.value, "phase": Phase.DONE.value}

    @cached_property
    def _of_all(self) -> FactSource:
        return FactSource(with_planned_labels(dict(self._reader.records())))

    def _telling(self, fit_key: str, item: Record) -> Iterator[tuple[str, Record]]:
        """Yield the records that tell of an item, by key."""
        own = dict(self._reader.of_item(fit_key))
        item_key = RecordType.ITEM.key(fit_key)
        yield from ({**own, item_key: item} if item_key in own else own).items()
        keys = {RecordType.FIT.key(fit_key): None}  # of a damaged record, the index need not know the item
        for record in own.values():
            keys |= dict.fromkeys(keys_named_in(record))
        for key in keys.keys() - own.keys():
            shared = self._shared(key)
            if shared is not None:
                yield key, shared
