"""The adapter of runners that are scripts: the fold as CSV files in, columns of predictions out; it runs in a guest."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import pickle
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omnibench.compat.omnirec.runner.registry import content_of
from omnibench.compat.omnirec_runner.runner import Runner
from omnibench.data.interactions import decode, frame_of
from omnibench.data.stored_ids import read_ids
from omnibench.guest import folds, parts, ranked_lists
from omnibench.guest.base import Task
from omnibench.runners.answers import read_recommendations
from omnibench.variables import SCRATCH


@dataclass
class Model:
    """A runner after ``fit``.

    Attributes:
        runner: The instance.
        directory: What its directories lie in.
    """

    runner: Runner
    directory: tempfile.TemporaryDirectory[str]


def version() -> str:
    """Return an empty version: the code of the script is in the key instead."""
    return ""


def catalogue() -> dict[str, dict[str, Any]]:
    """Return an empty catalogue: scripts say their algorithms when they are registered."""
    return {}


def fit(task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
    """Write the fold as CSV files, and have the runner fit.

    Raises:
        RuntimeError: The script has changed since the host read it, or has no runner.
    """
    model = _model(task, fold)
    runner = model.runner
    runner.init_runner()
    runner.setup_fit()
    runner.fit()
    runner.post_fit()
    return model, dict(runner.algorithm_config)


def _model(task: Task, fold: folds.Fold) -> Model:
    runner_class, algorithm = _runner_class(json.loads(task.algorithm))
    random.seed(task.seed)
    np.random.seed(task.seed)  # noqa: NPY002 - what a script uses
    # A guest ends by a signal, so nothing of its own is sure to remove what it has put elsewhere.
    directory = tempfile.TemporaryDirectory(prefix="omnibench-runner-", dir=os.environ.get(SCRATCH))
    folder = Path(directory.name)
    ids = read_ids(fold.directory, "users"), read_ids(fold.directory, "items")
    for name, part in {"train": fold.train, "val": fold.validation, "test": fold.test}.items():
        frame_of(part, *ids).to_csv(folder / f"{name}.csv", index=False)
    for name in ("checkpoint", "tmp"):
        (folder / name).mkdir()
    dataset_name = json.loads((fold.directory / "manifest.json").read_text(encoding="utf-8"))["name"]
    runner = runner_class(
        algorithm_name=algorithm,
        algorithm_config=dict(task.parameters),
        dataset_name=dataset_name,
        train_file=folder / "train.csv",
        val_file=folder / "val.csv",
        test_file=folder / "test.csv",
        predictions_file=folder / "predictions.json",
        checkpoint_dir=folder / "checkpoint",
        tmp_dir=folder / "tmp",
        recommendation_n=task.k or None,
    )
    return Model(runner, directory)


def _runner_class(locator: dict[str, Any]) -> tuple[type[Runner], str]:
    path = Path(locator["file"])
    if content_of(path) != locator["content"]:
        raise RuntimeError(
            f"{path} has changed since this run began; its result would be recorded for the old code. Run again."
        )
    name = f"omnibench_runner_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
        sys.modules[name] = module
    runners = [
        member
        for member in vars(sys.modules[name]).values()
        if isinstance(member, type) and issubclass(member, Runner) and not inspect.isabstract(member)
    ]
    if not runners:
        raise RuntimeError(
            f"{path} has no subclass of omnibench.compat.omnirec_runner.runner.Runner with fit and predict."
        )
    return runners[-1], locator["name"]


def save(model: Model, directory: Path) -> Path:
    """Pickle what the runner has set, with the files that it left in its checkpoint directory."""
    folder = model.runner.checkpoint_dir
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    path = directory / "model.pkl"
    with path.open("wb") as file:
        pickle.dump((_own_attributes(model.runner), files), file)
    return path


def _own_attributes(runner: Runner) -> dict[str, Any]:
    return {name: value for name, value in vars(runner).items() if name not in Runner.__dataclass_fields__}


def load(path: Path, task: Task, fold: folds.Fold) -> Model:
    """Make the runner anew, and give it back what it had; only this adapter wrote the file."""
    model = _model(task, fold)
    with path.open("rb") as stream:
        attributes, files = pickle.load(stream)  # noqa: S301 - its sha256 was checked
    vars(model.runner).update(attributes)
    for name, content in files.items():
        file = model.runner.checkpoint_dir / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return model


def _predictions(model: Model, task: Task) -> pd.DataFrame:
    runner = model.runner
    runner.recommendation_n = task.k or None
    runner.init_runner()
    runner.setup_predict()
    predictions = pd.DataFrame(runner.predict())
    runner.post_predict()
    shutil.rmtree(runner.tmp_dir, ignore_errors=True)
    runner.tmp_dir.mkdir()
    return predictions


def _require(predictions: pd.DataFrame, *columns: str) -> None:
    missing = [column for column in columns if column not in predictions.columns]
    if missing:
        raise ValueError(f"predict() returned {list(predictions.columns)}, without {missing}")


def lists(model: Model, task: Task, fold: folds.Fold) -> Iterator[tuple[parts.Ints, list[ranked_lists.RankedList]]]:
    """Ask for all predictions; their ranks decide the order, and their scores must not contradict them.

    Raises:
        ValueError: They lack a column, name a user or an item that the dataset does not have, or contradict themselves.
    """
    predictions = _predictions(model, task)
    _require(predictions, "user", "item", "rank")
    user_ids, item_ids = (read_ids(fold.directory, which) for which in ("users", "items"))
    codes = {item: code for code, item in enumerate(item_ids)}
    _refuse_strangers(predictions["user"], set(user_ids))
    own_ids = decode(fold.users, user_ids).tolist()
    # Of a test user without a history nothing is asked, but a script reads all of test.csv.
    answer = predictions[predictions["user"].isin(own_ids)].drop(columns="rating", errors="ignore")
    if answer.empty and own_ids:
        raise ValueError(f"predict() recommended nothing to any of the {len(own_ids)} users, such as {own_ids[0]!r}")
    answer = answer[answer["score"] != -np.inf] if "score" in answer.columns else answer
    try:
        yield fold.users, read_recommendations(answer, own_ids, codes)
    except ValueError as error:
        raise ValueError(str(error).replace("recommend()", "predict()")) from error


def _refuse_strangers(answered: pd.Series[Any], user_ids: set[Any]) -> None:
    strangers = [user for user in answered.unique().tolist() if user not in user_ids]
    if strangers:
        example = next(iter(user_ids))
        raise ValueError(
            f"predict() answered for user {strangers[0]!r} ({type(strangers[0]).__name__}), who is not in the dataset; "
            f"its users are such as {example!r} ({type(example).__name__}). Read the CSV files with dtype={{'user': str}} "
            "if the ids are texts."
        )


def rate(model: Model, task: Task, fold: folds.Fold) -> parts.Floats:
    """Ask for all predictions, and look up those of the test pairs.

    Raises:
        ValueError: They lack a column, or a test pair.
    """
    predictions = _predictions(model, task)
    _require(predictions, "user", "item", "rating")
    ids = read_ids(fold.directory, "users"), read_ids(fold.directory, "items")
    test = frame_of(parts.Part(fold.test.user, fold.test.item, None, None), *ids)
    rated = predictions[["user", "item", "rating"]].drop_duplicates(["user", "item"], keep="last")
    ratings = test.merge(rated, on=["user", "item"], how="left")["rating"].to_numpy(dtype=np.float32)
    if np.isnan(ratings).any():
        raise ValueError(f"predict() has no rating for {int(np.isnan(ratings).sum())} of {len(ratings)} test pairs")
    return ratings
