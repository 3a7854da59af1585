"""A user's own class, run in the user's environment: pandas frames with the user's ids in, ids out."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import pickle
import random
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from omnibench.code import HISTORY, SEED_NAMES, code_of
from omnibench.data.interactions import decode
from omnibench.data.prepare import read_ids
from omnibench.guest import folds
from omnibench.guest.base import Task
from omnibench.paths import relative_to


def version() -> str:
    """Return an empty version: the code of a user's class is in the key instead."""
    return ""


def catalogue() -> dict[str, dict[str, Any]]:
    """Return an empty catalogue: users' classes are not known in advance."""
    return {}


def find(locator: str) -> type:
    """Import the class that the host describes in JSON, and check that its code is the code in the key.

    Raises:
        RuntimeError: The file has changed since the host read it.
    """
    description = json.loads(locator)
    sys.path[:] = [*description["path"], *(folder for folder in sys.path if folder not in description["path"])]
    with relative_to(Path(description["file"])):  # which may make datasets when it is imported
        module = _module(description["module"], description["file"])
    algorithm: type = getattr(module, description["name"])
    if "code" in description and code_of(algorithm) != description["code"]:
        raise RuntimeError(
            f"{description['file']} has changed since this run began; the result would be recorded for the old code. "
            "Run again."
        )
    return algorithm


def _module(name: str, file: str) -> ModuleType:
    """Import a module by name if sys.path finds the same file, else from the file under a private name."""
    private_name = "omnibench_own_" + re.sub(r"\W", "_", name)
    if private_name in sys.modules:
        return sys.modules[private_name]
    try:
        spec = importlib.util.find_spec(name) if name != "__main__" else None
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(file):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(private_name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[private_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[private_name]
        raise
    return module


@dataclass
class Model:
    """A fitted instance and the user's ids."""

    instance: Any
    user_ids: list[Any]
    item_ids: list[Any]


def fit(task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
    """Construct the class and call ``fit(train)``; ``validation=`` is passed when it takes one."""
    algorithm = find(task.algorithm)
    _seed(task)
    parameters = dict(task.parameters)
    accepted = inspect.signature(algorithm).parameters
    for name in SEED_NAMES:
        if name in accepted and name not in parameters:
            parameters[name] = task.seed
    user_ids, item_ids = read_ids(fold.directory, "users"), read_ids(fold.directory, "items")
    instance = algorithm(**parameters)
    frames = {"validation": _frame(fold.validation, user_ids, item_ids)}
    optional = {name: frame for name, frame in frames.items() if name in inspect.signature(instance.fit).parameters}
    instance.fit(_frame(fold.train, user_ids, item_ids), **optional)
    return Model(instance, user_ids, item_ids), parameters


def _seed(task: Task) -> None:
    """Seed the global generators, so that a phase gives the same result in every process."""
    random.seed(task.seed)
    np.random.seed(task.seed)


def _frame(part: folds.Part, user_ids: list[Any], item_ids: list[Any]) -> pd.DataFrame:
    columns = {"user": decode(part.user, user_ids), "item": decode(part.item, item_ids)}
    if part.rating is not None:
        columns["rating"] = part.rating
    if part.timestamp is not None:
        columns["timestamp"] = part.timestamp
    return pd.DataFrame(columns)


def save(model: Model, directory: Path) -> Path:
    """Pickle the instance; only this adapter reads it back, after its sha256 was checked."""
    path = directory / "model.pkl"
    with path.open("wb") as file:
        pickle.dump(model.instance, file)
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Model:
    """Read the instance back; import its module first, so that pickle finds the class."""
    find(task.algorithm)
    with path.open("rb") as file:
        instance = pickle.load(file)
    return Model(instance, read_ids(fold.directory, "users"), read_ids(fold.directory, "items"))


def score(model: Model, task: Task, fold: folds.Fold) -> Iterator[tuple[folds.Ints, folds.Floats]]:
    """Ask for lists so long that k items are left when those that the user has seen are removed."""
    _seed(task)
    seen = np.bincount(np.concatenate([fold.history.user, fold.validation.user]), minlength=fold.n_users)
    takes_history = HISTORY in inspect.signature(model.instance.recommend).parameters
    code_of_item = {item: code for code, item in enumerate(model.item_ids)}
    for start in range(0, len(fold.users), 256):
        users = fold.users[start : start + 256]
        k = min(fold.n_items, task.k + int(seen[users].max()))
        own_ids = decode(users, model.user_ids).tolist()
        optional = {HISTORY: _history(model, fold, users)} if takes_history else {}
        lists = _lists(model.instance.recommend(own_ids, k, **optional), own_ids)
        scores = np.full((len(users), fold.n_items), np.nan, dtype=np.float32)
        for row, user in enumerate(own_ids):
            for rank, entry in enumerate(lists.get(user, ())):
                item, value = entry if isinstance(entry, tuple) and entry not in code_of_item else (entry, -rank)
                item = item.item() if isinstance(item, np.generic) else item
                if item not in code_of_item:
                    raise ValueError(f"recommend() gave user {user!r} the item {item!r}, which is not in the dataset")
                if not np.isnan(scores[row, code_of_item[item]]):
                    raise ValueError(f"recommend() gave user {user!r} the item {item!r} twice")
                scores[row, code_of_item[item]] = value
        yield users, scores


def _history(model: Model, fold: folds.Fold, users: folds.Ints) -> pd.DataFrame:
    """Return the histories of some users, whose codes ascend, as a frame."""
    history = fold.history
    rows = slice(*np.searchsorted(history.user, [users[0], users[-1] + 1]))
    is_requested = np.isin(history.user[rows], users)
    rating = None if history.rating is None else history.rating[rows][is_requested]
    timestamp = None if history.timestamp is None else history.timestamp[rows][is_requested]
    part = folds.Part(history.user[rows][is_requested], history.item[rows][is_requested], rating, timestamp)
    return _frame(part, model.user_ids, model.item_ids)


def _lists(answer: Any, own_ids: list[Any]) -> Mapping[Any, Any]:
    """Return lists by user id, from a mapping, lists in the order of the users, or a frame (user, item[, score])."""
    if isinstance(answer, pd.DataFrame):
        if "score" in answer.columns:
            answer = answer.sort_values("score", ascending=False, kind="stable")
        entries: dict[Any, list[Any]] = {}
        values = answer["score"].tolist() if "score" in answer.columns else None
        for index, (user, item) in enumerate(zip(answer["user"].tolist(), answer["item"].tolist(), strict=True)):
            entries.setdefault(user, []).append((item, values[index]) if values else item)
        return entries
    if isinstance(answer, Mapping):
        return answer
    answers = list(answer)
    if len(answers) != len(own_ids):
        raise ValueError(f"recommend() returned {len(answers)} lists for {len(own_ids)} users")
    return dict(zip(own_ids, answers, strict=True))


def rate(model: Model, task: Task, fold: folds.Fold) -> folds.Floats:
    """Call ``predict(users, items)`` for the test pairs."""
    _seed(task)
    users, items = decode(fold.test.user, model.user_ids), decode(fold.test.item, model.item_ids)
    return np.asarray(model.instance.predict(users, items), dtype=np.float32)
