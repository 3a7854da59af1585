"""Items of an algorithm that does what a file tells it, on a dataset of about 300 interactions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from omnibench import NDCG, Evaluator, ExperimentPlan, Grid, MakeImplicit, UserHoldout, from_frame
from omnibench.data.dataset import RecSysDataSet
from omnibench.engine.items import Item
from omnibench.experiment.planning import experiments
from support.scripted import Scripted


def interactions() -> pd.DataFrame:
    """Return interactions of 30 users."""
    random = np.random.default_rng(7)
    items = (random.pareto(1.0, 420) * 8).astype(int) % 60
    frame = pd.DataFrame({"user": random.integers(0, 30, 420), "item": items, "rating": 5})
    return frame.drop_duplicates(["user", "item"])


DATA = from_frame(interactions(), "tiny").pipe(MakeImplicit(2), UserHoldout(0, 0.3))
METRICS = (NDCG([5, 10]),)


def plan_of(*scripts: Path) -> ExperimentPlan:
    """Return a plan with a configuration for each script."""
    plan = ExperimentPlan("scripted")
    plan.add_algorithm(Scripted, {"script": Grid([str(script) for script in scripts])})
    return plan


def item_of(script: Path, evaluator: Evaluator | None = None, data: RecSysDataSet = DATA) -> Item:
    """Return the item of the algorithm that follows a script; two scripts make two items."""
    evaluator = evaluator or Evaluator(*METRICS)
    (experiment,) = experiments(data, plan_of(script), evaluator.metrics, versions=lambda _: "", seeds=[42])
    return Item.of(experiment, evaluator)
