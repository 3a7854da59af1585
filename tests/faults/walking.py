"""An algorithm of a user's own that trains step by step, for runs with snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class Walking:
    """Scores that walk at random: whatever a resume loses or does twice, the model is another."""

    def __init__(self, steps: int = 8, pull: int = 3, seed: int = 0) -> None:
        self.steps, self.pull, self.seed = steps, pull, seed

    def fit(self, train: pd.DataFrame, report: Any) -> None:
        """Walk, with a point after each step."""
        if report.iteration == 0:
            self.items = sorted(set(train["item"].tolist()))
            self.random = np.random.default_rng(self.seed * 100 + self.pull)
            self.scores = np.zeros(len(self.items))
        for step in range(report.iteration + 1, self.steps + 1):
            self.scores = self.scores + self.random.normal(size=len(self.items))
            report(iteration=step, iterations=self.steps, loss=float(self.scores.mean()))

    def recommend(self, users: list[int], k: int) -> dict[int, list[tuple[int, float]]]:
        """Recommend the same to everybody."""
        best = np.argsort(-self.scores, kind="stable")[:k]
        return {user: [(self.items[position], float(self.scores[position])) for position in best] for user in users}
