"""Cornac as its examples do it: build a dataset of triplets, fit, and rank all items for a user.

python cornac_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import torch
from cornac import models
from cornac.data import Dataset, ImageModality, TextModality
from fold_arrays import FoldArrays
from jobs import Job, run_jobs

CHANGES = {"seeded before ranking"}


def described(dataset: str, names: list[str], train: Dataset, *, as_texts: bool) -> dict[str, object]:
    """Return features of items, which lie beside the dataset as lists by code, as a modality of the items in training."""
    known = json.loads((Path(dataset).parent / "features.json").read_text(encoding="utf-8"))["items"]
    ids = sorted(train.item_ids)
    several = {name: [[] if value is None else np.ravel(value).tolist() for value in known[name]] for name in names}
    if as_texts:
        corpus = [" ".join(word for name in names for word in several[name][item]) for item in ids]
        return {"item_text": TextModality(corpus=corpus, ids=ids)}
    columns = []
    for values in several.values():
        every = sorted({value for own in values for value in own})
        if isinstance(every[0], float):
            columns.append([sum(values[item]) for item in ids])
        else:
            columns += [[float(category in values[item]) for item in ids] for category in every]
    return {"item_image": ImageModality(features=np.array(columns).T, ids=ids)}


def defaults(name: str) -> dict[str, object]:
    """Return an algorithm's hyperparameters with their defaults."""
    parameters = inspect.signature(getattr(models, name).__init__).parameters
    return {parameter.name: parameter.default for parameter in parameters.values() if parameter.name != "self"}


def fitted(train: Dataset, dataset: str, seed: int, job: Job) -> models.Recommender:
    """Return the model, fitted on the training part and what is known of its items."""
    settings = dict(job.settings)
    names = settings.pop("item_features", [])
    if names:
        modalities = described(dataset, names, train, as_texts=job.algorithm in ("CTR", "HFT"))
        train.add_modalities(**{name: made.build(id_map=train.iid_map) for name, made in modalities.items()})
    seeded = {"seed": seed} if "seed" in defaults(job.algorithm) else {}
    if job.algorithm in ("IBPR", "HFT"):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - what they draw from beside the generators that they have a seed for
    return getattr(models, job.algorithm)(**settings, **seeded).fit(train)


def main(files: FoldArrays, dataset: str, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20), or the ratings of the test part."""
    assert CHANGES.issuperset(job.changes), job.changes
    ratings = files.train.get("rating", np.ones(len(files.train["user"])))
    triplets = zip(files.train["user"].tolist(), files.train["item"].tolist(), ratings.tolist(), strict=True)
    train = Dataset.from_uir(list(triplets), seed=seed)
    model = fitted(train, dataset, seed, job)
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
    run_jobs(jobs, lambda job: main(files, dataset, int(seed), job), defaults)
