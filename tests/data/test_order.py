"""Order within users: what the matrices of words give is what numpy's own lexsort gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.order import canonical_order, counts, deal, first_rows, lookup, ranks, repeats, sort_within
from omnibench.data.step import random_keys

sizes = st.lists(st.sampled_from([0, 1, 2, 3, 5, 17, 127, 128, 129, 200, 385]), min_size=1, max_size=12).filter(any)
seeds = st.integers(0, 2**32 - 1)
spans = st.sampled_from([1, 3, 1000, 2**31 - 1, 2**50, 2**62])


def users_of(per_user: list[int]) -> Any:
    return np.repeat(np.arange(len(per_user)), per_user).astype(np.int32)


def ranks_by_lexsort(user: Any, keys: Any, first: Any) -> list[int]:
    order = np.lexsort((keys, user))
    rank = np.empty(len(user), dtype=np.int64)
    rank[order] = np.arange(len(user)) - first[user[order]]
    return [int(one) for one in rank]


@given(sizes, seeds, spans)
def test_rows_are_sorted_by_user_and_time_as_lexsort_does(per_user: list[int], seed: int, span: int) -> None:
    """Rows of any order and times of any unit, before 1970 too, are sorted stably; sorted rows are left alone."""
    generator = np.random.default_rng(seed)
    user = generator.permutation(users_of(per_user))
    timestamp = generator.integers(-span, span, len(user), endpoint=True)
    expected = np.lexsort((timestamp, user))
    order = canonical_order(user, timestamp, len(per_user))
    assert (np.arange(len(user)) if order is None else order).tolist() == expected.tolist()
    assert canonical_order(user[expected], timestamp[expected], len(per_user)) is None
    by_user = canonical_order(user, None, len(per_user))
    assert (np.arange(len(user)) if by_user is None else by_user).tolist() == np.argsort(user, kind="stable").tolist()


def test_more_users_than_sixteen_bits_are_sorted() -> None:
    """The radix sort has a second pass for them."""
    user = np.random.default_rng(1).permutation(np.arange(200_000) // 2).astype(np.int32)
    order = canonical_order(user, None, 100_000)
    assert order is not None
    assert (order == np.argsort(user, kind="stable")).all()


@given(sizes, seeds, spans)
def test_values_are_sorted_within_users_as_lexsort_does(per_user: list[int], seed: int, span: int) -> None:
    """Values of any range, equal ones as they lie; users stay where they are."""
    user = users_of(per_user)
    values = np.random.default_rng(seed).integers(-span, span, len(user), endpoint=True)
    first = first_rows(user, len(per_user))
    assert first.tolist() == [0, *np.cumsum(per_user).tolist()]
    assert sort_within(first, values).tolist() == np.lexsort((values, user)).tolist()


@given(sizes, seeds)
def test_random_keys_rank_as_lexsort_ranks_them(per_user: list[int], seed: int) -> None:
    """The draws of the steps that existed before this module are what they were."""
    user = users_of(per_user)
    first, keys = first_rows(user, len(per_user)), random_keys(len(user), seed)
    assert ranks(first, keys).tolist() == ranks_by_lexsort(user, keys, first)


@given(sizes, seeds, st.sampled_from([2, 5, 300]))
def test_rows_are_dealt_in_turn_in_the_order_of_their_keys(per_user: list[int], seed: int, n_hands: int) -> None:
    """The hand of a row is the user's first hand plus the rank of the row's key, all around."""
    user = users_of(per_user)
    first, keys = first_rows(user, len(per_user)), random_keys(len(user), seed)
    start = np.random.default_rng(seed).integers(0, n_hands, len(per_user))
    expected = (np.array(ranks_by_lexsort(user, keys, first), dtype=np.int64) + start[user]) % n_hands
    assert deal(first, keys, start, n_hands).tolist() == expected.tolist()


@given(sizes, seeds, st.sampled_from([1, 4, 10**6]))
def test_repeated_pairs_are_found(per_user: list[int], seed: int, n_items: int) -> None:
    """Exactly those rows are repeats whose pair a row before them has."""
    user = users_of(per_user)
    item = np.random.default_rng(seed).integers(0, n_items, len(user)).astype(np.int32)
    order, again = repeats(user, item, len(per_user))
    seen: set[tuple[int, int]] = set()
    expected = []
    for row, pair in enumerate(zip(user.tolist(), item.tolist(), strict=True)):
        if pair in seen:
            expected.append(row)
        seen.add(pair)
    assert sorted(order[again].tolist()) == expected


@pytest.mark.parametrize("n", [0, 1, 65536, 150_000])
def test_codes_are_looked_up_and_counted_across_blocks(n: int) -> None:
    """Working block by block gives what numpy gives at once."""
    codes = np.random.default_rng(n).integers(0, 1000, n).astype(np.int32)
    table = np.random.default_rng(1).random(1000)
    assert (lookup(table, codes) == table[codes]).all()
    assert counts(codes, 1000).tolist() == np.bincount(codes, minlength=1000).tolist()


def test_threads_sort_as_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows are shared among threads, which changes nothing."""
    per_user = [1 + number % 300 for number in range(3000)]
    user = users_of(per_user)
    first, keys = first_rows(user, len(per_user)), random_keys(len(user), 42)
    start = np.arange(len(per_user)) % 5

    def sorted_all() -> list[list[int]]:
        return [
            found.tolist()
            for found in (ranks(first, keys), deal(first, keys, start, 5), sort_within(first, keys.view(np.int64)))
        ]

    alone = sorted_all()
    monkeypatch.setattr("omnibench.data.order._WORTH_THREADS", 0)
    assert sorted_all() == alone
    assert alone[0] == ranks_by_lexsort(user, keys, first)
