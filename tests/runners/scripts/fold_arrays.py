"""What the frameworks' own scripts share: reading a fold directory, and cutting long lists to top-k.

It knows nothing of omnibench, so that a script stays an independent witness.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def _columns(words: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """Take apart the columns of a part, which lie one after the other as words of four bytes."""
    columns, start = {}, 0
    for name, dtype in (("timestamp", "<i8"), ("user", "<i4"), ("item", "<i4"), ("rating", "<f4")):
        if name in names:
            width = np.dtype(dtype).itemsize // 4
            columns[name] = np.ascontiguousarray(words[start : start + width]).reshape(-1).view(dtype)
            start += width
    return columns


class FoldArrays:
    """The parts of one fold as columns by name: user and item (integer codes), and rating and timestamp.

    The columns rating and timestamp are there where the dataset has them; a timestamp is the row's number otherwise. Where
    users are folded in, ``given`` is what is known of those to recommend to; else it is None.
    """

    def __init__(self, directory: str, fold: str) -> None:
        root = Path(directory)
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        self.n_users, self.n_items = manifest["users"], manifest["items"]
        names = manifest["columns"]

        def read(part: str) -> dict[str, np.ndarray]:
            rows = np.load(root / f"fold_{fold}" / f"{part}.npy")
            by_name = (
                {name: np.load(root / f"{name}.npy")[rows] for name in names}
                if rows.ndim == 1
                else _columns(rows, names)
            )
            return {"timestamp": np.arange(len(by_name["user"])), **by_name}

        self.train, self.validation, self.test = map(read, ("train", "validation", "test"))
        self.given = read("given") if manifest.get("given") else None
        history = self.train if self.given is None else self.given
        self.users = np.intersect1d(self.test["user"], history["user"])
        self._seen: dict[int, set[int]] = {}
        for part in (history, self.validation):
            for user, item in zip(part["user"].tolist(), part["item"].tolist(), strict=True):
                self._seen.setdefault(user, set()).add(item)
        self._known = set(self.train["item"].tolist())

    def cut(self, user: int, items: list[int], scores: list[float], k: int) -> np.ndarray:
        """Drop what the user has in train or validation and what train does not know; pad with -1 and NaN to k."""
        ranking = zip(items, scores, strict=True)
        allowed = [pair for pair in ranking if pair[0] in self._known and pair[0] not in self._seen[user]]
        return np.array((allowed + [(-1, np.nan)] * k)[:k], dtype=[("item", "<i4"), ("score", "<f8")])
