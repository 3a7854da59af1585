"""RecPack as its pipeline uses it: fit on training and validation together, predict from both.

python recpack_published.py DATASET FOLD OUTPUT ALGORITHM PARAMETERS_JSON ...
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import recpack.algorithms
from fold_files import FoldFiles
from recpack.matrix import InteractionMatrix


def main(dataset: str, fold: str, output: str, *experiments: str) -> None:
    """Write each algorithm's scores of all items for the test users; those that they have seen are not a number."""
    files = FoldFiles(dataset, fold)
    both = pd.concat([files.train, files.validation])
    full = InteractionMatrix(both, "item", "user", shape=(files.n_users, files.n_items))
    users = np.intersect1d(files.test["user"], both["user"])
    scores = {"users": users}
    for algorithm, parameters in zip(experiments[::2], experiments[1::2], strict=True):
        model = getattr(recpack.algorithms, algorithm)(**json.loads(parameters))
        model.fit(full)
        test_in = full.users_in(set(users.tolist()))
        predicted = model.predict(test_in).toarray()
        predicted[test_in.binary_values.toarray() > 0] = np.nan
        scores[algorithm] = predicted[users]
    np.savez(output, **scores)


if __name__ == "__main__":
    main(*sys.argv[1:])
