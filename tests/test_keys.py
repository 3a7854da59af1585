"""Keys: the same meaning has the same key, another meaning another, and what has no canonical form is refused."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.errors import KeyValueError
from omnibench.keys import canonical, digest, display, encode_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=4)
hashables = st.recursive(
    scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4
)
values = st.recursive(
    scalars | st.frozensets(hashables, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | st.just("$"), inner, max_size=4)
        | st.dictionaries(hashables, inner, max_size=3)
    ),
    max_leaves=12,
)


def meaning(value: Any) -> Any:
    """What a value means, as a Python object that is equal exactly when the meaning is; written independently."""
    if value is None or isinstance(value, bool | int | str | bytes):
        return type(value).__name__, value
    if isinstance(value, float):
        return "float", "nan" if value != value else value + 0.0  # noqa: PLR0124 - only NaN differs from itself
    if isinstance(value, list | tuple):
        return "sequence", tuple(meaning(one) for one in value)
    if isinstance(value, frozenset):
        return "set", tuple(sorted(repr(meaning(one)) for one in value))
    return "mapping", frozenset((meaning(name), meaning(one)) for name, one in value.items())


SAMPLE = {
    "none": None,
    "flags": [True, False],
    "numbers": [1, 1.0, -0.0, 1e22, 10**22, float("nan"), float("-inf")],
    "text": "Järvelin & Kekäläinen",
    "bytes": b"\x00\xff",
    "set": {3, 1, "2"},
    "mapping": {1: "int", 1.5: "float", (1, 2): "tuple"},
    "$": "a name that the tags use",
}
FROZEN = "1001f9fdee1d34e50f7d2b953981a84a1c964ef36567bc9addc00f6b6e1179fe"


class Colour(enum.Enum):
    """A plain enum."""

    RED = "red"


class OldText(str, enum.Enum):  # noqa: UP042 - people have these, and their str() is not their text
    """An enum of texts as people wrote them before StrEnum."""

    RED = "red"


@dataclasses.dataclass(frozen=True)
class Point:
    """A dataclass."""

    x: int
    y: float


def test_the_key_of_a_value_never_changes() -> None:
    """A frozen digest: whoever changes it makes every stored result of every user unreachable."""
    assert digest(SAMPLE) == FROZEN


def test_keys_do_not_depend_on_the_process() -> None:
    """Another hash seed, hence another order of sets, gives the same key."""
    code = f"from omnibench.keys import digest; nan, inf = float('nan'), float('inf'); print(digest({SAMPLE!r}))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == FROZEN


@given(st.dictionaries(hashables, values, max_size=5), st.randoms())
def test_the_order_of_mappings_does_not_matter(mapping: dict[Any, Any], random: Any) -> None:
    """A mapping has the same canonical text in every order."""
    pairs = list(mapping.items())
    random.shuffle(pairs)
    assert canonical(dict(pairs)) == canonical(mapping)


@given(values, values)
def test_two_values_share_a_key_exactly_when_they_mean_the_same(one: Any, other: Any) -> None:
    """The canonical text is injective up to tuples being lists and negative zero being zero."""
    assert (canonical(one) == canonical(other)) == (meaning(one) == meaning(other))


@given(values)
def test_a_value_can_be_told_from_its_own_canonical_text(value: Any) -> None:
    """Tags cannot be forged: the decoded canonical text is another value with another key, unless it is the value."""
    import json

    decoded = json.loads(canonical(value))
    assert (canonical(decoded) == canonical(value)) == (meaning(decoded) == meaning(value))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (0, None),
        ("1", 1),
        ("nan", float("nan")),
        ("", None),
        ([], {}),
        ({1}, [1]),
        (b"ff", "ff"),
        (float("inf"), float("-inf")),
        ({"a": 1}, {"$": "mapping", "pairs": [['"a"', 1]]}),
        ({1: 2}, {"$": "mapping", "pairs": [["1", 2]]}),
        (float("nan"), {"$": "float", "value": "nan"}),
    ],
)
def test_what_differs_in_type_differs_in_key(one: Any, other: Any) -> None:
    """Python calls some of these equal; a key does not."""
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (-0.0, 0.0),
        ((1, 2), [1, 2]),
        (Colour.RED, "red"),
        ({Colour.RED: 1, 2: 3}, {"red": 1, 2: 3}),
        (OldText.RED, "red"),
        ({OldText.RED: 1}, {"red": 1}),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(3), 3),
        (frozenset({1, 2}), {2, 1}),
        (Point(1, 2.0), Point(1, 2.0)),
    ],
)
def test_the_documented_equivalences_hold(one: Any, other: Any) -> None:
    """Enum members are their values, numpy scalars their items, tuples lists, negative zero zero."""
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, object()]}, "value['a'][1]"),
        ({"a": {Path("x")}}, "value['a']"),
        ({"a": {object()}}, "value['a']"),
        (Point(1, object()), "value.y"),  # type: ignore[arg-type]
        ({1: object()}, "value[1]"),
        ({"a": {(1, Path("x")): 2}}, "value['a']"),
        (["\ud800"], "value[0]"),
        ({"\ud800": 1}, "value"),
        ([bytearray(b"x")], "value[0]"),
        ([np.longdouble(1)], "value[0]"),
        ([np.datetime64("2020-01-01", "ns")], "value[0]"),
        ([np.array([1, 2])], "value[0]"),
        ([1 + 2j], "value[0]"),
        ([lambda: 0], "value[0]"),
        ([int], "value[0]"),
        ([10**5000], "value"),
        ({1: {}, Colour: 2}, "value"),
    ],
)
def test_what_has_no_canonical_form_is_refused_with_its_place(value: Any, place: str) -> None:
    """Nothing is turned into str(): the error says where the value stands."""
    with pytest.raises(KeyValueError) as caught:
        canonical(value)
    assert place in str(caught.value)


def test_names_that_mean_the_same_are_refused() -> None:
    """An enum member and its value cannot both be names of one mapping."""
    with pytest.raises(KeyValueError, match="two names that mean the same"):
        canonical({Colour.RED: 1, "red": 2, 3: 4})


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle is an error of omnibench's, not a RecursionError."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(KeyValueError, match="contains itself"):
        canonical({"a": cycle})


def test_display_names_show_eight_digits_unless_told() -> None:
    """A display name is the name and the first digits of the key."""
    assert display("MovieLens100K", "a3f8e2c1" + "0" * 56) == "MovieLens100K-a3f8e2c1"
    assert display("MovieLens100K", "a3f8e2c1" + "0" * 56, 12) == "MovieLens100K-a3f8e2c10000"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(json_values, st.booleans(), st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (",\n  ", ": ")]))
def test_an_encoder_that_is_made_once_writes_what_json_writes(
    value: Any, are_sorted: bool, is_ascii: bool, separators: tuple[str, str]
) -> None:
    """Keys and exports depend on each character."""
    encoder = json.JSONEncoder(sort_keys=are_sorted, ensure_ascii=is_ascii, separators=separators)
    assert encode_of(encoder)(value) == encoder.encode(value)


@pytest.mark.parametrize("maker", [None, dict.fromkeys, lambda: None], ids=["none", "other", "fewer"])
def test_a_python_that_makes_encoders_in_another_way_writes_the_same(
    maker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python documents its own way nowhere, so that a later one may have another."""
    encoder, value = json.JSONEncoder(sort_keys=True), {"b": 1, "a": [None]}
    text = encoder.encode(value)
    with monkeypatch.context() as patch:
        patch.setattr(json.encoder, "c_make_encoder", maker)
        encode = encode_of(encoder)
    assert encode(value) == text
