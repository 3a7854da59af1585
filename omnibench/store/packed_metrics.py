"""The metrics of an item in a sixth of the memory that dictionaries take: of a hundred thousand items, those of few are looked at."""

from __future__ import annotations

import json
import re
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from struct import Struct
from typing import Any, TypeVar

_METRIC = Struct("<d32s")
"""A metric's value, and the key of its evaluation."""

_Names = tuple[tuple[str, str], ...]
"""Labels, and the texts that identify their metrics."""

Value = TypeVar("Value")
"""What a mapping has by label."""


class _Packed(Mapping[str, Value]):
    """What an item has by label, packed.

    Args:
        names: Labels, each with the text that identifies its metric.
        packed: For each, its value and the key of its evaluation.
    """

    __slots__ = ("_names", "_packed")

    def __init__(self, names: _Names, packed: bytes) -> None:
        self._names = names
        self._packed = packed

    def __iter__(self) -> Iterator[str]:
        return (label for label, _ in self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _of(self, label: str) -> tuple[str, float, bytes]:
        """Return the text that identifies a metric, its value and the key of its evaluation."""
        for number, (own_label, metric) in enumerate(self._names):
            if own_label == label:
                value, key = _METRIC.unpack_from(self._packed, number * _METRIC.size)
                return metric, value, key
        raise KeyError(label)


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
        pairs = zip(self._names, _METRIC.iter_unpack(self._packed), strict=True)
        return {label: key.hex() for (label, _), (_, key) in pairs}

    def _metrics(self) -> dict[str, dict[str, Any]]:
        return {
            label: {"value": value, "key": key.hex(), "metric": metric}
            for (label, metric), (value, key) in zip(self._names, _METRIC.iter_unpack(self._packed), strict=True)
        }

    def __getitem__(self, label: str) -> dict[str, Any]:
        metric, value, key = self._of(label)
        return {"value": value, "key": key.hex(), "metric": metric}

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
        return self._of(label)[1]

    def __repr__(self) -> str:
        return repr(dict(self.items()))

    @property
    def in_order(self) -> list[float]:
        """The values in the order of their labels."""
        return [value for value, _ in _METRIC.iter_unpack(self._packed)]

    def items(self) -> ItemsView[str, float]:
        """Return labels and values."""
        pairs = zip(self._names, _METRIC.iter_unpack(self._packed), strict=True)
        return {label: value for (label, _), (value, _) in pairs}.items()


def evaluation_keys(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the keys of the evaluations of an item's metrics, packed or not, by label."""
    if isinstance(metrics, PackedMetrics):
        return metrics.keys_of_evaluations
    return {label: metric["key"] for label, metric in metrics.items()}


class MetricsPacker:
    """Packs the metrics of items, of which most have the same labels as the one before."""

    def __init__(self) -> None:
        self._names: _Names = ()
        self._pattern = re.compile("(?!)")
        self._known: dict[_Names, _Names] = {}

    def packed(self, text: str) -> Mapping[str, dict[str, Any]]:
        """Return the metrics of an item, packed where their values are floats.

        Args:
            text: Their JSON, of the form of light records: see ``item_texts``.
        """
        match = self._pattern.fullmatch(text)
        if match is None:
            metrics: dict[str, dict[str, Any]] = json.loads(text)
            if not all(type(metric["value"]) is float for metric in metrics.values()):
                return metrics
            self._expect(tuple((label, metric["metric"]) for label, metric in metrics.items()))
            packed = (_METRIC.pack(metric["value"], bytes.fromhex(metric["key"])) for metric in metrics.values())
            return PackedMetrics(self._names, b"".join(packed))
        members = iter(match.groups())
        return PackedMetrics(
            self._names,
            b"".join(
                [_METRIC.pack(float(value), bytes.fromhex(key)) for value, key in zip(members, members, strict=True)]
            ),
        )

    def _expect(self, names: _Names) -> None:
        """Expect the next metrics to have some names, which all that have them share."""
        self._names = self._known.setdefault(names, names)
        # The text is of its form, so that it is enough to find the ends of values and keys. Whole numbers have no point.
        members = (
            f'{re.escape(json.dumps(label))}: \\{{"value": ([^,.]*+\\.[^,]*+), "key": "([^"]*+)", "metric": {re.escape(json.dumps(metric))}\\}}'
            for label, metric in names
        )
        self._pattern = re.compile(rf"\{{{', '.join(members)}\}}")
