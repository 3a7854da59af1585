"""Surprise as its documentation uses it: a training set of a scale from 1 to 5, ``fit``, and ``predict`` for each pair.

python surprise_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np
import surprise
from fold_arrays import FoldArrays
from jobs import Job, run_jobs

RANKED = "ranked"
"""The change by which a job gets lists, as the answer to the first question of Surprise's FAQ makes them."""


def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    """Return what the constructor of an algorithm takes."""
    return dict(inspect.signature(getattr(surprise, name).__init__).parameters)


def defaults(name: str) -> dict[str, Any]:
    """Return an algorithm's hyperparameters with their defaults; options of baselines are taken as further ones."""
    by_name = {}
    for parameter in parameters_of(name).values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            by_name["bsl_options"] = {}
        elif parameter.default is not inspect.Parameter.empty:
            by_name[parameter.name] = {} if isinstance(parameter.default, dict) else parameter.default
    return by_name


def main(files: FoldArrays, seed: int, job: Job) -> np.ndarray:
    """Return the ratings of the test part; for a job that is to be ranked, the top-20 lists, shape (users, 20)."""
    assert {RANKED}.issuperset(job.changes), job.changes
    columns = (files.train[name].tolist() for name in ("user", "item", "rating"))
    rows = [(user, item, rating, None) for user, item, rating in zip(*columns, strict=True)]
    trainset = surprise.Dataset(surprise.Reader(rating_scale=(1, 5))).construct_trainset(rows)
    seeded = {"random_state": seed} if "random_state" in parameters_of(job.algorithm) else {}
    np.random.seed(seed)  # noqa: NPY002 - what NormalPredictor draws from
    model = getattr(surprise, job.algorithm)(**job.settings, **seeded)
    model.fit(trainset)
    if RANKED not in job.changes:
        pairs = zip(files.test["user"].tolist(), files.test["item"].tolist(), strict=True)
        return np.array([prediction.est for prediction in model.test([(*pair, None) for pair in pairs])])
    items = [trainset.to_raw_iid(number) for number in trainset.all_items()]
    lists = []
    for user in files.users.tolist():
        estimates = [model.predict(user, item).est for item in items]
        ranked = sorted(zip(items, estimates, strict=True), key=lambda pair: -pair[1])
        lists.append(files.cut(user, *map(list, zip(*ranked, strict=True)), 20))
    return np.array(lists)


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldArrays(dataset, fold)
    run_jobs(jobs, lambda job: main(files, int(seed), job), defaults)
