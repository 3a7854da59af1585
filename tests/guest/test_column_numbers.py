"""The numbers of some rows in some columns, by columns: those that a reading of the rows finds, in the same order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from omnibench.guest import column_numbers
from omnibench.guest.column_numbers import ColumnNumbers


@given(
    seed=st.integers(0, 2**32 - 1),
    n_dense=st.integers(0, 25),
    share=st.sampled_from([0.0, 0.2, 0.9]),
    cells=st.sampled_from([1, 100, 1 << 24]),
)
def test_numbers_are_those_of_the_rows(seed: int, n_dense: int, share: float, cells: int) -> None:
    """Whether all columns are dense, some or none, for histories with nothing too, and pairs without numbers or that come twice."""
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((40, 25)) < rng.random(25), rng.normal(0, 1, (40, 25)), 0).astype(np.float32)
    histories = rng.random((9, 40)) < share
    row, column = np.sort(rng.integers(0, 9, 30)), rng.integers(0, 25, 30).astype(np.int32)
    numbers = ColumnNumbers.of(sparse.csr_matrix(table), np.sort(rng.permutation(25)[:n_dense]).astype(np.int32))
    assert numbers is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_numbers, "_CELLS", cells)
        patch.setattr(column_numbers, "_TOGETHER", cells)
        left = sparse.csr_matrix(histories.astype(np.float32))
        steps = [np.arange(30)[step] for step in numbers.steps(left, row, column)]
        parts = [(step, *numbers.of_pairs(left, row[step], column[step])) for step in steps]
    assert np.concatenate(steps).tolist() == list(range(30))
    assert len(steps) == 1 or cells < 1 << 24
    found, pair = np.concatenate([part[1] for part in parts]), np.concatenate([step[part] for step, _, part in parts])
    assert found.dtype == np.float32
    assert all(part.dtype == np.int32 for _, _, part in parts)
    for number in range(30):
        expected = table[histories[row[number]], column[number]]
        assert found[pair == number].tobytes() == expected[expected != 0].tobytes()


def test_long_lists_are_no_reason_to_look_up_each_item() -> None:
    """With more items than half of a row's numbers, rows are read."""
    numbers = ColumnNumbers.of(sparse.csr_matrix(np.ones((10, 8), dtype=np.float32)), np.arange(3, dtype=np.int32))
    assert numbers is not None
    assert numbers.saves_time(4)
    assert not numbers.saves_time(5)


def test_nothing_is_made_dense_that_takes_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are read then; likewise where zeros are numbers, which a dense column cannot tell from none."""
    matrix = sparse.csr_matrix(np.ones((10, 8), dtype=np.float32))
    monkeypatch.setattr(column_numbers, "_DENSE_BYTES", 3 * 10 * 4)
    assert ColumnNumbers.of(matrix, np.arange(3, dtype=np.int32)) is not None
    assert ColumnNumbers.of(matrix, np.arange(4, dtype=np.int32)) is None
    matrix.data[5] = 0
    assert ColumnNumbers.of(matrix, np.arange(3, dtype=np.int32)) is None
