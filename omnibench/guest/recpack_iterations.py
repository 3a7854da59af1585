"""Snapshots of RecPack's algorithms without epochs that compute in steps: SLIM item by item, NMF by iterations.

Both are loops that cannot be entered in the middle. A Fit that goes on lets them run from the beginning, and gives for
each step that a snapshot has what it has had as its result.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.decomposition
from recpack.algorithms import NMF, SLIM, NMFItemToItem
from sklearn.decomposition import _nmf

from . import random_states, states
from .base import Task


class Items:
    """The items that SLIM has a regression of.

    Args:
        algorithm: The algorithm.
        task: The Fit.
    """

    def __init__(self, algorithm: Any, task: Task) -> None:
        self._algorithm, self._task = algorithm, task
        self._compute = algorithm._compute_similarities
        self._rows: list[tuple[Any, Any]] = []
        """Of each item that is done the numbers and the weights of the items that are similar."""
        self._done = 0

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """Have SLIM's loop compute by way of this object."""
        self._algorithm._compute_similarities = self.compute
        try:
            with self._task.snapshots.restoring() as directory:
                if directory is not None:
                    self._restore(states.load(directory))
            yield
        finally:
            vars(self._algorithm).pop("_compute_similarities", None)

    def compute(self, matrix: Any, item: int) -> Any:
        """Return the weights of all items for an item, computed now or in a snapshot."""
        n_items = matrix.shape[1]
        if item < self._done:
            if item == 0:
                self._leave_out(matrix)
            weights = np.zeros(n_items)
            numbers, values = self._rows[item]
            weights[numbers] = values
            return weights
        if item == 0:
            self._mark(0, n_items)
        weights = self._compute(matrix, item)
        numbers = np.flatnonzero(weights).astype(np.int32)
        self._rows.append((numbers, weights[numbers]))
        self._mark(item + 1, n_items)
        return weights

    def _leave_out(self, matrix: Any) -> None:
        """Leave out of the matrix what SLIM has set to zero for the items that are done.

        It means to do so in a copy for each item. With SciPy 1.17 the copy has the matrix's own numbers, so that no
        item is learned from those before it; a Fit that goes on has to do the same.
        """
        entries = matrix.tocoo()
        entries.data[entries.col < self._done] = 0

    def _mark(self, done: int, n_items: int) -> None:
        self._task.snapshots.point(self._write, iteration=done, iterations=n_items, unit="item")

    def _write(self, directory: Path) -> None:
        regression = vars(self._algorithm.model)
        states.save(directory, {"rows": self._joined(), "regression": regression, "random": random_states.capture()})

    def _joined(self) -> tuple[Any, Any, Any]:
        """Return the ends of the rows, the numbers and the weights, all rows together."""
        if not self._rows:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0)
        numbers, values = zip(*self._rows, strict=True)
        return np.cumsum([len(row) for row in numbers]), np.concatenate(numbers), np.concatenate(values)

    def _restore(self, state: dict[str, Any]) -> None:
        ends, numbers, values = state["rows"]
        if len(ends):
            self._rows = list(zip(np.split(numbers, ends[:-1]), np.split(values, ends[:-1]), strict=True))
        self._done = len(self._rows)
        vars(self._algorithm.model).update(state["regression"])
        random_states.restore(state["random"])


def _default(name: str) -> Any:
    return inspect.signature(sklearn.decomposition.NMF).parameters[name].default


class Iterations:
    """The iterations of scikit-learn's NMF by coordinate descent, each of which updates the factors of users, then of items.

    Args:
        task: The Fit.
    """

    LIMIT, TOLERANCE = int(_default("max_iter")), float(_default("tol"))
    """When scikit-learn ends; RecPack has no hyperparameters for it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._update = _nmf._update_coordinate_descent
        self._done, self._iteration, self._half = 0, 1, 0
        self._violations: dict[str, list[float]] = {"first": [], "last": []}
        """How much each of the two updates has changed, in the first and in the latest iteration: the ratio ends it."""
        self._factors: tuple[Any, Any] | None = None
        self._resumed: tuple[Any, Any] | None = None

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """Have scikit-learn update by way of this object."""
        _nmf._update_coordinate_descent = self.update
        try:
            with self._task.snapshots.restoring() as directory:
                if directory is not None:
                    self._restore(states.load(directory))
            yield
        finally:
            _nmf._update_coordinate_descent = self._update

    def update(self, matrix: Any, factors: Any, fixed: Any, *options: Any) -> float:
        """Update factors in place, or take them from the snapshot, and return how much they have changed."""
        half = self._half
        if half == 0:
            self._factors = factors, fixed
            if self._iteration == 1 and self._done == 0:
                self._mark(0)
        if self._iteration <= self._done:
            change = self._violations["last" if self._iteration == self._done else "first"][half]
            if self._resumed is not None and self._iteration == self._done and half == 1:
                fixed[...], factors[...] = self._resumed
                self._resumed = None
        else:
            change = float(self._update(matrix, factors, fixed, *options))
            if half == 0:
                self._violations["last"] = []
            self._violations["last"].append(change)
            if self._iteration == 1:
                self._violations["first"] = list(self._violations["last"])
            if half == 1:
                self._mark(self._iteration)
        self._half = 1 - half
        self._iteration += half
        return change

    def _mark(self, done: int) -> None:
        first, last = (sum(self._violations[name]) for name in ("first", "last"))
        is_last = done > 0 and (first == 0 or last / first <= self.TOLERANCE)
        limit = done if is_last else self.LIMIT
        self._task.snapshots.point(self._write, iteration=done, iterations=limit, unit="iteration")

    def _write(self, directory: Path) -> None:
        done = self._iteration if self._half == 1 else 0
        names = {"done": done, "violations": self._violations, "factors": self._factors}
        states.save(directory, {**names, "random": random_states.capture()})

    def _restore(self, state: dict[str, Any]) -> None:
        self._done, self._violations = state["done"], state["violations"]
        self._resumed = state["factors"]
        random_states.restore(state["random"])


def fit_by_steps(algorithm: Any, matrix: Any, task: Task) -> None:
    """Fit an algorithm that has no epochs.

    Args:
        algorithm: The algorithm.
        matrix: The training part, shape (n_users, n_items).
        task: The Fit.
    """
    if isinstance(algorithm, SLIM):
        with Items(algorithm, task).hooked():
            algorithm.fit(matrix)
    elif isinstance(algorithm, NMF | NMFItemToItem):
        with Iterations(task).hooked():
            algorithm.fit(matrix)
    else:
        task.snapshots.nothing(f"{task.algorithm} is computed in one call, without points in between")
        algorithm.fit(matrix)
