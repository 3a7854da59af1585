"""Series: a configuration on a dataset with one seed or several, which the gate judges together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.gate.entries import Dataset, Entry
from omnibench.gate.verdicts import count
from omnibench.naming import first_few
from omnibench.runners.randomness import is_deterministic
from omnibench.tables.conditional import conditional_sentence

LEAST_SEEDS = 3
"""How many seeds a side needs at least, so that its spread over seeds is known well enough to judge by it."""

_MOST_NAMED = 3
"""How many configurations a sentence names."""


@dataclass(frozen=True, slots=True)
class Series:
    """The entries of a dataset and a configuration, which differ in the seed alone.

    Attributes:
        entries: The entries, by seed; at least one.
    """

    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        return self.label

    @property
    def key(self) -> str:
        """Identifies dataset and configuration, whatever the seed."""
        return self.entries[0].series_key

    @property
    def dataset(self) -> Dataset:
        """The dataset."""
        return self.entries[0].dataset

    @property
    def algorithm(self) -> str:
        """The algorithm, e.g. ``RecPack.EASE``."""
        return self.entries[0].algorithm

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The fields of the key of the first entry's configuration."""
        return self.entries[0].configuration

    @property
    def parameters(self) -> str:
        """The canonical text of the explicitly given hyperparameters."""
        return self.entries[0].parameters

    @property
    def is_tuned(self) -> bool:
        """Whether a search has chosen its hyperparameters."""
        return self.entries[0].is_tuned

    @property
    def user_label(self) -> str:
        """The user's label of a tuned one; see ``Entry.user_label``."""
        return self.entries[0].user_label

    @property
    def chosen(self) -> Mapping[int, Mapping[str, Any]]:
        """By fold, what its search has chosen, which all seeds share."""
        return {fold: values for entry in reversed(self.entries) for fold, values in entry.chosen.items()}

    @property
    def label(self) -> str:
        """The names for people; see ``Entry.label``."""
        return self.entries[0].label

    @property
    def display_name(self) -> str:
        """The name in tables of the entry with the lowest seed."""
        return self.entries[0].display_name

    @property
    def name(self) -> str:
        """The names of dataset and configuration as directories have them."""
        return self.entries[0].name

    @property
    def sources(self) -> tuple[str, ...]:
        """The bench functions and scripts that it comes from."""
        return tuple(sorted({source for entry in self.entries for source in entry.sources}))

    @property
    def labels(self) -> list[str]:
        """The labels of its metrics, also of those that have no value."""
        return list(dict.fromkeys(label for entry in self.entries for label in entry.scores))

    @property
    def is_deterministic(self) -> bool:
        """Whether another seed is known to give the same lists."""
        return is_deterministic(self.algorithm, any(entry.deterministic for entry in self.entries))

    @property
    def keeps_spread(self) -> bool:
        """Whether it is known how much it varies over seeds, which of a deterministic one is not at all."""
        return self.is_deterministic or len(self.entries) >= LEAST_SEEDS

    @property
    def folds(self) -> set[int]:
        """The folds in which something was measured with some seed."""
        return {fold for entry in self.entries for score in entry.scores.values() for fold in score.folds}


def series_of(entries: Iterable[Entry]) -> list[Series]:
    """Return entries as series, in the order of their first entries."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.series_key, []).append(entry)
    return [
        Series(tuple(group if len(group) == 1 else sorted(group, key=lambda entry: entry.seed or 0)))
        for group in groups.values()
    ]


def summary(entries: Sequence[Entry]) -> str:
    """Return how much there is in entries, e.g. ``1 dataset, 8 configurations with 5 seeds, 3 metrics``."""
    numbers = sorted({len(series.entries) for series in series_of(entries)})
    seeds = f" with {'' if len(numbers) == 1 else f'{numbers[0]} to '}{numbers[-1]} seeds" if numbers[-1:] > [1] else ""
    counts = (
        count(len({entry.dataset.key for entry in entries}), "dataset"),
        count(len({entry.series_key for entry in entries}), "configuration") + seeds,
        count(len({label for entry in entries for label in entry.scores}), "metric"),
    )
    return ", ".join(counts)


def spread_notice(entries: Iterable[Entry]) -> str:
    """Return which configurations of a baseline lack the spread over their seeds, as a sentence; empty where none does.

    Args:
        entries: The entries of the baseline.
    """
    lacking = [series for series in series_of(entries) if not series.keeps_spread]
    if not lacking:
        return ""
    hint = conditional_sentence(((series.algorithm, False) for series in lacking), hint=True)
    return (
        f"{named(lacking)}: fewer than {LEAST_SEEDS} seeds, so the gate will judge {hint.removeprefix('of ')}. A change of "
        f"the random stream alone may then fail it; with seeds=5 in the bench file the baseline keeps the spread over seeds"
    )


def condition(judged: Iterable[Series]) -> str:
    """Return that verdicts speak of fitted models alone, as a sentence; empty without series.

    Args:
        judged: The series whose verdicts do.
    """
    conditional = list({series.key: series for series in judged}.values())
    if not conditional:
        return ""
    hint = conditional_sentence(((series.algorithm, False) for series in conditional), hint=True)
    return (
        f"{named(conditional)}: {hint}. A change of the random stream alone may fail the gate; a baseline with seeds=5 "
        f"({LEAST_SEEDS} or more) keeps the spread over seeds, and is judged by it"
    )


def named(series: Sequence[Series]) -> str:
    """Return the labels of the first few of some series, and how many more there are."""
    return first_few([each.label for each in series], _MOST_NAMED)
