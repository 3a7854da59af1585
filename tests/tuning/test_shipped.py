"""The search spaces that omnibench ships: they are of hyperparameters that exist, and say where they were published."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import (
    NDCG,
    RMSE,
    Evaluator,
    ExperimentPlan,
    Log,
    MakeImplicit,
    RecBole,
    RecPack,
    RecSysDataSet,
    UserHoldout,
    from_frame,
    run_omnirec,
    space_of,
)
from omnibench.errors import PlanError
from omnibench.runners.info import algorithm_info, learns_from_features
from omnibench.runners.registry import get_runner, runners
from omnibench.tuning import shipped
from omnibench.tuning.shipped import ShippedSpace, shipped_space, shipped_spaces
from omnibench.tuning.space import Space

SPACES = {space.algorithm: space for space in shipped_spaces()}


def parameters_of(space: ShippedSpace) -> dict[str, Any]:
    """An algorithm's hyperparameters with their defaults, by its catalogue."""
    framework, _, name = space.algorithm.partition(".")
    parameters: dict[str, Any] = algorithm_info(get_runner(framework), name)["parameters"]
    return parameters


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_name_is_a_hyperparameter_of_the_installed_release(space: ShippedSpace) -> None:
    """What is searched, and what is constant, is in the catalogue that was read from the framework."""
    space.space.check_names(parameters_of(space), space.algorithm)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_space_says_who_published_it_when_and_where(space: ShippedSpace) -> None:
    """Without that nobody could look it up, and a reviewer could not believe it."""
    assert "https://" in space.source
    assert any(str(year) in space.source for year in range(2010, 2027)) or "RecPack 0.3.6" in space.source
    assert not space.source.endswith(".")
    assert not space.note or space.note.endswith(".")


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_constants_differ_from_the_defaults(space: ShippedSpace) -> None:
    """One that does not would keep the first trial, the defaults, from being what the plain algorithm has computed."""
    defaults = parameters_of(space)
    assert all(value != defaults[name] for name, value in space.space.constants.items())


def test_files_have_nothing_that_is_not_read() -> None:
    """A misspelt key would be left out in silence."""
    for framework in map(str.lower, UNPUBLISHED):
        file = Path(shipped.__file__).parent / "spaces" / f"{framework}.toml"
        for name, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            assert entry.keys() <= {"source", "note", "space"}, name
            for parameter, described in _tables(entry["space"]):
                ranges = described.keys() & {"choice", "int", "float", "log"}
                assert len(ranges) == 1, (name, parameter)
                assert described.keys() <= {*ranges, "when", *(("step",) if ranges & {"int", "float"} else ())}


def _tables(space: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables that describe a distribution, those under a common condition included."""
    for name, entry in space.items():
        if isinstance(entry, dict):
            if "when" in entry and not entry.keys() & {"choice", "int", "float", "log"}:
                yield from _tables({other: value for other, value in entry.items() if other != "when"})
            else:
                yield name, entry


UNPUBLISHED = {
    "LensKit": {"PopScorer", "TimeBoundedPopScore"},
    "RecBole": {"Pop", "Random"},
    "RecPack": {
        *(
            "Popularity",
            "Random",
            "SVDItemToItem",
            "NMFItemToItem",
            "KUNN",
            "Prod2Vec",
            "Prod2VecClustered",
            "ItemPNN",
            "STAN",
        ),
    },
    "RecTools": {
        "DSSMModel",
        "PopularModel",
        "PopularInCategoryModel",
        "RandomModel",
    },
    "Implicit": {"LogisticMatrixFactorization", "ItemItemRecommender"},
    "Cornac": {
        *("MostPop", "HPF", "IBPR", "SKMeans", "BaselineOnly", "GlobalAvg", "HFT"),
    },
    "Surprise": {
        *(
            "NormalPredictor",
            "BaselineOnly",
            "SlopeOne",
            "CoClustering",
        ),
    },
}
"""The algorithms that nobody tunes, or of which omnibench knows of no published ranges."""


def test_every_algorithm_has_a_space_but_those_of_which_no_ranges_are_known() -> None:
    """By framework; a space of something that is in no catalogue would be found by nobody."""
    names = {runner.name: set(runner.catalogue["algorithms"]) for runner in runners()}
    assert {f"{framework}.{name}" for framework in names for name in names[framework]} >= SPACES.keys()
    for framework, unpublished in UNPUBLISHED.items():
        assert {name for name in names[framework] if f"{framework}.{name}" not in SPACES} == unpublished, framework


@pytest.mark.parametrize("name", ["RecPack.KUNN", "Own.Thing", "test_mine.Half", "Half", "recpack.EASE", ""])
def test_there_is_none_for_what_has_none(name: str) -> None:
    """Nor for classes of one's own, for registered frameworks, or for names that do not exist."""
    assert shipped_space(name) is None


def test_a_space_can_be_changed_and_stays_what_it_was() -> None:
    """What space_of returns is a copy, which makes the same space as long as nothing is changed."""
    entries = space_of(RecPack.ItemKNN)
    assert Space.of(entries) == SPACES["RecPack.ItemKNN"].space
    entries["K"] = Log(10, 20)
    assert Space.of(entries) != SPACES["RecPack.ItemKNN"].space
    assert Space.of(space_of(RecPack.ItemKNN)) == SPACES["RecPack.ItemKNN"].space
    wider = Space.of(space_of(RecBole.BPR) | {"learning_rate": Log(1e-5, 1e-1)})
    assert wider.plain == {"learning_rate": "log 1e-05 to 0.1"}


def test_space_of_an_algorithm_without_one_says_how_to_give_one() -> None:
    """The advice is a call that works."""
    with pytest.raises(
        PlanError, match=r"RecPack\.KUNN.*plan\.tune\(RecPack\.KUNN, .*omnibench envs spaces"
    ) as refusal:
        space_of(RecPack.KUNN)
    assert "space_of" not in str(refusal.value)


def test_a_conditional_hyperparameter_exists_only_with_its_condition() -> None:
    """RecPack's ItemKNN discounts popularity only in conditional probabilities; ConvNCF's three lists belong together."""
    knn, conv = SPACES["RecPack.ItemKNN"].space, SPACES["RecBole.ConvNCF"].space
    for share in np.linspace(0, 0.999, 20):
        point = knn.at([share] * len(knn.dimensions))
        assert ("pop_discount" in point) == (point["similarity"] == "conditional_probability")
        layers = conv.at([share] * len(conv.dimensions))
        assert len(layers["cnn_kernels"]) == len(layers["cnn_strides"]) == len(layers["cnn_channels"]) - 1


def dataset(rankings: bool, size: int) -> RecSysDataSet:
    """Interactions, or ratings, of some users and about as many items, with times and features."""
    rng = np.random.default_rng(7)
    users, items = rng.integers(0, size, 24 * size), (rng.beta(1, 2, 24 * size) * size).astype(int)
    frame = pd.DataFrame({"user": users, "item": items, "rating": rng.integers(1, 6, 24 * size)})
    frame = frame.drop_duplicates(["user", "item"])
    frame["timestamp"] = 1_000_000 + 3600 * rng.permutation(len(frame))
    codes = np.arange(size)
    known: dict[str, Any] = {
        "items": pd.DataFrame(
            {"item": codes, "kind": [f"kind {code % 5}" for code in codes], "price": codes % 7 + 1.0}
        ),
        "users": pd.DataFrame({"user": codes, "gender": np.where(codes % 2, "f", "m")}),
    }
    if rankings:
        implicit = from_frame(frame.assign(rating=5), "implicit", **known)
        return implicit.pipe(MakeImplicit(2), UserHoldout(0.1, 0.2))
    return from_frame(frame, "explicit", **known).pipe(UserHoldout(0.1, 0.2))


ON_SMALL_DATA: dict[str, dict[str, Any]] = {
    "RecBole.NCL": {"num_clusters": 20},
    "RecBole.RaCT": {"metrics_k": 20, "pretrain_epochs": 1, "critic_pretrain": {"pretrain_epochs": 1}},
    "RecBole.S3Rec": {"item_attribute": "kind", "pretrain_epochs": 1, "MAX_ITEM_LIST_LENGTH": 5},
}
"""What cannot have as many as were published where there are few users and items, or would take minutes."""

EPOCHS = ("epochs", "max_epochs", "n_epochs", "max_iter", "num_epochs", "iterations", "model.iterations")


def ends(space: ShippedSpace) -> Iterator[dict[str, Any]]:
    """The configurations with the lowest, the middle and the highest values, for an epoch where it learns by epochs.

    Learning rates stay in the middle: with the highest that were published some models diverge, which is a result.
    """
    many = [name for name in EPOCHS if parameters_of(space).get(name, 1) != 1]
    epochs = dict.fromkeys(many[:1], 1)  # LensKit's NMFScorer has two names of one number, and takes one of them
    for share in (0.0, 0.5, math.nextafter(1, 0)):
        shares = [
            0.5 if each.name.endswith(("learning_rate", "lr", "lr_all")) else share for each in space.space.dimensions
        ]
        yield {**space.space.constants, **space.space.at(shares), **epochs, **ON_SMALL_DATA.get(space.algorithm, {})}


def kind_of(described: dict[str, Any]) -> str:
    """What an algorithm learns from beside pairs of users and items."""
    return "features" if learns_from_features(described) else "sequences" if described.get("sequential") else "pairs"


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("rankings", [True, False])
@pytest.mark.parametrize("kind", ["pairs", "sequences", "features"])
@pytest.mark.parametrize("framework", ["LensKit", "RecBole", "RecPack", "RecTools", "Implicit", "Cornac", "Surprise"])
def test_the_framework_accepts_both_ends_of_every_range(
    framework: str, kind: str, rankings: bool, tmp_path: Path
) -> None:
    """It fits and predicts with them; RecBole on less data, because of ConvNCF, others on more items than components."""
    plan = ExperimentPlan("ends")
    for space in SPACES.values():
        runner, _, name = space.algorithm.partition(".")
        described = algorithm_info(get_runner(runner), name)
        if runner == framework and described["ranking"] == rankings and kind_of(described) == kind:
            for configuration in ends(space):
                plan.add_algorithm(space.algorithm, configuration)
    if not len(plan):
        pytest.skip(f"no algorithm of {framework} is such a one")
    metric = NDCG(10) if rankings else RMSE()
    data = dataset(rankings, 60 if framework == "RecBole" else 380)
    results = run_omnirec(data, plan, Evaluator(metric), tmp_path / "checkpoints", quiet=True)
    assert len(results.to_frame()) == len(plan.configurations())
