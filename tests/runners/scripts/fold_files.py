"""What the frameworks' own scripts share: reading a fold directory, and cutting long lists to top-k.

It knows nothing of omnibench, so that a script stays an independent witness.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd


def _pairs(columns: np.ndarray, manifest: dict) -> dict:
    """Users, items and ratings of a part's columns, which timestamps of two words come before."""
    first = 2 if "timestamp" in manifest["columns"] else 0
    ratings = {"rating": columns[first + 2].view("<f4")} if "rating" in manifest["columns"] else {}
    return {"user": columns[first], "item": columns[first + 1], **ratings}


class FoldFiles:
    """The parts of one fold as frames with the columns user, item (integer codes) and rating, and who is asked for."""

    def __init__(self, directory: str, fold: str) -> None:
        root = Path(directory)
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        self.n_users, self.n_items = manifest["users"], manifest["items"]
        user, item = np.load(root / "user.npy"), np.load(root / "item.npy")
        self.train, self.validation, self.test = (
            pd.DataFrame({"user": user[rows], "item": item[rows]} if rows.ndim == 1 else _pairs(rows, manifest))
            for rows in (np.load(root / f"fold_{fold}" / f"{part}.npy") for part in ("train", "validation", "test"))
        )
        self.users = np.intersect1d(self.test["user"], self.train["user"])
        self._seen = {
            user: set(items) for user, items in pd.concat([self.train, self.validation]).groupby("user")["item"]
        }
        self._known = set(self.train["item"])

    def cut(self, user: int, ranking: list[int], k: int) -> list[int]:
        """Drop what the user has in train or validation and what train does not know; pad with -1 to k."""
        allowed = [item for item in ranking if item in self._known and item not in self._seen[user]]
        return (allowed + [-1] * k)[:k]
