"""Prepared datasets: what is written is what the recipe gives, byte for byte the same each time."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
import uuid
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import FoldedData, MakeImplicit, UserCrossValidation, UserHoldout, from_frame
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare, read_ids
from omnibench.errors import DataError
from omnibench.runners.guest.data import Fold, Part


def frame_of(user_ids: list[Hashable], items: int = 9) -> pd.DataFrame:
    rows = [(user, item, float(item % 5 + 1), 100 - item) for user in user_ids for item in range(items)]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    return frame.assign(user=pd.Series([row[0] for row in rows], dtype=object))


MIXED: list[Hashable] = ["a", 1, (1, "x"), uuid.UUID(int=5), b"\xff", 2**70, 1.5]


def prepared(dataset: RecSysDataSet, directory: Path) -> Path:
    directory.mkdir()
    prepare(dataset, directory)
    return directory


def content(directory: Path) -> dict[str, str]:
    return {
        str(file.relative_to(directory)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }


def decoded(part: Part, directory: Path) -> list[tuple[Any, ...]]:
    users, items = read_ids(directory, "users"), read_ids(directory, "items")
    columns = [[users[code] for code in part.user], [items[code] for code in part.item]]
    columns += [column.tolist() for column in (part.rating, part.timestamp) if column is not None]
    return list(zip(*columns, strict=True))


def test_a_guest_sees_the_parts_of_the_recipe(tmp_path: Path) -> None:
    """Each part of each fold, read as a guest reads it and decoded, is the frame that the dataset shows."""
    dataset = from_frame(frame_of(MIXED)).pipe(UserCrossValidation(3, validation_size=1))
    directory = prepared(dataset, tmp_path / "d")
    data = dataset.data
    assert isinstance(data, FoldedData)
    for number, parts in data.folds.items():
        fold = Fold(directory, number)
        for name in ("train", "validation", "test"):
            frame: pd.DataFrame = getattr(parts, name)
            assert decoded(getattr(fold, name), directory) == list(frame.itertuples(index=False, name=None))


def test_the_arrays_are_canonical(tmp_path: Path) -> None:
    """int32 codes sorted by user and time, float32 ratings, int64 seconds, an indptr per user; ids by code."""
    directory = prepared(from_frame(frame_of(MIXED)).pipe(UserHoldout(0, 2)), tmp_path / "d")
    columns = {name: np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in (
        "user", "item", "rating", "timestamp", "indptr"
    )}  # fmt: skip
    assert [str(columns[name].dtype) for name in columns] == ["int32", "int32", "float32", "int64", "int64"]
    assert read_ids(directory, "users") == MIXED
    assert read_ids(directory, "items") == list(range(9))
    assert columns["indptr"].tolist() == list(range(0, 64, 9))
    order = np.lexsort((columns["timestamp"], columns["user"]))
    assert (order == np.arange(63)).all()


def test_the_manifest_says_what_there_is(tmp_path: Path) -> None:
    """Key, sizes, columns and one digest per test part."""
    dataset = from_frame(frame_of(MIXED), "Mine").pipe(MakeImplicit(2), UserCrossValidation(3))
    (tmp_path / "d").mkdir()
    manifest = prepare(dataset, tmp_path / "d")
    assert manifest == json.loads((tmp_path / "d" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["key"] == dataset.key
    assert (manifest["users"], manifest["items"], manifest["interactions"]) == (7, 7, 49)
    assert manifest["columns"] == ["user", "item", "timestamp"]
    assert (manifest["feedback"], len(set(manifest["test"]))) == ("implicit", 3)


def test_implicit_data_has_no_ratings(tmp_path: Path) -> None:
    """After MakeImplicit no rating is left for a framework to learn from."""
    directory = prepared(from_frame(frame_of(["a", "b"])).pipe(MakeImplicit(2), UserHoldout(0, 1)), tmp_path / "d")
    assert not (directory / "rating.npy").exists()
    assert Fold(directory, 0).train.rating is None


def test_preparing_twice_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Another process with another hash seed writes the same files."""
    here = content(prepared(from_frame(frame_of(["a", "b", "c"])).pipe(UserCrossValidation(3, 1)), tmp_path / "here"))
    code = f"""
import pandas as pd
from pathlib import Path
from omnibench import UserCrossValidation, from_frame
from omnibench.data.prepare import prepare
rows = [(user, item, float(item % 5 + 1), 100 - item) for user in "abc" for item in range(9)]
frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
Path({str(tmp_path / "there")!r}).mkdir()
prepare(from_frame(frame).pipe(UserCrossValidation(3, 1)), Path({str(tmp_path / "there")!r}))
"""
    subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, check=True)
    assert content(tmp_path / "there") == here


def test_the_digest_of_a_test_part_changes_with_its_ratings(tmp_path: Path) -> None:
    """An evaluation depends on the true ratings of the test part."""
    frame = frame_of(["a", "b"])
    digests = []
    for name, rating in (("one", frame["rating"]), ("other", 6 - frame["rating"])):
        (tmp_path / name).mkdir()
        digests.append(prepare(from_frame(frame.assign(rating=rating)).pipe(UserHoldout()), tmp_path / name)["test"])
    assert digests[0] != digests[1]


def test_what_is_written_is_for_the_users_eyes_only(tmp_path: Path) -> None:
    """Directories of folds are 0700."""
    directory = prepared(from_frame(frame_of(["a", "b"])).pipe(UserHoldout()), tmp_path / "d")
    assert stat.S_IMODE((directory / "fold_0").stat().st_mode) == 0o700


def test_an_impossible_recipe_is_a_data_error(tmp_path: Path) -> None:
    """Raw data cannot be prepared, nor an id that no other process could read."""
    with pytest.raises(DataError, match="raw data without a split"):
        prepare(from_frame(frame_of(["a"])), tmp_path)
    with pytest.raises(DataError, match="no stable form"):
        prepare(from_frame(frame_of([len, print])).pipe(UserHoldout()), tmp_path)
