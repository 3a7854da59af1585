"""Implicit data that keeps its ratings, in the frameworks: who learns from them, and who gives the same as without."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.guest_scripts import GUEST, run

from omnibench import MakeImplicit, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.guest.folds import Fold

pytestmark = pytest.mark.guests
SEED = 42
RATED: dict[str, dict[str, object]] = {
    "BiasScorer": {},
    "BiasedMFScorer": {},
    "FunkSVDScorer": {"epochs": 5},
    "ImplicitMFScorer": {"use_ratings": True},
    "ItemKNNScorer": {"feedback": "explicit"},
    "UserKNNScorer": {"feedback": "explicit"},
}
"""LensKit's scorers that learn from ratings, where they are asked to."""
INDIFFERENT: dict[str, dict[str, dict[str, object]]] = {
    "LensKit": {
        **{name: {} for name in ("PopScorer", "EASEScorer", "SLIMScorer", "ImplicitMFScorer", "ItemKNNScorer")},
        "UserKNNScorer": {},
        "FlexMFImplicitScorer": {"epochs": 1},
    },
    "RecPack": {
        **{name: {} for name in ("Popularity", "ItemKNN", "EASE", "SLIM", "KUNN")},
        **{name: {"num_components": 10} for name in ("SVD", "NMF", "SVDItemToItem", "NMFItemToItem")},
        **{name: {"max_epochs": 1} for name in ("BPRMF", "MultVAE", "Prod2Vec")},
    },
    "Implicit": {
        **{name: {} for name in ("CosineRecommender", "TFIDFRecommender", "BM25Recommender", "ItemItemRecommender")},
        **{name: {"iterations": 1} for name in ("AlternatingLeastSquares", "BayesianPersonalizedRanking")},
        "LogisticMatrixFactorization": {"iterations": 1},
    },
    "Cornac": {name: {} for name in ("MostPop", "BPR", "EASE", "HPF", "SKMeans", "ItemKNN", "UserKNN")},
    "RecTools": {
        **{name: {} for name in ("EASEModel", "PureSVDModel", "ImplicitItemKNNWrapperModel", "PopularModel")},
        **{name: {"model.iterations": 1} for name in ("ImplicitALSWrapperModel", "ImplicitBPRWrapperModel")},
        **{name: {} for name in ("LightFMWrapperModel", "RandomModel")},
    },
    "RecBole": {"Pop": {}, "ItemKNN": {}, "EASE": {}, **{name: {"epochs": 1} for name in ("BPR", "MultiVAE")}},
}
"""By framework, algorithms that do not ask for ratings."""


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A prepared dataset with its ratings, and the same one without."""
    rng = np.random.default_rng(11)
    taste, kinds = rng.normal(size=(80, 4)), rng.normal(size=(90, 4))
    liking = taste @ kinds.T + rng.normal(size=(80, 90))
    user, item = np.nonzero(rng.random((80, 90)) < 0.3)
    rating = np.clip(np.round(3 + liking[user, item]), 1, 5)
    frame = pd.DataFrame({"user": user, "item": item, "rating": rating})
    directories = {}
    for name, keep in (("rated", "rating"), ("plain", None)):
        directories[name] = tmp_path_factory.mktemp(name)
        prepare(from_frame(frame, "likes").pipe(MakeImplicit(2, keep=keep), UserHoldout(0.1, 0.2)), directories[name])
    return directories


def adapted(
    python: Path, framework: str, fold: Path, algorithms: dict[str, dict[str, object]], directory: Path
) -> None:
    """Write the predictions of algorithms by the adapter."""
    arguments = [
        word
        for name, parameters in algorithms.items()
        for word in (name, json.dumps(parameters), directory / f"{name}.npy")
    ]
    run(python, "adapter_run.py", GUEST, framework.lower(), fold, 0, SEED, 90, *arguments, cwd=directory)


@pytest.fixture(scope="module")
def by_rating(
    folds: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, environment_python: Callable[[str], Path]
) -> Callable[[], tuple[Path, Path]]:
    """Return the directories with LensKit's lists by its own pipeline and by the adapter."""

    @functools.cache
    def write() -> tuple[Path, Path]:
        python, own, ours = (
            environment_python("LensKit"),
            tmp_path_factory.mktemp("own"),
            tmp_path_factory.mktemp("ours"),
        )
        outputs = [word for name in RATED for word in (name, own / f"{name}.npy")]
        run(python, "lenskit_rated.py", folds["rated"], 0, SEED, *outputs, cwd=own)
        adapted(python, "LensKit", folds["rated"], RATED, ours)
        return own, ours

    return write


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", list(RATED))
def test_what_learns_from_ratings_ranks_as_lenskits_own_pipeline_does(
    algorithm: str, folds: dict[str, Path], by_rating: Callable[[], tuple[Path, Path]]
) -> None:
    """All unseen items by predicted rating, without a place for what has none; up to exact ties."""
    own_directory, directory = by_rating()
    own, ours = np.load(own_directory / f"{algorithm}.npy"), np.load(directory / f"{algorithm}.npy")
    assert len(own) == len(ours) == len(Fold(folds["rated"], 0).users)
    for mine, theirs in zip(ours, own, strict=True):
        score = dict(zip(mine["item"].tolist(), mine["score"].tolist(), strict=True))
        listed = [item for item in theirs.tolist() if item >= 0]
        assert len(listed) >= 10
        assert [score[item] for item in listed] == mine["score"][: len(listed)].tolist()
        assert len(listed) == 20 or mine["item"][len(listed)] == -1


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["LensKit", "RecPack", "RecBole", "Implicit", "Cornac", "RecTools"])
def test_who_does_not_ask_for_ratings_gives_the_same_as_without(
    framework: str, folds: dict[str, Path], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """The same lists with the same scores, to the last bit."""
    for name, fold in folds.items():
        (tmp_path / name).mkdir()
        adapted(environment_python(framework), framework, fold, INDIFFERENT[framework], tmp_path / name)
    for algorithm in INDIFFERENT[framework]:
        rated, plain = (np.load(tmp_path / name / f"{algorithm}.npy") for name in folds)
        assert len(rated) > 0
        assert np.array_equal(rated, plain), algorithm
