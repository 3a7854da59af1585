"""Ids as JSON: what goes in comes out, and what has no stable form is refused."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.ids import decode, encode
from omnibench.errors import DataError

texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary()
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.dates()
    | st.decimals(allow_nan=False)
)
any_id: st.SearchStrategy[Hashable] = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=6
)


def through_json(value: Hashable) -> Hashable:
    return decode(json.loads(json.dumps(encode(value, "here"))))


@given(any_id)
def test_an_id_survives_the_way_through_json(value: Hashable) -> None:
    """Encoding, writing, reading and decoding give an equal id of the same type."""
    back = through_json(value)
    assert back == value
    assert type(back) is type(value)
    assert hash(back) == hash(value)


@given(any_id)
def test_the_form_of_an_id_is_stable(value: Hashable) -> None:
    """An id and its copy out of JSON have the same text, whatever order a set has in memory."""
    assert json.dumps(encode(through_json(value), "here")) == json.dumps(encode(value, "here"))


class Text(enum.StrEnum):
    """Texts with names."""

    A = "a"


class Pair(NamedTuple):
    """A tuple with names."""

    left: int
    right: str


@pytest.mark.parametrize(
    ("value", "plainly"),
    [
        (np.int64(3), 3),
        (np.str_("a"), "a"),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (Text.A, "a"),
        (Pair(1, "b"), (1, "b")),
        (pd.Timestamp("2020-01-01 12:00"), dt.datetime(2020, 1, 1, 12)),  # noqa: DTZ001 - people's dates have no zone
    ],
)
def test_what_equals_a_plain_id_is_kept_as_one(value: Any, plainly: Hashable) -> None:
    """Numpy scalars, enum members of text, named tuples and pandas' moments come back as the plain id they equal."""
    back = through_json(value)
    assert back == plainly == value
    assert type(back) is type(plainly)


def test_nanoseconds_are_kept() -> None:
    """Two moments that differ by a nanosecond are two ids."""
    moment = pd.Timestamp("2020-01-01T00:00:00.000000001")
    assert through_json(moment) == moment != through_json(pd.Timestamp("2020-01-01"))


class Opaque:
    """Hashable, but by its address."""


@pytest.mark.parametrize(
    "value", [Opaque(), (1, Opaque()), frozenset([Opaque()]), len, 1 + 2j, "\ud800", (1, "\ud800")]
)
def test_an_id_without_a_stable_form_is_refused_by_name(value: Hashable) -> None:
    """The error says where the id stands."""
    with pytest.raises(DataError, match="column 'user', row 7"):
        encode(value, "column 'user', row 7")
