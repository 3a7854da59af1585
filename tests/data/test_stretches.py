"""Sorting by stretches: what words of user, key and place give is what numpy's own lexsort gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.data import stretches
from omnibench.data.interactions import Interactions
from omnibench.data.sorting import sort_rows
from omnibench.data.stretches import parts_of_users, sorted_within, superseded

sizes = st.lists(st.sampled_from([0, 1, 2, 3, 5, 17, 64]), min_size=1, max_size=12).filter(any)
seeds = st.integers(0, 2**32 - 1)
spans = st.sampled_from([0, 1, 3, 1000, 2**31 - 1, 2**50, 2**62])


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes several stretches of few rows."""
    monkeypatch.setattr(stretches, "_LENGTHS", (16, 8, 4))


def users_of(per_user: list[int]) -> Any:
    return np.repeat(np.arange(len(per_user)), per_user).astype(np.int32)


def lists_of(columns: list[Any]) -> list[list[Any]]:
    return [column.tolist() for column in columns]


@given(sizes, seeds, spans, st.booleans(), st.booleans())
def test_stretches_are_sorted_as_lexsort_sorts(
    per_user: list[int], seed: int, span: int, is_grouped: bool, in_place: bool
) -> None:
    """Values of any range, users that lie together or not: columns, and which rows are tied with the one before."""
    generator = np.random.default_rng(seed)
    user = users_of(per_user) if is_grouped else generator.permutation(users_of(per_user))
    values = generator.integers(-span, span, len(user), endpoint=True)
    parts = generator.integers(0, 3, (len(user), 2)).astype(np.int8)
    order = np.lexsort((values, user))
    expected = [values[order], parts[order]]
    is_tied = (np.diff(values[order]) == 0) & (np.diff(user[order]) == 0)
    bounds = None
    if not is_grouped:
        rows, bounds = parts_of_users(user, len(per_user))
        user, values, parts = user[rows], values[rows], parts[rows]
    in_order = sorted_within(user, values, [values, parts], bounds, in_place=in_place)
    if in_order is None:
        assert span > 2**50
        return
    assert lists_of(in_order.columns) == lists_of(expected)
    assert in_order.is_tied.tolist() == is_tied.tolist()


def test_threads_sort_stretches_as_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches have no row in common."""
    monkeypatch.setattr(stretches, "_WORTH_THREADS", 0)
    user, item = users_of([3, 40, 1, 17, 64] * 5), np.random.default_rng(1).integers(0, 9, 625).astype(np.int32)
    in_order = sorted_within(user, item, [item])
    assert in_order is not None
    assert in_order.columns[0].tolist() == item[np.lexsort((item, user))].tolist()
    assert len(superseded(user, item)) == int(pd.DataFrame({"user": user, "item": item}).duplicated(keep="last").sum())


@given(sizes, seeds, st.sampled_from([1, 5, 10**5]), st.sampled_from([1, 20_000]), st.sampled_from([1, 10**3, 10**8]))
def test_rows_that_come_again_are_those_that_pandas_drops(
    per_user: list[int], seed: int, n_items: int, item_step: int, user_step: int
) -> None:
    """All but the last row of each pair, however large the codes are."""
    user = (users_of(per_user) * user_step).astype(np.int32)
    item = (np.random.default_rng(seed).integers(0, n_items, len(user)) * item_step).astype(np.int32)
    expected = pd.DataFrame({"user": user, "item": item}).duplicated(keep="last").to_numpy()
    assert superseded(user, item).tolist() == np.flatnonzero(expected).tolist()


def test_no_rows_have_no_order() -> None:
    """Nothing is sorted, and nothing comes again."""
    nothing = np.empty(0, dtype=np.int32)
    in_order = sorted_within(nothing, None, [nothing])
    assert in_order is not None
    assert lists_of(in_order.columns) == [[]]
    assert len(superseded(nothing, nothing)) == 0


@settings(max_examples=40, deadline=None)
@given(
    sizes, seeds, spans, st.sampled_from(["user", "u%d", "a rather long name of user %d"]), st.booleans(), st.booleans()
)
def test_rows_of_any_order_and_moments_are_sorted_as_pandas_sorts_them(
    per_user: list[int], seed: int, span: int, name: str, has_times: bool, in_place: bool
) -> None:
    """Also those of nanoseconds over years, for which a word has no room; users are sorted by their own ids."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(users_of(per_user))
    codes, numbers = pd.factorize(rows)
    user_ids = [name % number if "%" in name else int(number) for number in numbers]
    item = np.arange(len(rows), dtype=np.int32)
    times = generator.integers(0, span, len(rows), endpoint=True) if has_times else None
    columns = Interactions(codes.astype(np.int32), item, None, times, user_ids, item.tolist())
    frame = pd.DataFrame(
        {"user": [user_ids[code] for code in codes], "item": item, "time": 0 if times is None else times}
    )
    expected = frame.sort_values(["user", "time", "item"])
    in_order = sort_rows(columns, None, in_place=in_place).rows
    assert [in_order.user_ids[code] for code in in_order.user] == expected["user"].tolist()
    assert [in_order.item_ids[code] for code in in_order.item] == expected["item"].tolist()
    assert (in_order.timestamp is None) == (times is None)
    if in_order.timestamp is not None:
        assert in_order.timestamp.tolist() == expected["time"].tolist()
