"""Folds that are kept from item to item: the same one while its files are the same, and none of large datasets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.written_folds import write_fold

from omnibench import UserCrossValidation, from_frame
from omnibench.data.prepare import prepare
from omnibench.guest import opened_folds
from omnibench.guest.folds import Fold
from omnibench.guest.opened_folds import opened_fold

PAIRS = pd.DataFrame([(user, (3 * user + number) % 11) for user in range(8) for number in range(6)]).set_axis(
    ["user", "item"], axis=1
)


def publish(root: Path, n_folds: int) -> Path:
    """Prepare a dataset at the path of an earlier one, as it is published: in another directory that is moved there."""
    partial = root / f"partial-{n_folds}"
    partial.mkdir()
    prepare(from_frame(PAIRS).pipe(UserCrossValidation(n_folds)), partial)
    if (root / "data").exists():
        (root / "data").rename(root / f"before-{n_folds}")
    return partial.rename(root / "data")


def test_a_fold_is_kept_until_its_dataset_is_published_anew(tmp_path: Path) -> None:
    """Items of one fold share it; parts that are judged otherwise, and those of a new dataset, are others."""
    dataset = publish(tmp_path, 2)
    fold = opened_fold(dataset, 0)
    first = fold.test.item.tolist()
    assert opened_fold(dataset, 0) is fold
    assert opened_fold(dataset, 0, repeats=True).repeats
    assert not opened_fold(dataset, 0).repeats

    publish(tmp_path, 3)
    assert opened_fold(dataset, 0).test.item.tolist() == Fold(dataset, 0).test.item.tolist() != first


def test_folds_of_large_datasets_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gathered of twenty million rows goes when the item that needed it does."""
    dataset = publish(tmp_path, 3)
    monkeypatch.setattr(opened_folds, "MOST_ROWS", len(PAIRS) - 1)
    assert opened_fold(dataset, 0) is not opened_fold(dataset, 0)


def test_few_folds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of many datasets holds those that it has come by lately."""
    monkeypatch.setattr(opened_folds, "_MOST_FOLDS", 2)
    dataset = publish(tmp_path, 4)
    fold = opened_fold(dataset, 0)
    for judged in ("", "validation"):
        opened_fold(dataset, 0, repeats=True, judged=judged)
    assert len(opened_folds._opened) <= 2
    assert opened_fold(dataset, 0) is not fold


def test_a_fold_with_rows_of_its_own_is_opened(tmp_path: Path) -> None:
    """That of a single split, or of an earlier omnibench, has no bytes that say where each row is."""
    write_fold(tmp_path, 2, 3, {"train": [(0, 0), (1, 1)], "validation": [], "test": [(0, 2)]})
    assert opened_fold(tmp_path, 0).test.item.tolist() == [2]
