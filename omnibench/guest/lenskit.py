"""LensKit: its scorer components, fitted and called without the pipeline around them.

The pipeline around a scorer (history lookup, candidates, ranking) is what ``ranking.recommend`` does for every
framework, so the component is called directly; ``lenskit.batch`` would start a process pool for every fold.
"""

from __future__ import annotations

import os

os.environ.setdefault("LK_TORCH_COMPILE", "0")  # compiling a small model takes longer than fitting it

import functools
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lenskit import parallel
from lenskit.basic import BiasScorer, PopScorer
from lenskit.basic.popularity import TimeBoundedPopScore
from lenskit.data import Dataset, ItemList, RecQuery
from lenskit.flexmf import FlexMFExplicitScorer, FlexMFImplicitScorer
from lenskit.funksvd import FunkSVDScorer
from lenskit.training import TrainingOptions, UsesTrainer

from . import folds, lenskit_scorers, parts, ranking, score_forms
from .base import Task
from .lenskit_bridges import train_by_iterations
from .lenskit_data import histories, training, with_times
from .lenskit_scorers import LIGHT_GCN, OF_IMPLICIT, OF_SCIKIT_LEARN, RATING, RATING_AND_RANKING
from .lenskit_scores import block_scores
from .lenskit_training import train_by_epochs, train_by_features

BATCH = 256
"""Users whose scores are held in memory together."""


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
    """Describe every scorer that runs."""
    return lenskit_scorers.catalogue()


def refused() -> dict[str, str]:
    """Return why each of LensKit's other components that recommend does not run here."""
    return lenskit_scorers.REFUSED


def fit(task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
    """Fit a scorer, and on explicit data LensKit's fallback for ratings beside it.

    Implicit data makes ``feedback="implicit"`` the default of the neighbourhood scorers: their own default,
    explicit, needs ratings.
    """
    if task.algorithm in RATING and fold.train.rating is None:
        raise ValueError(
            f"{task.algorithm} predicts ratings, but the dataset is implicit and has none. Leave out MakeImplicit, keep "
            f'them with MakeImplicit(..., keep="rating"), or take a scorer that ranks, such as ImplicitMFScorer.'
        )
    _use_threads(task.threads)
    torch.set_num_threads(task.threads)
    torch.manual_seed(
        task.seed
    )  # of LightGCN's parameters, and of FlexMF's biases, which are neither trained nor asked
    scorer = _made(task, fold)
    train = training(fold)
    options = TrainingOptions(device=task.device, rng=_scorer_seed(task.seed))
    fallback = None
    if fold.explicit and not isinstance(scorer, BiasScorer):
        fallback = BiasScorer()
        fallback.train(train, options)
    model = Model(scorer, fallback, train, histories(fold))
    if isinstance(scorer, UsesTrainer):
        train_by_epochs(model, options, task)
    elif isinstance(scorer, FunkSVDScorer):
        train_by_features(model, options, task)
    elif task.algorithm in OF_IMPLICIT:
        train_by_iterations(model, options, task)
    else:
        task.snapshots.nothing(f"{task.algorithm} is computed in one call, without points in between")
        scorer.train(_counted(scorer, fold) if isinstance(scorer, TimeBoundedPopScore) else train, options)
    _to_cpu(scorer)
    in_effect = scorer.config.model_dump(mode="json")
    return model, in_effect if task.algorithm not in OF_IMPLICIT else _of_both(task, in_effect)


def _made(task: Task, fold: folds.Fold) -> Any:
    """Return the scorer that a plan asks for, which has not been trained."""
    parameters = dict(task.parameters)
    if task.algorithm in RATING_AND_RANKING and not fold.explicit:
        parameters.setdefault("feedback", "implicit")
    if task.algorithm in OF_IMPLICIT:
        parameters |= {"random_state": task.seed % 2**32, "use_gpu": False}
    if task.algorithm in OF_SCIKIT_LEARN:
        np.random.seed(task.seed % 2**32)  # from which scikit-learn draws where LensKit gives it no generator
    return lenskit_scorers.scorer_of(task.algorithm)(**parameters)


def _of_both(task: Task, in_effect: dict[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters in effect of a bridge to implicit: LensKit's own, and those of implicit's constructor."""
    defaults = lenskit_scorers.defaults_of(task.algorithm)
    return {name: in_effect.get(name, default) for name, default in defaults.items()}


def _counted(scorer: TimeBoundedPopScore, fold: folds.Fold) -> Dataset:
    """Return the training data with its times, of which the scorer's configuration asks for the later ones.

    Raises:
        ValueError: None is later.
    """
    cutoff = scorer.config.cutoff
    if cutoff.tzinfo is not None:  # times are those of UTC, without saying so
        cutoff = scorer.config.cutoff = cutoff.astimezone(UTC).replace(tzinfo=None)
    train = with_times(fold)
    last = train.interaction_table(format="pandas")["timestamp"].max()
    if not last > cutoff:
        raise ValueError(
            f"no interaction of the training part is later than cutoff, {cutoff.isoformat()}: the last one is of "
            f"{last.isoformat()}. Give an earlier time, in UTC."
        )
    return train


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
    if task.algorithm not in RATING | RATING_AND_RANKING:
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
