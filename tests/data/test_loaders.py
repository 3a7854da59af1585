"""Datasets by name: what a registered loader may return, and how mistakes are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnibench import CorePruning, from_frame, load_dataset, register_dataset
from omnibench.data import loaders
from omnibench.data.dataset import RawData, RecSysDataSet
from omnibench.data.frame_source import FrameSource
from omnibench.errors import DataError

FRAME = pd.DataFrame({"user": [7, 7, 1, 2], "item": ["a", "b b", "c", "ü"], "rating": [0.1, 5.0, 3.5, 1.0]})


def _frame_of(dataset: RecSysDataSet) -> pd.DataFrame:
    data = dataset.data
    assert isinstance(data, RawData)
    return data.df


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "_LOADERS", dict(loaders._LOADERS))


@pytest.mark.usefixtures("_registered")
def test_a_dataset_can_be_registered(tmp_path: Path) -> None:
    """load_dataset finds it by name and hands it the given path."""
    paths: list[Path | None] = []

    def loader(path: Path | None) -> FrameSource:
        paths.append(path)
        return FrameSource(FRAME, "Mine")

    register_dataset("Mine", loader)
    assert _frame_of(load_dataset("Mine")).equals(_frame_of(from_frame(FRAME)))
    load_dataset("Mine", tmp_path)
    assert paths == [None, tmp_path]


@pytest.mark.usefixtures("_registered")
def test_a_registered_loader_may_return_what_datasets_are_made_of(tmp_path: Path) -> None:
    """A frame, a file, a dataset with steps; with or without the path; under the registered name."""
    path = tmp_path / "a.csv"
    FRAME.to_csv(path, index=False)
    loaders: list[Any] = [
        lambda: FRAME,
        lambda _: FRAME,
        lambda _=None: FRAME,
        lambda: path,
        lambda: str(path),
        lambda: from_frame(FRAME, "other"),
    ]
    for loader in loaders:
        register_dataset("Mine", loader)
        dataset = load_dataset("Mine")
        assert dataset.name == "Mine"
        assert _frame_of(dataset).equals(_frame_of(from_frame(FRAME)))
    register_dataset("Mine", lambda: from_frame(FRAME).pipe(CorePruning(2)))
    assert load_dataset("Mine").key == from_frame(FRAME).pipe(CorePruning(2)).key
    register_dataset("Mine", lambda location: location)
    assert _frame_of(load_dataset("Mine", path)).equals(_frame_of(from_frame(FRAME)))


@pytest.mark.usefixtures("_registered")
@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda: load_registered(FRAME), r"got DataFrame; give a function .*lambda: frame"),
        (lambda: register_dataset("", lambda: FRAME), "got the name ''"),
        (lambda: register_dataset("MovieLens100K", lambda: FRAME), "has a dataset named 'MovieLens100K' itself"),
        (lambda: load_registered(lambda: None), "its loader returned NoneType; return a frame"),
        (lambda: load_registered(lambda: FRAME.drop(columns="user")), "Mine has no column 'user'"),
        (lambda: load_registered(lambda _, __: FRAME), r"has the arguments \(_, __\); let it take a path, or nothing"),
        (lambda: load_registered(lambda: FRAME, Path(__file__)), "its loader takes no path"),
    ],
)
def test_what_cannot_be_registered_is_refused(attempt: Callable[[], Any], says: str) -> None:
    """The message says what to return."""
    with pytest.raises(DataError, match=says):
        attempt()


def load_registered(loader: Any, path: Path | None = None) -> Any:
    register_dataset("Mine", loader)
    return load_dataset("Mine", path)


@pytest.mark.usefixtures("_registered")
def test_an_error_of_a_loader_is_its_own() -> None:
    """A TypeError inside of a loader is no sign of its arguments, and is raised as it is."""

    def broken() -> None:
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        load_registered(broken)
