"""Every algorithm of every framework keeps the contract that users' own classes are asked to keep."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench import MakeImplicit, Subsample, UserHoldout, load_dataset
from omnibench.runners.info import algorithm_info
from omnibench.runners.registry import get_runner
from omnibench.testing import AlgorithmContract

EPOCHS = 3

SAMPLE = (
    "LensKit.ImplicitMFScorer",
    "RecBole.BPR",
    "RecPack.BPRMF",
    "RecPack.GRU4RecNegSampling",
    "RecPack.TARSItemKNNLiu",
    "Implicit.AlternatingLeastSquares",
    "Cornac.BPR",
)
"""What is tried with the slow tests; the others are tried with the catalogue."""

PARAMETERS: dict[str, dict[str, Any]] = {
    "LensKit.TimeBoundedPopScore": {"cutoff": "1990-01-01"},
    "LensKit.NMFScorer": {"embedding_size": 5},
    "LensKit.BiasedSVDScorer": {"embedding_size": 5},
    "LensKit.FunkSVDScorer": {"embedding_size": 3},  # each dimension has epochs of its own
    "RecPack.SVD": {"num_components": 10},
    "RecPack.SVDItemToItem": {"num_components": 10},
    "RecPack.NMF": {"num_components": 10},
    "RecPack.NMFItemToItem": {"num_components": 10},
    "RecPack.ItemPNN": {"K": 20, "pdf": "softmax_empirical"},
    "RecPack.WeightedMatrixFactorization": {"num_components": 10},
    "RecBole.RaCT": {
        "pretrain_epochs": 2,
        "metrics_k": 5,
        "critic_pretrain": {"pretrain_epochs": 2, "learning_rate": 0.0001},
    },
    "RecBole.NCL": {"num_clusters": 5, "warm_up_step": 1},
    "RecBole.S3Rec": {"pretrain_epochs": 2, "item_attribute": "genres", "MAX_ITEM_LIST_LENGTH": 10},
    "RecTools.PopularInCategoryModel": {"category_feature": "genres"},
    "RecTools.DSSMModel": {"item_features": ["genres"], "user_features": ["gender", "occupation"]},
    "Cornac.CTR": {"k": 10, "item_features": ["genres"]},
    "Cornac.HFT": {"grad_iter": 5, "item_features": ["genres"]},
    "Cornac.VBPR": {"item_features": ["genres"]},
    "Cornac.AMR": {"item_features": ["genres"]},
}
"""What the defaults are too large for, on so small data, and features that an algorithm is to be told."""

_FILMS = load_dataset("MovieLens100K").with_features().pipe(Subsample(50, of="users"))
RANKED, RATED = _FILMS.pipe(MakeImplicit(3), UserHoldout(0.1, 0.2)), _FILMS.pipe(UserHoldout(0.1, 0.2))
"""Data for algorithms that need features, of which the contract's own have none."""

UNFILLED = {
    "RecPack.SLIM",
    "RecPack.NMF",
    "RecPack.NMFItemToItem",
    "RecPack.ItemPNN",
    "RecPack.Prod2VecClustered",
    "RecPack.SequentialRules",
    "RecPack.STAN",
    "Implicit.ItemItemRecommender",
    "Implicit.CosineRecommender",
    "Implicit.TFIDFRecommender",
    "Implicit.BM25Recommender",
    "RecTools.ImplicitItemKNNWrapperModel",
}
"""What cannot score every item."""

EXPECTED: dict[str, dict[str, str]] = {}
"""The checks that cannot hold, and why."""


def contract_of(framework: str, name: str) -> type:
    """Return the test class of an algorithm."""
    full_name, described = f"{framework}.{name}", algorithm_info(get_runner(framework), name)
    parameters, needs_features = (
        described["parameters"],
        described.get("item_feature") or described.get("needs_features"),
    )
    few = {
        epochs: EPOCHS
        for epochs in ("epochs", "max_epochs", "iterations", "model.iterations", "n_epochs", "num_epochs")
        if epochs in parameters
    }
    marks = [pytest.mark.guests, pytest.mark.slow if full_name in SAMPLE else pytest.mark.catalogue]
    members: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": f"The contract of {full_name}.",
        "algorithm": full_name,
        "parameters": {**few, **PARAMETERS.get(full_name, {})},
        "fills_lists": full_name not in UNFILLED,
        "expected_failures": EXPECTED.get(full_name, {}),
        **({"dataset": RANKED if described["ranking"] else RATED} if needs_features else {}),
        "timeout": 300.0,
        "pytestmark": marks,
    }
    return type(f"Test{framework}{name}", (AlgorithmContract,), members)


for _framework in ("LensKit", "RecPack", "RecBole", "Implicit", "Cornac", "Surprise", "RecTools"):
    for _name in get_runner(_framework).catalogue["algorithms"]:
        globals()[f"Test{_framework}{_name}"] = contract_of(_framework, _name)
