"""A class of one's own, as ``eight_algorithms.py`` measures it with and without omnibench."""

from __future__ import annotations

from typing import Any

import pandas as pd


class MostPopular:
    """Recommends what most have interacted with, of equally popular items the one that appeared first."""

    def fit(self, train: pd.DataFrame) -> None:
        """Count the items."""
        self.order = train["item"].value_counts().index.tolist()

    def recommend(self, users: list[Any], k: int) -> dict[Any, list[Any]]:
        """Return the k most popular items for everybody, also those that a user has seen."""
        return dict.fromkeys(users, self.order[:k])
