"""The metrics of an item, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
        dataset_label: What people call the dataset, e.g. ``MovieLens100K``; empty where that is not recorded.
        label: What people call the configuration among those of its plan, e.g. ``RecPack.ItemKNN(K=100)``; empty where
            that is not known.
        user_label: The label that the user chose for the configuration; empty where it is made of hyperparameters.
        parameters: The explicit hyperparameters, as plain data.
        seed: The seed of everything random in the framework.
        module: The module of a user's own class; empty for a framework's algorithm, and where that is not recorded.
        deterministic: Whether the algorithm is known to make the same model whatever the seed.
        seedless_key: Identifies what configurations that differ by the seed alone have in common; empty where that is
            not recorded.
        seeds: How many seeds its benchmark asks for.
        as_seed: Another seed of the configuration that has made equal predictions; None where there is none, or nobody
            has looked.
        refit: The parts that the model was fitted on, ``train+validation``; empty for the training part.
        tuned: Whether a search on validation data has chosen hyperparameters.
        search: What labels tell that search by from another one; empty where there is none.
        chosen: What that search has chosen, and with which effort; see ``store.trials.chosen_trial``. None where that is not
            known, as of all that are not tuned.
    """

    dataset: str
    algorithm: str
    configuration: str
    fold: int | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    fit_key: str = field(default="", repr=False)
    dataset_label: str = field(default="", repr=False)
    label: str = field(default="", repr=False)
    user_label: str = field(default="", repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    seed: int | None = field(default=None, repr=False)
    module: str = field(default="", repr=False)
    deterministic: bool = field(default=False, repr=False)
    seedless_key: str = field(default="", repr=False)
    seeds: int = field(default=1, repr=False)
    as_seed: int | None = field(default=None, repr=False)
    refit: str = field(default="", repr=False)
    tuned: bool = field(default=False, repr=False)
    search: str = field(default="", repr=False)
    chosen: Mapping[str, Any] | None = field(default=None, repr=False)

    def __getitem__(self, label: str) -> float:
        """Return a metric's value, e.g. ``result["NDCG@10"]``, whatever its convention and candidates."""
        if label not in self.metrics:
            qualified = [name for name in self.metrics if plain_label(name) == label]
            if len(qualified) == 1:
                return self.metrics[qualified[0]]
            raise KeyError(f"there is no {label!r}{nearest(label, self.metrics)}; there are {', '.join(self.metrics)}")
        return self.metrics[label]
