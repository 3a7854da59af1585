"""The frames that fit is given: by name in snapshots while they are as they were, and whole when a class has written into them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from omnibench.runners.own_frames import GivenFrames


def frame() -> pd.DataFrame:
    """Return a frame like those that ``fit`` gets."""
    users = np.empty(4, dtype=object)
    users[:] = ["u1", "u2", "u3", "u4"]
    return pd.DataFrame({"user": users, "item": np.arange(4), "rating": np.ones(4, dtype=np.float32)})


def given(train: pd.DataFrame) -> GivenFrames:
    """Return the frames of a Fit that gives one."""
    return GivenFrames({"train": train}, {"train": frame})


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
