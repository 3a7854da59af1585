"""LensKit's bridges to implicit: trained iteration by iteration, as implicit's own models are here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .base import Task
from .implicit_training import fit_by_iterations
from .lenskit_scorers import NOT_RESUMABLE


@dataclass(frozen=True)
class CurrentFactors:
    """The factors of a model of implicit's while it is trained, by the names that they have in LensKit's bridges.

    Attributes:
        delegate: The model.
        users: LensKit's vocabulary of the users of training.
        items: That of the items.
    """

    delegate: Any
    users: Any
    items: Any

    @property
    def user_embeddings(self) -> Any:
        """The factors of users, shape (users, factors)."""
        return np.asarray(self.delegate.user_factors)

    @property
    def item_embeddings(self) -> Any:
        """The factors of items, shape (items, factors)."""
        return np.asarray(self.delegate.item_factors)


class _Delegate:
    """A model of implicit's that LensKit's bridge has made, and whose iterations are reported."""

    def __init__(self, made: Any, model: Any, task: Task) -> None:
        self._made, self._model, self._task = made, model, task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    def fit(self, matrix: Any) -> None:
        """Train as the bridge asks for it."""
        if self._task.algorithm == "BPR":  # what its threads write at the same time differs from run to run
            self._made.num_threads = 1
        factors = CurrentFactors(self._made, self._model.train.users, self._model.train.items)
        reason = NOT_RESUMABLE.get(self._task.algorithm, "")
        fit_by_iterations(self._made, matrix, self._task, reason, measured=replace(self._model, scorer=factors))


def train_by_iterations(model: Any, options: Any, task: Task) -> None:
    """Train the scorer of a model, one that hands the training on to implicit.

    Args:
        model: The model, whose scorer is trained.
        options: LensKit's options.
        task: The Fit.
    """
    scorer = model.scorer
    construct = scorer._construct
    scorer._construct = lambda: _Delegate(construct(), model, task)
    try:
        with threadpool_limits(1, "blas"):  # as implicit asks for: its own threads call BLAS, each by itself
            scorer.train(model.train, options)
    finally:
        del scorer._construct
