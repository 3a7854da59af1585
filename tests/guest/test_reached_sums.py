"""Sums of what is reached: to the last bit those of SciPy's product, whatever numpy has a quick loop for."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from omnibench.guest import limited_sums, reached_sums


def row_of(sums: reached_sums.ReachedSums, row: int) -> dict[int, bytes]:
    """The sums of a row by column, as they are in memory, without what is taken out."""
    entries = slice(sums.starts[row], sums.starts[row + 1])
    pairs = zip(sums.item[entries].tolist(), sums.total[entries], strict=True)
    kept = [(item, total.tobytes()) for item, total in pairs if total.real > -np.inf]
    assert len(dict(kept)) == len(kept)
    return dict(kept)


@given(
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["<f4", "<f8", "<c8"]),
    left_dtype=st.sampled_from(["<f4", "<f8"]),
    most_added=st.sampled_from([0, 1 << 20]),
    is_weighted=st.booleans(),
    cells=st.sampled_from([1, 90, 1 << 19]),
    n_rows=st.sampled_from([0, 1, 13]),
    share=st.sampled_from([0.0, 0.1, 0.9]),
)
def test_sums_are_those_of_scipy(
    seed: int, dtype: str, left_dtype: str, most_added: int, is_weighted: bool, cells: int, n_rows: int, share: float
) -> None:
    """Numbers of any sign and size, for one row at a time or some; what is blocked is left out, reached or not, and twice as once.

    Some cancel out or are no numbers, and some rows have nothing.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.choice([-1, 1, 1 / 3, 1e-30, 1e30, np.inf, np.nan], (20, 30), p=[0.2, 0.2, 0.3, 0.1, 0.1, 0.05, 0.05])
    if dtype == "<c8":  # which SciPy multiplies by a complex one: zeros times infinity are no numbers
        numbers = np.where(np.isfinite(numbers), numbers, 2) + 1j
    right = sparse.csr_matrix(
        np.where(rng.random((20, 30)) < 0.4, numbers * rng.lognormal(0, 1, (20, 30)), 0).astype(dtype)
    )
    weights = rng.integers(1, 4, (n_rows, 20)) / 3 if is_weighted else np.ones((n_rows, 20))
    left = sparse.csr_matrix(np.where(rng.random((n_rows, 20)) < share, weights, 0).astype(left_dtype))
    row, item = (
        column.repeat(1 + (np.arange(len(column)) % 2)) for column in np.nonzero(rng.random((n_rows, 30)) < 0.2)
    )
    order = rng.permutation(len(row))
    blocked = row[order], item[order].astype(np.int32)
    pairs = set(zip(row.tolist(), item.tolist(), strict=True))
    for is_quick in (reached_sums.ADDS_QUICKLY, False):
        with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
            patch.setattr(reached_sums, "_CELLS", cells)
            patch.setattr(reached_sums, "ADDS_QUICKLY", is_quick)
            patch.setattr(reached_sums, "MOST_ADDED", most_added)
            sums = reached_sums.reached_sums(left, right, blocked)
            product: Any = left @ right
        assert sums.total.dtype == product.dtype
        is_blocked = is_quick and product.dtype.itemsize <= 8 and (most_added > 0 or product.nnz == 0)
        assert len(sums.left_to_block[0]) == (0 if is_blocked else len(row))
        for number in range(n_rows):
            expected = reached_sums.ReachedSums(product.indptr, product.indices, product.data, blocked)
            kept = {
                key: bits
                for key, bits in row_of(expected, number).items()
                if not is_blocked or (number, key) not in pairs
            }
            assert row_of(sums, number) == kept


def test_numpy_adds_quickly_here() -> None:
    """So that the other way is not all that is tested."""
    assert reached_sums.ADDS_QUICKLY


@pytest.mark.parametrize("is_counted", [False, True])
def test_memory_of_a_long_history_is_that_of_what_it_reaches(
    monkeypatch: pytest.MonkeyPatch, *, is_counted: bool
) -> None:
    """Of ten times as many numbers that are added up as there are items, not each is held at once."""
    n_items, n_rows = 20_000, 400
    rng = np.random.default_rng(1)
    items = np.sort(rng.random((n_rows, n_items)).argpartition(500, axis=1)[:, :500], axis=1).astype(np.int32)
    numbers = rng.random(items.size, dtype=np.float32)
    right: Any = sparse.csr_matrix((numbers, items.ravel(), np.arange(n_rows + 1) * 500), shape=(n_rows, n_items))
    left: Any = sparse.csr_matrix(np.ones((1, n_rows), dtype=np.float32))
    for module in (reached_sums, limited_sums):
        monkeypatch.setattr(module, "MOST_ADDED", 5000)
    codes = rng.permutation(n_items)[None, :20].astype(np.int32)

    def make() -> Any:
        if is_counted:
            return limited_sums.Pairs.of_histories(left, right, codes)
        return reached_sums.reached_sums(left, right, (np.zeros(0, dtype=np.int64), codes[0, :0]))

    make()
    tracemalloc.start()
    made = make()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < items.size * 4
    if is_counted:
        whole = limited_sums.Pairs.of(left, right[left.indices], codes)
        assert made.number.tobytes() == whole.number.tobytes()
        assert made.pair.tolist() == whole.pair.tolist()
        assert len(made.number) > 100
