"""The records of a checkpoint directory, the items in them by any text that stands for them, and their log."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from omnibench.arguments import checked_arguments, checked_methods
from omnibench.paths import expanded
from omnibench.store import logbook
from omnibench.store.beneath import OF_ALL, refuse_links
from omnibench.store.evaluations import Evaluations, StoredEvaluations
from omnibench.store.formats import refuse_newer
from omnibench.store.light_records import light_records_in
from omnibench.store.overview import items_of
from omnibench.store.ownership import no_store
from omnibench.store.plans import PlannedLabels, with_planned_labels
from omnibench.store.reader import Reader
from omnibench.store.reading import Answer, read, read_all
from omnibench.store.schema import Record, RecordType
from omnibench.store.selection import select_all, select_one
from omnibench.store.shared_parts import UNCOMPARED, SharedParts
from omnibench.store.single_items import single_item


@checked_methods
@checked_arguments
class NamedItems:
    """The records and items of a checkpoint directory, read anew whenever they are asked for.

    Args:
        path: The checkpoint directory.

    Raises:
        StoreError: There is no store, or a newer omnibench has made it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(expanded(path)))
        refuse_newer(self.root)
        if not os.path.exists(self.root / "store" / "cache.db"):  # unlike Path's, it says no to a name that is too long
            raise no_store(self.root)
        refuse_links(self.root, *OF_ALL)

    def records(self) -> dict[str, Record]:
        """Return every sound record by key, as the engine sees them; items are called as in the last plan."""
        return with_planned_labels(read_all(self.root / "store"))

    def records_of(self, *record_types: RecordType) -> dict[str, Record]:
        """Return the sound records of some types by key, in the order in which they were written; see ``records``.

        Args:
            record_types: The types; with that of plans, items are called as in the last plan.
        """

        def take(reader: Reader) -> dict[str, Record]:
            prefixes = (record_type.prefix for record_type in record_types)
            return {key: record for prefix in prefixes for key, record in reader.records(prefix, in_order=True)}

        return with_planned_labels(read(self.root / "store", take))

    def record(self, key: str) -> Record | None:
        """Return the sound record that has a key, or None; items are called as they were when they were first computed."""
        return read(self.root / "store", lambda reader: reader.get(key))

    def compared(self, take: Callable[[dict[str, Record], Evaluations], Answer]) -> Answer:
        """Return an answer that is made of metrics: evaluations are looked up when they are asked for.

        Args:
            take: Called with the records of items, plans and datasets by key, and with the evaluations; see ``compared_in_turn``.
        """

        def of_all(records: dict[str, Record], items: Iterator[tuple[str, Record]], evaluations: Evaluations) -> Answer:
            return take({**records, **dict(items)}, evaluations)

        return self.compared_in_turn(of_all)

    def compared_in_turn(
        self, take: Callable[[dict[str, Record], Iterator[tuple[str, Record]], Evaluations], Answer]
    ) -> Answer:
        """Return an answer that is made of metrics, and of one item after the other: there may be a hundred thousand.

        Args:
            take: Called with the records of plans and datasets by key; with key and record of every item in the order in which they
                were written, to be gone through once; and with the evaluations, which can be asked for afterwards, too. It is called
                again where that failed half way. What nobody needs who compares metrics is left out of items.
        """

        def answer(reader: Reader) -> Answer:
            plans = dict(reader.records(RecordType.PLAN.prefix, in_order=True))
            datasets = reader.records(RecordType.DATA.prefix, in_order=True)
            evaluations = StoredEvaluations(self.root, reader)
            try:
                return take(
                    {**plans, **dict(datasets)}, _items_to_compare(reader, PlannedLabels(plans.items())), evaluations
                )
            finally:
                evaluations.close()

        return read(self.root / "store", answer)

    def items(self) -> dict[str, Record]:
        """Return the record of every item by name, with its ``status`` as of now.

        Statuses are done, failed, interrupted, pending, and running for those that somebody computes right now.
        """
        return self.items_in(self.records())

    def brief_records(self) -> dict[str, Record]:
        """Return the records that tell which items there are and how far each is, by key; see ``brief_items``."""

        def take(reader: Reader) -> dict[str, Record]:
            return light_records_in(reader, with_costs=False, with_nodes=True).records

        return read(self.root / "store", take)

    def brief_items(self) -> dict[str, Record]:
        """Return what ``items`` returns, without the metrics of those that are done, and what only runs need: of many it takes less memory."""
        return self.items_in(self.brief_records())

    def items_in(self, records: dict[str, Record]) -> dict[str, Record]:
        """Return what ``items`` returns, from records that have been read already."""
        return items_of(self.root, records)

    def logs(
        self,
        since_id: int | None = None,
        *,
        item: str | None = None,
        min_level: int = 0,
        limit: int = 1000,
        superseded: bool = False,
    ) -> list[dict[str, Any]]:
        """Return log entries, oldest first: the newest ones, or those that follow an entry.

        Args:
            since_id: Only the first entries after this one, so that one can follow: give the ``id`` of the last seen,
                or 0 to begin with the first of all.
            item: Only those about an item, or about all items that this text stands for.
            min_level: Only those from this level on, as in ``logging``.
            limit: At most this many.
            superseded: Also what a killed Fit has printed behind the snapshot from which a later attempt goes on.

        Returns:
            For each ``id, time, run, worker, item, level, level_name, logger, message, superseded`` (by which entry).

        Raises:
            StoreError: The log cannot be read.
        """
        if not (self.root / logbook.NAME).exists():
            return []
        names = self.select(item) if item else None
        return logbook.select(self.root, since_id, items=names, min_level=min_level, limit=limit, superseded=superseded)

    def count_logs(
        self, before_id: int | None = None, *, item: str | None = None, min_level: int = 0, superseded: bool = False
    ) -> int:
        """Return how many log entries there are.

        Args:
            before_id: Only entries before this one.
            item: Only those about an item, or about all items that this text stands for.
            min_level: Only those from this level on, as in ``logging``.
            superseded: Also those that ``logs`` leaves out without it.

        Raises:
            StoreError: The log cannot be read.
        """
        names = self.select(item) if item else None
        return logbook.count(self.root, before_id, items=names, min_level=min_level, superseded=superseded)

    def about(self, item: str) -> tuple[Record, dict[str, Record]]:
        """Return the record of one item, and the records that tell of it: those of others too, where it takes all to tell.

        Args:
            item: Any text that stands for it alone; see ``docs/store.md``, "Naming items".

        Raises:
            StoreError: It fits no item, or several, which are listed.
        """
        single = single_item(self.root, item)
        if single is not None:
            (record,) = self.items_in(single.records).values()
            return record, single.records
        name = select_one(item, self.brief_items())
        single = single_item(self.root, name)
        if single is not None and single.name == name:
            (record,) = self.items_in(single.records).values()
            return record, single.records
        records = self.records()
        return self.items_in(records)[name], records

    def find(self, item: str) -> Record:
        """Return the record of one item.

        Args:
            item: Any text that stands for it alone; see ``docs/store.md``, "Naming items".

        Raises:
            StoreError: It fits no item, or several, which are listed.
        """
        return self.about(item)[0]

    def select(self, *items: str) -> list[str]:
        """Return the names of all items that any of several texts stands for, each once.

        Args:
            items: Texts such as ``ItemKNN(K=100)`` or ``MovieLens100K/RecPack.*``; see ``docs/store.md``.

        Raises:
            StoreError: One of them fits no item.
        """
        singles = (single_item(self.root, item, labelled=False) for item in items)
        names = [single.name for single in takewhile(bool, singles) if single]
        return list(dict.fromkeys(names)) if len(names) == len(items) else select_all(items, self.brief_items())


def _items_to_compare(reader: Reader, plan: PlannedLabels) -> Iterator[tuple[str, Record]]:
    """Yield key and record of every item, called as in a plan, without what nobody needs who compares metrics."""
    shared = SharedParts()
    for key, item, is_light in reader.light_items():
        if is_light:
            del item["predict_key"]
        labelled = plan.labelled(item)
        yield key, labelled if is_light else shared.item_without(UNCOMPARED, labelled)
