"""The users' own ids in prepared datasets: what is written is what is read, whatever they are."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
import uuid
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.data.ids import encode
from omnibench.data.interactions import decode
from omnibench.data.stored_ids import read_ids, write_ids
from omnibench.errors import DataError

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20)
INTEGERS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20)


def stored(directory: Path, own_ids: Sequence[Hashable]) -> Sequence[Hashable]:
    write_ids(directory, "users", own_ids)
    return read_ids(directory, "users")


@settings(deadline=None)
@given(TEXTS | INTEGERS, st.data())
def test_ids_are_a_sequence_of_what_was_written(own_ids: list[Hashable], data: st.DataObject) -> None:
    """One, from the end too, some, all; with the types that they had."""
    with tempfile.TemporaryDirectory() as name:
        ids = stored(Path(name), own_ids)
        position = data.draw(st.integers(-len(own_ids), len(own_ids) - 1))
        assert (len(ids), ids[position], type(ids[position])) == (len(own_ids), own_ids[position], type(own_ids[0]))
        assert list(ids) == own_ids
        assert ids[1:3] == own_ids[1:3]
        assert ids == own_ids
        assert ids != [*own_ids, own_ids[0]]
        with pytest.raises(IndexError):
            ids[len(own_ids)]


@settings(deadline=None)
@given(TEXTS | INTEGERS, st.data())
def test_codes_are_decoded_as_from_a_list(own_ids: list[Hashable], data: st.DataObject) -> None:
    """Texts are objects, so that every release of pandas makes the same frame of them, and integers int64."""
    codes = np.array(data.draw(st.lists(st.integers(0, len(own_ids) - 1), max_size=30)), dtype=np.int32)
    with tempfile.TemporaryDirectory() as name:
        decoded, expected = decode(codes, stored(Path(name), own_ids)), decode(codes, own_ids)
        assert (decoded.dtype, decoded.tolist()) == (expected.dtype, expected.tolist())


def test_few_of_many_texts_are_decoded_by_themselves(tmp_path: Path) -> None:
    """What is not asked for is not looked at: here it is no text any more."""
    ids = stored(tmp_path, [f"user {number:03}" for number in range(100)])
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    file.write_bytes(content.replace(b"user 050", b"\xff" * 8))
    ids = read_ids(tmp_path, "users")
    assert decode(np.array([3, 99, 3], dtype=np.int32), ids).tolist() == ["user 003", "user 099", "user 003"]
    with pytest.raises(UnicodeDecodeError):
        list(ids)


@pytest.mark.parametrize(
    "own_ids", [[1, 2**63], [True, False], [1.5, 2.0], [("a", 1)], [uuid.UUID(int=3)], [dt.date(2020, 1, 1)]]
)
def test_ids_of_other_kinds_are_json(own_ids: list[Hashable], tmp_path: Path) -> None:
    """Integers beyond 64 bits, truth values, tuples and what else has a stable form."""
    ids = stored(tmp_path, own_ids)
    assert list(ids) == own_ids
    assert [type(own_id) for own_id in ids] == [type(own_id) for own_id in own_ids]
    assert json.loads((tmp_path / "users.json").read_text()) == [encode(own_id, "") for own_id in own_ids]


def test_subclasses_and_numpys_numbers_are_stored_as_what_they_equal(tmp_path: Path) -> None:
    """As they always were: a text, and an int."""
    assert list(stored(tmp_path, [np.str_("a"), "b"])) == ["a", "b"]
    (tmp_path / "users.texts.npy").unlink()
    assert list(stored(tmp_path, [np.int64(3), 4])) == [3, 4]


def test_a_text_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    """Before anything is written."""
    with pytest.raises(DataError, match="no valid Unicode text"):
        write_ids(tmp_path, "users", ["a", "\ud800"])
    assert not list(tmp_path.iterdir())
