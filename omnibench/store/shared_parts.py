"""Parts of records that many have alike, so that a hundred thousand of them keep each once."""

from __future__ import annotations

from collections.abc import Collection
from sys import intern
from typing import Any

from omnibench.store.schema import Record

_TEXTS = (
    "dataset",
    "algorithm",
    "dataset_label",
    "user_label",
    "module",
    "status",
    "phase",
    "directory",
    "finished",
    "data_key",
)
"""Members that many items have alike."""

UNCOMPARED = ("node", "predicted", "test", "token", "predict_key", "run", "worker", "exported", "failures", "deaths")
"""Members of an item's record that nobody needs who compares its metrics with those of others."""


class SharedParts:
    """Keeps what was met of records, and returns others with the same parts."""

    def __init__(self) -> None:
        self._configurations: dict[tuple[str, str], Any] = {}

    def item_without(self, members: Collection[str], item: Record) -> Record:
        """Return the record of an item without some members.

        Args:
            members: Their names.
            item: The record.
        """
        light = {name: value for name, value in item.items() if name not in members}
        for member in _TEXTS:
            if isinstance(text := light.get(member), str):
                light[member] = intern(text)
        if light.get("directory") == light["item"]:
            light["directory"] = light["item"]
        if light.get("metrics"):
            light["metrics"] = {
                intern(label): {name: self._text(name, value) for name, value in metric.items()}
                for label, metric in light["metrics"].items()
            }
        identity = light.get("identity")
        if identity:
            form, fields = identity
            name = (light["algorithm"], light["dataset"])
            configuration = self._configurations.setdefault(name, fields["configuration"])
            if configuration == fields["configuration"]:
                if configuration[1]["parameters"] == light["parameters"]:
                    light["parameters"] = configuration[1]["parameters"]
                data = intern(data) if isinstance(data := fields["data"], str) else data
                light["identity"] = [intern(form), {**fields, "data": data, "configuration": configuration}]
        return light

    def _text(self, name: str, value: Any) -> Any:
        return intern(value) if name == "metric" and isinstance(value, str) else value
