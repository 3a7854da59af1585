"""The metrics of an item in a sixth of the memory that dictionaries take: of a hundred thousand items, those of few are looked at."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from functools import lru_cache
from struct import Struct
from typing import Any

_METRIC = Struct("<d32s")
"""A metric's value, and the key of its evaluation."""

_Names = tuple[tuple[str, str], ...]
"""Labels, and the texts that identify their metrics."""


class PackedMetrics(Mapping[str, dict[str, Any]]):
    """The metrics of an item by label; whoever wants several of them should ask for ``items`` once.

    Args:
        names: Labels, each with the text that identifies its metric.
        packed: For each, its value and the key of its evaluation.
    """

    __slots__ = ("_names", "_packed")

    def __init__(self, names: _Names, packed: bytes) -> None:
        self._names = names
        self._packed = packed

    @property
    def numbers(self) -> PackedValues:
        """The values by label, without keys and identities."""
        return PackedValues(self._names, self._packed)

    def _metrics(self) -> dict[str, dict[str, Any]]:
        return {
            label: {"value": value, "key": key.hex(), "metric": metric}
            for (label, metric), (value, key) in zip(self._names, _METRIC.iter_unpack(self._packed), strict=True)
        }

    def __getitem__(self, label: str) -> dict[str, Any]:
        for number, (own_label, metric) in enumerate(self._names):
            if own_label == label:
                value, key = _METRIC.unpack_from(self._packed, number * _METRIC.size)
                return {"value": value, "key": key.hex(), "metric": metric}
        raise KeyError(label)

    def __iter__(self) -> Iterator[str]:
        return (label for label, _ in self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> ItemsView[str, dict[str, Any]]:
        """Return labels and metrics."""
        return self._metrics().items()

    def values(self) -> ValuesView[dict[str, Any]]:
        """Return the metrics."""
        return self._metrics().values()


class PackedValues(Mapping[str, float]):
    """The values of an item's metrics by label; see ``PackedMetrics``.

    Args:
        names: Labels, each with the text that identifies its metric.
        packed: For each, its value and the key of its evaluation.
    """

    __slots__ = ("_names", "_packed")

    def __init__(self, names: _Names, packed: bytes) -> None:
        self._names = names
        self._packed = packed

    def __getitem__(self, label: str) -> float:
        for number, (own_label, _) in enumerate(self._names):
            if own_label == label:
                value: float = _METRIC.unpack_from(self._packed, number * _METRIC.size)[0]
                return value
        raise KeyError(label)

    def __iter__(self) -> Iterator[str]:
        return (label for label, _ in self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self.items()))

    def items(self) -> ItemsView[str, float]:
        """Return labels and values."""
        pairs = zip(self._names, _METRIC.iter_unpack(self._packed), strict=True)
        return {label: value for (label, _), (value, _) in pairs}.items()


def packed_metrics(text: str) -> Mapping[str, dict[str, Any]]:
    """Return the metrics of an item, packed where their values are floats.

    Args:
        text: Their JSON, of the form of light records: see ``item_texts``.
    """
    metrics: dict[str, dict[str, Any]] = json.loads(text)
    if not all(type(metric["value"]) is float for metric in metrics.values()):
        return metrics
    names = _shared(tuple((label, metric["metric"]) for label, metric in metrics.items()))
    packed = (_METRIC.pack(metric["value"], bytes.fromhex(metric["key"])) for metric in metrics.values())
    return PackedMetrics(names, b"".join(packed))


@lru_cache(maxsize=1024)
def _shared(names: _Names) -> _Names:
    """Return names that others have alike, once for all of them."""
    return names
