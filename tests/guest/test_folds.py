"""Ranking of a framework's scores: in their own precision, by score and then item, with what reproduces the order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import Case, ranking_case

from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.guest.ranking import recommend
from omnibench.guest.top_items import top_k

K = 20


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A prepared dataset with unknown items, and users with few candidates."""
    return ranking_case(tmp_path_factory.mktemp("folds"), full=False)


def expected_list(fold: Fold, user: int, scores: npt.NDArray[Any], k: int = K) -> list[int]:
    """The list by Python's own comparison of numbers, which rounds nothing."""
    allowed = set(np.flatnonzero(fold.candidates).tolist()) - set(fold.seen(user).tolist())
    numbers = {item: scores[item].item() for item in allowed}
    usable = {item: number for item, number in numbers.items() if number > -np.inf}  # which NaN is not either
    return sorted(usable, key=lambda item: (-usable[item], item))[:k]


def lists_of(rows: Any) -> list[list[int]]:
    return [[item for item in items if item != NO_ITEM] for items in rows["item"].tolist()]


CLOSE: dict[str, Any] = {
    "gaps of 1e-9": lambda order: 1 + order * 1e-9,
    "times": lambda order: 1_700_000_000 + order,
    "counts beyond 2**24": lambda order: (2**24 + order).astype(np.int64),
    "log-likelihoods": lambda order: -1e6 + order * 1e-4,
    "beyond float32": lambda order: (order + 1) * 1e300,
    "tiny": lambda order: (order + 1) * 1e-300,
}


@pytest.mark.parametrize("close", CLOSE)
def test_scores_rank_in_the_precision_that_they_come_in(case: Case, close: str) -> None:
    """What float64 tells apart is never a tie, and what is stored says the order by itself."""
    fold = case.fold
    order = np.random.default_rng(1).permuted(np.tile(np.arange(fold.n_items), (len(fold.users), 1)), axis=1)
    scores = CLOSE[close](order.astype(np.float64))
    rows = recommend(fold, [(fold.users, scores)], K)
    lists = lists_of(rows)
    assert lists == [expected_list(fold, user, scores[row]) for row, user in enumerate(fold.users.tolist())]
    assert rows.dtype["score"].base == np.float64
    for stored, items in zip(rows["score"], lists, strict=True):
        assert (np.diff(stored[: len(items)]) < 0).all()


def test_scores_that_float32_holds_are_stored_as_such(case: Case) -> None:
    """Halves of numbers, counts, and float32 itself take 4 bytes, as they always did."""
    fold = case.fold
    numbers = np.random.default_rng(2).integers(0, 9, (len(fold.users), fold.n_items))
    files = {recommend(fold, [(fold.users, numbers.astype(dtype))], K).tobytes() for dtype in ("<f4", "<f8", "<i8")}
    assert len(files) == 1
    halves = recommend(fold, [(fold.users, numbers / 2)], K)
    assert halves.dtype["score"].base == np.float32


def test_batches_may_differ_in_their_type(case: Case) -> None:
    """Each is ranked as it comes; a framework may give a list of lists or half precision."""
    fold = case.fold
    scores = np.random.default_rng(3).normal(size=(len(fold.users), fold.n_items))
    cut = len(fold.users) // 2
    half: Any = scores[:cut].astype(np.float16)
    rows = recommend(fold, [(fold.users[:cut], half), (fold.users[cut:], scores[cut:].tolist())], K)
    expected = [*half, *scores[cut:]]
    assert lists_of(rows) == [expected_list(fold, user, expected[row]) for row, user in enumerate(fold.users.tolist())]


def test_what_a_framework_yields_stays_as_it_is(case: Case) -> None:
    """It may be the model itself: masking is done in a copy."""
    fold = case.fold
    scores = np.zeros((len(fold.users), fold.n_items))
    recommend(fold, [(fold.users, scores)], K)
    assert not scores.any()


VALUES = st.sampled_from([0.0, -0.0, 1.0, 1 + 1e-9, 1 + 2**-23, 2.0, -3.0, 1e-300, np.inf, -np.inf, np.nan])


@given(st.lists(st.lists(VALUES, min_size=6, max_size=6), min_size=1, max_size=4), st.integers(1, 8), st.booleans())
def test_the_best_come_first_and_ties_by_item(table: list[list[float]], k: int, single: bool) -> None:
    """Whatever the numbers, in either precision; NaN and -inf are never recommended, and shorter lists are padded."""
    scores: Any = np.array(table, dtype=np.float32 if single else np.float64)
    items, best = top_k(scores, k)
    assert best.dtype == scores.dtype
    for row, numbers in enumerate(scores.tolist()):
        usable = [item for item, number in enumerate(numbers) if number > -np.inf]
        ranked = sorted(usable, key=lambda item: -numbers[item])[:k]
        assert items[row].tolist() == ranked + [NO_ITEM] * (k - len(ranked))
        assert best[row].tolist() == [numbers[item] for item in ranked] + [0] * (k - len(ranked))


def test_no_items_make_empty_lists() -> None:
    """An empty batch, or a framework without items."""
    for shape in ((0, 5), (2, 0)):
        items, best = top_k(np.zeros(shape), 3)
        assert items.shape == best.shape == (shape[0], 3)
        assert (items == NO_ITEM).all()
