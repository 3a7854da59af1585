"""The bytes of the readable copies of predictions: those that the standard library's JSON has for the columns."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from omnibench.data.stored_ids import write_ids
from omnibench.engine import exported_predictions
from omnibench.guest.folds import LIST_SCORE, NO_ITEM, RATING_DTYPE, recommendation_dtype, save_array

Rows = npt.NDArray[np.void]

TEXTS = ["plain", 'a "quote"', "back\\slash", "Grüße", "\u2028", "emoji 🎬", "tab\tnew\nline", ""]
NUMBERS = [0, -1, 2**63 - 1, -(2**63), 10**15, 7, 8, 9]
MIXED: list[Hashable] = [1.5, float("nan"), None, True, (1, "two"), dt.date(2026, 1, 2), 2**70, "text"]
LENGTH = 3


def lists_of(n_ids: int, *, is_full: bool, with_odd_numbers: bool = False) -> Rows:
    """Return a list for each user; without ``is_full`` some are short, and one is empty."""
    rows = np.zeros(n_ids, dtype=recommendation_dtype(LENGTH, LIST_SCORE))
    rows["user"] = np.arange(n_ids)
    rows["item"] = (np.arange(n_ids)[:, None] + np.arange(LENGTH)) % n_ids
    rows["score"] = 1 / (3 + np.arange(n_ids * LENGTH).reshape(n_ids, LENGTH))
    rows["score"][1] = [1e300, 0.1, -0.0]
    rows["score"][4] = [np.inf, np.nan, -np.inf] if with_odd_numbers else [1e16, 1e-5, 123456789.123]
    if not is_full:
        rows["item"][2, 1:] = NO_ITEM
        rows["item"][3] = NO_ITEM
    return rows


def ratings_of(n_ids: int) -> Rows:
    """Return a rating for some pairs."""
    rows = np.zeros(n_ids, dtype=RATING_DTYPE)
    rows["user"], rows["item"] = np.arange(n_ids)[::-1], np.arange(n_ids)
    rows["rating"] = np.linspace(1, 5, n_ids)
    return rows


def expected_lists(rows: Rows, users: Sequence[Hashable], items: Sequence[Hashable]) -> dict[str, list[Any]]:
    """Return the columns of lists, put together place by place."""
    places = [
        (users[user], items[item], score, rank)
        for user, codes, scores in zip(*(rows[name].tolist() for name in ("user", "item", "score")), strict=True)
        for rank, (item, score) in enumerate(zip(codes, scores, strict=True), start=1)
        if item != NO_ITEM
    ]
    return {name: [place[number] for place in places] for number, name in enumerate(("user", "item", "score", "rank"))}


@pytest.mark.parametrize(
    ("few", "few_bytes"), [(0, 1 << 16), (4096, 1 << 16), (4096, 0)], ids=["many ids", "few ids", "few ids, many rows"]
)
@pytest.mark.parametrize("is_odd", [True, False], ids=["odd scores", "finite scores"])
@pytest.mark.parametrize("is_full", [True, False], ids=["full lists", "short lists"])
@pytest.mark.parametrize(("users", "items"), [(TEXTS, NUMBERS), (NUMBERS, TEXTS), (MIXED, TEXTS), (NUMBERS, MIXED)])
def test_readable_copies_are_what_the_standard_library_writes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    users: Sequence[Hashable],
    items: Sequence[Hashable],
    is_full: bool,
    is_odd: bool,
    few: int,
    few_bytes: int,
) -> None:
    """To the byte, whatever the ids are and however many: copies of earlier releases are compared with them.

    They are written twice, since the second time the texts of ids may be those of the first.
    """
    monkeypatch.setattr(exported_predictions, "_FEW_IDS", few)
    monkeypatch.setattr(exported_predictions, "_FEW_BYTES", few_bytes)
    monkeypatch.setattr(exported_predictions, "_latest_ids", {})
    write_ids(tmp_path, "users", users)
    write_ids(tmp_path, "items", items)
    rows, ratings = lists_of(len(users), is_full=is_full, with_odd_numbers=is_odd), ratings_of(len(users))
    save_array(tmp_path / "both.npy", rows, ratings)
    as_ratings = {
        "user": [users[code] for code in ratings["user"].tolist()],
        "item": [items[code] for code in ratings["item"].tolist()],
        "rating": ratings["rating"].tolist(),
    }
    columns = {"predictions.json": expected_lists(rows, users, items), "ratings.json": as_ratings}
    expected = {name: json.dumps(lists, ensure_ascii=False, default=str).encode() for name, lists in columns.items()}
    for _ in range(2):
        written = exported_predictions.export_predictions(tmp_path, tmp_path / "both.npy", tmp_path)
        assert {file.name: file.read_bytes() for file in written} == expected
        assert exported_predictions.exported_predictions(tmp_path, tmp_path / "both.npy") == expected


def test_a_copy_of_no_predictions_has_empty_columns(tmp_path: Path) -> None:
    """Where every list is empty, the columns are there all the same."""
    write_ids(tmp_path, "users", TEXTS)
    write_ids(tmp_path, "items", NUMBERS)
    rows = lists_of(len(TEXTS), is_full=True)
    rows["item"] = NO_ITEM
    save_array(tmp_path / "lists.npy", rows)
    exported = exported_predictions.exported_predictions(tmp_path, tmp_path / "lists.npy")
    assert exported == {"predictions.json": b'{"user": [], "item": [], "score": [], "rank": []}'}
