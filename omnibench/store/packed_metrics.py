"""The metrics of an item in a sixth of the memory that dictionaries take: of a hundred thousand items, those of few are looked at."""

from __future__ import annotations

import json
import re
from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from typing import Any, NamedTuple, TypeVar

from omnibench.store.json_patterns import FLOAT

_KEY = 32
"""The bytes of the key of an evaluation."""


class Names(NamedTuple):
    """Labels, and the texts that identify their metrics; the same object of all items that have them."""

    labels: tuple[str, ...]
    metrics: tuple[str, ...]


Value = TypeVar("Value")
"""What a mapping has by label."""


class _Packed(Mapping[str, Value]):
    """What an item has by label, packed.

    Args:
        names: Labels, each with the text that identifies its metric.
        packed: The keys of their evaluations, and behind these their values as the record has them, separated by commas. Most go
            from a record into a file, and to parse a float and to write it again takes longer than all else.
    """

    __slots__ = ("_names", "_packed")

    def __init__(self, names: Names, packed: bytes) -> None:
        self._names = names
        self._packed = packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.labels)

    def __len__(self) -> int:
        return len(self._names.labels)

    def __contains__(self, label: object) -> bool:
        return label in self._names.labels

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, the same object of all items that have them."""
        return self._names.labels

    @property
    def packed(self) -> bytes:
        """The keys of the evaluations and the values, packed: what makes up for these with ``names``."""
        return self._packed

    @property
    def names(self) -> Names:
        """The labels with what identifies their metrics, the same object of all items that have them."""
        return self._names

    @property
    def digests(self) -> bytes:
        """The keys of the evaluations in the order of their labels, 32 bytes each."""
        return digests_in(self._packed, len(self._names.labels))

    @property
    def texts(self) -> list[str]:
        """The values in the order of their labels, with every digit, as the record has them."""
        return texts_in(self._packed, len(self._names.labels))

    @property
    def _keys(self) -> list[str]:
        digits = self.digests.hex()
        return [digits[begin : begin + 2 * _KEY] for begin in range(0, len(digits), 2 * _KEY)]

    def _position(self, label: str) -> int:
        try:
            return self._names.labels.index(label)
        except ValueError:
            raise KeyError(label) from None


class PackedMetrics(_Packed[dict[str, Any]]):
    """The metrics of an item by label; whoever wants several of them should ask for ``items`` once."""

    __slots__ = ()

    @property
    def numbers(self) -> PackedValues:
        """The values by label, without keys and identities."""
        return PackedValues(self._names, self._packed)

    @property
    def keys_of_evaluations(self) -> dict[str, str]:
        """The keys of the evaluations by label."""
        return dict(zip(self._names.labels, self._keys, strict=True))

    def _metrics(self) -> dict[str, dict[str, Any]]:
        return {
            label: {"value": float(value), "key": key, "metric": metric}
            for label, metric, value, key in zip(*self._names, self.texts, self._keys, strict=True)
        }

    def __getitem__(self, label: str) -> dict[str, Any]:
        number = self._position(label)
        key = self._packed[_KEY * number : _KEY * (number + 1)].hex()
        return {"value": float(self.texts[number]), "key": key, "metric": self._names.metrics[number]}

    def items(self) -> ItemsView[str, dict[str, Any]]:
        """Return labels and metrics."""
        return self._metrics().items()

    def values(self) -> ValuesView[dict[str, Any]]:
        """Return the metrics."""
        return self._metrics().values()


class PackedValues(_Packed[float]):
    """The values of an item's metrics by label; see ``PackedMetrics``."""

    __slots__ = ()

    def __getitem__(self, label: str) -> float:
        return float(self.texts[self._position(label)])

    def __repr__(self) -> str:
        return repr(dict(self.items()))

    @property
    def in_order(self) -> list[float]:
        """The values in the order of their labels."""
        return list(map(float, self.texts))

    def items(self) -> ItemsView[str, float]:
        """Return labels and values."""
        return dict(zip(self._names.labels, self.in_order, strict=True)).items()


def texts_in(packed: bytes, width: int) -> list[str]:
    """Return the values in packed metrics in the order of their labels, with every digit, as the record has them.

    Args:
        packed: The packed metrics.
        width: How many there are.
    """
    return packed[_KEY * width :].decode().split(",")


def digests_in(packed: bytes, width: int) -> bytes:
    """Return the keys of the evaluations in packed metrics; see ``texts_in``."""
    return packed[: _KEY * width]


def evaluation_keys(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the keys of the evaluations of an item's metrics, packed or not, by label."""
    if isinstance(metrics, PackedMetrics):
        return metrics.keys_of_evaluations
    return {label: metric["key"] for label, metric in metrics.items()}


class MetricsPacker:
    """Packs the metrics of items, of which most have the same labels as the one before.

    Attributes:
        pattern: The pattern of the JSON of metrics that have these, with two groups for each: its value, the key of its evaluation.
    """

    def __init__(self) -> None:
        self._names = Names((), ())
        self.pattern = "(?!)"
        self._names_met: dict[Names, Names] = {}

    def packed(self, text: str) -> Mapping[str, dict[str, Any]]:
        """Return the metrics of an item, packed where their values are floats.

        Args:
            text: Their JSON, of the form of light records: see ``item_texts``.
        """
        packed = self._packed_if_expected(text)
        if packed is not None:
            return packed
        metrics: dict[str, dict[str, Any]] = json.loads(text)
        if not all(type(metric["value"]) is float for metric in metrics.values()):
            return metrics
        self._expect(Names(tuple(metrics), tuple(metric["metric"] for metric in metrics.values())))
        packed = self._packed_if_expected(text)
        return metrics if packed is None else packed  # where a label comes twice

    def packed_members(self, members: Sequence[str]) -> PackedMetrics:
        """Return the metrics of an item that has the labels of the one before, packed.

        Args:
            members: What the groups of ``pattern`` have matched.
        """
        return PackedMetrics(self._names, bytes.fromhex("".join(members[1::2])) + ",".join(members[::2]).encode())

    def _packed_if_expected(self, text: str) -> PackedMetrics | None:
        match = re.fullmatch(self.pattern, text)
        return None if match is None else self.packed_members(match.groups())

    def _expect(self, names: Names) -> None:
        """Expect the next metrics to have some names, which all that have them share."""
        self._names = self._names_met.setdefault(names, names)
        members = (
            rf'{re.escape(json.dumps(label))}: \{{"value": ({FLOAT}), "key": "([0-9a-f]{{64}})", "metric": {re.escape(json.dumps(metric))}\}}'
            for label, metric in zip(*names, strict=True)
        )
        self.pattern = rf"\{{{', '.join(members)}\}}"


def labels_of(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels of metrics or values, packed or not; of packed ones the same object where they are the same."""
    return metrics.labels if isinstance(metrics, _Packed) else tuple(metrics)
