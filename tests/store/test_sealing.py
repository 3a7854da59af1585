"""Sealing: a record's text is the record, or it is noticed that it is not."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from omnibench.store.schema import RecordType
from omnibench.store.sealing import _LETTERS, CHECK, DamagedRecordError, is_sealed, seal, unseal, unsealed

texts = st.text(max_size=8)
names = texts.filter(lambda name: name != CHECK)
contents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(names, contents, max_size=4)


def kinds(value: Any) -> Any:
    """Return a value with the types that ``==`` does not tell apart."""
    return repr(value)


def test_types_of_records_are_told_apart_by_their_first_letters() -> None:
    """Records of several types are sealed together by these, so many as ``sealing`` looks at."""
    assert len({record_type.prefix[:_LETTERS] for record_type in RecordType}) == len(RecordType)


@given(texts, records)
@example("", {})
@example("fit/a\ud800", {"half": "\ud800"})
@example("k", {"": {CHECK: "inside"}})
def test_what_is_sealed_is_unsealed(key: str, record: dict[str, Any]) -> None:
    """Any JSON record under any key, types and order of names included; the text is one line of plain JSON."""
    text = seal(key, record)
    assert is_sealed(text)
    assert kinds(unseal(key, text)) == kinds(unsealed(key, text)) == kinds(record)
    assert "\n" not in text
    assert list(json.loads(text)) == [*record, CHECK]


@given(texts, records, st.data())
def test_any_change_of_one_character_is_noticed(key: str, record: dict[str, Any], data: st.DataObject) -> None:
    """Replaced, left out or put in, anywhere in the text, also in the checksum and in what comes after it."""
    text = seal(key, record)
    place = data.draw(st.integers(0, len(text)), "place")
    other = data.draw(st.characters(), "character")
    replaced = text[:place] + other + text[place + 1 :]
    shorter, longer = text[:place] + text[place + 1 :], text[:place] + other + text[place:]
    for changed in {replaced, shorter, longer} - {text}:
        with pytest.raises(DamagedRecordError):
            unseal(key, changed)


def test_any_flipped_bit_is_noticed() -> None:
    """Any flipped bit is noticed, also behind the checksum, since one row that is no JSON would stop a query in SQL."""
    text = seal("fit/a", {"value": 0.25})
    unnoticed = []
    for place, bit in product(range(len(text)), range(7)):
        changed = text[:place] + chr(ord(text[place]) ^ 1 << bit) + text[place + 1 :]
        try:
            unseal("fit/a", changed)
        except DamagedRecordError:
            continue
        unnoticed.append(changed)
    assert unnoticed == []


@given(texts, texts, records)
def test_another_key_is_noticed(key: str, other: str, record: dict[str, Any]) -> None:
    """A record that stands under the key of another is not that other's."""
    assume(key != other)
    with pytest.raises(DamagedRecordError, match="differs from its checksum"):
        unseal(other, seal(key, record))


@given(texts, records, records)
def test_two_records_do_not_share_a_text(key: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    """The end of one behind the beginning of another is neither."""
    first, second = seal(key, one), seal(key, other)
    assume(first != second)
    with pytest.raises(DamagedRecordError):
        unseal(key, first[:-20] + second[-20:])


@pytest.mark.parametrize("text", [None, 3, b"{}", "", "{}", "[]", "x" * 100, '{"check": "0123456789abcdef"}'])
def test_what_was_never_sealed_is_refused(text: Any) -> None:
    """Anything that was never sealed is refused, whatever a damaged row may hold."""
    with pytest.raises(DamagedRecordError):
        unseal("fit/a", text)


@given(texts, records)
def test_a_text_of_format_1_is_the_record_that_it_holds(key: str, record: dict[str, Any]) -> None:
    """It has no checksum; `unseal` refuses it, `unsealed` reads it."""
    text = json.dumps(record)
    assert kinds(unsealed(key, text)) == kinds(record)
    with pytest.raises(DamagedRecordError, match="has no checksum"):
        unseal(key, text)


@pytest.mark.parametrize("text", [None, 3, "", "{", "[]", "3", '"text"', "null", b"{"])
def test_a_damaged_text_of_format_1_is_refused(text: Any) -> None:
    """No JSON, or JSON that is no record."""
    with pytest.raises(DamagedRecordError):
        unsealed("fit/a", text)


def test_a_sealed_text_needs_its_checksum_in_a_store_of_format_1_too() -> None:
    """A migration that was interrupted leaves sealed records; a damaged one of them is not read as if it were old."""
    text = seal("fit/a", {"n": 1})
    with pytest.raises(DamagedRecordError, match="differs"):
        unsealed("fit/a", text.replace("1", "2", 1))
    with pytest.raises(DamagedRecordError, match="differs"):
        unsealed("fit/b", text)


def test_the_checksum_of_an_earlier_text_is_not_carried_along() -> None:
    """The name of the checksum is the one that a record cannot use for itself."""
    once = json.loads(seal("fit/a", {"n": 1}))
    assert seal("fit/a", once) == seal("fit/a", {"n": 1})
