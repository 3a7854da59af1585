"""Columns of tables have the types and the order that pandas gives to lists."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from omnibench.store.columns import Column, sorted_positions

VALUES = st.none() | st.floats(allow_nan=False) | st.integers(-5, 5) | st.sampled_from(["a", ""])


@given(values=st.lists(VALUES, max_size=6) | st.lists(st.none() | st.floats(allow_nan=False), max_size=6))
def test_a_column_is_what_pandas_makes_of_a_list(values: list[Any]) -> None:
    """Floats, missing values, whole numbers, texts, and mixtures of them."""
    column = Column()
    for value in values:
        column.append(value)
    assert len(column) == len(values)
    assert repr(column.values) == repr(values)
    pd.testing.assert_series_equal(column.series(), pd.Series(values), check_exact=True)


@given(rows=st.lists(st.tuples(st.sampled_from(["b", "a", "ä", ""]), st.sampled_from(["x", "w"])), max_size=8))
def test_rows_are_sorted_as_pandas_sorts_them(rows: list[tuple[str, str]]) -> None:
    """By the first column, then by the second, and rows that have both alike in their order."""
    frame = pd.DataFrame(rows, columns=["item", "metric"], dtype=object)
    order = sorted_positions([item for item, _ in rows], [metric for _, metric in rows])
    assert list(order) == list(frame.sort_values(["item", "metric"], kind="stable").index)
