"""implicit's training by iterations: each is reported, and a snapshot of alternating least squares goes on exactly.

After an iteration of alternating least squares everything follows from the factors. The other factorizations draw from
generators that are inside of their compiled loops.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import states
from .base import Task

NAMES = ("user_factors", "item_factors")


def fit_by_iterations(model: Any, matrix: Any, task: Task, not_resumable: str, measured: Any | None = None) -> None:
    """Train a factorization.

    Args:
        model: One of implicit's, with its hyperparameters.
        matrix: What users have, a CSR matrix of shape (n_users, n_items).
        task: The Fit.
        not_resumable: Why there are no snapshots of it; empty where there are.
        measured: What the host measures after an iteration, where that is not the model but what has it.
    """
    _Iterations(model, matrix, task, not_resumable, model if measured is None else measured).train()


class _Iterations:
    """The iterations of a model that is being trained, some of which a snapshot may have."""

    def __init__(self, model: Any, matrix: Any, task: Task, not_resumable: str, measured: Any) -> None:
        self._model, self._matrix, self._task, self._not_resumable = model, matrix, task, not_resumable
        self._measured = measured
        self._iterations: int = model.iterations
        self._done = 0

    def train(self) -> None:
        """Train those iterations that no snapshot has."""
        if self._not_resumable:
            self._task.snapshots.nothing(f"{self._task.algorithm}: {self._not_resumable}")
        else:
            self._restore()
        self._model.iterations = self._iterations - self._done
        self._model.fit(self._matrix, show_progress=False, callback=self._finished)
        self._model.iterations = self._iterations
        self._task.keep(self._iterations)

    def _restore(self) -> None:
        with self._task.snapshots.restoring() as directory:
            if directory is not None:
                state = states.load(directory)
                self._done = state["done"]
                for name in NAMES:
                    setattr(self._model, name, state[name])
        if directory is None:
            self._mark()

    def _finished(self, iteration: int, seconds: float, *measured: Any) -> None:
        """Report an iteration; implicit calls it with what it has measured: a loss, or how many pairs are in order."""
        self._done += 1
        values = {"epoch": self._done, "epochs": self._iterations, **self._numbers(measured)}
        if self._task.measure is None:
            self._task.report(**values)
        else:
            self._task.measure(self._measured, **values)
        if not self._not_resumable:
            self._mark()

    def _numbers(self, measured: tuple[Any, ...]) -> dict[str, float]:
        """Return what implicit has measured of an iteration.

        Args:
            measured: Of alternating least squares the loss, None where it is not calculated; of BPR how many of the sampled
                pairs are in order, and how many were skipped because the user has both; of others nothing.
        """
        match measured:
            case (loss,):
                return {} if loss is None else {"loss": float(loss)}
            case (correct, skipped):
                sampled = self._matrix.nnz - skipped
                return {"train_auc": correct / sampled} if sampled else {}
        return {}

    def _mark(self) -> None:
        self._task.snapshots.point(self._save, iteration=self._done, iterations=self._iterations)

    def _save(self, directory: Path) -> None:
        states.save(directory, {"done": self._done, **{name: getattr(self._model, name) for name in NAMES}})
