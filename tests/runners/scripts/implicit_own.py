"""implicit as its documentation uses it: fit on a matrix of users and items, recommend to users by their rows.

python implicit_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import implicit.als
import implicit.bpr
import implicit.lmf
import implicit.nearest_neighbours
import numpy as np
from fold_arrays import FoldArrays
from jobs import Job, run_jobs
from scipy.sparse import csr_matrix

MODULES = (implicit.als, implicit.bpr, implicit.lmf, implicit.nearest_neighbours)


def constructor(name: str) -> Any:
    """Find what makes a model by its name."""
    (found,) = {getattr(module, name) for module in MODULES if hasattr(module, name)}
    return found


def defaults(name: str) -> dict[str, Any]:
    """Return an algorithm's hyperparameters with their defaults."""
    parameters = inspect.signature(constructor(name)).parameters.values()
    return {
        parameter.name: parameter.default if parameter.name != "dtype" else np.dtype(parameter.default).name
        for parameter in parameters
    }


def matrix_of(files: FoldArrays, part: dict[str, np.ndarray]) -> csr_matrix:
    """Return a part as a matrix of users and items."""
    shape = (files.n_users, files.n_items)
    return csr_matrix((np.ones(len(part["user"])), (part["user"], part["item"])), shape=shape)


def main(files: FoldArrays, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20)."""
    assert not job.changes, job.changes
    train = matrix_of(files, files.train)
    seeded = {"random_state": seed} if "random_state" in defaults(job.algorithm) else {}
    model = constructor(job.algorithm)(**job.settings, **seeded, num_threads=1)
    model.fit(train, show_progress=False)
    history = train if files.given is None else matrix_of(files, files.given)
    is_folded_in = files.given is not None
    items, scores = model.recommend(files.users, history[files.users], N=files.n_items, recalculate_user=is_folded_in)
    lists = zip(files.users.tolist(), items.tolist(), scores.tolist(), strict=True)
    return np.array([files.cut(user, *ranked, 20) for user, *ranked in lists])


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldArrays(dataset, fold)
    run_jobs(jobs, lambda job: main(files, int(seed), job), defaults)
