"""What is made of a fold's data is kept for the next request on the same fold, and for no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import omnibench
from omnibench.data.prepare import prepare
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.guest.folds import Fold
from omnibench.guest.kept import kept, release_others


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A prepared data set of two folds."""
    frame = pd.DataFrame({"user": [0, 0, 0, 1, 1, 1] * 2, "item": range(12), "timestamp": range(12)})
    path = tmp_path / "prepared"
    path.mkdir()
    prepare(omnibench.from_frame(frame, "shop").pipe(omnibench.RandomCrossValidation(2)), path)
    return path


class _Maker:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def test_a_form_is_made_once_for_a_fold_and_each_name(directory: Path) -> None:
    """Requests open the fold anew each, and get what the first of them has made."""
    make = _Maker()
    assert [kept(Fold(directory, 0), "matrix", make) for _ in range(3)] == [1, 1, 1]
    assert kept(Fold(directory, 0), "dataset", make) == 2
    assert kept(Fold(directory, 0, judged="validation"), "matrix", make) == 1  # the same training part


def test_a_form_of_another_fold_is_dropped(directory: Path) -> None:
    """Another number or another training part is another fold; coming back to the first makes its form anew."""
    make = _Maker()
    folds = Fold(directory, 0), Fold(directory, 1), Fold(directory, 1, TRAIN_AND_VALIDATION), Fold(directory, 0)
    assert [kept(fold, "matrix", make) for fold in folds] == [1, 2, 3, 4]
    release_others(Fold(directory, 0))
    assert kept(Fold(directory, 0), "matrix", make) == 4
    release_others(Fold(directory, 1))
    assert kept(Fold(directory, 0), "matrix", make) == 5


def test_data_published_anew_at_the_same_path_is_other_data(directory: Path, tmp_path: Path) -> None:
    """A store whose data was removed and prepared again has another file there."""
    make = _Maker()
    kept(Fold(directory, 0), "matrix", make)
    shutil.copytree(directory, tmp_path / "again")
    directory.rename(tmp_path / "before")
    (tmp_path / "again").rename(directory)
    assert kept(Fold(directory, 0), "matrix", make) == 2
