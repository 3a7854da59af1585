"""An algorithm that does what a file tells it, so that it can fail at first and succeed later under the same key."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path
from typing import Any


class Scripted:
    """Recommends the most popular items of training, unless its script has a trouble for the phase.

    Args:
        script: A file whose lines are such as ``fit raise``, ``fit die``, ``fit wait`` or ``recommend repeat``.
    """

    def __init__(self, script: str) -> None:
        self.script = script

    def fit(self, train: Any) -> None:
        """Count the items."""
        print(f"fitting on {len(train)} interactions")
        self._stumble("fit")
        counts = train["item"].value_counts().sort_index()
        self.items: list[Any] = counts.sort_values(ascending=False, kind="stable").index.tolist()

    def recommend(self, users: list[Any], k: int) -> dict[Any, list[Any]]:
        """Recommend the same to everybody."""
        trouble = self._stumble("recommend")
        return dict.fromkeys(users, [*self.items[:1], *self.items] if trouble == "repeat" else self.items[:k])

    def _stumble(self, phase: str) -> str:
        script = Path(self.script)
        lines = script.read_text().splitlines() if script.exists() else []
        trouble = next((line.split()[1] for line in lines if line.startswith(f"{phase} ")), "")
        if trouble == "raise":
            raise RuntimeError(f"told to fail in {phase}")
        if trouble == "die":
            print("last words", file=sys.stderr, flush=True)
            ctypes.string_at(0)
        if trouble == "wait":
            script.with_suffix(".waiting").touch()
            while script.exists() and "wait" in script.read_text():
                time.sleep(0.02)
        return trouble
