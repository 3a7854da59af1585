"""What two stores say of one item: what one of them lacks, and where they contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from omnibench.sharing.bundles import OF_PHASES, Bundle
from omnibench.store.schema import DROPPED, Record, RecordType

_ADDED = (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL, RecordType.SERIES)


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that two stores have under the same key, and not alike.

    Attributes:
        label: The metric, or what else it is.
        ours: What the store says that things are taken into.
        theirs: What the other one says.
    """

    label: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.label}: {self.ours} here, {self.theirs} there"


def differences(own: Mapping[str, Record], bundle: Bundle) -> list[Difference]:
    """Return where the records of an item contradict those of a bundle; none where they go together.

    Predictions of one key have to have the same digest, evaluations the same value. Models may differ in their bytes, as
    pickles do: what a user gets of them are their predictions.

    Args:
        own: The records of the item in a store, and that of its dataset, by key.
        bundle: What the other store says.
    """
    return list(_differences(own, bundle))


def _differences(own: Mapping[str, Record], bundle: Bundle) -> Iterator[Difference]:
    for key, record in bundle.records.items():
        if key not in own:
            continue
        mine = own[key]
        if RecordType.DATA.has(key) and mine["test"] != record["test"]:
            yield Difference("test part of the dataset", _digest(mine["test"][0]), _digest(record["test"][0]))
        elif RecordType.PREDICT.has(key):
            digests = mine["predictions"]["sha256"], record["predictions"]["sha256"]
            if digests[0] != digests[1]:
                yield Difference("predictions", *map(_digest, digests))
                yield from _metric_differences(own, bundle, key)
        elif RecordType.EVAL.has(key) and mine["value"] != record["value"]:
            yield _of_values(str(record.get("label") or "metric"), mine["value"], record["value"])


def _metric_differences(own: Mapping[str, Record], bundle: Bundle, predict: str) -> Iterator[Difference]:
    """Yield the metrics that differ because predictions do, as far as the items' own records say them."""
    item = own.get(RecordType.ITEM.key(bundle.fit_key), {})
    if (
        not predict
        == RecordType.PREDICT.key(str(item.get("predict_key")))
        == RecordType.PREDICT.key(str(bundle.item["predict_key"]))
    ):
        return
    metrics = item.get("metrics", {})
    for label, metric in bundle.item["metrics"].items():
        if label in metrics and metrics[label]["value"] != metric["value"]:
            yield _of_values(label, metrics[label]["value"], metric["value"])


def _of_values(label: str, own: float | None, theirs: float | None) -> Difference:
    """Return the difference of two values, with as many digits as it takes to see it."""
    texts = ["undefined" if value is None else f"{value:.6f}" for value in (own, theirs)]
    return Difference(label, *(texts if texts[0] != texts[1] else map(repr, (own, theirs))))


def _digest(text: str) -> str:
    return text[:12]


def additions(own: Mapping[str, Record], bundle: Bundle, *, models: bool = False) -> dict[str, Record]:
    """Return the records of phases of a bundle that an item lacks, or has without their file, by key.

    Args:
        own: The records of the item in a store, by key.
        bundle: What the other store says, which contradicts nothing of it.
        models: Whether models are wanted; else a fit comes without its model.
    """
    added: dict[str, Record] = {}
    for key, original in _in_order(bundle):
        is_left = RecordType.FIT.has(key) and not models and not original.get(DROPPED)
        record = {**original, DROPPED: original["finished"]} if is_left else original
        is_without = bool(record.get(DROPPED))
        if key not in own or (own[key].get(DROPPED) and not is_without and RecordType.of(key) in OF_PHASES):
            added[key] = record
    return added


def _in_order(bundle: Bundle) -> list[tuple[str, Record]]:
    """Return the records of phases in the order in which they come, metrics as the item has them: who reads a store sees it."""
    positions = {
        RecordType.EVAL.key(metric["key"]): number for number, metric in enumerate(bundle.item["metrics"].values())
    }
    return [
        (key, record)
        for of_type in _ADDED
        for key, record in sorted(bundle.of_type(of_type), key=lambda pair: positions.get(pair[0], len(positions)))
    ]


def with_metrics_of(own: Record | None, theirs: Record) -> Record | None:
    """Return an item's record with the metrics that another store has of the same predictions; None where it stays as it is.

    Args:
        own: The record of the item, which is done.
        theirs: The other store's.
    """
    if own is None or own.get("predict_key") != theirs.get("predict_key"):
        return None
    missing = {label: metric for label, metric in theirs["metrics"].items() if label not in own["metrics"]}
    if not missing:
        return None
    record = {**own, "metrics": {**own["metrics"], **missing}}
    if "groups" in theirs and "groups" in own:
        record["groups"] = {**theirs["groups"], **own["groups"]}
    return record
