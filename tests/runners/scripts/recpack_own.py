"""RecPack as its pipelines do it: fit on an interaction matrix, predict from it, remove the history, rank.

python recpack_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import inspect
import os
import sys

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
import pandas as pd
import recpack.algorithms
import torch
from fold_files import FoldFiles
from jobs import Job, run_jobs
from recpack.algorithms.base import TorchMLAlgorithm
from recpack.matrix import InteractionMatrix

CHANGES = {"validation part unused but for choosing epochs"}


def defaults(name: str) -> dict[str, object]:
    """Return an algorithm's hyperparameters with their defaults."""
    parameters = inspect.signature(getattr(recpack.algorithms, name)).parameters
    return {parameter.name: parameter.default for parameter in parameters.values()}


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20)."""
    assert CHANGES.issuperset(job.changes), job.changes
    shape = (files.n_users, files.n_items)
    both = pd.concat([files.train, files.validation], ignore_index=True)
    train, validation, full = (
        InteractionMatrix(part, "item", "user", "timestamp", shape=shape)
        for part in (files.train, files.validation, both)
    )
    if "validation part unused but for choosing epochs" in job.changes:
        full = train
    algorithm_class = getattr(recpack.algorithms, job.algorithm)
    np.random.seed(seed)  # noqa: NPY002 - what RecPack draws from beside the generators that it has a seed for
    torch.manual_seed(seed)
    model = algorithm_class(**job.settings, **({"seed": seed} if "seed" in defaults(job.algorithm) else {}))
    if isinstance(model, TorchMLAlgorithm):
        model.fit(train, (train.users_in(set(files.validation["user"])), validation))
    else:
        model.fit(full)
    history = full.users_in(set(files.users.tolist()))
    predicted = model.predict(history)
    predicted = (predicted - predicted.multiply(history.binary_values)).tocsr()
    lists = []
    for user in files.users.tolist():
        row = predicted[user]
        best_first = np.argsort(-row.data)
        lists.append(files.cut(user, row.indices[best_first].tolist(), row.data[best_first].tolist(), 20))
    return np.array(lists)


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldFiles(dataset, fold)
    run_jobs(jobs, lambda job: main(files, int(seed), job), defaults)
