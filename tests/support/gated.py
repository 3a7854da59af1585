"""Made-up measurements for tests of the gate: what a store would have, without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.comparison.user_values import UserValues
from omnibench.gate.baseline import Baseline, write
from omnibench.gate.entries import Dataset, Entry, ValuesByFold
from omnibench.gate.judgement import Judge
from omnibench.gate.scope import Scope
from omnibench.gate.scores import Score
from omnibench.gate.verdicts import Gate

SHOP = Dataset("shop", "shop-aaaaaaaa", "a" * 64, ("t" * 64,))


class Measurements:
    """Stands for a store: entries with values per user.

    Args:
        test_to_train: Test rows divided by training rows of every dataset.
    """

    def __init__(self, test_to_train: float = 0.25) -> None:
        self.entries: list[Entry] = []
        self._values: list[ValuesByFold] = []
        self._overlap = test_to_train
        self.read: list[str] = []

    def add(
        self,
        algorithm: str,
        values: Mapping[str, Sequence[Any]],
        *,
        dataset: Dataset = SHOP,
        parameters: Mapping[str, Any] | None = None,
        code: str = "source 1",
        higher: bool | None = True,
        metric: str = "",
        finished: str = "2026-01-01T00:00:00Z",
        chosen: Mapping[int, Mapping[str, Any]] | None = None,
        user_label: str = "",
        **configuration: Any,
    ) -> Entry:
        """Add an entry; of each label the values of each fold's users, or one number per fold where there are none."""
        fields = {
            "algorithm": algorithm,
            "parameters": dict(parameters or {}),
            "code": code,
            "seed": 42,
            "device": "cpu",
        }
        scores, user_values = {}, {}
        for label, folds in values.items():
            per_user = np.ndim(folds[0]) > 0
            means = {fold: float(np.mean(fold_values)) for fold, fold_values in enumerate(folds)}
            scores[label] = Score(metric or f'["{label}"]', higher, means, per_user)
            for fold, fold_values in enumerate(folds) if per_user else ():
                user_values[label, fold] = UserValues(
                    np.arange(len(fold_values), dtype=np.int32), np.asarray(fold_values, dtype=np.float64)
                )
        display_name = f"{algorithm}-{len(self.entries):08d}"
        entry = Entry(
            dataset,
            algorithm,
            display_name,
            {**fields, **configuration},
            scores,
            finished,
            len(self.entries),
            chosen=chosen or {},
            user_label=user_label,
        )
        self.entries.append(entry)
        self._values.append(user_values)
        return entry

    def values(self, entry: Entry) -> ValuesByFold:
        """Return what was given."""
        self.read.append(entry.display_name)
        return self._values[entry.index]

    def test_to_train(self, entry: Entry, folds: Sequence[int]) -> float:
        """Return what was given."""
        return self._overlap

    def baseline(self, directory: Path) -> Baseline:
        """Write it all as a baseline."""
        return write(directory / "baseline.parquet", self, self.entries, None)


def judged(
    directory: Path, before: Measurements, after: Measurements, *, scope: Scope | None = None, **options: Any
) -> Gate:
    """Judge what is measured now by what was measured then."""
    return Judge(before.baseline(directory), **options).judge(after, after.entries, scope)
