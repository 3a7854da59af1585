"""RecTools' models that run here, their hyperparameters as RecTools' own configurations have them, and why others do not run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, TFIDFRecommender
from lightfm import LightFM
from rectools import models
from rectools.models.base import ModelBase
from rectools.models.nn.item_net import CatFeaturesItemNet
from rectools.utils.misc import get_class_or_function_full_path

from . import folds, rectools_dssm
from .feature_types import ALL_TYPES, CATEGORIES
from .selected_features import selected

FACTORS, NEIGHBOURS, SIMILARITIES, POPULARITY, LISTS, SEQUENCES, DISTANCES = range(7)
"""What a model ranks by: factors of users and items, similarities of few items or of all, counts, lists, sequences, or distances."""

BLOCKS = "item_net_block_types"
"""The hyperparameter of transformers that names the networks which make the items' embeddings."""

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
)
"""What RecTools' configurations have and no hyperparameter is: it follows from seed, threads and device, or is about
functions and progress bars."""

OF_ITEMS = {"item_features": "items"}
OF_BOTH = {"item_features": "items", "user_features": "users"}
"""The hyperparameters that name the features which a model learns from beside the interactions, and whose they are."""

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
        features: The hyperparameters that name the features which it can learn from; by default there are none.
        reads_numbers: Whether features may be numbers, which count as they are, and not only categories.
        example: Makes it with RecTools' defaults, of which its hyperparameters are read.
    """

    ranks_by: int
    example: Callable[[], ModelBase[Any]]
    epochs: str = ""
    history: bool = True
    features: Mapping[str, str] = field(default_factory=dict)
    reads_numbers: bool = False


def _nearest_neighbours() -> ModelBase[Any]:
    """A model of neighbours has no default for what it weighs them by; RecTools' tutorials take TF-IDF."""
    return models.ImplicitItemKNNWrapperModel(TFIDFRecommender())


RUNNABLE = {
    "SASRecModel": Runnable(SEQUENCES, models.SASRecModel, "epochs", features=OF_ITEMS),
    "BERT4RecModel": Runnable(SEQUENCES, models.BERT4RecModel, "epochs", features=OF_ITEMS),
    "HSTUModel": Runnable(SEQUENCES, models.HSTUModel, "epochs", features=OF_ITEMS),
    "EASEModel": Runnable(SIMILARITIES, models.EASEModel),
    "PureSVDModel": Runnable(FACTORS, models.PureSVDModel, history=False),
    "ImplicitALSWrapperModel": Runnable(
        FACTORS,
        lambda: models.ImplicitALSWrapperModel(AlternatingLeastSquares(use_gpu=False)),
        "model.iterations",
        history=False,
        features=OF_BOTH,
        reads_numbers=True,
    ),
    "ImplicitBPRWrapperModel": Runnable(
        FACTORS,
        lambda: models.ImplicitBPRWrapperModel(BayesianPersonalizedRanking(use_gpu=False)),
        "model.iterations",
        history=False,
    ),
    "ImplicitItemKNNWrapperModel": Runnable(NEIGHBOURS, _nearest_neighbours),
    "LightFMWrapperModel": Runnable(
        FACTORS,
        lambda: models.LightFMWrapperModel(LightFM()),
        "epochs",
        history=False,
        features=OF_BOTH,
        reads_numbers=True,
    ),
    rectools_dssm.NAME: Runnable(
        DISTANCES,
        models.DSSMModel,
        rectools_dssm.EPOCHS,
        history=False,
        features=rectools_dssm.FEATURES,
        reads_numbers=True,
    ),
    "PopularModel": Runnable(POPULARITY, models.PopularModel),
    "PopularInCategoryModel": Runnable(LISTS, lambda: models.PopularInCategoryModel(category_feature="")),
    "RandomModel": Runnable(LISTS, models.RandomModel),
}
"""The models that run, by their names in RecTools."""

REFUSED = {
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
    if name == rectools_dssm.NAME:
        return rectools_dssm.defaults()
    values = RUNNABLE[name].example().get_params(simple_types=True)
    if name == "PopularInCategoryModel":
        values[CATEGORY] = None
    if name == "ImplicitItemKNNWrapperModel":
        values |= {f"model.{key}": getattr(BM25Recommender(), key) for key in ("K1", "B")}
    is_fixed = name != "ImplicitItemKNNWrapperModel"
    own = {
        key: value for key, value in values.items() if key not in OF_THE_TASK and not (is_fixed and key == "model.cls")
    }
    return {**own, **{parameter: [] for parameter in RUNNABLE[name].features}}


def selected_features(name: str, parameters: Mapping[str, Any], fold: folds.Fold) -> dict[str, list[str]]:
    """Return the names of the features that a model learns from, by hyperparameter.

    None stands for all categories that the dataset has. Numbers have to be named, since RecTools takes them as they are,
    whatever their size.

    Args:
        name: The model's name.
        parameters: Its hyperparameters, with their defaults.
        fold: The fold.

    Raises:
        ValueError: The dataset has no such feature, or no categories where all are asked for; the model cannot read its type, or
            none of its networks reads any.
    """
    runnable = RUNNABLE[name]
    readable = ALL_TYPES if runnable.reads_numbers else CATEGORIES
    names = selected(fold, runnable.features, parameters, readable=readable, usual=CATEGORIES)
    for parameter in runnable.features:
        if parameters.get(parameter) is None and not names[parameter]:
            subject = runnable.features[parameter]
            raise ValueError(
                f"no feature of {subject} is of type {' or '.join(CATEGORIES)}. Name others with {parameter}=, or add some."
            )
    blocks = [str(block) for block in parameters.get(BLOCKS) or ()]
    if any(names.values()) and blocks and not any(block.endswith(CatFeaturesItemNet.__name__) for block in blocks):
        raise ValueError(
            f"{', '.join(blocks)}: no network of {BLOCKS} reads features. Add {get_class_or_function_full_path(CatFeaturesItemNet)!r}."
        )
    return names


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
    values = {key: value for key, value in parameters.items() if key not in RUNNABLE[name].features}
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
