"""Items that are done, by configuration: of their folds only what differs is kept, in columns, in a quarter of the memory of records.

Of a hundred thousand items most are folds of a few thousand configurations, and of their records all but keys and numbers is alike.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any

from omnibench.store.item_texts import TextsAroundFold, light_item_in, outcome_in
from omnibench.store.known_folds import KnownFolds
from omnibench.store.packed_metrics import MetricsPacker, Names, PackedMetrics, digests_in
from omnibench.store.schema import Record, RecordType

_DIGEST = 32
"""The bytes of a key that is a digest."""


class PlainItems:
    """Items that are done and differ in their fold, key, numbers and times alone: those of a configuration on a dataset.

    Attributes:
        example: What their records say alike, as ``item_texts.light_item_in`` returns it: without the item's name, its keys, its metrics.
        names: The labels of their metrics, with what identifies these.
        folds: Of each item its fold; None of the only one.
        fit_keys: Its key.
        metrics: Its metrics, packed; see ``packed_metrics``.
        predictions: The keys of the predictions of all, 32 bytes each.
        finished: When it was done.
    """

    __slots__ = ("example", "finished", "fit_keys", "folds", "metrics", "names", "predictions")

    def __init__(self, example: Record, names: Names) -> None:
        self.example = example
        self.names = names
        self.folds: list[int | None] = []
        self.fit_keys: list[str] = []
        self.metrics: list[bytes] = []
        self.predictions = b""
        self.finished: list[str] = []

    def __len__(self) -> int:
        return len(self.folds)

    def add(self, fold: int | None, fit_key: str, metrics: bytes, prediction: bytes, finished: str) -> None:
        """Add an item."""
        self.folds.append(fold)
        self.fit_keys.append(fit_key)
        self.metrics.append(metrics)
        self.predictions += prediction
        self.finished.append(finished)

    @property
    def digests(self) -> bytes:
        """The keys of the evaluations of all, 32 bytes each."""
        width = len(self.names.labels)
        return b"".join([digests_in(packed, width) for packed in self.metrics])

    @property
    def values_text(self) -> str:
        """The values of the metrics of all with every digit, one item after the other, separated by commas."""
        begin = _DIGEST * len(self.names.labels)
        return b",".join([packed[begin:] for packed in self.metrics]).decode()

    @property
    def value_texts(self) -> list[str]:
        """The same in a list."""
        return self.values_text.split(",")

    def prediction(self, number: int) -> str:
        """Return the key of an item's predictions."""
        return self.predictions[_DIGEST * number : _DIGEST * (number + 1)].hex()

    def unpacked(self, number: int) -> PackedMetrics:
        """Return the metrics of an item by label."""
        return PackedMetrics(self.names, self.metrics[number])

    def part(self, numbers: Sequence[int], example: Record | None = None) -> PlainItems:
        """Return some of the items, in this order.

        Args:
            numbers: Their positions.
            example: What their records say alike, where that is to be something else.
        """
        chosen = PlainItems(self.example if example is None else example, self.names)
        chosen.folds = [self.folds[number] for number in numbers]
        chosen.fit_keys = [self.fit_keys[number] for number in numbers]
        chosen.metrics = [self.metrics[number] for number in numbers]
        chosen.predictions = b"".join([self.predictions[_DIGEST * n : _DIGEST * (n + 1)] for n in numbers])
        chosen.finished = [self.finished[number] for number in numbers]
        return chosen


class PlainItemsReader:
    """Takes items whose records are plain out of what is read, and keeps them by configuration.

    Args:
        known_key: Returns a fit key as a text that is there already.
        left_out: The fit keys of items that are not to be taken.
    """

    def __init__(self, known_key: Callable[[str], str], left_out: Container[str]) -> None:
        self._known_key = known_key
        self._left_out = left_out
        self._packer = MetricsPacker()
        self._folds = KnownFolds[PlainItems]()
        self._groups: dict[tuple[Any, ...], PlainItems] = {}

    @property
    def groups(self) -> Iterable[PlainItems]:
        """The items by configuration, in the order of their first ones."""
        return self._groups.values()

    @property
    def fit_keys(self) -> Iterator[str]:
        """The keys of all items."""
        return (fit_key for group in self._groups.values() for fit_key in group.fit_keys)

    def take(self, key: str, text: str) -> bool:
        """Take an item, unless its record has to be looked at alone.

        Args:
            key: The record's key.
            text: Its JSON, without its checksum.
        """
        fit_key = RecordType.ITEM.identity(key)
        if fit_key in self._left_out:
            return False
        known = self._folds.find(fit_key, text)
        if known is None:
            return self._take_first(key, fit_key, text)
        outcome = outcome_in(text, known.outcome_begin, self._packer, known.directory)
        if outcome is None:
            return False
        group, metrics = known.of_configuration, outcome.metrics
        prediction = _digest(outcome.predict_key)
        if not isinstance(metrics, PackedMetrics) or metrics.names is not group.names or prediction is None:
            return self._take_first(key, fit_key, text)
        group.add(known.fold, self._known_key(fit_key), metrics.packed, prediction, outcome.finished)
        return True

    def _take_first(self, key: str, fit_key: str, text: str) -> bool:
        around_fold = TextsAroundFold()
        item = light_item_in(key, text, self._packer, around_fold=around_fold)
        if item is None:
            return False
        metrics, name, fold = item.pop("metrics"), item.pop("item"), item.pop("fold")
        configuration, data, fold_in_identity = item["identity"][1].values()
        prefix = f"{item['dataset']}/{item['algorithm']}"
        prediction = _digest(item.pop("predict_key"))
        if (
            not isinstance(metrics, PackedMetrics)
            or prediction is None
            or fold_in_identity != fold
            or name != (prefix if fold is None else f"{prefix}/fold_{fold}")
            or item.pop("fit_key") != fit_key
        ):
            return False
        finished = item.pop("finished")
        written_labels = (item.get("user_label"), item.get("dataset_label"), item.get("module"))
        alike = (item["dataset"], item["algorithm"], item["data_key"], data, *written_labels, id(metrics.names))
        # What the ids are of stays in the memory for as long as the group does, which has it: of no other object they are the same.
        group = self._groups.setdefault(
            (*alike, id(configuration), id(item["parameters"])), PlainItems(item, metrics.names)
        )
        self._folds.keep(name, fold, around_fold, group)
        group.add(fold, self._known_key(fit_key), metrics.packed, prediction, finished)
        return True


def _digest(key: str) -> bytes | None:
    """Return the bytes that a key stands for that is a digest, as most are; None of others."""
    try:
        digest = bytes.fromhex(key)
    except ValueError:
        return None
    return digest if len(digest) == _DIGEST and digest.hex() == key else None
