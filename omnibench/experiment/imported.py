"""Predictions that another system has made, as an algorithm: it recommends what a file says, and learns nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

DIRECTORY_VARIABLE = "OMNIBENCH_IMPORTED_PREDICTIONS"
"""The environment variable that names the directory of prediction files, each called by its sha256."""


def training_digest(train: pd.DataFrame) -> str:
    """Return the sha256 of a training part's pairs of user and item, whatever their order; times do not count."""
    pairs = sorted(f"{user}\t{item}" for user, item in zip(train["user"], train["item"], strict=True))
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()


class OmniRecPredictions:
    """Recommends what OmniRec's ``predictions.json`` of an experiment says.

    Args:
        algorithm: The algorithm that made them, e.g. ``LensKit.PopScorer``.
        configuration: Its hyperparameters, as OmniRec's progress file has them.
        predictions: The sha256 of the predictions' file of each fold, by the digest of the fold's training part.
        seed_of_origin: The random state of the run that made them; empty where it is not known.
    """

    version = "1"

    def __init__(
        self,
        algorithm: str,
        configuration: Mapping[str, Any],
        predictions: Mapping[str, str],
        seed_of_origin: str = "",
    ) -> None:
        self.algorithm = algorithm
        self.configuration = configuration
        self.predictions = predictions
        self.seed_of_origin = seed_of_origin
        self.lists: dict[Any, list[Any]] = {}

    def fit(self, train: pd.DataFrame) -> None:
        """Read the lists that belong to a training part.

        Args:
            train: The training part, as in the run that made the predictions.

        Raises:
            RuntimeError: There are none, or their file is another one.
        """
        sha256 = self.predictions.get(training_digest(train))
        directory = os.environ.get(DIRECTORY_VARIABLE)
        if sha256 is None or directory is None:
            raise RuntimeError("imported predictions exist only for the split that they were made on, and for no other")
        content = (Path(directory) / f"{sha256}.json").read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RuntimeError("the file of predictions has changed while it was imported")
        for user, item, _ in sorted(_rows(json.loads(content)), key=lambda row: row[2]):
            self.lists.setdefault(user, []).append(item)

    def recommend(self, users: Iterable[Any], k: int) -> dict[Any, list[Any]]:
        """Return the first k items of each user's list; users without a list get none."""
        return {user: self.lists.get(user, [])[:k] for user in users}


def _rows(content: Any) -> list[tuple[Any, Any, Any]]:
    """Return user, item and rank of each recommendation; JSON has rows, or columns as lists or by row number."""
    names = ("user", "item", "rank")
    if isinstance(content, list):
        return [(row["user"], row["item"], row["rank"]) for row in content]
    columns = (content[name] for name in names)
    values = [list(column.values()) if isinstance(column, Mapping) else column for column in columns]
    return list(zip(*values, strict=True))
