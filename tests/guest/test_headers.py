"""Reading small ``.npy`` files with headers that are parsed once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from omnibench.guest.folds import recommendation_dtype, save_array
from omnibench.guest.headers import read_array

TYPES: list[np.dtype[Any]] = [np.dtype("<i4"), np.dtype("<f8"), np.dtype("u1"), recommendation_dtype(3)]
ARRAYS: st.SearchStrategy[npt.NDArray[Any]] = arrays.arrays(
    st.sampled_from(TYPES),
    arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4),
)


@given(st.lists(ARRAYS, min_size=1, max_size=3))
def test_arrays_that_lie_one_behind_the_other_are_those_of_numpy(
    tmp_path_factory: pytest.TempPathFactory, written: list[npt.NDArray[Any]]
) -> None:
    """What numpy reads of a file is read, bit for bit, and can be written into."""
    path = tmp_path_factory.mktemp("arrays") / "some.npy"
    save_array(path, *written)
    with path.open("rb") as ours, path.open("rb") as theirs:
        for _ in written:
            array, expected = read_array(ours), np.lib.format.read_array(theirs)
            assert (array.dtype, array.shape, array.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
            assert array.flags.writeable
            assert ours.tell() == theirs.tell()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3, dtype=recommendation_dtype(3)),
        np.arange(6).reshape(2, 3),
        np.arange(6).reshape(2, 3).T,
        np.arange(9)[::2],
        np.zeros((0, 4)),
        np.array(7),
        np.arange(100_000),
        np.array(["2026-11-29"], dtype="datetime64[D]"),
    ],
    ids=["rows", "by rows", "by columns", "with gaps", "empty", "a number", "large", "dates"],
)
def test_files_are_those_of_numpy_to_the_byte(tmp_path: Path, array: npt.NDArray[Any]) -> None:
    """Whichever way they are written, the second one as the first: digests of files are parts of keys."""
    expected = io.BytesIO()
    np.lib.format.write_array(expected, array, allow_pickle=False)
    save_array(tmp_path / "ours.npy", array, array)
    assert (tmp_path / "ours.npy").read_bytes() == 2 * expected.getvalue()


def test_objects_are_not_written(tmp_path: Path) -> None:
    """No guest hands its host a pickle."""
    with pytest.raises(ValueError, match="allow_pickle"):
        save_array(tmp_path / "objects.npy", np.array([{}], dtype=object))


@pytest.mark.parametrize("missing", [1, 30, 330])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, missing: int) -> None:
    """Within its values, and within its header."""
    path = tmp_path / "cut.npy"
    np.save(path, np.arange(40))
    content = path.read_bytes()
    path.write_bytes(content[:-missing])
    with path.open("rb") as file, pytest.raises(ValueError, match=r"shorter|header|EOF|read"):
        read_array(file)


def test_a_file_that_says_to_be_huge_is_refused(tmp_path: Path) -> None:
    """No memory is taken for what is not there."""
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": (10**15,), "fortran_order": False, "descr": "<f8"})
    with path.open("rb") as file, pytest.raises(ValueError, match="shorter"):
        read_array(file)


def test_objects_are_not_read(tmp_path: Path) -> None:
    """A pickle is refused, as everywhere."""
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with path.open("rb") as file, pytest.raises(ValueError, match="objects"):
        read_array(file)
