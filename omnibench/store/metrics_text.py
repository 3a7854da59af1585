"""The metrics of an item as the text that its record has of them: a third of the memory, parsed when somebody looks."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any


class MetricsText(Mapping[str, dict[str, Any]]):
    """The metrics of an item by label; whoever wants several of them should ask for ``items`` once.

    Args:
        text: Their JSON, which is known to be of its form.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.encode()  # letters that are not ASCII are escaped in it

    def _parsed(self) -> dict[str, dict[str, Any]]:
        metrics: dict[str, dict[str, Any]] = json.loads(self._text)
        return metrics

    def __getitem__(self, label: str) -> dict[str, Any]:
        return self._parsed()[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed())

    def __len__(self) -> int:
        return len(self._parsed())

    def items(self) -> ItemsView[str, dict[str, Any]]:
        """Return labels and metrics."""
        return self._parsed().items()

    def values(self) -> ValuesView[dict[str, Any]]:
        """Return the metrics."""
        return self._parsed().values()
