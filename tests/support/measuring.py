"""A small real store for tests of comparisons: three configurations on two datasets."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from omnibench import (
    HR,
    NDCG,
    Coordinator,
    Evaluator,
    ExperimentPlan,
    Grid,
    MakeImplicit,
    RandomCrossValidation,
    RecSysDataSet,
    UserHoldout,
    from_frame,
    open_store,
)
from omnibench.results import Result

ALGORITHM = '''
class Rotated:
    """Recommends the most popular items of training, but for the first few."""

    def __init__(self, by=0):
        self.by = by

    def fit(self, train):
        self.items = train["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index.tolist()

    def recommend(self, users, k):
        return {user: self.items[self.by : self.by + k] for user in users}
'''
LENGTH = 20


def datasets() -> list[RecSysDataSet]:
    """Interactions of 40 users, some of them with few: not everybody is in every random test part."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"user": (rng.pareto(1.0, 900) * 6).astype(int) % 40, "item": (rng.pareto(1.0, 900) * 8).astype(int) % 60}
    ).drop_duplicates()
    active = frame[frame.groupby("user")["item"].transform("size") >= 4]
    return [
        from_frame(frame.assign(rating=5), "crossed").pipe(MakeImplicit(2), RandomCrossValidation(3)),
        from_frame(active.assign(rating=5), "held").pipe(MakeImplicit(2), UserHoldout(0, 0.3)),
    ]


def measure(directory: Path, *evaluators: Evaluator, as_recorded: bool = False) -> Path:
    """Run the experiments and return the store's directory; NDCG@10, HR@3 and HR@10 are measured by default.

    With ``as_recorded``, on the rows in the order that counted in the first release.
    """
    (directory / "measured_algorithm.py").write_text(ALGORITHM)
    sys.path.insert(0, str(directory))
    try:
        plan = ExperimentPlan("measured")
        plan.add_algorithm(importlib.import_module("measured_algorithm").Rotated, {"by": Grid([0, 1, 9])})
        with Coordinator(directory / "checkpoints", notify=lambda _: None) as coordinator:
            for evaluator in evaluators or [Evaluator(NDCG(10), HR([3, 10]))]:
                measured = [dataset.as_recorded() if as_recorded else dataset for dataset in datasets()]
                coordinator.run(measured, plan, evaluator)
    finally:
        sys.path.remove(str(directory))
        sys.modules.pop("measured_algorithm", None)
    return directory / "checkpoints"


def results(store: Path) -> list[Result]:
    """Return what the store's items have measured."""
    return [
        Result(
            record["dataset"],
            record["algorithm"],
            f"{record['algorithm']}()",
            record["fold"],
            {label: metric["value"] for label, metric in record["metrics"].items()},
            record["fit_key"],
        )
        for record in open_store(store).items().values()
    ]
