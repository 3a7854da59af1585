"""What a user's own class may return: every documented form is read alike, and nothing is read by a guess."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench.runners.answers import read_ratings, read_recommendations

USERS = [7, 9]
CODES = {"a": 0, "b": 1, "c": 2, "d": 3}
NUMBERS = {10: 0, 20: 1, 30: 2, 40: 3}


def read(answer: Any, codes: dict[Any, int] = CODES, users: Iterable[Any] = USERS) -> list[list[int]]:
    """Return the items of each list."""
    return [items.tolist() for items, _ in read_recommendations(answer, list(users), codes)]


FORMS: dict[str, Any] = {
    "lists by user": {7: ["b", "a"], 9: ["c"]},
    "lists in order": [["b", "a"], ["c"]],
    "an array": np.array([["b", "a"], ["c", "d"]]),
    "a generator": (entry for entry in (["b", "a"], ("c",))),
    "pairs": {7: [("a", 0.1), ("b", 0.2), ("d", 0.0)], 9: [["c", 1]]},
    "a mapping to scores": {7: {"a": 0.1, "b": 0.2}, 9: {"c": 3}},
    "a series of scores": {7: pd.Series({"a": 1, "b": 2}).rename_axis("item"), 9: pd.Series(["c"], name="item")},
    "a frame in order": pd.DataFrame({"user": [7, 9, 7], "item": ["b", "c", "a"]}),
    "a frame with scores": pd.DataFrame({"user": [7, 7, 9], "item": ["a", "b", "c"], "score": [1, 2, 3]}),
    "a frame with ranks": pd.DataFrame({"user": [7, 7, 9], "item": ["a", "b", "c"], "rank": [2, 1, 1]}),
    "ranks as texts": pd.DataFrame({"user": [7, 7, 9], "item": ["a", "b", "c"], "rank": ["10", "9", "1"]}),
    "both": pd.DataFrame({"user": [7, 7], "item": ["a", "b"], "rank": [2, 1], "score": [0.5, 0.5], "genre": ""}),
    "scores decide between equal ranks": pd.DataFrame(
        {"user": 7, "item": ["a", "b", "c"], "rank": [1, 1, 3], "score": [0.1, 0.2, 0.0]}
    ),
    "a series of lists by user": pd.Series([["c"], ["b", "a"]], index=[9, 7]),
    "a series of lists in order": pd.Series([["b", "a"], ["c"]]),
    "a frame with predictions in order": pd.DataFrame({"user": 7, "item": ["b", "a"], "prediction": [2.0, 1.0]}),
    "users as categories": pd.DataFrame({"user": pd.Categorical([7, 7], categories=[7, 8, 9]), "item": ["b", "a"]}),
    "frames by user": {7: pd.DataFrame({"item": ["a", "b"], "score": [0.0, 1.0]}), 9: ["c"]},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_means_the_same(form: str) -> None:
    """Items by place, by score from the highest, or by rank from the lowest, whatever holds them."""
    assert read(FORMS[form])[0][:2] == [1, 0]


def test_scores_alike_stay_in_the_order_that_they_came_in() -> None:
    """Neither the item's code nor its name decides a tie: the class does."""
    assert read({7: [("c", 1.0), ("a", 1.0), ("d", 2.0), ("b", 1.0)]})[0] == [3, 2, 0, 1]
    frame = pd.DataFrame({"user": 7, "item": ["c", "a", "b"], "score": [1, 1, 1]})
    assert read(frame)[0] == [2, 0, 1]


@pytest.mark.parametrize(
    "scores",
    [
        [1 - 3e-9, 1 - 2e-9, 1 - 1e-9, 1.0],
        [1_700_000_000 + n for n in range(4)],
        [2**60 + n for n in range(4)],
        [-1e9 + n * 1e-6 for n in range(4)],
        np.array([1.0, 2.0, 3.0, 4.0]) * 1e-300,
    ],
    ids=["gaps of 1e-9", "times", "integers beyond float64", "log-likelihoods", "tiny"],
)
def test_scores_are_never_rounded_before_they_rank(scores: Any) -> None:
    """What differs in float64, or as an integer, ranks differently."""
    frame = pd.DataFrame({"user": 7, "item": list(CODES), "score": scores})
    assert read(frame)[0] == [3, 2, 1, 0]
    assert read({7: list(zip([*"dcba"], [*scores][::-1], strict=True))})[0] == [3, 2, 1, 0]


def test_scores_are_kept_beside_the_items() -> None:
    """The file of predictions gets them; lists without scores get falling ones."""
    (scored, plain) = read_recommendations([[("a", 0.25), ("b", 0.5)], ["c", "d"]], USERS, CODES)
    assert scored[1].tolist() == [0.5, 0.25]
    assert scored[1].dtype == "float64"
    assert str(plain[1].tolist()) == "[0.0, -1.0]"


def test_ids_of_numpy_are_ids() -> None:
    """Scalars of numpy equal Python's own; a tuple that is an id is no pair."""
    assert read({np.int64(7): np.array([20, 10])}, NUMBERS)[0] == [1, 0]
    assert read([np.array([[10, 0.5], [30, 0.7]]), []], NUMBERS) == [[2, 0], []]
    assert read([[("a", 1), ("b", 2)], []], {("a", 1): 0, ("b", 2): 1}) == [[0, 1], []]


def test_minus_infinity_leaves_an_item_out() -> None:
    """It is how the field masks what must not be recommended."""
    assert read({7: {"a": 1.0, "b": -np.inf}})[0] == [0]


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, r"returned None \(has it a return statement\?\); it has to return \{user: \[item"),
    "a number": (3, "returned 3 of type int"),
    "a text": ("ab", "returned 'ab' of type str"),
    "a set": ({"a", "b"}, "returned a set, which has no order"),
    "too few lists": ([["a"]], "returned 1 lists for 2 users"),
    "None for a user": ({7: None}, r"returned None .* for user 7.*No recommendations are an empty list"),
    "a text for a user": ({7: "ab"}, "returned 'ab' of type str for user 7"),
    "a set for a user": ({7: {"a"}}, "returned a set, which has no order for user 7"),
    "a stranger": ({7: ["a"], 8: ["b"]}, r"answered for user 8 \(int\), who was not asked for.*such as 7 \(int\)"),
    "texts for users": ({"7": ["a"]}, r"answered for user '7' \(str\), who was not asked for.*such as 7 \(int\)"),
    "an unknown item": (
        {7: ["a", "x"]},
        r"gave user 7 the item 'x' \(str\), which is not in the dataset; .* 'a' \(str\)",
    ),
    "an item twice": ({7: ["a", "b", "a"]}, "gave user 7 the item 'a' twice"),
    "NaN": ({7: [("a", float("nan"))]}, "item 'a' with the score nan, which is no number to rank by"),
    "infinity": ({7: {"a": float("inf")}}, "with the score inf"),
    "a number beyond float64": ({7: {"a": 10**400, "b": 1}}, "the item 'a' with the score 1000.*no number to rank by"),
    "a moment as a score": ({7: {"a": pd.Timestamp(0)}}, r"the score Timestamp\('1970.*no number to rank by"),
    "a text as a score": ({7: [("a", "good")]}, "with the score 'good'"),
    "some scores": ({7: [("a", 1.0), "b"]}, "items with scores and items without for user 7"),
    "rising scores": (
        {7: [("a", 0.1), ("b", 0.2), ("c", 0.3)], 9: [("a", 1), ("b", 2)]},
        r"contradicts itself: the scores rise along every list \(user 7: 0.1, 0.2, 0.3\).*negate the scores",
    ),
    "an unnamed series": ({7: pd.Series([3, 4])}, r"a Series for user 7.*list\(series.items\(\)\)"),
    "a frame without users": (pd.DataFrame({"item": ["a"]}), r"without the column user; it has \['item'\]"),
    "users in the index": (pd.DataFrame({"item": ["a"]}).rename_axis("user"), "it is the index; add .reset_index"),
    "a frame without items": (pd.DataFrame({"user": [7], "item_id": ["a"]}), r"without the column item; .*'item_id'"),
    "a stranger in a frame": (pd.DataFrame({"user": [7, 8], "item": "a"}), "answered for user 8"),
    "a missing rank": (pd.DataFrame({"user": 7, "item": ["a", "b"], "rank": [1, None]}), "without a rank"),
    "ranks that are no numbers": (
        pd.DataFrame({"user": 7, "item": ["a", "b"], "rank": ["first", "second"]}),
        r"gave user 7 ranks that are no numbers, such as 'first' \(str\)",
    ),
    "an iterator for two users": (dict.fromkeys(USERS, iter(["a"])), "same list_iterator for several users"),
    "a user twice": (pd.Series([["a"], ["b"]], index=[7, 7]), "user 7 twice in its index"),
    "strangers in a series": (pd.Series([["a"], ["b"]], index=["7", "9"]), r"answered for user '7' \(str\)"),
    "a column twice": (
        pd.DataFrame([[7, "a", 1, 2]], columns=["user", "item", "score", "score"]),
        "several columns score; leave all but one",
    ),
    "predictions against rows": (
        pd.DataFrame({"user": 7, "item": ["a", "b"], "prediction": [0.1, 0.2]}),
        "rows of user 7 do not fall by 'prediction'. Name that column score",
    ),
    "rank against score": (
        pd.DataFrame({"user": 7, "item": ["a", "b"], "rank": [1, 2], "score": [0.1, 0.2]}),
        r"contradicts itself for user 7: by rank item 'a' stands before 'b', by score \(0.1 and 0.2\) behind it",
    ),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_cannot_be_read_is_refused(wrong: str) -> None:
    """The error says what was expected, what came, and what to return instead."""
    answer, message = REFUSED[wrong]
    with pytest.raises(ValueError, match=f"(?s)recommend.*{message}"):
        read(answer)


def test_ratings_are_a_number_for_each_pair() -> None:
    """A list, an array, a series, or the column that a network returns."""
    for answer in ([1, 2.5], np.array([1, 2.5]), pd.Series([1, 2.5], index=[5, 6]), np.array([[1], [2.5]])):
        assert read_ratings(answer, [7, 7], ["a", "b"]).tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"returned None .*a number for each of the 2 pairs"),
        (3.0, r"numbers of shape \(\)"),
        ([1.0], r"numbers of shape \(1,\)"),
        (["good", "bad"], "returned .*could not convert"),
        ([1.0, float("nan")], "returned nan for user 7 and item 'b' .1 of 2 are no finite number"),
        ([1.0, 1e39], r"returned 1e\+39 for user 7 and item 'b' .1 of 2 are no finite number of 32 bits"),
        (pd.Series([1.0, 2.0], index=[1, 0]), r"a Series whose index has the numbers of the pairs in another order"),
        (np.array([1, 2j]), "returned complex numbers"),
        (np.ma.masked_array([1.0, 2.0], mask=[False, True]), "returned nan for user 7 and item 'b'"),
        (pd.DataFrame({"rating": [1, 2]}), r"a frame with the columns \['rating'\]"),
    ],
)
def test_other_ratings_are_refused(answer: Any, message: str) -> None:
    """One number for all pairs is refused, too: it is a mistake more often than a model."""
    with pytest.raises(ValueError, match=f"(?s)predict.*{message}"):
        read_ratings(answer, [7, 7], ["a", "b"])
