"""Eight algorithms without omnibench: a script for each, which calls its framework as the framework's guide does.

python eight_bare.py NAME DIRECTORY      (in the framework's environment; it works in the current directory)

Reads the columns of a split from DIRECTORY (``train_user.npy``, ``train_item.npy``, ``test_user.npy``, ``test_item.npy``, codes from
0), which does not count; nor do imports, nor writing the text files that RecBole reads. Prints the CPU seconds of each step, of all
threads, the peak of memory in megabytes and the metrics, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

K = 20
BLOCK = 1000
"""Users that RecPack predicts for together: it makes the scores of all items."""

SECONDS: dict[str, float] = {}


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Add the CPU seconds of a step."""
    began = time.process_time()
    yield
    SECONDS[step] = SECONDS.get(step, 0.0) + time.process_time() - began


class Split:
    """The columns of a split, in memory.

    Args:
        directory: Where they are.
    """

    def __init__(self, directory: Path) -> None:
        names = ("train_user", "train_item", "test_user", "test_item")
        self.train_user, self.train_item, self.test_user, self.test_item = (
            np.load(directory / f"{name}.npy") for name in names
        )
        self.users = np.unique(self.test_user)
        self.n_users = int(max(self.train_user.max(), self.test_user.max())) + 1
        self.n_items = int(max(self.train_item.max(), self.test_item.max())) + 1


def measured(split: Split, lists: Any) -> dict[str, float]:
    """Return NDCG@10 and HR@10 of lists, as a careful script computes them with numpy.

    Args:
        split: The split.
        lists: Item codes of the users of the test part, ascending by user; shape (n, K), -1 for no item.
    """
    pairs = np.sort(split.test_user.astype(np.int64) * split.n_items + split.test_item)
    keys = split.users.astype(np.int64)[:, None] * split.n_items + lists[:, :10]
    position = np.minimum(np.searchsorted(pairs, keys), len(pairs) - 1)
    is_hit = (pairs[position] == keys) & (lists[:, :10] >= 0)
    gain = 1 / np.log2(np.arange(10) + 2)
    relevant = np.bincount(split.test_user, minlength=split.n_users)[split.users]
    ideal = np.cumsum(gain)[np.minimum(relevant, 10) - 1]
    return {"NDCG@10": float((is_hit @ gain / ideal).mean()), "HR@10": float(is_hit.any(axis=1).mean())}


def lenskit(scorer: str, settings: dict[str, Any], split: Split) -> dict[str, float]:
    """LensKit's guide: a dataset of a frame, a pipeline, lists of a batch, an analysis of the run."""
    import pandas as pd

    lenskit_data = importlib.import_module("lenskit.data")
    pipeline = importlib.import_module("lenskit.pipeline")
    batch, metrics = importlib.import_module("lenskit.batch"), importlib.import_module("lenskit.metrics")
    module, name = scorer.split(":")
    component = getattr(importlib.import_module(module), name)(**settings)
    with timed("fit"):
        frame = pd.DataFrame({"user_id": split.train_user, "item_id": split.train_item})
        recommender = pipeline.topn_pipeline(component, n=K)
        recommender.train(lenskit_data.from_interactions_df(frame))
    with timed("predict"):
        lists = batch.recommend(recommender, split.users, n=K, n_jobs=1)
    with timed("evaluate"):
        frame = pd.DataFrame({"user_id": split.test_user, "item_id": split.test_item})
        analysis = metrics.RunAnalysis()
        analysis.add_metric(metrics.NDCG(10))
        analysis.add_metric(metrics.Hit(10))
        run = analysis.measure(lists, lenskit_data.ItemListCollection.from_df(frame, ["user_id"]))
        summary = run.list_summary()["mean"]
        values = {"NDCG@10": float(summary["NDCG@10"]), "HR@10": float(summary["Hit@10"])}
    with timed("publish"):
        lists.to_df().to_parquet("lists.parquet")
    return values


def recpack(algorithm: str, settings: dict[str, Any], split: Split) -> dict[str, float]:
    """RecPack: an algorithm of a binary matrix, predictions in blocks of users, what was seen removed, its own top of each row."""
    from scipy.sparse import csr_matrix

    algorithms, util = importlib.import_module("recpack.algorithms"), importlib.import_module("recpack.util")
    shape = (split.n_users, split.n_items)
    model = getattr(algorithms, algorithm)(**settings)
    with timed("fit"):
        matrix = csr_matrix((np.ones(len(split.train_user)), (split.train_user, split.train_item)), shape=shape)
        model.fit(matrix)
    with timed("predict"):
        lists = np.full((len(split.users), K), -1)
        for start in range(0, len(split.users), BLOCK):
            users = split.users[start : start + BLOCK]
            asked = matrix[users]
            bounds = np.zeros(split.n_users + 1, dtype=np.int64)
            bounds[users + 1] = np.diff(asked.indptr)
            histories = csr_matrix((asked.data, asked.indices, bounds.cumsum()), shape=shape)  # the others' are empty
            scores = model.predict(histories)[users]
            scores = scores - scores.multiply(asked)  # as RecPack's pipeline removes the history
            ranks = util.get_top_K_ranks(csr_matrix(scores), K).tocoo()
            lists[start + ranks.row, ranks.data.astype(np.int64) - 1] = ranks.col
    with timed("evaluate"):
        values = measured(split, lists)
    with timed("publish"):
        np.save("lists.npy", lists)
    return values


def recbole(model: str, settings: dict[str, Any], split: Split) -> dict[str, float]:
    """What ``run_recbole`` does, with the split in files; its evaluation ranks and measures at once, and keeps no lists."""
    import pandas as pd
    import torch

    torch.set_num_threads(1)
    quick = {name: importlib.import_module(f"recbole.{name}") for name in ("config", "data", "utils")}
    Path("own").mkdir()
    parts = {"train": (split.train_user, split.train_item), "test": (split.test_user, split.test_item)}
    parts["valid"] = tuple(column[:1] for column in parts["test"])  # it wants one; none is asked for below
    for name, (user, item) in parts.items():
        pd.DataFrame({"user_id:token": user, "item_id:token": item}).to_csv(
            f"own/own.{name}.inter", sep="\t", index=False
        )
    sys.argv = sys.argv[:1]  # it takes the command line for settings
    settings = {
        "data_path": ".",
        "benchmark_filename": ["train", "valid", "test"],
        "gpu_id": "",
        "topk": [10],
        "metrics": ["NDCG", "Hit"],
        **settings,
    }
    with timed("fit"):
        config = quick["config"].Config(model=model, dataset="own", config_dict=settings)
        quick["utils"].init_seed(config["seed"], config["reproducibility"])
        train, _, test = quick["data"].data_preparation(config, quick["data"].create_dataset(config))
        network = quick["utils"].get_model(config["model"])(config, train.dataset).to(config["device"])
        trainer = quick["utils"].get_trainer(config["MODEL_TYPE"], config["model"])(config, network)
        trainer.fit(train, None, saved=False, show_progress=False)
    with timed("predict"):
        result = trainer.evaluate(test, load_best_model=False, show_progress=False)
    with timed("publish"):
        torch.save(network.state_dict(), "model.pt")
    return {"NDCG@10": float(result["ndcg@10"]), "HR@10": float(result["hit@10"])}


def own(_: str, settings: dict[str, Any], split: Split) -> dict[str, float]:
    """A class of one's own, as its author calls it: a frame in, lists out, items that were seen taken out of them by sets."""
    import pandas as pd
    from eight_own import MostPopular

    model = MostPopular(**settings)
    with timed("fit"):
        model.fit(pd.DataFrame({"user": split.train_user, "item": split.train_item}))
    with timed("predict"):
        bounds = np.searchsorted(split.train_user, np.arange(split.n_users + 1))
        longest = int(np.diff(bounds).max())
        lists = np.full((len(split.users), K), -1)
        recommended = model.recommend(split.users.tolist(), K + longest)
        for row, user in enumerate(split.users.tolist()):
            seen = set(split.train_item[bounds[user] : bounds[user + 1]].tolist())
            unseen = (item for item in recommended[user] if item not in seen)
            items = [item for item, _ in zip(unseen, range(K), strict=False)]
            lists[row, : len(items)] = items
    with timed("evaluate"):
        values = measured(split, lists)
    with timed("publish"):
        np.save("lists.npy", lists)
    return values


Script = Callable[[str, dict[str, Any], Split], dict[str, float]]

SCRIPTS: dict[str, tuple[Script, str, dict[str, Any]]] = {
    "Pop": (lenskit, "lenskit.basic:PopScorer", {}),
    "ItemKNN": (recpack, "ItemKNN", {"K": 100}),
    "EASE": (recpack, "EASE", {}),
    "ImplicitMF": (lenskit, "lenskit.als:ImplicitMFScorer", {"embedding_size": 64, "epochs": 2}),
    "BPR": (recbole, "BPR", {"epochs": 1}),
    "LightGCN": (recbole, "LightGCN", {"epochs": 1}),
    "SVD": (recpack, "SVD", {"num_components": 64}),
    "own class": (own, "MostPopular", {}),
}
"""What is called for each algorithm, its name there, and its hyperparameters."""


def main(name: str, directory: str) -> None:
    """Print what an algorithm costs."""
    script, algorithm, settings = SCRIPTS[name]
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    values = script(algorithm, dict(settings), Split(Path(directory)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"seconds": SECONDS, "peak": peak, "metrics": values}))


if __name__ == "__main__":
    main(*sys.argv[1:])
