"""Texts as words of eight bytes: their codes are those of pandas, and their order is Python's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import from_file
from omnibench.data import text_codes
from omnibench.data.order_of_texts import order_of_texts
from omnibench.data.text_codes import TextCodes

LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.one_of(
    st.text(LETTERS, max_size=16),
    st.integers(0, 20).map("user-{:03d}".format),
    st.integers(0, 20).map("a longer name of user {}".format),
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deals few rows to several parts."""
    monkeypatch.setattr(text_codes, "_PART_ROWS", 4)
    monkeypatch.setattr(text_codes, "_BLOCK", 8)


@given(st.lists(st.lists(TEXTS, max_size=30), max_size=4), st.sampled_from([pa.string(), pa.large_string()]))
def test_texts_get_the_codes_that_pandas_gives(blocks: list[list[str]], kind: Any) -> None:
    """Block by block, with longer texts in later ones, in the order in which they come."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(text_codes, "_WIDTH", text_codes._LONGEST)  # also a few long texts among many short ones
        coder = TextCodes(1)
        for block in blocks:
            assert coder.append(pa.array(["before", *block], kind)[1:])
        coded = coder.finish()
    assert coded is not None
    codes, values = pd.factorize(np.array([text for block in blocks for text in block], dtype=object))
    assert coded.codes.tolist() == codes.tolist()
    assert coded.texts.to_pylist() == values.tolist()


@pytest.mark.parametrize("text", ["a\0", "\0", "x" * 65, "é" * 33])
def test_texts_that_words_do_not_hold_are_told(text: str) -> None:
    """A zero would be taken for the end of a text, and words of long texts take more memory than these."""
    assert not TextCodes(1).append(pa.array(["a", text]))


def test_a_few_long_texts_do_not_take_the_memory_of_many() -> None:
    """Words of 40 letters are for columns that fill half of them."""
    assert not TextCodes(1).append(pa.array([*["short"] * 30, "x" * 40]))
    assert TextCodes(1).append(pa.array(["x" * length for length in range(30, 41)]))


def test_texts_of_one_hash_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """However unlikely that is of several words, and impossible of one: nobody gets the code of another."""
    coder = TextCodes(1)
    assert coder.append(pa.array([letter * 20 for letter in "aba"]))
    monkeypatch.setattr(TextCodes, "_hashes", lambda *_: np.array([7, 7, 1], dtype=np.uint64))
    assert coder.finish() is None


def test_a_file_whose_texts_have_one_hash_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The careful way reads it."""
    monkeypatch.setattr(TextCodes, "finish", lambda *_: None)
    (tmp_path / "a.csv").write_text("user,item\nb,x\na,y\nb,y\n")
    rows = from_file(tmp_path / "a.csv").source.load()
    assert (list(rows.user_ids), rows.user.tolist()) == (["b", "a"], [0, 1, 0])


@given(st.lists(st.one_of(TEXTS, st.text(max_size=20), st.text("ab\0", max_size=18))))
def test_the_order_of_texts_is_that_of_their_characters(texts: list[str]) -> None:
    """Prefixes before what they begin, equal ones as they lie, also with zeros and halves of characters in them."""
    assert order_of_texts(texts).tolist() == sorted(range(len(texts)), key=texts.__getitem__)
