"""RecPack as its documentation uses it: fit on an interaction matrix, predict from it, take the best scores.

python recpack_own.py DATASET FOLD SEED ALGORITHM OUTPUT ...
"""

from __future__ import annotations

import os
import sys

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
from fold_files import FoldFiles
from recpack.algorithms import BPRMF, ItemKNN
from recpack.matrix import InteractionMatrix


def main(dataset: str, fold: str, algorithm: str, seed: str, output: str) -> None:
    """Write the top-20 lists, shape (users, 20)."""
    files = FoldFiles(dataset, fold)
    shape = (files.n_users, files.n_items)
    train, validation = (
        InteractionMatrix(part, "item", "user", shape=shape) for part in (files.train, files.validation)
    )
    if algorithm == "ItemKNN":
        model = ItemKNN()
        model.fit(train)
    else:
        model = BPRMF(max_epochs=3, seed=int(seed))
        model.fit(train, (train.users_in(set(files.validation["user"])), validation))
    predicted = model.predict(train.users_in(set(files.users.tolist())))
    lists = []
    for user in files.users.tolist():
        row = predicted[user]
        lists.append(files.cut(user, row.indices[np.argsort(-row.data)].tolist(), 20))
    np.save(output, np.array(lists))


if __name__ == "__main__":
    dataset, fold, seed, *outputs = sys.argv[1:]
    for algorithm, output in zip(outputs[::2], outputs[1::2], strict=True):
        main(dataset, fold, algorithm, seed, output)
