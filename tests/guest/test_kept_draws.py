"""Draws of sampled candidates that are kept beside their fold."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.cases import ranking_case

from omnibench.guest import candidates
from omnibench.guest.candidates import candidate_sets
from omnibench.guest.folds import Fold

POLICY = {"policy": "sampled", "negatives": 7, "seed": 3}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A prepared dataset of this test alone."""
    return ranking_case(tmp_path, full=False).fold.directory


def kept_files(directory: Path) -> list[Path]:
    """The files of draws of fold 0."""
    return sorted((directory / "fold_0").glob("*sampled*"))


def drawn(fold: Fold) -> list[list[int]]:
    """The candidates of every user, as another process would get them."""
    candidates._drawn.clear()
    sets = candidate_sets(fold, POLICY)
    assert sets is not None
    return [sets.items(user).tolist() for user in range(fold.n_users)]


def test_a_draw_is_kept_for_other_processes(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file for each draw; whoever comes later reads it and draws nothing."""
    fold = Fold(directory, 0)
    first = drawn(fold)
    assert len(kept_files(directory)) == 1
    judged = drawn(Fold(directory, 0, judged="validation"))
    drawn(Fold(directory, 0, "train+validation"))
    assert len(kept_files(directory)) == 3
    with monkeypatch.context() as patched:
        patched.delattr(candidates, "_draw")
        assert drawn(fold) == first
        assert drawn(Fold(directory, 0, judged="validation")) == judged != first


@pytest.mark.parametrize("damage", ["cut", "changed", "header", "empty", "other"])
def test_a_damaged_draw_is_drawn_again(directory: Path, damage: str) -> None:
    """Whatever has happened to its file, the sets are what they were, and so is the file in the end."""
    fold = Fold(directory, 0)
    first = drawn(fold)
    (path,) = kept_files(directory)
    content = bytearray(path.read_bytes())
    whole = bytes(content)
    if damage == "other":
        np.save(path, np.zeros(3))
    else:
        content[-3] ^= 1
        header = whole.replace(b"}", b" ", 1)
        damaged = {"cut": whole[:-5], "changed": bytes(content), "header": header, "empty": b""}
        path.write_bytes(damaged[damage])
    assert drawn(fold) == first
    assert path.read_bytes() == whole


def test_a_directory_that_nothing_can_be_written_to_is_no_error(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a store that is only read: every process draws for itself, and leaves nothing behind."""
    fold = Fold(directory, 0)
    first = drawn(fold)
    for path in kept_files(directory):
        path.unlink()

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr("os.replace", refuse)
    assert drawn(fold) == first
    assert kept_files(directory) == []
    assert list((directory / "fold_0").glob(".*")) == []
    shutil.rmtree(directory)
