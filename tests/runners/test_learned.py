"""What an algorithm learns from and with: hyperparameters by any of their names, and the features that it reads."""

from __future__ import annotations

import math
from typing import Any

import pytest

from omnibench.data.data_size import DataSize, FeatureSize
from omnibench.runners.info import algorithm_info
from omnibench.runners.learned import learned_from, spelled
from omnibench.runners.registry import get_runner
from omnibench.runners.requirements import formula_of, required

LARGE = DataSize(138_543, 26_794, 19_169_371)
YEAR, GENRES, TITLE = (
    FeatureSize("items", "year", "number", 1),
    FeatureSize("items", "genres", "texts", 19, 6),
    FeatureSize("items", "title", "text", 26_000),
)
JOB = FeatureSize("users", "job", "text", 21)
KNOWN = LARGE._replace(features=(YEAR, GENRES, TITLE, JOB))
ALIASES = [
    (name, alias, field)
    for name, described in get_runner("LensKit").catalogue["algorithms"].items()
    for alias, field in described.get("aliases", {}).items()
]


def lenskit(name: str, given: dict[str, Any]) -> int:
    """What is said that a Fit of LensKit needs of large data."""
    runner = get_runner("LensKit")
    described = algorithm_info(runner, name)
    parameters = {**described["parameters"], **spelled(described, given)}
    return required(formula_of(runner, name), LARGE, parameters).size


@pytest.mark.parametrize(("name", "alias", "field"), ALIASES)
def test_every_name_of_a_hyperparameter_counts(name: str, alias: str, field: str) -> None:
    """LensKit takes several names of one; of two to a power the power, also as 9.0; and whole numbers as texts."""
    given: list[Any] = [9, 9.0] if alias == "embedding_size_exp" else [512, 512.0, "512", " 512.0 "]
    for value in given:
        assert spelled(algorithm_info(get_runner("LensKit"), name), {alias: value}) == {field: 512}
        assert lenskit(name, {alias: value}) == lenskit(name, {field: 512}) == lenskit(name, {field: "512"})


@pytest.mark.parametrize("text", ["", "-512", "512.5", "1e3", "many", "\u0665\u0661\u0662", "9" * 5_000])
def test_texts_that_say_no_whole_number_stay(text: str) -> None:
    """LensKit refuses those, and says why. Where the default is a text, all do."""
    assert spelled({"parameters": {"d": 50}}, {"d": text}) == {"d": text}
    assert spelled({"parameters": {"d": "auto"}}, {"d": "512"}) == {"d": "512"}
    assert 0 < lenskit("ImplicitMFScorer", {"embedding_size": text}) < 2**63


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("ImplicitMFScorer", {"features": 500}),
        ("BiasedMFScorer", {"features": 500}),
        ("FunkSVDScorer", {"features": 500}),
        ("BiasedSVDScorer", {"features": 500}),
        ("FlexMFImplicitScorer", {"embedding_size_exp": 9}),
        ("FlexMFExplicitScorer", {"embedding_size_exp": 9}),
        ("LightGCNScorer", {"embedding_size_exp": 9}),
    ],
)
def test_larger_vectors_need_more(name: str, given: dict[str, int]) -> None:
    """Four bytes for each number of a vector at least, whichever way it is said how many a vector has."""
    usual = algorithm_info(get_runner("LensKit"), name)["parameters"]["embedding_size"]
    more = next(iter(spelled(algorithm_info(get_runner("LensKit"), name), given).values())) - usual
    assert lenskit(name, given) - lenskit(name, {}) >= 4 * more * (LARGE.users + LARGE.items)


@pytest.mark.parametrize("power", [None, -1, "nine", "9", 10**9, 2.5, math.inf, math.nan])
def test_what_is_no_power_makes_no_error(power: Any) -> None:
    """LensKit says what is wrong with it."""
    assert 0 < lenskit("ImplicitMFScorer", {"embedding_size_exp": power}) < 2**63


@pytest.mark.parametrize(
    ("framework", "algorithm", "given", "learned"),
    [
        ("RecBole", "DeepFM", {}, (YEAR, GENRES, TITLE, JOB)),
        ("RecBole", "DeepFM", {"item_features": ["genres"]}, (GENRES, JOB)),
        ("RecBole", "DeepFM", {"item_features": [], "user_features": []}, ()),
        ("RecBole", "SASRecF", {}, (YEAR, GENRES, TITLE)),
        ("RecBole", "S3Rec", {"item_attribute": "genres"}, (GENRES,)),
        ("RecBole", "SASRec", {}, ()),
        ("Cornac", "VBPR", {}, (GENRES, TITLE)),
        ("Cornac", "VBPR", {"item_features": ["year"]}, (YEAR,)),
        ("RecTools", "SASRecModel", {}, ()),
        ("RecTools", "SASRecModel", {"item_features": ["genres"]}, (GENRES,)),
        ("RecTools", "DSSMModel", {}, (GENRES, TITLE, JOB)),
        ("RecPack", "EASE", {}, ()),
    ],
)
def test_features_that_an_algorithm_reads(
    framework: str, algorithm: str, given: dict[str, Any], learned: tuple[FeatureSize, ...]
) -> None:
    """Those that its hyperparameters name; where they are None, those of the types that it reads."""
    described = algorithm_info(get_runner(framework), algorithm)
    parameters = {**described["parameters"], **given}
    assert learned_from(KNOWN, described, parameters) == LARGE._replace(features=learned)
    assert learned_from(LARGE, described, parameters) == LARGE
