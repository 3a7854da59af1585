"""Sums of the highest few numbers: to the last bit the lists of all such sums, of which few are made."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from support.cases import ranking_case

from omnibench.guest import column_numbers, limited_sums, products, sum_bounds
from omnibench.guest.candidates import candidate_sets
from omnibench.guest.counted_sums import Counted, best_reached_sums
from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.guest.limited_sums import best_sums
from omnibench.guest.products import ProductScores, Sums
from omnibench.guest.ranking import recommend
from omnibench.guest.sum_bounds import ItemGroups, SumBounds

N_ROWS = 300


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset with unknown items, and users with few candidates."""
    return ranking_case(tmp_path_factory.mktemp("limited"), full=False).fold.directory


@pytest.fixture(params=["unseen", "repeats", "unknown", "sampled"])
def fold_and_sets(request: Any, directory: Path) -> tuple[Fold, Any]:
    """The fold with each rule of what may be recommended."""
    fold = Fold(directory, 0, repeats=request.param == "repeats", unknown=request.param == "unknown")
    policy = {"policy": "sampled", "negatives": 9, "seed": 1} if request.param == "sampled" else {"policy": "unseen"}
    return fold, candidate_sets(fold, policy)


def sum_of_highest(numbers: npt.NDArray[np.float32], most: int) -> np.float32:
    """In the order in which they come, so that each order of additions gives other bits."""
    chosen = np.sort(np.argsort(-numbers, kind="stable")[:most])
    total = np.float32(0)
    for number in numbers[chosen]:
        total += number
    return total


class Highest:
    """Makes such sums, and counts how many."""

    best_of_reached: Any = None

    def __init__(
        self,
        most: int,
        bounds: SumBounds | None,
        counted: Counted | None = None,
        least: int = 1,
        *,
        may_refuse: bool = True,
    ) -> None:
        self.most, self.least, self.bounds, self.n_asked = most, least, bounds, 0
        self.may_refuse = may_refuse
        if counted is not None:
            self.best_of_reached = partial(best_reached_sums, counted=counted, limits=self)

    def best(self, sums: Sums, k: int) -> Any:
        """Return the best of users."""
        return best_sums(sums, k, self.bounds, self)

    def refuse(self, left: Any, added: Any, table: Any) -> None:
        """Every seventh item has no score."""
        if self.may_refuse:
            table[:, ::7] = -np.inf

    def sums_of_highest(self, numbers: Any, pair: Any, n_pairs: int, chosen: Any) -> Any:
        """Return sums of pairs, each by itself."""
        assert (pair < n_pairs).all()
        self.n_asked += len(chosen)
        order = np.argsort(pair, kind="stable")
        ends = np.searchsorted(pair[order], np.arange(n_pairs + 1))
        some = [numbers[order[ends[number] : ends[number + 1]]] for number in chosen]
        return np.array([sum_of_highest(each, self.most) for each in some], dtype=np.float32)


@cache
def case(n_users: int, n_items: int, *, has_ties: bool) -> tuple[Any, Any]:
    """Histories of 0 to 120 things, and similarities: some items have many, some few, all of them float32 and above zero."""
    rng = np.random.default_rng(7)
    share = np.where(np.arange(n_users) % 9 == 0, 0, rng.uniform(0.01, 0.4, n_users))
    left = (rng.random((n_users, N_ROWS)) < share[:, None]).astype(np.float32)
    is_similar = rng.random((N_ROWS, n_items)) < rng.permutation(np.linspace(0, 1, n_items) ** 3)
    numbers = rng.integers(1, 4, is_similar.shape) / 3 if has_ties else rng.lognormal(-2, 1, is_similar.shape)
    return sparse.csr_matrix(left), sparse.csr_matrix(np.where(is_similar, numbers, 0).astype(np.float32))


@cache
def dense(n_users: int, n_items: int, most: int, *, has_ties: bool, may_refuse: bool = True) -> npt.NDArray[np.float32]:
    """All scores, made one by one; NaN where nothing comes together, or the item is refused."""
    left, right = case(n_users, n_items, has_ties=has_ties)
    scores = np.full((left.shape[0], right.shape[1]), np.nan, dtype=np.float32)
    table = right.toarray()
    for user in range(len(scores)):
        rows = table[left[user].indices]
        for item in range(right.shape[1]):
            numbers = rows[:, item][rows[:, item] > 0]
            if len(numbers) and (item % 7 or not may_refuse):
                scores[user, item] = sum_of_highest(numbers, most)
    return scores


def bounds_of(left: Any, right: Any, most: int) -> SumBounds | None:
    """What tells which sums may matter."""
    frequency = np.asarray(left.mean(axis=0), dtype=np.float64).reshape(-1)
    return SumBounds.of(right, frequency, int(np.diff(left.indptr).max(initial=0)), most)


def have_bounds_decide(monkeypatch: pytest.MonkeyPatch, *, columns: int, groups: int, spare: int) -> None:
    """Have bounds decide whatever the numbers are, and however many users they leave open.

    Args:
        monkeypatch: Sets it.
        columns: One in so many items has bounds of its own at most.
        groups: The groups of all others.
        spare: So many items beside those of a list are looked at.
    """
    for module, settings in (
        (sum_bounds, {"_COLUMNS": columns, "_GROUPS": groups, "_LEAST_BOUNDED": 0, "_MOST_OPEN": 1}),
        (limited_sums, {"_SPARE": spare, "_SHARE": 1000}),
        (column_numbers, {"_LEAST_SAVED": 0}),
    ):
        for name, value in settings.items():
            monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize(
    ("most", "has_ties", "scores", "columns", "spare"),
    [(5, False, 1 << 20, 1, 4), (20, True, 2000, 2, 1), (1, False, 2000, 1, 1), (5, True, 1, 16, 1)],
)
def test_lists_are_those_of_all_sums(
    fold_and_sets: tuple[Fold, Any],
    most: int,
    has_ties: bool,
    scores: int,
    columns: int,
    spare: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With bounds of all items or of some, numbers looked up by columns or by rows, in blocks of users or one by one, where many tie, and for lists of any length."""
    monkeypatch.setattr(products, "_SCORES", scores)
    monkeypatch.setattr(products, "_LISTS", 50)
    monkeypatch.setattr(sum_bounds, "_COLUMNS", columns)
    monkeypatch.setattr(limited_sums, "_SPARE", spare)
    monkeypatch.setattr(limited_sums, "_SHARE", 1000)
    monkeypatch.setattr(column_numbers, "_LEAST_SAVED", 0)
    fold, sets = fold_and_sets
    left, right = case(len(fold.users), fold.n_items, has_ties=has_ties)
    expected_scores = dense(len(fold.users), fold.n_items, most, has_ties=has_ties)
    bounds = bounds_of(left, right, most)
    assert bounds is not None
    assert bounds.numbers is not None
    for k in (0, 1, 10, fold.n_items):
        expected = recommend(fold, [(fold.users, expected_scores)], k, sets)
        n_asked = []
        for some in (bounds, replace(bounds, numbers=None), None):
            limits = Highest(most, some)
            rows = recommend(fold, [(fold.users, ProductScores(left, right, limits=limits))], k, sets)
            assert rows.dtype == expected.dtype
            assert rows.tobytes() == expected.tobytes()
            n_asked.append(limits.n_asked)
        if k == 10 and most == 5 and not has_ties and sets is None:
            assert n_asked[0] == n_asked[1] < n_asked[2]


@pytest.mark.parametrize(
    ("most", "has_ties", "columns", "groups", "spare"),
    [(5, False, 1, 4, 4), (20, True, 2, 1, 1), (1, False, 1, 50, 1), (5, True, 16, 4, 1)],
)
def test_lists_by_bounds_alone_are_those_of_all_sums(
    fold_and_sets: tuple[Fold, Any],
    most: int,
    has_ties: bool,
    columns: int,
    groups: int,
    spare: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where bounds of some items and of groups of the others decide, and where more items have to be looked at, or all numbers to be added up."""
    monkeypatch.setattr(products, "_LISTS", 50)
    have_bounds_decide(monkeypatch, columns=columns, groups=groups, spare=spare)
    fold, sets = fold_and_sets
    left, right = case(len(fold.users), fold.n_items, has_ties=has_ties)
    expected_scores = dense(len(fold.users), fold.n_items, most, has_ties=has_ties, may_refuse=False)
    n_long = int((np.diff(left.indptr) > most).sum())
    for k in (0, 1, 4, 10, fold.n_items):
        bounds = bounds_of(left, right, most)
        assert bounds is not None
        assert bounds.groups is not None
        limits = Highest(most, bounds, may_refuse=False)
        rows = recommend(fold, [(fold.users, ProductScores(left, right, limits=limits))], k, sets)
        expected = recommend(fold, [(fold.users, expected_scores)], k, sets)
        assert rows.dtype == expected.dtype
        assert rows.tobytes() == expected.tobytes()
        n_bounded, n_open = bounds.groups.counts
        assert n_bounded == (n_long if sets is None and 0 < k < fold.n_items else 0)
        if k == 1 and n_bounded:
            assert n_open < n_bounded if columns == 1 else n_open > 0


def test_more_bounds_are_looked_at_before_all_numbers_are_added_up(
    monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    """For users of whom too many items reach the last score of the list, unless these are so many that reading the rows costs less."""
    looked_at, added_up = [0, 0], [0, 0]
    add_up_again, add_up_bounded = limited_sums._add_up_again, limited_sums._add_up_bounded
    have_bounds_decide(monkeypatch, columns=1, groups=sum_bounds._GROUPS, spare=1)
    fold = Fold(directory, 0)
    left, right = case(len(fold.users), fold.n_items, has_ties=False)
    expected_scores = dense(len(fold.users), fold.n_items, 5, has_ties=False, may_refuse=False)
    expected = recommend(fold, [(fold.users, expected_scores)], 4, None)
    for number, least_saved in enumerate((0, 1 << 40)):

        def noted_again(sums: Sums, chosen: Any, *others: Any, number: int = number) -> None:
            added_up[number] += len(chosen)
            add_up_again(sums, chosen, *others)

        def noted_bounded(*arguments: Any, number: int = number, least_saved: int = least_saved) -> Any:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(column_numbers, "_LEAST_SAVED", least_saved)
                settled = add_up_bounded(*arguments)
            looked_at[number] += len(settled)
            return settled

        monkeypatch.setattr(limited_sums, "_add_up_again", noted_again)
        monkeypatch.setattr(limited_sums, "_add_up_bounded", noted_bounded)
        limits = Highest(5, bounds_of(left, right, 5), may_refuse=False)
        rows = recommend(fold, [(fold.users, ProductScores(left, right, limits=limits))], 4, None)
        assert rows.tobytes() == expected.tobytes()
    assert looked_at[0] > looked_at[1] == 0
    assert looked_at[0] + added_up[0] == added_up[1]


@pytest.mark.parametrize("are_alone", [True, False])
def test_users_who_have_all_that_they_reach_get_nothing(
    are_alone: bool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds of groups are above zero for them, for groups are not masked; what all numbers add up to is masked everywhere."""
    have_bounds_decide(monkeypatch, columns=8, groups=4, spare=4)
    most, k, fold = 3, 4, Fold(directory, 0)
    left, right = (matrix.tolil() for matrix in case(len(fold.users), fold.n_items, has_ties=False))
    known = {code: fold.train.item[fold.train.user == code] for code in fold.users.tolist()}
    position = max(range(len(fold.users)), key=lambda number: len(known[int(fold.users[number])]))
    reached = np.unique(known[int(fold.users[position])])
    left[position] = 0
    for row in range(2 * most):
        left[position, row] = 1
        right[row] = 0
        right[row, reached] = np.linspace(0.5, 1, len(reached), dtype=np.float32)
    left, right = left.tocsr().astype(np.float32), right.tocsr().astype(np.float32)
    bounds = bounds_of(left, right, most)
    assert bounds is not None
    assert bounds.groups is not None
    limits, end = Highest(most, bounds, may_refuse=False), len(fold.users)
    batches = [range(position), [position], range(position + 1, end)] if are_alone else [range(end)]
    scores = [
        (fold.users[batch], ProductScores(left[batch], right, limits=limits)) for batch in map(list, batches) if batch
    ]
    rows = recommend(fold, scores, k, None)
    assert (rows["item"][rows["user"] == fold.users[position]] == NO_ITEM).all()
    assert bounds.groups.counts[1] > 0


def test_bounds_that_leave_much_open_are_looked_at_no_more(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """After the first users, of whom most need all sums, the next ones are not asked about."""
    monkeypatch.setattr(products, "_LISTS", 20)
    monkeypatch.setattr(sum_bounds, "_COLUMNS", 100)
    monkeypatch.setattr(sum_bounds, "_LEAST_BOUNDED", 0)
    monkeypatch.setattr(column_numbers, "_LEAST_SAVED", 0)
    fold = Fold(directory, 0)
    left, right = case(len(fold.users), fold.n_items, has_ties=False)
    bounds = bounds_of(left, right, 5)
    assert bounds is not None
    assert bounds.groups is not None
    recommend(fold, [(fold.users, ProductScores(left, right, limits=Highest(5, bounds, may_refuse=False)))], 10, None)
    assert not bounds.groups.saves_time
    assert 0 < bounds.groups.counts[0] <= 20


@given(
    seed=st.integers(0, 2**32 - 1),
    groups=st.sampled_from([1, 3, 256]),
    n_columns=st.integers(1, 40),
    share=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_no_sum_is_above_that_of_its_group(seed: int, groups: int, n_columns: int, share: float) -> None:
    """Of whatever groups, for histories and rows without anything, and where all items have bounds of their own."""
    rng = np.random.default_rng(seed)
    numbers = np.where(rng.random((60, 40)) < share * rng.random(40), rng.lognormal(0, 2, (60, 40)), 0)
    right = sparse.csr_matrix(numbers.astype(np.float32))
    left = sparse.csr_matrix((rng.random((9, 60)) < rng.uniform(0, 1, (9, 1))).astype(np.float32))
    column = np.sort(rng.permutation(40)[:n_columns]).astype(np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sum_bounds, "_GROUPS", groups)
        patch.setattr(sum_bounds, "_LEAST_BOUNDED", 0)
        of_groups = ItemGroups.of(right, column, np.asarray(right.sum(axis=0), dtype=np.float64).reshape(-1))
        assert of_groups is not None
        highest = of_groups.highest(left)
    sums = np.delete((left @ right).toarray(), column, axis=1)
    assert (sums.max(axis=1, initial=0) <= highest * (1 + 60 * limited_sums.EPSILON)).all()
    if groups == 256 and n_columns == 39:
        assert np.allclose(sums.max(axis=1, initial=0), highest, rtol=1e-5)


@pytest.mark.parametrize(
    ("most", "has_ties", "dense_from"), [(5, False, 0), (20, True, 0), (1, True, 0), (5, False, 16)]
)
def test_lists_of_reached_items_are_those_of_all_sums(
    fold_and_sets: tuple[Fold, Any], most: int, has_ties: bool, dense_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what users reach alone, whether all items with numbers are known or not; fewer sums of the highest than all are made."""
    monkeypatch.setattr(products, "_DENSE", dense_from)
    monkeypatch.setattr(products, "_LISTS", 50)
    fold, sets = fold_and_sets
    left, right = case(len(fold.users), fold.n_items, has_ties=has_ties)
    is_scored = np.arange(fold.n_items) % 7 != 0
    for of_candidates in (False, True):
        kept = is_scored & fold.candidates if of_candidates else is_scored
        scored = sparse.csr_matrix(right.multiply(kept), dtype=np.float32)
        scored.eliminate_zeros()
        expected_scores = dense(len(fold.users), fold.n_items, most, has_ties=has_ties).copy()
        expected_scores[:, ~kept] = np.nan
        counts = ((left > 0).astype(int) @ (scored > 0).astype(int)).toarray()
        for k in (0, 1, 10, fold.n_items):
            limits = Highest(most, None, Counted(scored))
            batch = ProductScores(left, scored, limits=limits, of_candidates=of_candidates)
            rows = recommend(fold, [(fold.users, batch)], k, sets)
            assert rows.tobytes() == recommend(fold, [(fold.users, expected_scores)], k, sets).tobytes()
            if k == 1 and sets is None and not has_ties and dense_from == 0:
                assert 0 < limits.n_asked < (counts > most).sum()
            if sets is not None or dense_from:
                continue
            for least in (3, most + 1):  # no more are counted than there may be
                limits = Highest(most, None, Counted(scored), least)
                batch = ProductScores(left, scored, limits=limits, of_candidates=of_candidates)
                rows = recommend(fold, [(fold.users, batch)], k, sets)
                enough = np.where((counts >= least) & (least <= most), expected_scores, np.float32(np.nan))
                assert rows.tobytes() == recommend(fold, [(fold.users, enough)], k, sets).tobytes()


@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1e-6, 0.1, 1.0, 5.0]),
    scale=st.sampled_from([1e-30, 1e-6, 1.0]),
    most=st.sampled_from([1, 3, 20]),
)
def test_no_sum_is_above_its_bound(seed: int, spread: float, scale: float, most: int) -> None:
    """But for what is allowed for rounding, whatever numbers come together; what has a bound has one no higher than the sum."""
    rng = np.random.default_rng(seed)
    numbers = (rng.lognormal(0, spread, (60, 40)) * scale).astype(np.float32)
    right = sparse.csr_matrix(np.where(rng.random((60, 40)) < rng.random(40), numbers, 0).astype(np.float32))
    left = sparse.csr_matrix((rng.random((9, 60)) < rng.uniform(0, 1, (9, 1))).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sum_bounds, "_COLUMNS", 1)
        bounds = bounds_of(left, right, most)
    if bounds is None:
        return
    assert np.isfinite(right.data).all()
    table = (left @ right).toarray()
    sums = table.copy()
    bounds.lower(bounds.of_histories(left), table)
    assert (table <= sums).all()
    rows = left.toarray().astype(bool)
    slack = 1 + (rows.sum(axis=1) + 2 * most) * limited_sums.EPSILON
    for user in range(9):
        highest = -np.sort(-right.toarray()[rows[user]].astype(np.float64), axis=0)[:most].sum(axis=0)
        assert (highest <= table[user].astype(np.float64) * slack[user]).all()


def test_bounds_are_close_where_many_come_together() -> None:
    """Within a fifth of the sum of the highest, where the sum of all is several times as high."""
    rng = np.random.default_rng(5)
    right = sparse.csr_matrix(rng.uniform(0.5, 1, (400, 8)).astype(np.float32))
    left = sparse.csr_matrix((rng.random((30, 400)) < 0.25).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sum_bounds, "_COLUMNS", 1)
        bounds = bounds_of(left, right, 20)
    assert bounds is not None
    table = (left @ right).toarray()
    sums = table.copy()
    bounds.lower(bounds.of_histories(left), table)
    for user in range(30):
        highest = -np.sort(-right.toarray()[left[user].indices], axis=0)[:20].sum(axis=0)
        assert (sums[user] > 2.5 * highest).all()
        assert (table[user] < 1.2 * highest).all()


def test_there_are_no_bounds_where_no_history_is_long() -> None:
    """With histories no longer than the number that counts, or without any, each sum is a score."""
    right = sparse.csr_matrix(np.ones((30, 10), dtype=np.float32))
    for n_things in (0, 3):
        left = sparse.csr_matrix((np.arange(30) < n_things).astype(np.float32)[None])
        assert bounds_of(left, right, 3) is None
