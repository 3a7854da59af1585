"""RecTools' models that run here, their hyperparameters as RecTools' own configurations have them, and why others do not run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, TFIDFRecommender
from lightfm import LightFM
from rectools import models
from rectools.models.base import ModelBase

FACTORS, NEIGHBOURS, SIMILARITIES, POPULARITY, LISTS, SEQUENCES = range(6)
"""What a model ranks by: factors of users and items, similarities of few items or of all, counts, lists, or sequences."""

CATEGORY = "category_feature"
"""The hyperparameter of the popularity in categories that names a feature of items."""

OF_THE_TASK = (
    "verbose",
    "cls",
    "random_state",
    "num_threads",
    "use_gpu",
    "recommend_n_threads",
    "recommend_use_gpu_ranking",
    "recommend_batch_size",
    "recommend_torch_device",
    "dataloader_num_workers",
    "get_val_mask_func",
    "get_val_mask_func_kwargs",
    "get_trainer_func",
    "get_trainer_func_kwargs",
    "model.random_state",
    "model.num_threads",
    "model.use_gpu",
    "fit_features_together",
)
"""What RecTools' configurations have and no hyperparameter is: it follows from seed, threads and device, or is about
features, functions and progress bars."""

NOT_RESUMABLE = {
    "ImplicitBPRWrapperModel": "what it draws from is inside of implicit's compiled code, and cannot be stored",
}
"""Models that train in epochs and cannot go on from a snapshot, with the reason."""


@dataclass(frozen=True)
class Runnable:
    """What is known of a model that runs.

    Attributes:
        ranks_by: What it ranks by.
        epochs: The hyperparameter that is the number of its epochs; empty where there are none.
        history: Whether it recommends from a history, also to users who are not in training.
        example: Makes it with RecTools' defaults, of which its hyperparameters are read.
    """

    ranks_by: int
    example: Callable[[], ModelBase[Any]]
    epochs: str = ""
    history: bool = True


def _nearest_neighbours() -> ModelBase[Any]:
    """A model of neighbours has no default for what it weighs them by; RecTools' tutorials take TF-IDF."""
    return models.ImplicitItemKNNWrapperModel(TFIDFRecommender())


RUNNABLE = {
    "SASRecModel": Runnable(SEQUENCES, models.SASRecModel, "epochs"),
    "BERT4RecModel": Runnable(SEQUENCES, models.BERT4RecModel, "epochs"),
    "HSTUModel": Runnable(SEQUENCES, models.HSTUModel, "epochs"),
    "EASEModel": Runnable(SIMILARITIES, models.EASEModel),
    "PureSVDModel": Runnable(FACTORS, models.PureSVDModel, history=False),
    "ImplicitALSWrapperModel": Runnable(
        FACTORS,
        lambda: models.ImplicitALSWrapperModel(AlternatingLeastSquares(use_gpu=False)),
        "model.iterations",
        history=False,
    ),
    "ImplicitBPRWrapperModel": Runnable(
        FACTORS,
        lambda: models.ImplicitBPRWrapperModel(BayesianPersonalizedRanking(use_gpu=False)),
        "model.iterations",
        history=False,
    ),
    "ImplicitItemKNNWrapperModel": Runnable(NEIGHBOURS, _nearest_neighbours),
    "LightFMWrapperModel": Runnable(FACTORS, lambda: models.LightFMWrapperModel(LightFM()), "epochs", history=False),
    "PopularModel": Runnable(POPULARITY, models.PopularModel),
    "PopularInCategoryModel": Runnable(LISTS, lambda: models.PopularInCategoryModel(category_feature="")),
    "RandomModel": Runnable(LISTS, models.RandomModel),
}
"""The models that run, by their names in RecTools."""

REFUSED = {
    "DSSMModel": "it learns from features of both users and items, which omnibench does not hand to RecTools' networks",
    "CandidateRankingModel": "it ranks anew what other models recommend, and these are objects, not hyperparameters",
    "UniSRecModel": "it reads vectors of the items' texts that a language model has made, which no data set has",
}
"""Models of RecTools that do not run here, with the reason."""


def defaults(name: str) -> dict[str, Any]:
    """Return the hyperparameters of a model with their defaults, as RecTools' ``get_params`` does.

    What belongs to a model of another library has ``model.`` before its name; classes go by the names they are imported by.

    Args:
        name: The model's name.
    """
    values = RUNNABLE[name].example().get_params(simple_types=True)
    if name == "PopularInCategoryModel":
        values[CATEGORY] = None
    if name == "ImplicitItemKNNWrapperModel":
        values |= {f"model.{key}": getattr(BM25Recommender(), key) for key in ("K1", "B")}
    is_fixed = name != "ImplicitItemKNNWrapperModel"
    return {
        key: value for key, value in values.items() if key not in OF_THE_TASK and not (is_fixed and key == "model.cls")
    }


def create(name: str, parameters: Mapping[str, Any], seed: int, threads: int) -> ModelBase[Any]:
    """Make a model, before it learns.

    Args:
        name: The model's name.
        parameters: The hyperparameters that were given.
        seed: Where it draws from, in 32 bits.
        threads: How many threads may compute.

    Raises:
        ValueError: A hyperparameter belongs to another class of neighbours, or RecTools refuses its value.
        TypeError: RecTools refuses its type.
    """
    values = {**parameters}
    if name == "ImplicitItemKNNWrapperModel":
        values = {"model.cls": defaults(name)["model.cls"], "model.num_threads": threads, **values}
        stray = [key for key in ("model.K1", "model.B") if key in values]
        if stray and values["model.cls"] != BM25Recommender.__name__:
            raise ValueError(
                f"{' and '.join(stray)}: only BM25Recommender has it, and model.cls is {values['model.cls']!r}. "
                f"Leave it out, or add 'model.cls': 'BM25Recommender'."
            )
    elif name == "LightFMWrapperModel":  # with several threads no run is like another
        values |= {"model.random_state": seed, "num_threads": 1}
    elif name in ("ImplicitALSWrapperModel", "ImplicitBPRWrapperModel"):
        is_repeatable = name == "ImplicitALSWrapperModel"  # what BPR's threads write at the same time is not
        own = {"random_state": seed, "num_threads": threads if is_repeatable else 1, "use_gpu": False}
        values |= {f"model.{key}": value for key, value in own.items()}
    elif name in ("PureSVDModel", "RandomModel"):
        values["random_state"] = seed
    wrapped = {"model": {}} if name.endswith("WrapperModel") else {}
    for key in [key for key in values if key.startswith("model.")]:
        wrapped["model"][key.removeprefix("model.")] = values.pop(key)
    return getattr(models, name).from_config({**values, **wrapped})
