"""What is recorded of one item, read by the indexes of the records: a store may have a hundred thousand others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from omnibench.store.plans import PlannedLabels
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import SEARCHED, Record, RecordType, snapshot_identity
from omnibench.store.written_names import is_digits


@dataclass(frozen=True, slots=True)
class SingleItem:
    """The records that tell of one item.

    Attributes:
        fit_key: The item's key.
        records: By key, in the order of a whole reading: its own, those of its data, runs and metrics, and all workers'.
        damaged: The keys of those that are damaged.
    """

    fit_key: str
    records: dict[str, Record]
    damaged: list[str]

    @property
    def name(self) -> str:
        """The item's name."""
        return str(self.records[RecordType.ITEM.key(self.fit_key)]["item"])


def single_item(root: Path, text: str, *, labelled: bool = True) -> SingleItem | None:
    """Return what is recorded of the only item that a text stands for; None where that takes all records.

    So it is where the database has no indexes yet, where the text is no name and no beginning of a key, and of tuned items,
    which share their trials with others.

    Args:
        root: The store's directory.
        text: The text; see ``docs/store.md``, "Naming items".
        labelled: Whether the item is to be called as in the last plan, which may name a hundred thousand others.

    Raises:
        StoreError: The records cannot be read.
    """
    damaged: list[str] = []

    def take(reader: Reader) -> SingleItem | None:
        damaged.clear()
        return item_in(reader, text, damaged, labelled=labelled)

    return read(root / "store", take, damaged.append)


def item_in(reader: Reader, text: str, damaged: list[str], *, labelled: bool = True) -> SingleItem | None:
    """Return what a reader finds of the only item that a text stands for; see ``single_item``.

    Args:
        reader: The reader.
        text: The text.
        damaged: The list that the reader adds the keys of damaged records to.
        labelled: See ``single_item``.
    """
    name = text.strip().rstrip("/")
    if not reader.is_indexed or ("/" not in name and not is_digits(name)):
        return None
    fit_key = reader.item_key(name)
    item = None if fit_key is None else reader.get(RecordType.ITEM.key(fit_key))
    if fit_key is None or item is None or item.get(SEARCHED):
        return None
    if labelled or item["item"] != name:  # an item's name comes before what a label says
        plan = PlannedLabels(reader.records(RecordType.PLAN.prefix, in_order=True))
        if name in plan.labels:
            return None
        item = plan.labelled(item)
    own = dict(reader.of_item(fit_key))
    records = {**own, RecordType.ITEM.key(fit_key): item, **_others(reader, fit_key, own)}
    return SingleItem(fit_key, records, damaged)


def items_named(root: Path, names: Iterable[str]) -> dict[str, Record]:
    """Return the recorded items that have some names, called as in the last plan; none where there are no indexes yet.

    Args:
        root: The store's directory.
        names: Full names.

    Raises:
        StoreError: The records cannot be read.
    """

    def take(reader: Reader) -> dict[str, Record]:
        if not reader.is_indexed:
            return {}
        plan = PlannedLabels(reader.records(RecordType.PLAN.prefix, in_order=True))
        keys = {name: reader.keys_named(name) for name in names}  # of several, the caller looks which counts
        items = ((name, reader.get(of_name[0])) for name, of_name in keys.items() if len(of_name) == 1)
        return {name: plan.labelled(item) for name, item in items if item is not None}

    return read(root / "store", take)


def _others(reader: Reader, fit_key: str, own: dict[str, Record]) -> dict[str, Record]:
    """Return the records of others that facts about an item are made of."""
    keys = dict.fromkeys(key for record in own.values() for key in keys_named_in(record))
    keys[RecordType.FIT.key(fit_key)] = None  # of a damaged record, the index need not know the item
    records = {key: record for key in keys if key not in own and (record := reader.get(key)) is not None}
    for _ in reader.records(RecordType.SNAPSHOT.key(snapshot_identity(fit_key, ""))):
        pass  # likewise: the reader tells of those that are damaged
    return records | dict(reader.records(RecordType.WORKER.prefix))


def keys_named_in(record: Record) -> Iterator[str]:
    """Yield the keys of the records that a record of an item names."""
    if record.get("data_key"):
        yield RecordType.DATA.key(record["data_key"])
        yield RecordType.RECIPE.key(record["data_key"])
    identity = record.get("identity")
    if identity:
        yield RecordType.DATA.key(str(identity[1].get("data")))
        yield RecordType.RECIPE.key(str(identity[1].get("data")))
    if record.get("run"):
        yield RecordType.RUN.key(str(record["run"]))
    if record.get("worker"):
        yield RecordType.WORKER.key(str(record["worker"]))
    if record.get("predict_key"):
        yield RecordType.PREDICT.key(record["predict_key"])
    for metric in (record.get("metrics") or {}).values() if isinstance(record.get("metrics"), dict) else ():
        yield RecordType.EVAL.key(metric["key"])
