"""Prepared datasets: what is written is what the recipe gives, byte for byte the same each time."""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
import stat
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import (
    FoldedData,
    MakeImplicit,
    RandomCrossValidation,
    RollingWindows,
    TimeBasedHoldout,
    UserCrossValidation,
    UserHoldout,
    from_frame,
)
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.ids import encode
from omnibench.data.interactions import Interactions
from omnibench.data.parts import Parts, Split
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.errors import DataError
from omnibench.guest import TRAIN_AND_VALIDATION, VALIDATION
from omnibench.guest.folds import Fold
from omnibench.guest.parts import Part, save_columns


def frame_of(user_ids: list[Hashable], items: int = 9) -> pd.DataFrame:
    rows = [(user, item, float(item % 5 + 1), 100 - item) for user in user_ids for item in range(items)]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    return frame.assign(user=pd.Series([row[0] for row in rows], dtype=object))


NESTED: list[Hashable] = [("a",), (1,), (1, "x"), (uuid.UUID(int=5),), (b"\xff",), (2**70,), (1.5,)]


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
    dataset = from_frame(frame_of(NESTED)).pipe(UserCrossValidation(3, validation_size=1))
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
    recipe = from_frame(frame_of(NESTED))
    directory = prepared(recipe.pipe(UserCrossValidation(2)), tmp_path / "d")
    columns = {
        name: np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("item", "rating", "timestamp", "indptr")
    }
    assert [str(columns[name].dtype) for name in columns] == ["int32", "float32", "int64", "int64"]
    assert read_ids(directory, "users") == sorted(NESTED, key=lambda own_id: json.dumps(encode(own_id, "")))
    assert read_ids(directory, "items") == list(range(8, -1, -1)), "as they come in canonical order"
    assert columns["indptr"].tolist() == list(range(0, 64, 9))
    users = np.repeat(np.arange(7), np.diff(columns["indptr"]))
    assert (np.lexsort((columns["timestamp"], users)) == np.arange(63)).all()


def test_each_row_is_written_once(tmp_path: Path) -> None:
    """A single split has its parts and no columns beside them; folds share the columns, and have a byte for each row."""
    recipe = from_frame(frame_of(["a", "b"]))
    single = content(prepared(recipe.pipe(UserHoldout(1, 2)), tmp_path / "single"))
    assert [name for name in single if name.endswith(".npy")] == [
        *(f"fold_0/{name}.npy" for name in ("test", "train", "validation")), "items.integers.npy", "users.texts.npy"
    ]  # fmt: skip
    several = content(prepared(recipe.pipe(UserCrossValidation(2)), tmp_path / "several"))
    assert [name for name in several if name.endswith(".npy")] == [
        "fold_0/parts.npy", "fold_1/parts.npy", "indptr.npy", "item.npy", "items.integers.npy", "rating.npy",
        "timestamp.npy", "users.texts.npy",
    ]  # fmt: skip
    assert np.load(tmp_path / "several" / "fold_0" / "parts.npy").dtype == np.uint8


def _mapped(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array is a view of a memory-mapped file, however many views lie between."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base is not None


@pytest.mark.parametrize("split", [UserHoldout(1, 2), UserCrossValidation(3, validation_size=1)])
@pytest.mark.parametrize("columns", [["rating", "timestamp"], ["rating"], ["timestamp"], []])
def test_what_a_framework_writes_into_a_part_stays_its_own(columns: list[str], split: Split, tmp_path: Path) -> None:
    """The parts of a single split are views of their files, those of folds are gathered; neither reaches the files."""
    frame = frame_of(["a", "b", "c"])[["user", "item", *columns]]
    directory = prepared(from_frame(frame).pipe(split), tmp_path / "d")
    before = content(directory)
    for part in (Fold(directory, 0).train, Fold(directory, 0).validation, Fold(directory, 0).test):
        there = {name: getattr(part, name) for name in ("user", "item", "rating", "timestamp")}
        assert {name for name, column in there.items() if column is not None} == {"user", "item", *columns}
        for name, column in there.items():
            if column is not None:
                assert _mapped(column) == (split.folds is None)
                assert column.flags.aligned
                assert column.flags.c_contiguous
                assert type(column) is np.ndarray
                assert str(column.dtype) == {"rating": "float32", "timestamp": "int64"}.get(name, "int32")
                column[:] = 0
    assert content(directory) == before
    assert Fold(directory, 0).train.item.any()


def as_before(directory: Path, dataset: RecSysDataSet, *, numbers: bool) -> None:
    """Change a prepared dataset into the form that earlier releases wrote.

    Args:
        directory: The prepared dataset.
        dataset: What was prepared.
        numbers: Whether parts are row numbers, as in the first of these forms, and not copies.
    """
    rows = dataset.interactions()
    of_rows = {"user": rows.user, "item": rows.item, "rating": rows.rating, "timestamp": rows.timestamp}
    columns = {name: column for name, column in of_rows.items() if column is not None}
    for file in (file for pattern in ("*.npy", "fold_*/*.npy") for file in directory.glob(pattern)):
        file.unlink()
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", column)
    np.save(directory / "indptr.npy", np.searchsorted(rows.user, np.arange(len(rows.user_ids) + 1)))
    for name, own_ids in (("users", rows.user_ids), ("items", rows.item_ids)):
        (directory / f"{name}.json").write_text(json.dumps([encode(own_id, "") for own_id in own_ids]))
    for number, parts in enumerate(dataset.parts(rows)):
        for name, part in parts._asdict().items():
            file = directory / f"fold_{number}" / f"{name}.npy"
            np.save(file, part) if numbers else save_columns(file, columns, part)


@pytest.mark.parametrize("numbers", [True, False])
@pytest.mark.parametrize("split", [UserHoldout(1, 2), UserCrossValidation(3, validation_size=1)])
def test_the_parts_of_an_older_store_are_read(split: Split, numbers: bool, tmp_path: Path) -> None:
    """Where parts are row numbers or copies, and ids JSON, as they were before, a fold has the same rows."""
    dataset = from_frame(frame_of(["a", "b"])).pipe(split)
    directory, old = (prepared(dataset, tmp_path / name) for name in ("d", "old"))
    as_before(old, dataset, numbers=numbers)
    for number in range(split.folds or 1):
        fold, older = Fold(directory, number), Fold(old, number)
        for name in ("train", "validation", "test"):
            assert decoded(getattr(fold, name), directory) == decoded(getattr(older, name), old)
        assert fold.users.tolist() == older.users.tolist()
        assert fold.candidates.tolist() == older.candidates.tolist()


FOLDED: list[Split] = [
    UserCrossValidation(3, validation_size=1),
    RandomCrossValidation(2, validation_size=0.2),
    RollingWindows(3, 0.2, validation_size=0.1),
]


@settings(max_examples=10, deadline=None)
@given(split=st.sampled_from(FOLDED), seed=st.integers(0, 1000), refit=st.sampled_from(["", TRAIN_AND_VALIDATION]))
def test_shared_rows_say_the_same_as_copies(split: Split, seed: int, refit: str) -> None:
    """Parts, refitted and judged ones, users, candidates, masks and what users have seen; some users are in no part."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"user": rng.integers(0, 9, 150), "item": rng.integers(0, 40, 150), "timestamp": rng.integers(0, 90, 150)}
    ).drop_duplicates(["user", "item"])
    frame = frame[frame.groupby("user")["user"].transform("size") > 4]
    dataset = from_frame(frame).pipe(split)
    with tempfile.TemporaryDirectory() as name:
        directory, old = (prepared(dataset, Path(name) / form) for form in ("d", "old"))
        as_before(old, dataset, numbers=False)
        for number, judged in itertools.product(range(split.folds or 1), ["", *([] if refit else [VALIDATION])]):
            fold, older = (Fold(form, number, refit, judged=judged) for form in (directory, old))
            for part in ("train", "validation", "test", "history"):
                assert decoded(getattr(fold, part), directory) == decoded(getattr(older, part), old)
                assert len(getattr(fold, part)) == len(getattr(older, part))
            assert fold.users.tolist() == older.users.tolist()
            assert fold.candidates.tolist() == older.candidates.tolist()
            assert fold.seen_counts.tolist() == older.seen_counts.tolist()
            codes = np.arange(fold.n_users, dtype=np.int32)
            blocked = [np.empty((fold.n_users, fold.n_items), dtype=bool) for _ in range(2)]
            fold.block(codes, blocked[0])
            older.block(codes, blocked[1])
            assert np.array_equal(blocked[0], blocked[1])
            pairs = [
                Counter(pair for u, i in each.seen_pairs() for pair in zip(u, i, strict=True)) for each in (fold, older)
            ]
            assert pairs[0] == pairs[1]
            for user in range(fold.n_users):
                assert sorted(fold.seen(user)) == sorted(older.seen(user))


@dataclass(frozen=True)
class Twice(Split):
    """A split of the user's own whose training parts have a row twice, which no split may promise not to have."""

    version = 1

    @property
    def folds(self) -> int:
        return 2

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        rows = np.arange(len(interactions))
        return [Parts(np.repeat(rows[number + 1 :], 2), rows[:0], rows[: number + 1]) for number in range(2)]


def test_rows_that_an_own_split_has_twice_are_there_twice(tmp_path: Path) -> None:
    """Such a fold has copies of its rows, as a byte for each row cannot say it."""
    directory = prepared(from_frame(frame_of(["a"])).pipe(Twice()), tmp_path / "d")
    assert [len(Fold(directory, number).train) for number in range(2)] == [16, 14]
    assert not (directory / "fold_0" / "parts.npy").exists()


def test_only_users_known_in_training_are_recommended_for(tmp_path: Path) -> None:
    """Over the global timeline a test user may be new, and a user may be missing in the test part."""
    frame = pd.DataFrame({"user": list("aabbccd"), "item": range(7), "timestamp": [1, 2, 3, 9, 4, 5, 8]})
    fold = Fold(prepared(from_frame(frame).pipe(TimeBasedHoldout(0, 2)), tmp_path / "d"), 0)
    assert fold.test.user.tolist() == [1, 3]
    assert fold.users.tolist() == [1]
    scores = np.zeros((1, 7), dtype=np.float32)
    fold.mask(fold.users, scores)
    assert np.isfinite(scores[0]).tolist() == [True, True, False, False, True, True, False]


def test_an_empty_part_is_opened(tmp_path: Path) -> None:
    """A split without validation has a file without rows."""
    directory = prepared(from_frame(frame_of(["a", "b"])).pipe(UserHoldout(0, 1)), tmp_path / "d")
    assert len(Fold(directory, 0).validation) == 0


def test_the_manifest_says_what_there_is(tmp_path: Path) -> None:
    """Key, sizes, columns and one digest per test part."""
    dataset = from_frame(frame_of(NESTED), "Mine").pipe(MakeImplicit(2), UserCrossValidation(3))
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
