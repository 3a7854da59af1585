"""The entries that the gate compares, one per configuration and dataset, and the sources that they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from omnibench.comparison.user_values import UserValues
from omnibench.experiment.circumstances import USUAL_THREADS
from omnibench.gate.scores import Score, packed_scores
from omnibench.keys import canonical, digest
from omnibench.naming import tuned_label, value_text


@dataclass(frozen=True, slots=True)
class Dataset:
    """The dataset of an entry.

    Attributes:
        name: What the user calls it, e.g. ``MovieLens100K``.
        display_name: As tables show it, e.g. ``MovieLens100K-609e34c9``.
        key: Identifies the recipe.
        tests: The digest of each fold's test part; values of users can be paired where these are equal. Empty while the
            dataset is not prepared.
    """

    name: str
    display_name: str
    key: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return self.display_name


@dataclass(frozen=True, slots=True)
class Entry:
    """A configuration on a dataset, with what was measured of it.

    Attributes:
        dataset: The dataset.
        algorithm: E.g. ``RecPack.EASE``.
        display_name: As tables show it, e.g. ``RecPack.EASE-4f0b8a3c``.
        configuration: The fields of its key: explicit parameters, seed, framework's version, code and so on.
        scores: Its metrics, by label; none where nothing of it is done.
        finished: When the last of its folds was done, as an ISO timestamp in UTC.
        index: Its position among the entries of its source.
        sources: The bench functions and scripts that it comes from, as far as that is recorded.
        deterministic: Whether it states that its lists do not depend on the seed.
        chosen: The hyperparameters that the search of a tuned one has chosen, by fold.
        user_label: The user's label of a tuned one, which tells it from others of its algorithm; empty where there is none.
        series_key: Identifies dataset and configuration but for the seed.
    """

    dataset: Dataset
    algorithm: str
    display_name: str
    configuration: Mapping[str, Any]
    scores: Mapping[str, Score]
    finished: str
    index: int
    sources: tuple[str, ...] = ()
    deterministic: bool = False
    chosen: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    user_label: str = ""
    series_key: str = field(init=False)

    def __post_init__(self) -> None:
        seedless = {name: value for name, value in self.configuration.items() if name != "seed"}
        object.__setattr__(self, "series_key", digest([self.dataset.key, seedless]))
        object.__setattr__(self, "scores", packed_scores(self.scores))

    def __str__(self) -> str:
        return self.label

    @property
    def seed(self) -> int | None:
        """The seed that it was fitted with; None where there is none."""
        return self.configuration.get("seed")

    @property
    def key(self) -> str:
        """Identifies dataset and configuration."""
        return f"{self.series_key}/{self.seed}"

    @property
    def is_tuned(self) -> bool:
        """Whether a search has chosen its hyperparameters, but for those that the plan gives."""
        return bool(self.configuration.get("search"))

    @property
    def label(self) -> str:
        """The names for people, with all hyperparameters that were given.

        E.g. ``MovieLens100K/RecPack.EASE(l2=500.0)``, or ``MovieLens100K/RecBole.BPR (tuned, epochs=50)``.
        """
        values = dict(self.configuration["parameters"])
        if self.configuration.get("refit"):
            values.setdefault("refit", self.configuration["refit"])
        arguments = [f"{name}={value_text(value)}" for name, value in values.items()]
        if self.is_tuned:
            return f"{self.dataset.name}/{tuned_label(self.user_label or self.algorithm, arguments)}"
        return f"{self.dataset.name}/{self.algorithm}{'(' + ','.join(arguments) + ')' if arguments else ''}"

    @property
    def name(self) -> str:
        """The names of dataset and configuration as directories have them."""
        return f"{self.dataset.display_name}/{self.display_name}"

    @property
    def parameters(self) -> str:
        """The canonical text of the explicitly given hyperparameters."""
        return canonical(self.configuration["parameters"])


ValuesByFold: TypeAlias = dict[tuple[str, int], UserValues]
"""By a metric's label and a fold's number, the metric's values of the fold's users."""


class EntrySource(Protocol):
    """A source of entries and of their values per user: a store, or a baseline."""

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries, one per configuration and dataset."""
        ...

    def values(self, entry: Entry) -> ValuesByFold:
        """Return the values per user of all metrics that have some.

        Raises:
            OmnibenchError: A file is missing or damaged.
        """
        ...


class JudgedSource(EntrySource, Protocol):
    """A source of entries that are judged: a store."""

    def test_to_train(self, entry: Entry, folds: Sequence[int]) -> float:
        """Return test rows divided by training rows, of several folds.

        Raises:
            StatisticsError: The prepared dataset cannot be read.
        """
        ...


def newest(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the entry of each algorithm with its hyperparameters that was finished last, and the older ones.

    A store keeps what was measured before the code of an algorithm, or the version of a framework, has changed.
    """
    latest: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        settings = canonical([entry.configuration.get(name) for name in ("seed", "device", "salt", "refit")])
        threads = str(entry.configuration.get("threads", USUAL_THREADS))  # keys did not name them in earlier releases
        # Of a tuned one, what is searched stands for the hyperparameters; with which effort does not.
        searched = canonical([(entry.configuration.get("search") or {}).get("space"), entry.user_label])
        series = (entry.dataset.key, entry.algorithm, entry.parameters, searched, settings, threads)
        if series not in latest or entry.finished >= latest[series].finished:
            latest[series] = entry
    latest_ids = {id(entry) for entry in latest.values()}
    return list(latest.values()), [entry for entry in entries if id(entry) not in latest_ids]
