"""LensKit: its scorer components, fitted and called without the pipeline around them.

The pipeline around a scorer (history lookup, candidates, ranking) is what ``ranking.recommend`` does for every
framework, so the component is called directly; ``lenskit.batch`` would start a process pool for every fold.
"""

from __future__ import annotations

import os

os.environ.setdefault("LK_TORCH_COMPILE", "0")  # compiling a small model takes longer than fitting it

import functools
import inspect
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lenskit import parallel
from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.basic import BiasScorer, PopScorer
from lenskit.data import Dataset, ItemList, RecQuery
from lenskit.flexmf import FlexMFExplicitScorer, FlexMFImplicitScorer
from lenskit.funksvd import FunkSVDScorer
from lenskit.knn import EASEScorer, ItemKNNScorer, SLIMScorer, UserKNNScorer
from lenskit.training import TrainingOptions, UsesTrainer

from . import folds, parts, ranking, score_forms
from .base import Task
from .lenskit_data import histories, training
from .lenskit_scores import block_scores
from .lenskit_training import train_by_epochs, train_by_features

BATCH = 256
"""Users whose scores are held in memory together."""

RATING_AND_RANKING = (ItemKNNScorer, UserKNNScorer)
RATING = (BiasScorer, BiasedMFScorer, FunkSVDScorer, FlexMFExplicitScorer)
RANKING = (PopScorer, EASEScorer, SLIMScorer, ImplicitMFScorer, FlexMFImplicitScorer)
ON_GPU = (EASEScorer, FlexMFImplicitScorer, FlexMFExplicitScorer)
FOLDS_IN = (PopScorer, EASEScorer, SLIMScorer, ImplicitMFScorer, ItemKNNScorer, UserKNNScorer)
"""The scorers of rankings that take users unknown in training by their history; FlexMF has no factors for them."""
ASKING_FOR_RATINGS: dict[Any, dict[str, Any]] = {
    ImplicitMFScorer: {"use_ratings": True},
    ItemKNNScorer: {"feedback": "explicit"},
    UserKNNScorer: {"feedback": "explicit"},
}
"""The hyperparameters by which a scorer that ranks learns from ratings; the others do not look at them."""
SCORERS: dict[str, Any] = {scorer.__name__: scorer for scorer in (*RANKING, *RATING_AND_RANKING, *RATING)}
LIGHT_GCN = "LightGCNScorer"
"""The scorer that is imported when it is asked for: torch-geometric takes a second."""


def scorer_of(name: str) -> Any:
    """Return a scorer's class by its name."""
    if name == LIGHT_GCN:
        from lenskit.graphs.lightgcn import LightGCNScorer

        return LightGCNScorer
    return SCORERS[name]


@dataclass
class Model:
    """A fitted scorer with what it needs to answer.

    Attributes:
        scorer: The fitted LensKit component.
        fallback: The bias model that rates what the scorer cannot; None on implicit data.
        train: The training interactions, where item numbers come from.
        histories: The histories of the users to recommend for.
    """

    scorer: Any
    fallback: BiasScorer | None
    train: Dataset
    histories: Dataset

    def ask(self, scorer: Any, user: int, items: ItemList) -> parts.Floats:
        """Score items for a user as a LensKit pipeline would, with the user's history."""
        if isinstance(scorer, PopScorer):  # the only one that takes no query
            scored = scorer(items=items)
        else:
            scored = scorer(query=RecQuery(user_id=user, history_items=self.histories.user_row(user)), items=items)
        return np.asarray(scored.scores(), dtype=np.float32)


@functools.cache
def _use_threads(threads: int) -> None:
    """Set the size of LensKit's thread pools, which it can do only once per process."""
    parallel.initialize(processes=1, threads=threads, backend_threads=threads)


def version() -> str:
    """Return LensKit's version."""
    return metadata.version("lenskit")


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every scorer by the fields of its configuration class, their aliases included."""
    return {
        name: {
            "parameters": _parameters(inspect.get_annotations(scorer, eval_str=True)["config"]),
            "ratings": scorer in RATING + RATING_AND_RANKING,
            "ranking": scorer not in RATING,
            "validation": "nothing",
            "refit": True,
            "gpu": scorer in ON_GPU or name == LIGHT_GCN,
            "history": scorer in FOLDS_IN,
            **({"epochs": "epochs"} if issubclass(scorer, UsesTrainer) else {}),
            **({"rating_parameters": ASKING_FOR_RATINGS[scorer]} if scorer in ASKING_FOR_RATINGS else {}),
        }
        for name, scorer in {**SCORERS, LIGHT_GCN: scorer_of(LIGHT_GCN)}.items()
    }


_PACKAGES = {
    "HPFScorer": "hpfrec",
    "BiasedSVDScorer": "scikit-learn",
    "NMFScorer": "scikit-learn",
    "ALS": "implicit",
    "BPR": "implicit",
}
"""What LensKit's other scorers need beside LensKit, and its lock does not have."""


def refused() -> dict[str, str]:
    """Return why each of LensKit's other scorers does not run here."""
    elsewhere = {
        "HPFScorer": "Cornac.HPF",
        "ALS": "Implicit.AlternatingLeastSquares",
        "BPR": "Implicit.BayesianPersonalizedRanking",
    }
    return {
        name: f"it needs {package}, which the environment of LensKit does not have"
        + (", since it has to be compiled where it is installed" if package == "hpfrec" else "")
        + (f"; {elsewhere[name]} does run" if name in elsewhere else "")
        for name, package in _PACKAGES.items()
    }


def _parameters(config: Any) -> dict[str, Any]:
    """Return the defaults of a pydantic configuration class under every name it accepts."""
    defaults = config().model_dump(mode="json")
    for name, field in config.model_fields.items():
        for alias in getattr(field.validation_alias, "choices", ()):
            defaults[alias] = defaults[name]
    if "embedding_size" in defaults:
        defaults["embedding_size_exp"] = None  # LensKit's EmbeddingSizeMixin: the size as a power of two
    return dict(defaults)


def fit(task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
    """Fit a scorer, and on explicit data LensKit's fallback for ratings beside it.

    Implicit data makes ``feedback="implicit"`` the default of the neighbourhood scorers: their own default,
    explicit, needs ratings.
    """
    scorer_class = scorer_of(task.algorithm)
    if scorer_class in RATING and fold.train.rating is None:
        raise ValueError(
            f"{task.algorithm} predicts ratings, but the dataset is implicit and has none. Leave out MakeImplicit, keep "
            f'them with MakeImplicit(..., keep="rating"), or take a scorer that ranks, such as ImplicitMFScorer.'
        )
    _use_threads(task.threads)
    torch.set_num_threads(task.threads)
    torch.manual_seed(
        task.seed
    )  # of LightGCN's parameters, and of FlexMF's biases, which are neither trained nor asked
    parameters = dict(task.parameters)
    if scorer_class in RATING_AND_RANKING and not fold.explicit:
        parameters.setdefault("feedback", "implicit")
    scorer = scorer_class(**parameters)
    train = training(fold)
    options = TrainingOptions(device=task.device, rng=_scorer_seed(task.seed))
    fallback = None
    if fold.explicit and scorer_class is not BiasScorer:
        fallback = BiasScorer()
        fallback.train(train, options)
    model = Model(scorer, fallback, train, histories(fold))
    if isinstance(scorer, UsesTrainer):
        train_by_epochs(model, options, task)
    elif isinstance(scorer, FunkSVDScorer):
        train_by_features(model, options, task)
    else:
        task.snapshots.nothing(f"{task.algorithm} is computed in one call, without points in between")
        scorer.train(train, options)
    _to_cpu(scorer)
    return model, scorer.config.model_dump(mode="json")


def _scorer_seed(seed: int) -> np.random.SeedSequence:
    """Return the seed that a ``topn_pipeline`` trained with ``rng=seed`` gives its scorer.

    A pipeline spawns one seed per trainable component: history lookup, candidate selector, scorer. With the
    same one a model is the same as in a LensKit script of one's own.
    """
    return np.random.SeedSequence(seed).spawn(3)[2]


def _to_cpu(scorer: Any) -> None:
    """Move a network to the CPU, so that the live and the reloaded one score alike."""
    if type(scorer).__name__ == LIGHT_GCN:
        scorer.to("cpu")
    if isinstance(scorer, FlexMFExplicitScorer | FlexMFImplicitScorer):
        model = scorer.to("cpu").model
        for name in ("u_layers", "i_layers"):  # plain attributes, which Module.to() leaves behind
            layers = getattr(model, name)
            if layers is not None:
                setattr(model, name, layers.detach().cpu())


def save(model: Model, directory: Path) -> Path:
    """Pickle the scorer and its fallback, LensKit's own way to store components, as ``model.pkl``."""
    path = directory / "model.pkl"
    with path.open("wb") as file:
        pickle.dump((model.scorer, model.fallback), file, protocol=5)
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Model:
    """Read the scorer and its fallback; the histories come from the fold."""
    _use_threads(task.threads)
    torch.set_num_threads(task.threads)
    with path.open("rb") as file:
        scorer, fallback = pickle.load(file)
    return Model(scorer, fallback, training(fold), histories(fold))


def score(
    model: Model, task: Task, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield the scores of all training items for batches of users; NaN where the scorer has none."""
    vocabulary = model.train.items
    items, codes = ItemList.from_vocabulary(vocabulary), vocabulary.ids()
    if isinstance(model.scorer, PopScorer):  # it looks at no user
        popularity = np.full(fold.n_items, np.nan, dtype=np.float32)
        popularity[codes] = model.ask(model.scorer, 0, items)
        yield fold.users, score_forms.SharedScores.of(popularity, np.ones(len(fold.users), dtype=bool))
        return
    blocks = block_scores(model.scorer, model.histories, fold)
    if blocks is not None:
        yield from blocks
        return
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        scores = np.full((len(users), fold.n_items), np.nan, dtype=np.float32)
        for row, user in enumerate(users):
            scores[row, codes] = model.ask(model.scorer, int(user), items)
        yield users, scores


def rate(model: Model, task: Task, fold: folds.Fold) -> parts.Floats:
    """Rate the test pairs; the bias model rates what the scorer cannot, as in a LensKit pipeline."""
    if type(model.scorer) not in RATING + RATING_AND_RANKING:
        raise ValueError(f"{task.algorithm} ranks items but predicts no ratings. Add MakeImplicit to the dataset.")
    test = fold.test
    ratings = np.full(len(test), np.nan, dtype=np.float32)
    order = np.argsort(test.user, kind="stable")
    users, starts = np.unique(test.user[order], return_index=True)
    for user, rows in zip(users, np.split(order, starts[1:]), strict=True):
        items = ItemList(item_ids=test.item[rows])
        ratings[rows] = model.ask(model.scorer, int(user), items)
        missing = rows[np.isnan(ratings[rows])]
        if len(missing) and model.fallback is not None:
            ratings[missing] = model.ask(model.fallback, int(user), ItemList(item_ids=test.item[missing]))
    return ratings
