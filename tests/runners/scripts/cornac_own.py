"""Cornac as its examples do it: build a dataset of triplets, fit, and rank all items for a user.

python cornac_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import inspect
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import torch
from cornac import models
from cornac.data import Dataset
from fold_arrays import FoldArrays
from jobs import Job, run_jobs

CHANGES = {"seeded before ranking"}


def defaults(name: str) -> dict[str, object]:
    """Return an algorithm's hyperparameters with their defaults."""
    parameters = inspect.signature(getattr(models, name).__init__).parameters
    return {parameter.name: parameter.default for parameter in parameters.values() if parameter.name != "self"}


def main(files: FoldArrays, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20), or the ratings of the test part."""
    assert CHANGES.issuperset(job.changes), job.changes
    ratings = files.train.get("rating", np.ones(len(files.train["user"])))
    triplets = zip(files.train["user"].tolist(), files.train["item"].tolist(), ratings.tolist(), strict=True)
    train = Dataset.from_uir(list(triplets), seed=seed)
    seeded = {"seed": seed} if "seed" in defaults(job.algorithm) else {}
    if job.algorithm == "IBPR":  # which has no seed of its own
        torch.manual_seed(seed)
    model = getattr(models, job.algorithm)(**job.settings, **seeded)
    model.fit(train)
    if "rating" in files.train:
        return rated(files, train, model)
    if "seeded before ranking" in job.changes:
        torch.manual_seed(seed)
    lists = []
    item_ids = np.array(train.item_ids)
    for user in files.users.tolist():
        scores = np.ravel(model.score(train.uid_map[user]))
        best_first = np.argsort(-scores, kind="stable")
        lists.append(files.cut(user, item_ids[best_first].tolist(), scores[best_first].tolist(), 20))
    return np.array(lists)


def rated(files: FoldArrays, train: Dataset, model: models.Recommender) -> np.ndarray:
    """Return the ratings of the test part, those of Cornac's ``rating_eval``; who is unknown has numbers behind the others."""
    users = [train.uid_map.get(user, train.num_users) for user in files.test["user"].tolist()]
    items = [train.iid_map.get(item, train.num_items) for item in files.test["item"].tolist()]
    return np.array([model.rate(user, item) for user, item in zip(users, items, strict=True)])


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldArrays(dataset, fold)
    run_jobs(jobs, lambda job: main(files, int(seed), job), defaults)
