"""The search of a tuned algorithm: its space and its budget, by what trials are judged, and what keys say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.outputs import DEFAULT_LIST_LENGTH
from omnibench.keys import DISPLAY_DIGITS, canonical, sha256
from omnibench.metrics.base import Metric
from omnibench.metrics.labels import split_label
from omnibench.tuning.budget import Tuning
from omnibench.tuning.space import Space


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What a plan wants tuned.

    Attributes:
        space: The search space; its constants are hyperparameters of the configuration.
        tuning: The budget, and how trials are proposed and judged.
        overrides: Whether the budget is another than that of the plan.
    """

    space: Space
    tuning: Tuning
    overrides: bool = False

    @property
    def words(self) -> str:
        """What is searched with which effort, e.g. ``l2 log 1 to 10000; 30 trials by NDCG@10``."""
        ranges = [f"{name} {words}" for name, words in self.space.plain.items()]
        return "; ".join([*ranges, f"{self.tuning.budget_words} by {self.tuning.label}"])

    @property
    def identity(self) -> list[Any]:
        """What tells it from other requests of a plan."""
        return [self.space.identity, self.tuning.identity]

    @property
    def short_hash(self) -> str:
        """What labels tell it by from another request for the same algorithm."""
        return sha256(canonical(self.identity))[:DISPLAY_DIGITS]


@dataclass(frozen=True, slots=True)
class Search:
    """How the hyperparameters of a configuration are chosen on a validation part; equal where its results are.

    Attributes:
        space: The search space.
        tuning: The budget, and how trials are proposed.
        metric: The metric that trials are judged by.
        label: Its column.
        seed: The seed of the frameworks in all trials.
        candidates: What is ranked for each validation user.
        overrides: Whether the budget is another than that of the plan; part of no key.
        text: The canonical text of its identity.
    """

    space: Space = field(compare=False)
    tuning: Tuning = field(compare=False)
    metric: Metric = field(compare=False)
    label: str = field(compare=False)
    seed: int = field(compare=False)
    candidates: Candidates = field(default=UNSEEN, compare=False)
    overrides: bool = field(default=False, compare=False)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", canonical(self.identity))

    @property
    def identity(self) -> dict[str, Any]:
        """All that the chosen configuration depends on, beside the data and the algorithm."""
        return {**self.proposing, "tuning": self.tuning.identity}

    @property
    def proposing(self) -> dict[str, Any]:
        """All that the trials depend on: a larger budget adds some."""
        return {
            "space": self.space.identity,
            "proposing": self.tuning.proposing,
            "length": self.list_length,
            "seed": self.seed,
            **({} if self.candidates is UNSEEN else {"candidates": self.candidates.identity}),
        }

    @property
    def list_length(self) -> int:
        """Recommendations per validation user: as many as test users get, unless the metric needs more."""
        _, k = split_label(self.label)
        return max(DEFAULT_LIST_LENGTH, k or 0)

    @property
    def qualified_label(self) -> str:
        """What results call the column."""
        return self.metric.qualified(self.label, self.candidates.note)
