"""What the adapter has RecPack's networks predict while they are judged, beside what RecPack's own code predicts.

python recpack_judged.py GUEST JOBS

Each job is an algorithm, its hyperparameters, and whether it scores some items zero; whatever differs is written into its output.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
import recpack.algorithms
import torch
from guest_package import import_guest
from recpack.algorithms.base import TorchMLAlgorithm
from recpack.algorithms.util import get_users
from scipy.sparse import csr_matrix


def histories(n_users: int, n_items: int) -> csr_matrix:
    """Return interactions of a few users, whose numbers are far enough apart for Python's sets to have them in another order."""
    rng = np.random.default_rng(3)
    dense = np.zeros((n_users, n_items))
    dense[::47] = rng.random((len(dense[::47]), n_items)) < 0.2
    dense[::47, 0] = 1.0
    matrix = csr_matrix(dense)
    order = get_users(matrix)
    assert order != sorted(order)
    return matrix


def with_zeros(algorithm: TorchMLAlgorithm) -> None:
    """Have an algorithm score some items zero: such scores are none."""
    original = algorithm._batch_predict

    def batch_predict(*arguments: object, **options: object) -> csr_matrix:
        scored = original(*arguments, **options)
        scored.data[::5] = 0.0
        return scored

    algorithm._batch_predict = batch_predict


def flaws(guest: str, job: dict[str, object]) -> list[str]:
    """Return what differs of two matrices: their types, shapes, and each of their numbers."""
    judged = import_guest(guest, "recpack_judged")
    train, read = histories(3000, 40), histories(3000, 40)
    np.random.seed(1)  # noqa: NPY002 - what RecPack draws from
    torch.manual_seed(1)
    algorithm = getattr(recpack.algorithms, job["algorithm"])(max_epochs=1, keep_last=True, seed=1, **job["settings"])
    algorithm.fit(train, (train, train))
    assert judged.predicts_by_batches(algorithm)
    if job["zeros"]:
        with_zeros(algorithm)
    torch.manual_seed(2)
    own = TorchMLAlgorithm._predict(algorithm, read)
    torch.manual_seed(2)
    ours = judged.predict_by_batches(algorithm, read)
    assert own.nnz > 0, "else nothing is compared"
    found = [name for name in ("shape", "dtype", "format") if getattr(own, name) != getattr(ours, name)]
    for name in ("data", "indices", "indptr"):
        one, other = getattr(own, name), getattr(ours, name)
        if one.dtype != other.dtype or one.tobytes() != other.tobytes():
            found.append(name)
    return found


if __name__ == "__main__":
    guest, jobs = sys.argv[1:]
    torch.set_num_threads(1)
    for job in json.loads(Path(jobs).read_text(encoding="utf-8")):
        Path(job["output"]).write_text(json.dumps(flaws(guest, job)), encoding="utf-8")
