"""The metrics of an item, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from omnibench.errors import nearest
from omnibench.metrics.labels import plain_label


@dataclass(frozen=True, slots=True)
class Result:
    """The metrics of one item, as records keep and tables show them; plain data throughout.

    Attributes:
        dataset: The dataset's display name.
        algorithm: The configuration's display name.
        configuration: The algorithm with its explicit hyperparameters, for people.
        fold: The fold's number, or None for a single split.
        metrics: Values by label.
        fit_key: The item's key.
    """

    dataset: str
    algorithm: str
    configuration: str
    fold: int | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    fit_key: str = field(default="", repr=False)

    def __getitem__(self, label: str) -> float:
        """Return a metric's value, e.g. ``result["NDCG@10"]``, whatever its convention and candidates."""
        if label not in self.metrics:
            qualified = [name for name in self.metrics if plain_label(name) == label]
            if len(qualified) == 1:
                return self.metrics[qualified[0]]
            raise KeyError(f"there is no {label!r}{nearest(label, self.metrics)}; there are {', '.join(self.metrics)}")
        return self.metrics[label]
