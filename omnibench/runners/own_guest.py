"""A user's own class, run in the user's environment: pandas frames with the user's ids in, ids out."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from omnibench.code import HISTORY, SEED_NAMES
from omnibench.data.interactions import decode, frame_of
from omnibench.data.stored_ids import read_ids
from omnibench.guest import folds, parts, ranked_lists
from omnibench.guest.base import Task
from omnibench.guest.generators import seed_everything
from omnibench.guest.rated import lists_by_rating
from omnibench.runners.answer_frames import EXPECTED
from omnibench.runners.answers import read_ratings, read_recommendations
from omnibench.runners.own_calls import (
    OPTIONAL,
    REPORT,
    TRAIN,
    VALIDATION,
    argument_names,
    constructor_names,
    explaining_missing_columns,
    explaining_missing_packages,
    takes,
    unpicklable,
)
from omnibench.runners.own_class import find, has_own_environment
from omnibench.runners.own_frames import GivenFrames, part_frame, subject_frame
from omnibench.runners.own_snapshots import FitSnapshots
from omnibench.runners.quick_answers import ItemCodes, quick_lists

ONLY_READS_FOLDS = True
"""Whether small folds may be kept from request to request: a user's class gets frames, never the columns of a fold."""

_FEW_ITEMS = 4096
"""The codes of so many items are kept from request to request."""

BATCH = 256
"""Users that ``recommend`` is asked for at once."""


def version() -> str:
    """Return an empty version: the code of a user's class is in the key instead."""
    return ""


def catalogue() -> dict[str, dict[str, Any]]:
    """Return an empty catalogue: users' classes are not known in advance."""
    return {}


@dataclass
class Model:
    """A fitted instance and the user's ids."""

    instance: Any
    user_ids: Sequence[Hashable]
    item_ids: Sequence[Hashable]


def fit(task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
    """Construct the class and call ``fit`` with those of ``train, validation, items, users, report`` that it takes.

    A Fit that goes on from a snapshot calls ``fit`` of the instance that lies there.
    """
    seed_everything(task.seed)  # its module may draw when it is imported
    algorithm = find(task.algorithm)
    parameters = dict(task.parameters)
    accepted = constructor_names(algorithm)
    filled_in = {name: task.seed for name in SEED_NAMES if name in accepted and name not in parameters}
    for name, seed in filled_in.items():
        print(f"{algorithm.__name__}: {name}={seed}, the seed of the run, which the constructor takes")  # noqa: T201 - into the log
    parameters |= filled_in
    user_ids, item_ids = read_ids(fold.directory, "users"), read_ids(fold.directory, "items")
    frame_makers: dict[str, Callable[[], Any]] = {
        TRAIN: lambda: part_frame(fold, TRAIN, user_ids, item_ids),
        VALIDATION: lambda: part_frame(fold, VALIDATION, user_ids, item_ids),
        "items": lambda: subject_frame(fold, "items", item_ids),
        "users": lambda: subject_frame(fold, "users", user_ids),
    }

    def construct() -> Any:
        seed_everything(task.seed)
        return algorithm(**parameters)

    frames = {name: make() for name, make in frame_makers.items() if name == TRAIN or takes(algorithm, name)}
    # Without reports there are no snapshots, in which frames would stand by name.
    noted = frames if takes(algorithm, REPORT) else {}
    snapshots = FitSnapshots(task, algorithm, GivenFrames(noted, frame_makers))
    instance = snapshots.begin(construct)
    names = argument_names(instance.fit)
    frames |= {name: make() for name, make in frame_makers.items() if name in names and name not in frames}
    optional = {name: snapshots.report if name == REPORT else frames[name] for name in names if name in OPTIONAL}
    train = [] if TRAIN in names[1:] or not names or names[0] in OPTIONAL else [frames[TRAIN]]
    by_name = {TRAIN: frames[TRAIN]} if TRAIN in names[1:] else {}
    is_isolated = has_own_environment(task.algorithm)
    with explaining_missing_columns(frames), explaining_missing_packages(algorithm.__name__, is_isolated=is_isolated):
        snapshots.run(lambda: instance.fit(*train, **by_name, **optional), reports=REPORT in names)
    return Model(instance, user_ids, item_ids), parameters


def save(model: Model, directory: Path) -> Path:
    """Pickle the instance; only this adapter reads it back, after its sha256 was checked.

    Raises:
        TypeError: It cannot be pickled; the message names the attribute.
    """
    path = directory / "model.pkl"
    with path.open("wb") as file:
        try:
            pickle.dump(model.instance, file)
        except OSError:
            raise
        except Exception as error:  # classes raise what they like when they cannot be pickled
            raise TypeError(unpicklable(model.instance, error)) from error
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Model:
    """Read the instance back; import its module first, so that pickle finds the class."""
    find(task.algorithm)
    with path.open("rb") as file:
        instance = pickle.load(file)
    return Model(instance, read_ids(fold.directory, "users"), read_ids(fold.directory, "items"))


def lists(model: Model, task: Task, fold: folds.Fold) -> Iterator[tuple[parts.Ints, ranked_lists.RankedLists]]:
    """Ask for lists so long that k items are left when those that the user has seen are removed.

    A class that predicts ratings and has no lists of its own recommends what it rates highest.
    """
    if not hasattr(model.instance, "recommend"):
        yield from lists_by_rating(lambda pairs: rate(model, task, pairs), fold)
        return
    seed_everything(task.seed)
    masked = np.zeros(fold.n_users, dtype=np.int64) if fold.repeats else fold.seen_counts
    takes_history = HISTORY in argument_names(model.instance.recommend)
    codes = _codes_of(model.item_ids)
    n_answered = 0
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        k = min(fold.n_items, task.k + int(masked[users].max()))
        own_ids = decode(users, model.user_ids).tolist()
        optional = {HISTORY: _history(model, fold, users)} if takes_history else {}
        answer = model.instance.recommend(own_ids.copy(), k, **optional)
        answered = quick_lists(answer, own_ids, codes)
        if answered is None:
            answered = ranked_lists.RankedLists.of(read_recommendations(answer, own_ids, codes.code_of))
        n_answered += int(np.count_nonzero(answered.length))
        yield users, answered
    if n_answered == 0 and len(fold.users):
        raise ValueError(
            f"recommend() recommended nothing to any of the {len(fold.users)} users that it was asked for, such as "
            f"{own_ids[0]!r} ({type(own_ids[0]).__name__}); return {EXPECTED}."
        )


_latest_codes: list[tuple[Sequence[Hashable], ItemCodes]] = []
"""The ids whose codes were looked up last, if they are few: those of the next fold are the same."""


def _codes_of(item_ids: Sequence[Hashable]) -> ItemCodes:
    if not _latest_codes or _latest_codes[0][0] is not item_ids:
        _latest_codes[:] = [(item_ids, ItemCodes(item_ids))]
    codes = _latest_codes[0][1]
    if len(item_ids) > _FEW_ITEMS:
        _latest_codes.clear()
    return codes


def _history(model: Model, fold: folds.Fold, users: parts.Ints) -> pd.DataFrame:
    """Return the histories of some users, whose codes ascend, as a frame."""
    history = fold.history
    rows = slice(*np.searchsorted(history.user, [users[0], users[-1] + 1]))
    is_requested = np.isin(history.user[rows], users)
    rating = None if history.rating is None else history.rating[rows][is_requested]
    timestamp = None if history.timestamp is None else history.timestamp[rows][is_requested]
    part = parts.Part(history.user[rows][is_requested], history.item[rows][is_requested], rating, timestamp)
    return frame_of(part, model.user_ids, model.item_ids)


def rate(model: Model, task: Task, fold: folds.Fold) -> npt.NDArray[np.float64]:
    """Call ``predict(users, items)`` for the test pairs."""
    seed_everything(task.seed)
    users, items = decode(fold.test.user, model.user_ids), decode(fold.test.item, model.item_ids)
    return read_ratings(model.instance.predict(users, items), users.tolist(), items.tolist())
