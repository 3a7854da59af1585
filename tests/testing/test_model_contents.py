"""What the contract compares of two models and two predictions: values, to the last bit, and where they differ."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.guest.folds import recommendation_dtype
from omnibench.guest.predictions import Predictions
from omnibench.testing.contents import difference_of_predictions, differing_attributes


class Model:
    """Has whatever attributes it is given."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def differing(tmp_path: Path, first: dict[str, Any], second: dict[str, Any]) -> dict[str, str]:
    """Store two models, and compare them."""
    paths = [tmp_path / "first", tmp_path / "second"]
    for path, attributes in zip(paths, (first, second), strict=True):
        path.write_bytes(pickle.dumps(Model(**attributes)))
    return differing_attributes(paths[0], paths[1], Model)


EQUAL: dict[str, tuple[Any, Any]] = {
    "arrays": (np.arange(3.0), np.arange(3.0)),
    "strings that are one object, and two": ([str(10)] * 2, [str(10), str(10)]),
    "models in models": (Model(a=[1, {"b": (2.0, None)}]), Model(a=[1, {"b": (2.0, None)}])),
    "NaN": (float("nan"), float("nan")),
    "sets": ({"x", "y"}, {"y", "x"}),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_values_are_the_same_model(name: str, tmp_path: Path) -> None:
    """Whatever their pickles look like."""
    first, second = EQUAL[name]
    assert differing(tmp_path, {"value": first}, {"value": second}) == {}


OTHER: dict[str, tuple[Any, Any, str]] = {
    "a last bit": (np.array([0.1, 0.3]), np.array([0.1, 0.1 + 0.2]), "self.value"),
    "a type": (1, 1.0, "self.value (a int, and a float)"),
    "a zero's sign": (0.0, -0.0, "self.value (0.0 and -0.0)"),
    "an element": ([1, 2], [1, 3], "self.value[1] (2 and 3)"),
    "a length": ([1], [1, 2], "self.value (1 and 2 elements, not the same ones)"),
    "an order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "self.value (2 and 2 elements, not the same ones)"),
    "a type of numbers": (np.zeros(2), np.zeros(2, dtype="f4"), "self.value"),
    "an attribute": (Model(rate=0.5), Model(rate=0.25), "self.value.rate (0.5 and 0.25)"),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_differs_is_named(name: str, tmp_path: Path) -> None:
    """By the attribute, and the first place in it."""
    first, second, place = OTHER[name]
    assert differing(tmp_path, {"value": first}, {"value": second}) == {"value": place}


def test_an_attribute_that_only_one_has_is_named(tmp_path: Path) -> None:
    """Whichever of the two it is."""
    assert differing(tmp_path, {"a": 1}, {"b": 1}) == {
        "a": "self.a (only one of them has it)",
        "b": "self.b (only one of them has it)",
    }


def test_models_that_refer_to_themselves_are_compared(tmp_path: Path) -> None:
    """And do not end in an endless loop."""
    loops = [Model(number=number) for number in (1, 1, 2)]
    for loop in loops:
        vars(loop)["loop"] = loop
    assert differing(tmp_path, {"value": loops[0]}, {"value": loops[1]}) == {}
    assert differing(tmp_path, {"value": loops[0]}, {"value": loops[2]}) == {"value": "self.value.number (1 and 2)"}


def test_scores_and_lists_are_told_apart() -> None:
    """Lists with other items are other lists; the same lists with other scores are said to be that."""
    rows = np.zeros(3, dtype=recommendation_dtype(2))
    rows["item"] = [[0, 1], [2, 3], [4, 5]]
    scores, items = rows.copy(), rows.copy()
    scores["score"][1, 0], items["item"][2] = 0.5, [5, 4]
    same, other, swapped = (Predictions(each, None) for each in (rows, scores, items))
    assert difference_of_predictions(same, Predictions(rows.copy(), None)) == ""
    assert difference_of_predictions(same, other) == "the scores of 1 of 3 users differ, by up to 0.5"
    assert difference_of_predictions(same, swapped) == "the lists of 1 of 3 users differ, by up to 0"
