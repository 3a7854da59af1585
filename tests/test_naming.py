"""Readable labels: they say in what configurations differ, tell them apart, and survive node ids and command lines."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.naming import (
    Configured,
    keyword,
    labels,
    node_name,
    one_line_label,
    plain_label,
    tuned_label,
    value_text,
    with_keywords,
)

values = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=60)
parameters = st.dictionaries(
    st.sampled_from(["K", "shrink", "similarity", "layers"]), values | st.lists(values, max_size=3)
)


@st.composite
def configurations(draw: st.DrawFn) -> list[Configured]:
    """Configurations with unique display names, whatever else they have in common."""
    number = draw(st.integers(1, 6))
    return [
        Configured(
            f"Own-{position:08x}",
            draw(st.sampled_from(["RecPack.ItemKNN", "Own", "own"])),
            draw(parameters),
            {"seed": draw(st.integers(0, 2))},
            draw(st.sampled_from(["", "", "ours", "Ours(K=1)", "a/b::c[0]"])),
        )
        for position in range(number)
    ]


@given(configurations())
def test_no_two_labels_are_equal(shown: list[Configured]) -> None:
    """Whatever two configurations have in common, people can tell them apart, also where letters have no case."""
    texts = labels(shown)
    assert set(texts) == {configuration.name for configuration in shown}
    assert len({text.casefold() for text in texts.values()}) == len(shown)


@given(configurations())
def test_labels_break_no_node_id(shown: list[Configured]) -> None:
    """No brackets, slashes, colons, blanks or control characters: pytest and shells have no use for them."""
    ids = [node_name(text, "name", "0123456789") for text in labels(shown).values()]
    assert all(re.fullmatch(r"[\w.+()=,-]+", node_id) for node_id in ids)


def test_a_label_stays_as_it_was_written() -> None:
    """Tables and papers have it so, on one line; only node ids have something else in place of blanks and the like."""
    text = 'Ours (v2), 100 % & [new] "x" / <b>'
    assert labels([Configured("a-1", "A", label=text)]) == {"a-1": text}
    assert one_line_label(f"  {text}\n\tand \x07more ") == f"{text} and more"
    assert labels([Configured(f"a-{k}", "A", {"K": k}, label=text) for k in (1, 2)])["a-2"] == f"{text}(K=2)"


def test_labels_that_differ_in_their_capitals_have_hyperparameters() -> None:
    """Directories and searches do not tell them apart."""
    shown = [Configured(f"A{text}", "A", {"K": k}, label=text) for k, text in enumerate(("ours", "Ours"))]
    assert set(labels(shown).values()) == {"ours(K=0)", "Ours(K=1)"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("K=100", ":K:100:"),
        ("K=100.0 and not lr=1e-3", ":K:100: and not :lr:0.001:"),
        ("layers=(64,32)", ":layers:/64/32/:"),
        ("ItemKNN(K=100)", "(ItemKNN and :K:100:)"),
        (
            "RecPack.ItemKNN(K=100,similarity=cosine) or EASE",
            "(RecPack.ItemKNN and :K:100: and :similarity:cosine:) or EASE",
        ),
        ("A(a=1, b=(2,3),+4)", "(A and :a:1: and :b:/2/3/:)"),
        ("not(K=1) and (K=2 or A)", "not(:K:1:) and (:K:2: or A)"),
        ("Popular and (fold_0 or fold_1)", "Popular and (fold_0 or fold_1)"),
    ],
)
def test_expressions_name_hyperparameters(written: str, read: str) -> None:
    """One value in whatever notation, several of them, or a label as tables show it."""
    assert with_keywords(written) == read


@given(st.permutations([Configured(f"a-{k:08x}", "A", {"K": k, "same": 1}) for k in range(5)]))
def test_labels_do_not_depend_on_the_order(shown: list[Configured]) -> None:
    """Each configuration has the label that it had in another order."""
    assert labels(shown) == {f"a-{k:08x}": f"A(K={k})" for k in range(5)}


def test_only_what_differs_is_shown() -> None:
    """Hyperparameters that all have are left out, and so is one that is missing; the seed is shown where it alone differs."""
    shown = [
        Configured("a-1", "A", {"K": 1, "same": 2}, {"seed": 1}),
        Configured("a-2", "A", {"same": 2}, {"seed": 2}),
        Configured("b-1", "B", {"K": 1}, {"seed": 1}),
        Configured("b-2", "B", {"K": 1}, {"seed": 2}),
        Configured("c-1", "C", {"K": 1}),
        Configured("d-11111111", "D"),
        Configured("d-22222222", "D"),
    ]
    assert list(labels(shown).values()) == [
        "A(K=1)",
        "A",
        "B(seed=1)",
        "B(seed=2)",
        "C",
        "D-11111111",
        "D-22222222",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (100, "100"),
        (0.001, "0.001"),
        (1e-05, "1e-05"),
        (True, "True"),
        (None, "None"),
        ("cosine", "cosine"),
        ("a b/c", "a_b_c"),
        ([64, 32], "(64,32)"),
        ({"lr": 0.1, "layers": [1]}, "(lr=0.1,layers=(1))"),
        (np.float64(0.5), "0.5"),
        ("x" * 60, "x" * 38 + ".."),
    ],
)
def test_values_are_short_and_plain(value: Any, text: str) -> None:
    """Numbers as they are written, texts without what would break a node id, long ones cut."""
    assert value_text(value) == text


def test_many_hyperparameters_are_counted() -> None:
    """A label stays readable however many hyperparameters differ."""
    shown = [Configured(f"a-{k}", "A", {f"p{number}": k for number in range(9)}) for k in range(2)]
    assert labels(shown)["a-1"] == "A(p0=1,p1=1,p2=1,p3=1,p4=1,p5=1,+3)"


@pytest.mark.parametrize(
    ("expression", "translated"),
    [
        ("ItemKNN and K=100", "ItemKNN and :K:100:"),
        ("not (lr = 0.1 or layers=(64,32))", "not (:lr:0.1: or :layers:/64/32/:)"),
        ("fold_0", "fold_0"),
    ],
)
def test_assignments_become_keywords_of_pytest(expression: str, translated: str) -> None:
    """Pytest's own grammar has no ``=``; what stands for it is what ``keyword`` makes of the value."""
    assert with_keywords(expression) == translated
    assert keyword("layers", value_text([64, 32])) == ":layers:/64/32/:"


def test_a_label_keeps_its_brackets() -> None:
    """What the user typed stays readable."""
    assert plain_label(" ours (K=1), 5-core ") == "ours_(K=1),_5-core"


def test_what_tells_tuned_configurations_apart_stands_in_their_parentheses() -> None:
    """Fixed hyperparameters and the hash of a search join the word ``tuned``, so that titles are spelled the same."""
    tuned = tuned_label("Slow")
    configurations = [
        Configured("Slow-1", tuned),
        Configured("Slow-2", tuned, {"boom": 20.0}),
        Configured("Other-1", tuned_label("Other"), {}, {"search": "9d5127bf"}),
        Configured("Other-2", tuned_label("Other"), {}, {"search": "a4615252"}),
    ]
    assert list(labels(configurations).values()) == [
        "Slow (tuned)",
        "Slow (tuned, boom=20.0)",
        "Other (tuned, search=9d5127bf)",
        "Other (tuned, search=a4615252)",
    ]
    assert tuned_label("Slow", ["boom=20.0"]) == "Slow (tuned, boom=20.0)"
