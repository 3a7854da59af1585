"""RecBole: its general and its sequential recommenders, trained by its own Trainer on our parts; they rank, none predicts ratings.

What RecBole writes while it trains (checkpoints, tensorboard) goes into a folder of the working directory that is removed
after the fit.
"""

from __future__ import annotations

import os

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # RecBole's checkpoints hold more than weights

import contextlib
import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data.interaction import Interaction
from recbole.utils import get_model, init_seed
from recbole.utils.logger import RemoveColorFilter

from . import folds, parts, ranking, score_forms, top_items
from .base import Task
from .kept import kept
from .negatives import samplable
from .recbole_checks import check_batches, check_clusters, check_critic
from .recbole_data import NumberedFold, PairDataset, numbered
from .recbole_features import ContextDataset, Feature, SequenceContextDataset, Tensors, chosen_features
from .recbole_loaders import loaders
from .recbole_models import (
    CLOSED_FORM,
    CONTEXT,
    OF_USERS,
    REFUSED,
    SEQUENTIAL,
    WITH_ITEM_FEATURES,
    catalogue,
    defaults,
    required,
)
from .recbole_scores import compact_scores
from .recbole_sequences import SequenceDataset, SequenceFold, sequence_fold, sequence_loaders, sequential_scores
from .recbole_stages import OF_A_STAGE, STAGES, Course, Stage
from .recbole_training import Model, train_model

BATCH = 256
"""Users whose scores are held in memory together."""

PAIRS = 8192
"""User-item pairs scored together, for the models that cannot score all items of a user at once."""

RANKED: dict[str, Any] = {
    "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}
}
"""RecBole's general settings of evaluation, for models of features, which it judges by labels if nothing else is said."""

TRAINING_DATA = {"FEARec": ("dataset", "same_item_index"), "S3Rec": ("item_feat",)}
"""A network's attributes that hold the training data, which is no part of a model."""

__all__ = ["catalogue", "fit", "load", "rate", "refused", "save", "score", "version"]

_console = logging.StreamHandler(sys.stdout)
_console.addFilter(RemoveColorFilter())
logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_console])


def version() -> str:
    """Return RecBole's version."""
    return metadata.version("recbole")


def refused() -> dict[str, str]:
    """Return why models of RecBole do not run."""
    return REFUSED


def fit(task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
    """Train a model as RecBole's ``run_recbole`` does, on the given parts.

    The models with epochs are judged on the validation part by ``valid_metric`` over all items; the best epoch
    is kept and ``stopping_step`` stops early. Where the validation part is empty they train for all ``epochs``
    and keep the last.
    """
    if fold.explicit:
        raise ValueError("RecBole's models rank and predict no ratings. Add MakeImplicit to the dataset.")
    torch.set_num_threads(task.threads)
    data = _sequences(fold) if task.algorithm in SEQUENTIAL else _data(task, fold)
    chosen = chosen_features(task, fold, data.users, data.items)
    hyperparameters = {**defaults(task.algorithm), **task.parameters}
    nothing = f"{task.algorithm} is fitted in a single pass" if task.algorithm in CLOSED_FORM else ""
    with tempfile.TemporaryDirectory(prefix="recbole-", dir=".") as folder, contextlib.chdir(folder):
        course = Course(task.algorithm, hyperparameters, task.snapshots)
        for stage in course:
            config = _config(task, {**chosen.settings, **stage.settings})
            if task.algorithm in WITH_ITEM_FEATURES:
                config["selected_features"] = [feature.field for feature in chosen.features["items"]]
            train, valid = _loaders(config, data, chosen.features)
            if task.algorithm == "RaCT" and stage.number == 0:
                check_batches(hyperparameters, train.sample_size)
            network = _network(config, train.dataset, course, stage)
            model = Model(network, data.users, data.items, train.dataset.uid_field, train.dataset.iid_field)
            if isinstance(train.dataset, ContextDataset):
                model.features = _on_device(train.dataset.columns(), config["device"])
            kept_epochs, epochs = train_model(model, config, train, valid, task, stage, nothing)
            course.hand_on(network, epochs)
        for name in TRAINING_DATA.get(task.algorithm, ()):
            delattr(network, name)
    if task.algorithm not in CLOSED_FORM:
        task.keep(kept_epochs)
    of_stages = {*OF_A_STAGE, *STAGES[task.algorithm].defaults} if task.algorithm in STAGES else ()
    effective = {name: value if name in of_stages else config[name] for name, value in hyperparameters.items()}
    return model, {name: _plain(value) for name, value in effective.items()} | chosen.names


def _network(config: Any, dataset: Any, course: Course, stage: Stage) -> Any:
    """Return RecBole's network before a run, with its generators seeded."""

    def new(settings: Any) -> Any:
        return get_model(settings["model"])(settings, dataset)

    course.prepare(stage, config, new)
    init_seed(config["seed"], config["reproducibility"])
    logging.raiseExceptions = False  # RaCT logs a text without a place for its argument
    try:
        network = new(config).to(config["device"])
    finally:
        logging.raiseExceptions = True
    if config["model"] == "DGCF":  # where a batch has most of the data it would draw more of them than there are
        network.cor_batch_size = min(network.cor_batch_size, network.n_users, network.n_items)
    if config["model"] == "NCL":
        check_clusters(network)
    if config["model"] == "RaCT":
        check_critic(network)
    if config["model"] in WITH_ITEM_FEATURES:
        network.feature_embed_layer.dataset = None  # it has read what it needs, and is part of the model
    return network


def _loaders(
    config: Any, data: SequenceFold | NumberedFold, features: dict[str, list[Feature]] | None
) -> tuple[Any, Any]:
    """Return the loader of training and that of validation, None for no rows.

    Args:
        config: RecBole's configuration.
        data: The parts by RecBole's numbers.
        features: The features of a model that reads some.
    """
    if isinstance(data, SequenceFold):
        sequences = (
            SequenceDataset(config, data) if features is None else SequenceContextDataset(config, data, features)
        )
        return sequence_loaders(config, sequences, data)
    pairs = PairDataset(config, data) if features is None else ContextDataset(config, data, features)
    return loaders(config, pairs, data)


def _sequences(fold: folds.Fold) -> SequenceFold:
    """Return training and validation as sequences by RecBole's numbers."""
    return kept(fold, f"RecBole sequences {fold.judged}", lambda: sequence_fold(fold))


def _data(task: Task, fold: folds.Fold) -> NumberedFold:
    """Return training and validation by RecBole's numbers, without whom negative sampling has to leave out."""
    draws = _draws_negatives({**defaults(task.algorithm), **task.parameters})
    has_both = draws and task.algorithm == "LINE"  # which draws users for an item as well
    # RecBole counts the users and items of all parts, which changes what SLIMElastic, ADMMSLIM and NCEPLRec learn.
    is_judged = task.algorithm not in CLOSED_FORM
    name = f"RecBole {draws=} {has_both=} {is_judged=} {fold.judged}"
    usable = kept(fold, name, lambda: _usable(fold, draws=draws, has_both=has_both, is_judged=is_judged))
    if usable.numbered is None:
        raise ValueError(
            f"{task.algorithm} draws negative samples, and there are none: everybody has every item in training. Take an "
            f"algorithm that draws none, e.g. RecBole.EASE or RecBole.ItemKNN."
        )
    if len(usable.without_users):
        task.note(
            "left out of training, because no negative sample can be drawn: {users}, with every item",
            usable.without_users,
        )
    if len(usable.without_items):
        task.note("left out of training, because no user can be drawn against it: {items}", items=usable.without_items)
    return usable.numbered


@dataclass(frozen=True, slots=True)
class _Usable:
    """What a model can be trained on.

    Attributes:
        numbered: The parts by RecBole's numbers; None where nothing is left.
        without_users: Codes of the users who were left out.
        without_items: Codes of the items that were.
    """

    numbered: NumberedFold | None
    without_users: parts.Ints
    without_items: parts.Ints


def _usable(fold: folds.Fold, *, draws: bool, has_both: bool, is_judged: bool) -> _Usable:
    train, validation = fold.train, fold.validation
    users = items = np.zeros(0, dtype=np.int32)
    if draws:
        remaining = samplable(fold, against_items=has_both, with_validation=is_judged)
        train, validation, users, items = remaining.train, remaining.validation, remaining.users, remaining.items
    if draws and len(train) == 0:
        return _Usable(None, users, items)
    if not is_judged:
        validation = parts.rows_of(validation, slice(0))
    return _Usable(numbered(*(_once(part, fold) for part in (train, validation))), users, items)


def _draws_negatives(settings: dict[str, Any]) -> bool:
    """Whether RecBole draws negative items for every interaction, with such settings."""
    arguments = settings["train_neg_sample_args"]
    if isinstance(arguments, dict):
        return arguments.get("distribution", "uniform") not in (None, "None", "none")
    return arguments not in (None, "None")


def _once(part: parts.Part, fold: folds.Fold) -> parts.Part:
    """Return a part with the latest of repeated interactions only: RecBole takes its parts for sets of pairs."""
    return parts.rows_of(part, parts.latest_rows(part, fold.n_items)) if fold.keeps_repeats else part


def _on_device(features: tuple[Tensors, Tensors], device: Any) -> tuple[Tensors, Tensors]:
    of_users, of_items = ({field: values.to(device) for field, values in columns.items()} for columns in features)
    return of_users, of_items


def _config(task: Task, of_features: dict[str, Any]) -> Any:
    """Make RecBole's configuration, shielded from the command line and with the environment restored.

    Args:
        task: The Fit.
        of_features: Settings of a model that learns from features.
    """
    judged = RANKED if task.algorithm in CONTEXT else {}
    settings = {**judged, **required(task.algorithm, task.parameters), **task.parameters, **of_features}
    metric, _, cutoff = str(settings["valid_metric"]).partition("@")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    arguments, sys.argv = sys.argv, ["recbole"]  # it takes the command line for settings
    try:
        return Config(
            model=task.algorithm,
            dataset="fold",
            config_dict={
                **settings,
                "seed": task.seed % 2**32,
                "gpu_id": "" if task.device == "cpu" else visible or "0",
                "data_path": ".",
                "checkpoint_dir": "saved",
                "metrics": [metric],
                "topk": [int(cutoff or 10)],
                "show_progress": False,
            },
        )
    finally:
        sys.argv = arguments
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # it sets this, to the first GPU or to none
        if visible is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible


def _plain(value: Any) -> Any:
    """Return a setting as plain JSON data; RecBole's containers may hold values of any type."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def save(model: Model, directory: Path) -> Path:
    """Store the whole model object as ``model.pt``.

    RecBole's own checkpoint holds neither the matrices of the closed-form models nor a way to rebuild a model
    without the data it was trained on, and it remembers absolute paths.
    """
    path = directory / "model.pt"
    torch.save(vars(model), path)
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Model:
    """Read a model onto the task's device."""
    torch.set_num_threads(task.threads)
    model = Model(**torch.load(path, map_location=task.device, weights_only=False))
    model.network.device = torch.device(task.device)
    if task.algorithm in WITH_ITEM_FEATURES:
        model.network.feature_embed_layer.device = model.network.device
    return model


def score(
    model: Model, task: Task, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield the scores of all items that RecBole knows for batches of users; NaN for the other items."""
    init_seed(task.seed % 2**32, True)  # Random, ADMMSLIM and the diffusion models draw while they score
    model.network.eval()
    number = np.zeros(fold.n_users, dtype=np.int64)
    number[model.users] = np.arange(1, len(model.users) + 1)
    if task.algorithm == "Pop":  # it looks at no user
        scored = _full_sort(model, torch.ones(1, dtype=torch.int64)).numpy(force=True)[0, 1:]
        popularity = np.full(fold.n_items, np.nan, dtype=top_items.ranking_type(scored.dtype))
        popularity[model.items] = scored
        popularity[~fold.candidates] = np.nan
        yield fold.users, score_forms.SharedScores.of(popularity, number[fold.users] > 0)
        return
    if task.algorithm in SEQUENTIAL:
        yield from sequential_scores(model, fold, number, is_of_users=task.algorithm in OF_USERS)
        return
    compact = compact_scores(model, task.algorithm, fold, number)
    if compact is not None:
        yield from compact
        return
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        rows = np.flatnonzero(number[users])  # who was left out of training is unknown
        numbers = torch.from_numpy(number[users[rows]])
        scored = _full_sort(model, numbers).numpy(force=True)[:, 1:] if len(rows) else np.zeros((0, len(model.items)))
        scores = np.full((len(users), fold.n_items), np.nan, dtype=top_items.ranking_type(scored.dtype))
        scores[np.ix_(rows, model.items)] = scored
        scores[:, ~fold.candidates] = np.nan  # what is in validation alone has a number that nothing has trained
        yield users, scores


@torch.no_grad()  # type: ignore[untyped-decorator]
def _full_sort(model: Model, numbers: torch.Tensor) -> torch.Tensor:
    """Score all items for RecBole's user numbers; shape (users, items + 1), where column 0 is the padding."""
    width = len(model.items) + 1
    users = numbers.to(model.network.device)
    try:
        scores = model.network.full_sort_predict(Interaction({model.user_field: users}))
    except NotImplementedError:
        pairs = torch.arange(len(users) * width, device=users.device).split(PAIRS)
        blocks = (model.network.predict(_pairs(model, users[pair // width], pair % width)) for pair in pairs)
        scores = torch.cat([block.reshape(-1) for block in blocks])
    return torch.as_tensor(scores).reshape(len(users), width)


def _pairs(model: Model, users: torch.Tensor, items: torch.Tensor) -> Any:
    """Return pairs of numbers with the features of both, as RecBole's interactions."""
    columns = {model.user_field: users, model.item_field: items}
    for numbers, features in zip((users, items), model.features, strict=True):
        columns |= {field: values[numbers] for field, values in features.items()}
    return Interaction(columns)


def rate(model: Model, task: Task, fold: folds.Fold) -> parts.Floats:
    """Raise ValueError: RecBole's recommenders predict no ratings."""
    raise ValueError(f"{task.algorithm} ranks items but predicts no ratings. Add MakeImplicit to the dataset.")
