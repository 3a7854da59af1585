"""Features in the frames of a user's own class: beside the ids, in the class's own types, and in its snapshots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.experiment.own import OwnAlgorithm
from omnibench.guest.base import Task
from omnibench.guest.folds import Fold
from omnibench.runners import own_guest as own
from omnibench.runners.own_frames import GivenFrames, subject_frame

USERS, ITEMS = 8, 10


class Knowing:
    """Keeps what fit was given."""

    given: dict[str, Any]

    def fit(self, train: Any, users: Any, items: Any) -> None:
        self.given = {"train": train, "users": users, "items": items}

    def recommend(self, users: list[Any], k: int) -> Any:
        return {user: self.given["items"]["item"].tolist() for user in users}


class Looking(Knowing):
    """Looks for a feature that is not there."""

    def fit(self, train: Any, users: Any, items: Any) -> None:
        items["studio"].unique()


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """Users and items with features, of which some are missing."""
    root = tmp_path_factory.mktemp("fold")
    rows = [(f"u{user}", item) for user in range(USERS) for item in range(ITEMS) if (user + item) % 3]
    items = pd.DataFrame(
        {
            "item": range(ITEMS),
            "genres": [["Drama", "War"], [], None, *[["Action"]] * (ITEMS - 3)],
            "year": [1990.0, None, *[2000.0] * (ITEMS - 2)],
            "colour": [True, None, *[False] * (ITEMS - 2)],
        }
    )
    users = pd.DataFrame({"user": [f"u{user}" for user in range(USERS)], "gender": ["f", None, *["m"] * (USERS - 2)]})
    dataset = from_frame(
        pd.DataFrame(rows, columns=["user", "item"]), items=items.sample(frac=1, random_state=1), users=users
    )
    prepare(dataset.pipe(UserHoldout(0.2, 0.2)), root)
    return Fold(root, 0)


def task(algorithm: type) -> Task:
    return Task(json.dumps(OwnAlgorithm.of(algorithm).locator), {}, 42, k=5, report=lambda **_: None)


def test_items_and_users_have_their_features_beside_the_ids(fold: Fold) -> None:
    """Numbers are float64, truth values ``boolean``, lists are lists; what is missing is so for pandas; train has none."""
    given = own.fit(task(Knowing), fold)[0].instance.given
    assert list(given["train"].columns) == ["user", "item"]
    assert list(given["items"].columns) == ["item", "colour", "genres", "year"]
    items = given["items"].set_index("item").sort_index()
    assert items["genres"].tolist()[:4] == [["Drama", "War"], [], None, ["Action"]]
    assert items["year"].dtype == np.float64
    assert items["year"].isna().tolist() == [False, True, *[False] * (ITEMS - 2)]
    assert items["colour"].dtype == "boolean"
    assert items["colour"].isna().sum() == 1
    assert bool(items["colour"][0]) is True
    users = given["users"].set_index("user")["gender"]
    assert users.isna().sum() == 1
    assert users[["u0", "u2"]].tolist() == ["f", "m"]


def test_a_missing_feature_is_explained(fold: Fold) -> None:
    """The error lists the columns of every frame, and says how a dataset gets features."""
    with pytest.raises(
        LookupError,
        match=r"'studio'.*train has user, item; items has item, .*; users has user, gender.*with_features\(items=df\)",
    ):
        own.fit(task(Looking), fold)


def test_a_list_that_was_changed_in_its_frame_is_not_taken_for_what_it_was(fold: Fold) -> None:
    """Snapshots name a frame that is as it was; a list in it may change without pandas' knowing."""

    def items() -> pd.DataFrame:
        return subject_frame(fold, "items", list(range(ITEMS)))

    frame = items()
    frames = GivenFrames({"items": frame}, {"items": items})
    assert "items.genres" in frames.shared()
    next(genres for genres in frame["genres"] if genres).append("Western")
    assert frames.shared() == {}


def test_a_model_with_features_is_stored_and_read_back(fold: Fold, tmp_path: Path) -> None:
    """What a class keeps of its frames comes back in another process."""
    model, _ = own.fit(task(Knowing), fold)
    own.save(model, tmp_path)
    loaded = own.load(tmp_path / "model.pkl", task(Knowing), fold)
    pd.testing.assert_frame_equal(loaded.instance.given["items"], model.instance.given["items"])
