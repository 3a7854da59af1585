"""Checks of recommendation lists: each flaw is found, in lists of few and many items, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.written_folds import write_fold

from omnibench.engine.list_checks import list_flaw
from omnibench.guest.candidates import candidate_sets
from omnibench.guest.folds import LIST_SCORE, NO_ITEM, Fold, recommendation_dtype

USERS, K, SEEN, KNOWN = 40, 5, 12, 200
TWICE, UNKNOWN = "a list has an item twice", "a list has an item that is unknown in training"
LISTED_SEEN = "a list has an item that the user has in training or validation"
NO_CANDIDATE = "a list has an item that is no candidate of its user"


@pytest.fixture(scope="module", params=[300, 70_000], ids=["few items", "items that share a byte"])
def fold(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """Users with items in training, validation and test; item codes lie as far apart as there are items."""
    n_items, rng = request.param, np.random.default_rng(6)
    known = np.arange(KNOWN) * (n_items // KNOWN)
    parts: dict[str, list[tuple[int, int]]] = {"train": [], "validation": [], "test": []}
    for user in range(USERS):
        items = rng.permutation(known).tolist()
        parts["train"] += [(user, item) for item in items[: SEEN if user else None]]  # the first one has all
        parts["validation"] += [(user, item) for item in items[SEEN : SEEN + 3]]
        parts["test"] += [(user, item) for item in items[SEEN + 3 : SEEN + 6]]
    root = tmp_path_factory.mktemp("fold")
    write_fold(root, USERS, n_items, parts)
    return Fold(root, 0)


def lists_of(fold: Fold, seed: int = 1) -> npt.NDArray[np.void]:
    """Lists without a flaw: unseen items that training knows; the first user has none, the second one."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(len(fold.users), dtype=recommendation_dtype(K, LIST_SCORE))
    rows["user"], rows["score"] = fold.users, np.arange(K, 0, -1)
    for row, user in zip(rows[1:], fold.users[1:].tolist(), strict=True):
        row["item"] = rng.permutation(np.setdiff1d(np.flatnonzero(fold.candidates), fold.seen(user)))[:K]
    rows["item"][0], rows["item"][1, 1:] = NO_ITEM, NO_ITEM
    return rows


def test_lists_without_a_flaw_pass(fold: Fold) -> None:
    """Also empty and short ones, and lists whose items share a byte of the table with what their user has seen."""
    for seed in range(20):
        assert list_flaw(fold, lists_of(fold, seed), K) == ""


def test_each_item_of_training_and_validation_is_found(fold: Fold) -> None:
    """Whoever's it is, and at whatever rank; where repeats may be recommended it is no flaw."""
    repeating = Fold(fold.directory, 0, repeats=True)
    for part in (fold.train, fold.validation):
        pairs = list(zip(part.user.tolist(), part.item.tolist(), strict=True))
        for number, (user, item) in enumerate(pairs[-100::3]):
            rows = lists_of(fold)
            rows["item"][user, number % K if user > 1 else 0] = item
            assert list_flaw(fold, rows, K) == LISTED_SEEN
            assert list_flaw(repeating, rows, K) == ""


def test_what_others_have_seen_is_no_flaw(fold: Fold) -> None:
    """The items of a list are judged by its own user alone."""
    rows = lists_of(fold)
    for row, user in enumerate(fold.users.tolist()[2:], 2):
        theirs = np.setdiff1d(fold.seen(int(fold.users[row - 1])), fold.seen(user))[:K]
        rows["item"][row, : len(theirs)], rows["item"][row, len(theirs) :] = theirs, NO_ITEM
    assert list_flaw(fold, rows, K) == ""


def test_repeated_and_unknown_items_are_found(fold: Fold) -> None:
    """An item twice, also with others in between; an item that training does not have; the first flaw is said."""
    rows = lists_of(fold)
    rows["item"][7, 4] = rows["item"][7, 1]
    assert list_flaw(fold, rows, K) == TWICE
    rows = lists_of(fold)
    rows["item"][9, 2] = np.setdiff1d(np.arange(fold.n_items), fold.train.item)[-1]
    assert list_flaw(fold, rows, K) == UNKNOWN
    rows["item"][9, 3] = fold.seen(9)[0]
    assert list_flaw(fold, rows, K) == UNKNOWN
    assert list_flaw(Fold(fold.directory, 0, unknown=True), rows, K) == LISTED_SEEN


def test_items_beside_the_candidates_are_found(fold: Fold, tmp_path: Path) -> None:
    """One is enough; a user without candidates may have an empty list only."""
    rows = lists_of(fold)
    pairs = [(int(row["user"]), int(item)) for row in rows for item in row["item"] if item != NO_ITEM]
    for lacking in (None, 0, len(pairs) // 2, len(pairs) - 1):
        given = [pair for number, pair in enumerate(pairs) if number != lacking]
        np.save(tmp_path / "candidates.npy", np.array(sorted(given), dtype=np.int32))
        sets = candidate_sets(fold, {"policy": "given", "file": str(tmp_path / "candidates.npy")})
        assert list_flaw(fold, rows, K, sets) == ("" if lacking is None else NO_CANDIDATE)


def test_lists_for_nobody_pass(tmp_path: Path) -> None:
    """A fold whose test users have no history has no lists, and they have no flaw."""
    write_fold(tmp_path, 3, 4, {"train": [(0, 1)], "validation": [], "test": [(2, 1)]})
    fold = Fold(tmp_path, 0)
    assert list_flaw(fold, np.zeros(0, dtype=recommendation_dtype(K)), K) == ""
    sets = candidate_sets(fold, {"policy": "sampled", "negatives": 3, "seed": 1})
    assert list_flaw(fold, np.zeros(0, dtype=recommendation_dtype(K)), K, sets) == ""
