"""RecPack's algorithms that read times, as RecPack itself runs them: fit on training, predict from training and validation.

python recpack_sequences_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

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
from scipy.sparse import coo_matrix

if not hasattr(coo_matrix, "A"):
    coo_matrix.A = property(lambda matrix: matrix.toarray())  # STAN is older than the SciPy of the lock


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20)."""
    shape = (files.n_users, files.n_items)
    before = files.train if files.given is None else pd.DataFrame(files.given)
    both = pd.concat([before, files.validation], ignore_index=True)
    both, before = (part[part["item"].isin(files.train["item"])] for part in (both, before))
    train, validation, histories, full = (
        InteractionMatrix(part, "item", "user", "timestamp", shape=shape)
        for part in (files.train, files.validation, before, both)
    )
    np.random.seed(seed)  # noqa: NPY002 - what RecPack draws from
    torch.manual_seed(seed)
    model = getattr(recpack.algorithms, job.algorithm)(**job.settings)
    if isinstance(model, TorchMLAlgorithm):
        model.fit(train, (histories.users_in(set(files.validation["user"])), validation))
    else:
        model.fit(train)
    history = full.users_in(set(files.users.tolist()))
    predicted = model.predict(history).toarray()
    predicted[history.binary_values.toarray() > 0] = 0
    lists = []
    for user in files.users.tolist():
        scored = np.flatnonzero(predicted[user])
        best_first = scored[np.argsort(-predicted[user, scored], kind="stable")]
        lists.append(files.cut(user, best_first.tolist(), predicted[user, best_first].tolist(), 20))
    return np.array(lists)


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldFiles(dataset, fold)
    torch.set_num_threads(1)
    run_jobs(jobs, lambda job: main(files, int(seed), job), lambda _: {})  # lists alone are compared
