"""What is said of features without their values, and who is refused by it before anything runs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnibench import Cornac, ExperimentPlan, RecBole, RecSysDataSet, RecTools, UserHoldout, from_frame
from omnibench.data.features.facts import FeatureFacts, facts_of
from omnibench.errors import PlanError
from omnibench.experiment.compatibility import check_configuration

LIKES = pd.DataFrame(list(itertools.product("abc", "xyz")), columns=["user", "item"])
ITEMS = pd.DataFrame(
    {
        "item": ["x", "y", "z"],
        "plot": ["a heist", "", None],
        "kinds": [["crime"], [], None],
        "year": [1994.0, float("nan"), 2001.0],
        "blank": ["", "", None],
        "award": [True, None, False],
    }
).astype({"award": "boolean"})


def books(*names: str) -> RecSysDataSet:
    return from_frame(LIKES, "books", items=ITEMS[["item", *names]]).pipe(UserHoldout(0.0, 0.3))


def check(algorithm: Any, dataset: RecSysDataSet, **parameters: Any) -> None:
    plan = ExperimentPlan()
    plan.add_algorithm(algorithm, parameters)
    check_configuration(dataset, plan.configurations()[0])


def test_facts_are_types_and_numbers_of_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty texts and lists are no values; a file is read once on a machine, and again where it has changed."""
    path = tmp_path / "items.csv"
    ITEMS.drop(columns=["kinds", "blank", "award"]).to_csv(path, index=False)
    known = from_frame(LIKES, "books", items=ITEMS).features["items"]
    assert facts_of(known) == {
        "award": FeatureFacts("boolean", 2),
        "blank": FeatureFacts("text", 0),
        "kinds": FeatureFacts("texts", 1),
        "plot": FeatureFacts("text", 1),
        "year": FeatureFacts("number", 2),
    }

    def of_file() -> dict[str, FeatureFacts]:
        return dict(facts_of(from_frame(LIKES, "books", items=path).features["items"]))

    first = of_file()
    assert first == {"plot": FeatureFacts("text", 1), "year": FeatureFacts("number", 2)}
    with monkeypatch.context() as forbidden:
        forbidden.setattr("omnibench.data.features.files.feature_frame", None)
        assert of_file() == first
    path.write_text("item,plot,year\nx,1,new\n", encoding="utf-8")
    assert of_file()["year"] == FeatureFacts("text", 1)


@pytest.mark.parametrize(
    ("algorithm", "names", "parameters", "says"),
    [
        (
            Cornac.CTR,
            ["plot", "year"],
            {"item_features": ["year"]},
            r"Cornac.CTR cannot read the feature 'year' of items \(item_features\), which is of type number: it reads text, texts",
        ),
        (
            Cornac.CTR,
            ["year"],
            {},
            r"Cornac.CTR learns from features of items of type text or texts .*, but books has none",
        ),
        (Cornac.CTR, ["blank"], {}, r"Cornac.CTR learns .*, but blank of books is empty in every row"),
        (
            RecTools.PopularInCategoryModel,
            ["kinds", "lost"],
            {"category_feature": "lost"},
            r"cannot read the feature 'lost' of items \(category_feature\), which is empty in every row: it reads .* has kinds",
        ),
        (
            RecTools.SASRecModel,
            ["kinds", "year"],
            {"item_features": ["kinds", "year"]},
            r"SASRecModel cannot read the feature 'year' .* of which books has kinds",
        ),
        (
            RecTools.SASRecModel,
            ["year"],
            {"item_features": None},
            r"SASRecModel learns from features of items of type boolean or text or texts .*, but books has none. Name others, or",
        ),
        (
            Cornac.VBPR,
            ["blank", "year"],
            {},
            r"VBPR learns .* \(item_features\), but blank of books is empty .* others, e.g. item_features=\['year'\]",
        ),
        (
            Cornac.AMR,
            ["year"],
            {},
            r"AMR learns .*, but books has none. Name others, e.g. item_features=\['year'\], or add",
        ),
        (
            Cornac.AMR,
            ["year", "blank"],
            {"item_features": ["blank"]},
            r"AMR learns .*, but blank of books is empty in every row",
        ),
        (
            RecTools.LightFMWrapperModel,
            ["year"],
            {"item_features": None},
            r"LightFMWrapperModel learns .* books has none",
        ),
        (
            RecTools.ImplicitALSWrapperModel,
            ["year", "blank"],
            {"item_features": ["blank"]},
            r"ALSWrapperModel learns .*, but blank of books is empty in every row. Name others, e.g. item_features=\['year'\]",
        ),
        (
            RecBole.FM,
            ["year", "blank", "lost"],
            {"item_features": ["blank", "lost"]},
            r"FM learns .*, but blank, lost of books are empty in every row",
        ),
        (
            RecTools.DSSMModel,
            ["year"],
            {"user_features": ["age"]},
            r"DSSMModel learns .* \(item_features\), but books has none",
        ),
        (
            RecBole.GRU4RecF,
            ["blank", "lost"],
            {"selected_features": ["lost"]},
            r"GRU4RecF learns .* \(selected_features\), but lost of books is empty in every row. Name others, or",
        ),
    ],
)
def test_features_of_another_type_are_refused(
    algorithm: Any, names: list[str], parameters: dict[str, Any], says: str
) -> None:
    """With the plan, by the names of the algorithm, the feature and those that fit."""
    users = pd.DataFrame({"user": ["a", "b", "c"], "age": [20.0, 30.0, 40.0]})
    items = ITEMS.assign(lost=None)[["item", *names]]
    has_times = from_frame(LIKES.assign(timestamp=range(9)), "books", items=items, users=users)
    with pytest.raises(PlanError, match=says):
        check(algorithm, has_times.pipe(UserHoldout(0.0, 0.3)), **parameters)


def test_what_can_be_read_passes() -> None:
    """Texts of some items are enough, and so is no feature where none is needed."""
    check(Cornac.CTR, books("plot", "year"))
    check(Cornac.VBPR, books("year"), item_features=["year"])
    check(Cornac.VBPR, books("award", "year"))
    check(RecTools.LightFMWrapperModel, books("year"))
    check(RecTools.LightFMWrapperModel, books("year"), item_features=["year"])
    check(RecTools.PopularInCategoryModel, books("kinds"), category_feature="kinds")
    with pytest.raises(PlanError, match=r"PopularInCategoryModel cannot read the feature 'year' of items"):
        check(RecTools.PopularInCategoryModel, books("year"), category_feature="year")


@pytest.mark.parametrize("algorithm", [RecBole.SASRecF, RecBole.GRU4RecF, RecBole.FDSA])
def test_more_features_of_a_type_than_can_be_read_are_refused(algorithm: Any) -> None:
    """RecBole's sequential models fail within the Fit on two features of numbers; one, beside any of texts, is fine."""
    items = ITEMS.assign(pages=[100.0, 200.0, 300.0])
    dataset = from_frame(LIKES.assign(timestamp=range(9)), "books", items=items).pipe(UserHoldout(0.0, 0.3))
    says = r"1 feature of items of type number \(selected_features\), and (pages, year|year, pages) are 2\. Name fewer, e\.g\. "
    with pytest.raises(PlanError, match=says):
        check(algorithm, dataset)
    with pytest.raises(PlanError, match=says + r"\{'selected_features': \['pages', 'kinds'\]\}"):
        check(algorithm, dataset, selected_features=["pages", "year", "kinds"])
    check(algorithm, dataset, selected_features=["kinds", "pages"])
    check(RecBole.FM, dataset, item_features=["pages", "year"])
