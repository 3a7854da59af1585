"""The frames that fit is given: by name in snapshots while they are as they were, and whole when a class has written into them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omnibench import UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.guest.folds import Fold
from omnibench.runners import own_frames
from omnibench.runners.own_frames import GivenFrames, part_frame


def frame() -> pd.DataFrame:
    """Return a frame like those that ``fit`` gets."""
    users = np.empty(4, dtype=object)
    users[:] = ["u1", "u2", "u3", "u4"]
    return pd.DataFrame({"user": users, "item": np.arange(4), "rating": np.ones(4, dtype=np.float32)})


def given(train: pd.DataFrame) -> GivenFrames:
    """Return the frames of a Fit that gives one."""
    return GivenFrames({"train": train}, {"train": frame})


@pytest.fixture(name="fold")
def prepared_fold(tmp_path: Path) -> Fold:
    """Return a fold of a few rows with ratings."""
    rows = [(f"u{user}", (3 * user + number) % 11, number % 5 + 1.0) for user in range(8) for number in range(6)]
    data = from_frame(pd.DataFrame(rows, columns=["user", "item", "rating"]))
    prepare(data.pipe(UserHoldout(0.2)), tmp_path)
    return Fold(tmp_path, 0)


def train_of(fold: Fold) -> pd.DataFrame:
    """Return the training part as ``fit`` gets it."""
    return part_frame(fold, "train", read_ids(fold.directory, "users"), read_ids(fold.directory, "items"))


def spoil(train: pd.DataFrame) -> None:
    """Write into whatever a frame lets one write into, also where pandas does not notice."""
    train["rating"].array[0] = -1.0
    values = train["rating"].to_numpy()
    values.flags.writeable = True
    values -= 3.0
    train.loc[:, "rating"] = 0.0
    train["user"] = "nobody"
    train.index.name = "row"
    train.columns.name = "column"
    train.attrs["spoilt"] = True


@pytest.mark.parametrize("most_rows", [0, 1 << 17])
def test_each_fit_gets_a_frame_of_its_own(fold: Fold, most_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one class writes into its frame, the next does not see, be frames kept or made anew."""
    monkeypatch.setattr(own_frames, "MOST_ROWS", most_rows)
    first = train_of(fold)
    intact = first.copy(deep=True)
    assert intact["rating"].nunique() == 5
    spoil(first)
    second = train_of(fold)
    pd.testing.assert_frame_equal(second, intact)
    assert (second.index.name, second.columns.name, second.attrs) == (None, None, {})


def test_a_frame_and_its_columns_go_by_name() -> None:
    """The names are the same in every process; reading changes nothing."""
    train = frame()
    frames = given(train)
    assert train[train["rating"] > 0]["item"].sum() == 6
    shared = frames.shared()
    assert list(shared) == ["train", "train.user", "train.item", "train.rating"]
    assert shared["train"] is train


@pytest.mark.parametrize(
    "change",
    [
        lambda train: train.__setitem__("row", np.arange(4)),
        lambda train: train.__setitem__("user", np.arange(4)),
        lambda train: train.loc.__setitem__((0, "rating"), 7),
        lambda train: train.iloc.__setitem__((0, 1), 7),
        lambda train: train.__delitem__("rating"),
        lambda train: train.__setattr__("index", [3, 2, 1, 0]),
        lambda train: train.insert(0, "first", 1),
    ],
)
def test_a_frame_that_was_written_into_does_not(change: Callable[[pd.DataFrame], object]) -> None:
    """Whatever was changed: columns, values in their place, the index."""
    train = frame()
    frames = given(train)
    change(train)
    assert frames.shared() == {}
