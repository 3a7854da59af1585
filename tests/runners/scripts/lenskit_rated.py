"""LensKit's own top-n pipelines of scorers that learn from ratings.

python lenskit_rated.py DATASET FOLD SEED ALGORITHM OUTPUT ...
"""

from __future__ import annotations

import os
import sys

os.environ["LK_TORCH_COMPILE"] = "0"

import numpy as np
from fold_files import FoldFiles
from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.basic import BiasScorer
from lenskit.batch import recommend
from lenskit.data import from_interactions_df
from lenskit.funksvd import FunkSVDScorer
from lenskit.knn import ItemKNNScorer, UserKNNScorer
from lenskit.pipeline import topn_pipeline
from lenskit.training import TrainingOptions

SCORERS = {
    "BiasScorer": BiasScorer,
    "BiasedMFScorer": BiasedMFScorer,
    "FunkSVDScorer": lambda: FunkSVDScorer(epochs=5),
    "ImplicitMFScorer": lambda: ImplicitMFScorer(use_ratings=True),
    "ItemKNNScorer": lambda: ItemKNNScorer(feedback="explicit"),
    "UserKNNScorer": lambda: UserKNNScorer(feedback="explicit"),
}


def main(dataset: str, fold: str, algorithm: str, seed: str, output: str) -> None:
    """Write the top-20 lists, shape (users, 20)."""
    files = FoldFiles(dataset, fold)
    train = from_interactions_df(files.train.rename(columns={"user": "user_id", "item": "item_id"}))
    pipeline = topn_pipeline(SCORERS[algorithm]())
    pipeline.train(train, TrainingOptions(rng=int(seed), device="cpu"))
    lists = recommend(pipeline, files.users.tolist(), n=files.n_items, n_jobs=1)
    ranked = {key.user_id: (items.ids().tolist(), items.scores().tolist()) for key, items in lists.items()}
    np.save(output, np.array([files.cut(user, *ranked[user], 20)["item"] for user in files.users.tolist()]))


if __name__ == "__main__":
    dataset, fold, seed, *outputs = sys.argv[1:]
    for algorithm, output in zip(outputs[::2], outputs[1::2], strict=True):
        main(dataset, fold, algorithm, seed, output)
