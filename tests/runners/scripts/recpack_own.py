"""RecPack as its documentation uses it: fit on an interaction matrix, predict from it, take the best scores.

python recpack_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import inspect
import os
import sys

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
import recpack.algorithms
import torch
from fold_files import FoldFiles
from jobs import Job, run_jobs
from recpack.algorithms.base import TorchMLAlgorithm
from recpack.matrix import InteractionMatrix

CHANGES = {"seeded before ranking"}


def seed_generators(seed: int) -> None:
    """Seed what RecPack draws from beside the generators that it has a ``seed`` for."""
    np.random.seed(seed)
    torch.manual_seed(seed)


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists, shape (users, 20)."""
    assert CHANGES.issuperset(job.changes), job.changes
    shape = (files.n_users, files.n_items)
    train, validation = (
        InteractionMatrix(part, "item", "user", "timestamp", shape=shape) for part in (files.train, files.validation)
    )
    algorithm_class = getattr(recpack.algorithms, job.algorithm)
    takes_seed = "seed" in inspect.signature(algorithm_class).parameters
    seed_generators(seed)
    model = algorithm_class(**job.settings, **({"seed": seed} if takes_seed else {}))
    if isinstance(model, TorchMLAlgorithm):
        model.fit(train, (train.users_in(set(files.validation["user"])), validation))
    else:
        model.fit(train)
    if "seeded before ranking" in job.changes:
        seed_generators(seed)
    predicted = model.predict(train.users_in(set(files.users.tolist())))
    lists = []
    for user in files.users.tolist():
        row = predicted[user]
        lists.append(files.cut(user, row.indices[np.argsort(-row.data)].tolist(), 20))
    return np.array(lists)


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldFiles(dataset, fold)
    run_jobs(jobs, lambda job: main(files, int(seed), job))
