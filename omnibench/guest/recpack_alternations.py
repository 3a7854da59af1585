"""Epochs and snapshots of RecPack's WeightedMatrixFactorization, which solves for users and for items by turns.

It is a loop that cannot be entered in the middle. A Fit that goes on lets it run from the beginning, and gives the factors
of a snapshot for each turn that the snapshot has. Only the factors at the beginning are drawn, with the seed of the Fit.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from recpack.algorithms import WeightedMatrixFactorization
from scipy.sparse import csr_matrix

from . import states
from .base import Task

USERS, ITEMS = 0, 1
"""The turns of an iteration."""


class Alternations:
    """The iterations of a Fit, each of which is reported.

    Args:
        algorithm: The algorithm.
        task: The Fit.
    """

    def __init__(self, algorithm: WeightedMatrixFactorization, task: Task) -> None:
        self._algorithm, self._task = algorithm, task
        self._loss = algorithm.loss
        self._done, self._iteration, self._turn = 0, 0, USERS
        self._factors: list[Any] = [None, None]

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """Have the algorithm solve, and calculate its loss, by way of this object."""
        with self._task.snapshots.restoring() as directory:
            if directory is not None:
                state = states.load(directory)
                self._done, self._factors = state["done"], list(state["factors"])
        if directory is None:
            self._mark()
        self._algorithm._least_squares, self._algorithm.loss = self.solve, self.calculate
        try:
            yield
        finally:
            vars(self._algorithm).pop("_least_squares", None)
            self._algorithm.loss = self._loss
        self._task.keep(int(self._algorithm.iterations))

    def solve(self, confidence: Any, fixed: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        """Return the factors of users or items, computed now or in a snapshot."""
        if self._iteration >= self._done:
            self._factors[self._turn] = solved(self._algorithm, confidence, fixed, shape)
        factors: torch.Tensor = self._factors[self._turn]
        self._turn = 1 - self._turn
        return factors.to(self._algorithm.device)

    def calculate(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss at the end of an iteration, and report it."""
        loss: torch.Tensor = self._loss(predicted, target)
        self._iteration += 1
        if self._iteration > self._done:
            self._report(loss.item())
            self._mark()
        return loss

    def _report(self, loss: float) -> None:
        values = {"epoch": self._iteration, "epochs": int(self._algorithm.iterations), "loss": loss}
        if self._task.measure is None:
            self._task.report(**values)
            return
        self._algorithm.item_factors_ = self._factors[ITEMS]
        self._task.measure(self._algorithm, **values)

    def _mark(self) -> None:
        self._task.snapshots.point(
            self._write, iteration=self._iteration, iterations=int(self._algorithm.iterations), unit="iteration"
        )

    def _write(self, directory: Path) -> None:
        states.save(directory, {"done": self._iteration, "factors": tuple(self._factors)})


def solved(
    algorithm: WeightedMatrixFactorization, confidence: Any, fixed: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    """Solve for the factors of one side by the class's own method, whatever an object has in its place.

    By default PyTorch solves by LAPACK's ``gelsy`` on a CPU, and does not set the order of columns that it begins with: the
    last digits differ from run to run. Regularised systems have full rank, so that ``gels`` solves them as well, as on GPUs.

    Args:
        algorithm: The algorithm.
        confidence: A CSR matrix of shape (b, m); a row without entries has factors of 0.
        fixed: The factors of the other side, shape (m, num_components).
        shape: b and num_components.
    """
    solver = torch.linalg.lstsq
    if algorithm.regularization > 0:
        torch.linalg.lstsq = functools.partial(solver, driver="gels")
    try:
        factors: torch.Tensor = WeightedMatrixFactorization._least_squares(algorithm, confidence, fixed, shape)
    finally:
        torch.linalg.lstsq = solver
    return factors


def factors_of(model: WeightedMatrixFactorization, histories: csr_matrix) -> torch.Tensor:
    """Return the factors of users by their histories, as RecPack's ``predict`` computes them.

    Args:
        model: The fitted algorithm.
        histories: A binary matrix of shape (b, n_items), no row empty.

    Returns:
        Factors on the CPU, float32, shape (b, num_components).
    """
    shape = histories.shape[0], model.num_components
    return solved(model, model._generate_confidence(histories), model.item_factors_, shape).cpu()
