"""What a Fit needs of memory: the formula of its algorithm, and what earlier Fits of the algorithm say of it."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import omnibench.guest
from omnibench.data.data_size import DataSize, FeatureSize
from omnibench.errors import PlanError
from omnibench.runners import formula_factors
from omnibench.runners.described import check_algorithms
from omnibench.runners.formula_factors import FACTORS, hyperparameter_of
from omnibench.runners.info import RunnerInfo
from omnibench.runners.registry import get_runner, runners
from omnibench.runners.requirements import (
    USUAL_FORMULA,
    EarlierFit,
    formula_of,
    required,
)

EASE = {"guest": 400e6, "interactions": 40.0, "items*items": 80.0}
SHOP = DataSize(581_466, 164_288, 8_900_000)
SMALL = DataSize(943, 1_682, 100_000)
MIDDLE = DataSize(10_000, 10_000, 1_000_000)


def needs(formula: Mapping[str, float], size: DataSize) -> float:
    """What a formula without hyperparameters says."""
    grown = formula["interactions"] * size.interactions + formula.get("items*items", 0.0) * size.items**2
    return formula["guest"] + grown


def test_the_formula_counts_without_records() -> None:
    """The sum of its terms; the reason is what makes most of it."""
    requirement = required(EASE, SHOP, {})
    assert requirement.size == int(needs(EASE, SHOP))
    assert requirement.reason == "164,288 items"
    assert "formula" in requirement.basis
    assert required(EASE, DataSize(5, 5, 10**9), {}).reason == "1,000,000,000 interactions"


@pytest.mark.parametrize(
    ("parameters", "factor"),
    [
        ({"d": 64}, 64),
        ({"d": [600, 200]}, 600),
        ({}, 1),
        ({"d": None}, 1),
        ({"d": True}, 1),
        ({"d": "auto"}, 1),
        ({"d": math.inf}, 1),
        ({"d": math.nan}, 1),
        ({"d": -64}, 1),
        ({"d": 0}, 1),
        ({"d": [math.inf, 200, -7]}, 200),
    ],
)
def test_hyperparameters_are_factors(parameters: dict[str, Any], factor: int) -> None:
    """A number counts as it is, of layers the largest; what is no number counts as 1."""
    formula = {"guest": 0.0, "users*d": 4.0}
    assert required(formula, SMALL, parameters).size == 4 * 943 * factor
    assert required(formula, SMALL, parameters).reason == "943 users"


def test_features_are_factors() -> None:
    """Of data whose records do not count them there are none; what makes most of it is said of them."""
    genres, job = FeatureSize("items", "genres", "texts", 19, 6), FeatureSize("users", "job", "text", 21)
    known = SMALL._replace(features=(genres, job, FeatureSize("items", "year", "number", 1)))
    for term, units in (
        ("item_values", 20),
        ("user_values", 21),
        ("item_entries", 7),
        ("features_read", 3),
        ("context_fields", 5),
        ("items*item_values", 20 * 1_682),
    ):
        assert required({"guest": 0.0, term: 10.0}, known, {}).size == 10 * units
    assert required({"guest": 0.0, "items*item_values": 10.0}, SMALL, {}).size == 0
    assert required({"guest": 0.0, "context_fields": 10.0}, SMALL, {}).size == 20
    requirement = required({"guest": 0.0, "items*item_values": 10.0}, known, {})
    assert requirement.reason == "1,682 items and 20 values of features of items"
    assert required({"guest": 0.0, "user_values*d": 1.0}, known, {"d": 9}).hyperparameters == ()


def test_words_that_nobody_has_counted_are_as_many_as_texts_of_their_kind_have() -> None:
    """Records of earlier releases do not count them: a model of texts needs no less for that."""
    plot = FeatureSize("items", "plot", "text", 16_980)
    counted = plot._replace(vocabulary=8_000, words=1_600_000)  # CiteULike's abstracts, as Wang and Blei (2011) say
    uncounted_words, words = (
        required({"guest": 0.0, "item_words": 1.0}, SMALL._replace(features=(feature,)), {}).size
        for feature in (plot, counted)
    )
    assert words == 1_600_000
    assert uncounted_words == pytest.approx(words, rel=0.1)
    vocabulary = {"guest": 0.0, "item_vocabulary": 1.0}
    sizes = [required(vocabulary, SMALL._replace(features=(feature,)), {}).size for feature in (plot, counted)]
    assert 8_000 == sizes[1] < sizes[0] < words  # of which CiteULike's were chosen
    assert required(vocabulary, SMALL._replace(features=(plot,)), {"max_vocab": 500}).size == 500
    year = FeatureSize("items", "year", "number", 1)
    assert required({"guest": 0.0, "item_words": 1.0}, SMALL._replace(features=(year,)), {}).size == 0
    ctr, defaults = (
        formula_of(get_runner("Cornac"), "CTR"),
        get_runner("Cornac").catalogue["algorithms"]["CTR"]["parameters"],
    )
    bare, with_texts = (required(ctr, SMALL._replace(features=known), defaults).size for known in ((), (plot,)))
    assert with_texts - bare > 1.5e6 * ctr["item_words"]


def test_numbers_that_are_held_together_are_those_of_the_adapter() -> None:
    """Its module imports RecBole, which is not there: its source says how many."""
    module = ast.parse((Path(omnibench.guest.__file__).parent / "recbole_sequences.py").read_text(encoding="utf-8"))
    values = [
        statement.value
        for statement in module.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "NUMBERS"
    ]
    assert len(values) == 1
    assert eval(ast.unparse(values[0])) == formula_factors._NUMBERS


@given(st.dictionaries(st.sampled_from(["d", "k", "batch_size", "n_negatives"]), st.floats() | st.integers()))
def test_whatever_hyperparameters_say_makes_a_number(parameters: dict[str, Any]) -> None:
    """They reach the algorithm, which says what is wrong with them; the estimate is no less than without, and no error."""
    formula = {
        "guest": 1e8,
        "users*d*d*d*d": 4.0,
        "scored_items*batch_size": 12.0,
        "candidates*d": 8.0,
        "scored_pairs": 1.0,
    }
    for loss in ("softmax", "BCE"):
        requirement = required(formula, SMALL, {**parameters, "loss": loss})
        assert 1e8 + 4 * 943 <= requirement.size < 2**63 or 0 < parameters.get("d", 1) < 1
    assert required(formula, SMALL, {"d": 10**400}).size > 1e18


def test_without_a_number_of_factors_there_are_as_many_as_items() -> None:
    """LensKit's NMF at its defaults, whose two matrices in float64 alone are then that large."""
    runner = get_runner("LensKit")
    formula, defaults = formula_of(runner, "NMFScorer"), runner.catalogue["algorithms"]["NMFScorer"]["parameters"]
    large = DataSize(138_543, 26_794, 19_169_371)
    needed = required(formula, large, defaults).size
    assert needed > 8 * 26_794 * (138_543 + 26_794)
    assert needed == required(formula, large, {**defaults, "embedding_size": 26_794}).size
    few = required(formula, large, {**defaults, "embedding_size": 6}).size
    assert few < needed / 3


@pytest.mark.parametrize("algorithm", ["KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline"])
def test_neighbours_of_surprise_are_what_it_compares(algorithm: str) -> None:
    """A matrix of users, or of items where they are compared: what the data has more of matters only where it is compared."""
    formula = formula_of(get_runner("Surprise"), algorithm)
    few_items = DataSize(100_000, 500, 1_000_000)
    for options, size in (({}, 100_000), ({"user_based": True}, 100_000), ({"user_based": False}, 500)):
        requirement = required(formula, few_items, {"sim_options": options})
        assert requirement.size == pytest.approx(
            formula["guest"]
            + 1e6 * formula["interactions"]
            + 1e5 * formula["users"]
            + size**2 * formula["compared*compared"]
        )
        assert requirement.reason == ("100,000 users" if size > 500 else "1,000,000 interactions")


@given(st.floats(0.5, 2.0), st.floats(0.0, 1e9))
def test_fits_on_data_of_two_sizes_make_a_line(slope: float, shift: float) -> None:
    """What they needed over what the formula says is gone on with: on the line, wherever it lies."""
    shifted = {**EASE, "guest": shift}
    scaled = {term: size * (slope if term != "guest" else 1) for term, size in shifted.items()}
    earlier = [EarlierFit(size, {}, int(needs(scaled, size))) for size in (SMALL, MIDDLE, MIDDLE)]
    requirement = required(EASE, SHOP, {}, earlier)
    assert requirement.size == pytest.approx(needs(scaled, SHOP), rel=0.01)
    assert requirement.basis == "by 3 earlier Fits of the algorithm"


def test_fits_on_small_data_do_not_bend_the_formula() -> None:
    """Twenty megabytes more or less are noise there, and would be hundreds of gigabytes on large data."""
    tiny = DataSize(100, 100, 1000)
    noise = [EarlierFit(tiny, {}, 420_000_000), EarlierFit(SMALL, {}, 390_000_000)]
    assert required(EASE, SHOP, {}, noise).size == pytest.approx(needs(EASE, SHOP), rel=0.01)


def test_a_measured_formula_is_corrected_within_bounds() -> None:
    """Thrice or a third of what it says at most; what is said of any data is no measurement, and may be far off."""
    earlier = [EarlierFit(SMALL, {}, 500_000_000), EarlierFit(MIDDLE, {}, 500_000_000_000)]
    assert required(EASE, SHOP, {}, earlier).size <= 3 * needs(EASE, SHOP) + 500e9
    assert required(USUAL_FORMULA, SHOP, {}, earlier).size > 4e12


@example([(0, 0, 0, 1), (0, 0, 0, 64_000_002)])  # of no data, and needed different amounts
@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**9), st.integers(1, 2**50))))
def test_whatever_was_recorded_makes_a_number(fits: list[tuple[int, int, int, int]]) -> None:
    """No division by nothing, nothing below nothing."""
    earlier = [EarlierFit(DataSize(users, items, rows), {}, peak) for users, items, rows, peak in fits]
    for formula in (EASE, USUAL_FORMULA):
        assert required(formula, SHOP, {}, earlier).size >= 0


def test_every_framework_says_what_its_algorithms_need() -> None:
    """A guest is not nothing; EASE grows with the square of the items, popularity does not."""
    for runner in runners():
        for algorithm in runner.catalogue["algorithms"]:
            formula = formula_of(runner, algorithm)
            assert formula["guest"] > 4e7, algorithm
            factors = {hyperparameter_of(name) for term in formula if term != "guest" for name in term.split("*")}
            hyperparameters = runner.catalogue["algorithms"][algorithm]["parameters"]
            assert factors <= {*FACTORS, *hyperparameters}, algorithm
            assert all(size >= 0 for size in formula.values()), algorithm
    for name, algorithm in (("LensKit", "EASEScorer"), ("RecPack", "EASE"), ("RecBole", "EASE")):
        formula = formula_of(get_runner(name), algorithm)
        assert formula["items*items"] > 8.0
    assert "items*items" not in formula_of(get_runner("RecPack"), "Popularity")
    assert formula_of(get_runner("Own"), "Mine") == USUAL_FORMULA


def test_a_registered_framework_may_say_it() -> None:
    """In its description, checked when it is registered; one that says nothing gets what is usual."""
    described: dict[str, Any] = {"Fat": {"memory": {"guest": 1e9, "items*items": 8.0}}, "Slim": {}}
    runner = RunnerInfo("Mine", "pytest", "mine", 1, algorithms=described)
    check_algorithms(runner.name, runner.algorithms)
    assert formula_of(runner, "Fat") == {**USUAL_FORMULA, "guest": 1e9, "items*items": 8.0}
    assert formula_of(runner, "Slim") == USUAL_FORMULA
    for factor in FACTORS:
        check_algorithms("Mine", {"Fat": {"memory": {"guest": 1.0, f"items*{factor}": 3.0}}})
    for wrong in (7, {"items": "many"}, {"items": -1}, {3: 4.0}):
        with pytest.raises(PlanError, match=r"'memory' is .*give bytes by what they grow with"):
            check_algorithms("Mine", {"Fat": {"memory": wrong}})


@pytest.mark.parametrize(
    ("aliases", "says"),
    [
        (["k"], r"Mine\.A: 'aliases' is \['k'\]; give the hyperparameters that are other names"),
        (None, r"'aliases' is None; give the hyperparameters that are other names"),
        ({"k": 5}, "'aliases' has 5, which is not among its parameters. Give names that are"),
        ({"factors": ["k"]}, r"'aliases' has \['k'\], which is not among its parameters"),
        ({"k": "nothing"}, "'aliases' has 'nothing', which is not among its parameters"),
        ({"factrs": "k"}, r"'aliases' has 'factrs', which is not among its parameters; did you mean 'factors'\?"),
        ({"k": "k"}, "'aliases' says that 'k' stands for 'k', which is itself another name"),
        ({"factors": "k", "k": "size"}, "'aliases' says that 'factors' stands for 'k', which is itself another name"),
    ],
)
def test_other_names_are_of_its_hyperparameters(aliases: Any, says: str) -> None:
    """Both the other name and the one that it stands for, which is no other name again."""
    described: dict[str, Any] = {"parameters": {"k": 1, "factors": 1, "size": 1}}
    check_algorithms("Mine", {"A": {**described, "aliases": {"factors": "k", "size": "k"}}})
    with pytest.raises(PlanError, match=says):
        check_algorithms("Mine", {"A": {**described, "aliases": aliases}})


@pytest.mark.parametrize(
    ("most", "says"),
    [
        ("number", r"Mine\.A: 'most_of_type' is 'number'; give types of features, each with how many of it"),
        ({"numbr": 1}, r"'most_of_type' has 'numbr', which is no type of features; did you mean 'number'\? There is"),
        ({3: 1}, r"'most_of_type' has 3, which is no type of features\. There is number, boolean, text, texts"),
        ({"number": 0}, r"'most_of_type' is \{'number': 0\}; give types of features"),
        ({"number": 1.5}, "give types of features, each with how many of it can be read, from 1"),
        ({"number": True}, "give types of features, each with how many of it can be read, from 1"),
        ({"number": "1"}, "give types of features, each with how many of it can be read, from 1"),
    ],
)
def test_types_are_limited_to_whole_numbers_of_features(most: Any, says: str) -> None:
    """From one on, and of the types that there are."""
    check_algorithms("Mine", {"A": {"most_of_type": {"number": 1, "texts": 3}}})
    with pytest.raises(PlanError, match=says):
        check_algorithms("Mine", {"A": {"most_of_type": most}})
