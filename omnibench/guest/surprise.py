"""Surprise: predictors of ratings. Where lists are asked for, they rank all items by the rating that they predict."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import surprise
from surprise.prediction_algorithms.knns import SymmetricAlgo

from . import folds, parts, ranking
from .base import Task
from .surprise_data import CountedTrainset, training
from .surprise_scores import scores_of

ALGORITHMS = (
    "NormalPredictor",
    "BaselineOnly",
    "KNNBasic",
    "KNNWithMeans",
    "KNNWithZScore",
    "KNNBaseline",
    "SVD",
    "SVDpp",
    "NMF",
    "SlopeOne",
    "CoClustering",
)

NO_HYPERPARAMETERS = ("self", "random_state", "verbose")
"""Parameters of constructors that follow from the seed, or only print."""

OF_THE_TRAINSET = ("xr", "yr")
"""What a KNN algorithm has of its training set, which is not stored with it."""


def version() -> str:
    """Return Surprise's version."""
    return metadata.version("scikit-surprise")


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every algorithm by the signature of its constructor."""
    return {
        name: {
            "parameters": _defaults(name),
            "ratings": True,
            "ranking": False,
            "validation": "nothing",
            "refit": True,
            "gpu": False,
            "history": False,
        }
        for name in ALGORITHMS
    }


def _parameters(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(surprise, name).__init__).parameters)


def _defaults(name: str) -> dict[str, Any]:
    """Return the hyperparameters of an algorithm with their defaults; whoever takes any more takes options of baselines."""
    defaults: dict[str, Any] = {}
    for parameter in _parameters(name).values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            defaults["bsl_options"] = {}
        elif parameter.name not in NO_HYPERPARAMETERS:
            default = parameter.default
            defaults[parameter.name] = {} if isinstance(default, dict) else default  # it is shared, and written to
    return defaults


def fit(task: Task, fold: folds.Fold) -> tuple[Any, dict[str, Any]]:
    """Fit an algorithm on the ratings of the training part."""
    if fold.train.rating is None:
        raise ValueError(
            f"{task.algorithm} predicts ratings, but the dataset is implicit and has none. Leave out MakeImplicit, keep them "
            f'with MakeImplicit(..., keep="rating"), or take an algorithm that ranks, such as Implicit.AlternatingLeastSquares.'
        )
    task.snapshots.nothing(f"{task.algorithm} is computed in one call, without points in between")
    parameters = {**_defaults(task.algorithm), **copy.deepcopy(dict(task.parameters))}
    effective = copy.deepcopy(parameters)  # Surprise adds to options
    names = _parameters(task.algorithm)
    own = {"random_state": task.seed % 2**32} if "random_state" in names else {}
    quiet = {"verbose": False} if "verbose" in names else {}
    model = getattr(surprise, task.algorithm)(**parameters, **own, **quiet)
    trainset = training(fold).trainset
    epochs = parameters.get("n_epochs")

    def begin(passes: int) -> None:
        if epochs is not None and 0 < passes <= epochs:
            task.report(epoch=passes, epochs=epochs)

    counted = CountedTrainset(trainset, begin)
    model.fit(counted)
    model.trainset = trainset
    return model, effective


def save(model: Any, directory: Path) -> Path:
    """Pickle the algorithm as Surprise's ``dump`` does, but for its training set, as ``model.pkl``."""
    path = directory / "model.pkl"
    stored = copy.copy(model)
    for name in ("trainset", *OF_THE_TRAINSET):
        vars(stored).pop(name, None)
    with path.open("wb") as file:
        pickle.dump(stored, file, protocol=5)
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Any:
    """Read an algorithm, and give it its training set."""
    with path.open("rb") as file:
        model = pickle.load(file)
    trainset = model.trainset = training(fold).trainset
    if isinstance(model, SymmetricAlgo):
        model.xr, model.yr = model.switch(trainset.ur, trainset.ir)[0], model.switch(trainset.ir, trainset.ur)[0]
    return model


def score(
    model: Any, task: Task, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield the predicted ratings of all items of training."""
    _seed(task.seed)
    yield from scores_of(model, training(fold), fold)


def rate(model: Any, task: Task, fold: folds.Fold) -> parts.Floats:
    """Return what Surprise's ``predict`` says of the test pairs; the mean of all ratings where it says that it cannot."""
    _seed(task.seed)
    pairs = zip(fold.test.user.tolist(), fold.test.item.tolist(), strict=True)
    return np.array([model.predict(user, item).est for user, item in pairs], dtype=np.float32)


def _seed(seed: int) -> None:
    """Seed numpy's global generator, which NormalPredictor draws its predictions from."""
    np.random.seed(seed % 2**32)
