"""A small project with a bench file of tuned algorithms."""

from __future__ import annotations

from typing import Any

from omnibench import Store, open_store
from support.projects import Project, imports_of

TUNED_ALGORITHMS = '''
"""Algorithms with something to choose: what they recommend depends on their hyperparameters."""

import numpy as np

from own_algorithms import Popular


class Weighted(Popular):
    """Popular items, out of order the more its depth is away from 50."""

    def __init__(self, depth=5, unlucky=-1):
        self.depth = depth
        self.unlucky = unlucky

    def fit(self, train):
        if self.depth == self.unlucky:
            raise ValueError(f"depth={self.depth} is unlucky")
        super().fit(train)
        rng = np.random.default_rng(self.depth)
        count = len(self.items)
        places = np.arange(count) + rng.normal(size=count) * abs(self.depth - 50) / 10
        self.items = [self.items[place] for place in np.argsort(places, kind="stable")]


class Staged(Weighted):
    """Goes through epochs, of which the third is the best; a larger depth makes all of them better."""

    def __init__(self, depth=50, epochs=10):
        super().__init__(depth)
        self.epochs = epochs

    def fit(self, train, validation, report):
        for epoch in range(1, self.epochs + 1):
            judged = {} if len(validation) == 0 else {"validation": self.depth - abs(epoch - 3), "best_epoch": min(epoch, 3)}
            report(epoch=epoch, epochs=self.epochs, **judged)
        print(f"Staged: {self.epochs} epochs on {len(train)} rows, {len(validation)} to validate")
        super().fit(train)


class Needy(Weighted):
    """Has no default."""

    def __init__(self, depth):
        super().__init__(depth)
'''

_DATA = """
import numpy as np
import pandas as pd
{imports}
from own_algorithms import *
from tuned_algorithms import *

rng = np.random.default_rng(7)
frame = pd.DataFrame({{"user": rng.integers(0, 40, 2400), "item": (rng.pareto(1.0, 2400) * 8).astype(int) % 60}})
frame = frame.drop_duplicates(["user", "item"])
data = from_frame(frame, "tiny").pipe({split})
plan = ExperimentPlan("tuned", tuning=Tuning({tuning}))
{plan}

@benchmark(data, plan, Evaluator({metrics}){options})
def bench_tuned(result): ...
"""

TUNE = 'plan.tune(Weighted, {"depth": Int(1, 90)})'


def tuned_bench(
    project: Project,
    *,
    plan: str = TUNE,
    tuning: str = '"NDCG@10", trials=6, sampler="random"',
    split: str = "UserHoldout(validation_size=0.2, test_size=0.2)",
    metrics: str = "NDCG([5, 10])",
    options: str = "",
) -> None:
    """Write the bench file, or write it anew."""
    (project.pytester.path / "bench_tiny.py").unlink(missing_ok=True)
    imports = imports_of(f"{plan} {metrics} {options}")
    text = _DATA.format(imports=imports, plan=plan, tuning=tuning, split=split, metrics=metrics, options=options)
    project.pytester.makepyfile(tuned_algorithms=TUNED_ALGORITHMS, bench_tuned=text)


def store_of(project: Project) -> Store:
    """Open the project's store."""
    return open_store(project.pytester.path / "checkpoints")


def trials_in(project: Project) -> list[dict[str, Any]]:
    """Return the records of all trials, by search and number."""
    return [record for key, record in sorted(store_of(project).records().items()) if key.startswith("trial/")]


def chosen_in(project: Project) -> dict[str, Any]:
    """Return what the record of each tuned item says of its choice, by the item's name."""
    items = store_of(project).items()
    return {record["item"]: record["chosen"] for record in items.values() if "chosen" in record}
