"""Conversions between numpy and Arrow: what goes in comes out, and Arrow itself reads the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from omnibench.gate.arrow import number_array, number_column, text_column


@pytest.mark.parametrize("start", [0, 3, 8, 13])
def test_numbers_come_back(start: int) -> None:
    """Undefined ones as null on the way, wherever the column begins in its buffer."""
    values = np.arange(20, dtype="<f8")
    values[::3] = np.nan
    table = pa.table({"value": number_array(values, pa.float64())}).slice(start)
    assert table.column("value").to_pylist() == [None if np.isnan(value) else value for value in values[start:]]
    np.testing.assert_array_equal(number_column(table, "value", "<f8"), values[start:])


def test_numbers_that_are_all_defined_have_no_nulls() -> None:
    """A column of numbers that are all defined, such as user codes and folds, has no nulls."""
    array = number_array(np.arange(5, dtype="<i4"), pa.int32())
    assert (array.null_count, array.to_pylist()) == (0, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(number_column(pa.table({"user": array}), "user", "<i4"), np.arange(5))


@pytest.mark.parametrize("times", [0, 1, 5])
def test_texts_are_repeated(times: int) -> None:
    """Each as often as is said, one whose letters take several bytes, and one that comes again."""
    array = text_column(["Bücher", "", "Bücher", "b"], [times, 1, 2, times])
    assert array.to_pylist() == ["Bücher"] * times + [""] + ["Bücher"] * 2 + ["b"] * times
    assert len(array.dictionary) == 3
