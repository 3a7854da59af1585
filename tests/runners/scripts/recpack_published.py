"""RecPack as its pipeline uses it: fit on training and validation together, predict from both.

python recpack_published.py DATASET FOLD OUTPUT ALGORITHM PARAMETERS_JSON ...
"""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pandas as pd
import recpack.algorithms
from fold_files import FoldFiles
from recpack.matrix import InteractionMatrix

# Setuptools no longer has it; of what RecPack's pipelines import only hyperopt's search for parameters would use it.
sys.modules.setdefault("pkg_resources", types.ModuleType("pkg_resources"))

from recpack.pipelines import PipelineBuilder  # noqa: E402


def main(dataset: str, fold: str, output: str, *experiments: str) -> None:
    """Write what each algorithm gives: its pipeline's NDCG@10, and scores of all items for the test users.

    Scores of items that they have seen are not a number.
    """
    files = FoldFiles(dataset, fold)
    both = pd.concat([files.train, files.validation])
    full = InteractionMatrix(both, "item", "user", shape=(files.n_users, files.n_items))
    test_out = InteractionMatrix(files.test, "item", "user", shape=full.shape)
    users = np.intersect1d(files.test["user"], both["user"])
    scores = {"users": users}
    for algorithm, parameters in zip(experiments[::2], experiments[1::2], strict=True):
        model = getattr(recpack.algorithms, algorithm)(**json.loads(parameters))
        model.fit(full)
        test_in = full.users_in(set(users.tolist()))
        predicted = model.predict(test_in).toarray()
        predicted[test_in.binary_values.toarray() > 0] = np.nan
        scores[algorithm] = predicted[users]
        builder = PipelineBuilder()
        builder.set_full_training_data(full)
        builder.set_test_data((test_in, test_out))
        builder.add_algorithm(algorithm, params=json.loads(parameters))
        builder.add_metric("NDCGK", 10)
        pipeline = builder.build()
        pipeline.run()
        scores[f"{algorithm} NDCG@10"] = pipeline.get_metrics().to_numpy()
    np.savez(output, **scores)


if __name__ == "__main__":
    main(*sys.argv[1:])
