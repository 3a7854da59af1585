"""Fit three stochastic algorithms with many seeds on MovieLens-100K, and keep their values per user.

``python benchmarks/statistics/seeded_fits.py --seeds 20`` takes minutes on a quiet machine; what is done is not fitted again.
``levels.py`` draws from what it writes. Metrics per user contain none of the data's ratings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from omnibench import (
    NDCG,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    LensKit,
    MakeImplicit,
    Recall,
    RecBole,
    UserHoldout,
    load_dataset,
    open_store,
    run_omnirec,
    set_random_state,
)

ASSET = Path(__file__).with_name("movielens_seeds.npz")
COLUMNS = {"RecBole.BPR": "NDCG@10", "RecBole.MultiVAE": "Recall@20", "LensKit.ImplicitMFScorer": "NDCG@10"}
"""The metric that is kept of each algorithm."""


def fit(seed: int, store: str) -> None:
    """Fit all algorithms with a seed, on the same split every time."""
    set_random_state(42)
    movielens = load_dataset("MovieLens100K").pipe(
        MakeImplicit(4), CorePruning(5), UserHoldout(validation_size=0, test_size=0.2)
    )
    plan = ExperimentPlan("seeds")
    plan.add_algorithm(RecBole.BPR, {"epochs": 10})
    plan.add_algorithm(RecBole.MultiVAE, {"epochs": 15})
    plan.add_algorithm(LensKit.ImplicitMFScorer, {"embedding_size": 50})
    set_random_state(seed)
    run_omnirec(movielens, plan, Evaluator(NDCG(10), Recall(20)), store, quiet=True)


def keep(store: str) -> None:
    """Write the values per user of all seeds of the store, shape (seeds, users) of each algorithm."""
    opened = open_store(store)
    results = opened.results()
    kept = {}
    for name, label in COLUMNS.items():
        rows = results[(results["metric"] == label) & results["algorithm"].str.startswith(f"{name}-")]
        (dataset,) = set(rows["dataset"])
        seeds = []
        for item in sorted(rows["item"]):
            (path,) = (path for path in opened.files(item) if path.name.startswith("per_user-"))
            seeds.append(pd.read_parquet(path).set_index("user")[label].sort_index())
        kept[f"{name}, {label}"] = pd.concat(seeds, axis=1, verify_integrity=False).to_numpy(np.float32).T
        print(f"{name} on {dataset}: {len(seeds)} seeds, {label} {kept[f'{name}, {label}'].mean():.4f}")
    np.savez_compressed(ASSET, **kept)  # type: ignore[arg-type] # allow_pickle is no name of an array


def main() -> None:
    """Fit and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--store", default="checkpoints")
    arguments = parser.parse_args()
    for seed in range(1, arguments.seeds + 1):
        fit(seed, arguments.store)
    keep(arguments.store)


if __name__ == "__main__":
    main()
