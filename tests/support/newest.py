"""A recommender for tests that need one in a guest: whatever has the largest ids."""

from __future__ import annotations

from typing import Any


class Newest:
    """Recommends the items with the largest ids."""

    def fit(self, train: Any) -> None:
        self.items = sorted(set(train["item"]), reverse=True)

    def recommend(self, users: list[Any], k: int) -> dict[Any, list[Any]]:
        return dict.fromkeys(users, self.items[:k])
