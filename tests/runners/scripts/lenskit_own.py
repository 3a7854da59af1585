"""LensKit as its documentation uses it: a pipeline around a scorer, trained, and its batch functions.

python lenskit_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any

os.environ["LK_TORCH_COMPILE"] = "0"

import numpy as np
import pandas as pd
import torch
from fold_files import FoldFiles
from jobs import Job, run_jobs
from lenskit import als, basic, flexmf, funksvd, implicit, knn, parallel
from lenskit.basic import popularity
from lenskit.batch import predict, recommend
from lenskit.data import ItemListCollection, from_interactions_df
from lenskit.graphs import lightgcn
from lenskit.pipeline import topn_pipeline
from lenskit.sklearn import nmf, svd
from lenskit.training import TrainingOptions

MODULES = (als, basic, flexmf, funksvd, knn, lightgcn, popularity, implicit, nmf, svd)
OF_IMPLICIT = {"ALS": implicit.AlternatingLeastSquares, "BPR": implicit.BayesianPersonalizedRanking}


def scorer_class(name: str) -> type:
    """Find a scorer by its name."""
    (scorer,) = {getattr(module, name) for module in MODULES if hasattr(module, name)}
    return scorer


def defaults(name: str) -> dict[str, Any]:
    """Return the hyperparameters of a scorer with their defaults, those of implicit's constructor included."""
    if name == "TimeBoundedPopScore":
        return {"score": popularity.PopConfig().score}  # and the cutoff, which has none
    own = scorer_class(name)().config.model_dump(mode="json")
    if name in OF_IMPLICIT:
        signature = inspect.signature(OF_IMPLICIT[name])
        own |= {parameter.name: parameter.default for parameter in signature.parameters.values()}
        own["dtype"] = np.dtype(own["dtype"]).name
    return own


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20); of data with ratings, the ratings of the test part."""
    assert not job.changes, job.changes
    torch.manual_seed(seed)  # from which LightGCN's parameters are drawn
    np.random.seed(seed)  # noqa: NPY002 - from which scikit-learn draws
    seeded = {"random_state": seed} if job.algorithm in OF_IMPLICIT else {}
    scorer = scorer_class(job.algorithm)(**job.settings, **seeded)
    rows = files.train.rename(columns={"user": "user_id", "item": "item_id"})
    if job.algorithm == "TimeBoundedPopScore":  # which compares times, and no numbers
        rows["timestamp"] = pd.to_datetime(rows["timestamp"], unit="s")
    train = from_interactions_df(rows)
    options = TrainingOptions(rng=seed, device="cpu")
    if "rating" in files.train:
        pipeline = topn_pipeline(scorer, predicts_ratings=True)
        pipeline.train(train, options)
        pairs = files.test[["user", "item"]].rename(columns={"user": "user_id", "item": "item_id"})
        test = ItemListCollection.from_df(pairs, ["user_id"])
        predicted = predict(pipeline, test, n_jobs=1).to_df()
        return pairs.merge(predicted, on=["user_id", "item_id"], how="left")["score"].to_numpy()
    pipeline = topn_pipeline(scorer)
    pipeline.train(train, options)
    lists = recommend(pipeline, files.users.tolist(), n=files.n_items, n_jobs=1)
    ranked = {key.user_id: (items.ids().tolist(), items.scores().tolist()) for key, items in lists.items()}
    return np.array([files.cut(user, *ranked[user], 20) for user in files.users.tolist()])


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    parallel.initialize(processes=1, threads=1, backend_threads=1)  # with more, BPR differs from run to run
    files = FoldFiles(dataset, fold)
    run_jobs(
        jobs,
        lambda job: main(files, int(seed), job),
        defaults,
    )
