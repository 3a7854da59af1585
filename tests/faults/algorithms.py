"""Small algorithms of a user's own: cheap, deterministic, and with different models."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class Popular:
    """Recommends what is most popular in training."""

    version = 1  # frozen stores know it by this, however it is written

    def fit(self, train: pd.DataFrame) -> None:
        """Count the items."""
        counts = train["item"].value_counts()
        self.items: list[int] = sorted(counts.index.tolist(), key=lambda item: (-int(counts[item]), item))

    def recommend(self, users: list[int], k: int) -> dict[int, list[int]]:
        """Recommend the same to everybody."""
        return dict.fromkeys(users, self.items[:k])


class Shuffled:
    """Recommends items in an order that depends on the seed."""

    version = 1

    def __init__(self, strength: int = 1, seed: int = 0) -> None:
        self.strength = strength
        self.seed = seed

    def fit(self, train: pd.DataFrame) -> None:
        """Order the items."""
        self.items: list[int] = sorted(set(train["item"].tolist()))
        random.Random(self.seed * self.strength).shuffle(self.items)

    def recommend(self, users: list[int], k: int) -> dict[int, list[int]]:
        """Recommend the same to everybody."""
        return dict.fromkeys(users, self.items[:k])


class Blended(Popular):
    """Popular items, out of order the more its depth is away from 40; of some depths it cannot be fitted."""

    def __init__(self, depth: int = 5, steps: int = 1) -> None:
        self.depth = depth
        self.steps = steps

    def fit(self, train: pd.DataFrame) -> None:
        """Order the items."""
        if self.depth > 70:
            raise ValueError(f"depth={self.depth} diverges")
        super().fit(train)
        chance, noise = random.Random(self.depth), abs(self.depth - 40) / 4
        ranked = sorted((rank + chance.gauss(0.0, noise), item) for rank, item in enumerate(self.items))
        self.items = [item for _, item in ranked]
