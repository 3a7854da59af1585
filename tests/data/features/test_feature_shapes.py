"""Raw files of features: lists, flags, codes with words, texts that look like numbers, and several rows of an item."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench.data.catalogue.names import definitions
from omnibench.data.catalogue.shapes import shape_of
from omnibench.data.features.columns import FeatureColumns, feature_columns, split_lists
from omnibench.data.features.shaping import FeatureShape
from omnibench.data.readers.reader import Reader
from omnibench.data.toml_tables import Table
from omnibench.errors import DataError


def shaped(shape: FeatureShape, **columns: Any) -> FeatureColumns:
    frame = shape.frame(columns, "items", "u.item")
    return split_lists(feature_columns(frame, "items", "u.item"), shape.lists, "u.item")


def entries(features: FeatureColumns) -> dict[str, Any]:
    return {name: list(column.entries) for name, column in features.columns.items()}


def test_columns_are_numbers_or_texts_as_they_are_written() -> None:
    """What is all numbers is numbers; ``texts`` keeps postcodes that begin with no zero; ids are integers where all are."""
    features = shaped(FeatureShape(texts=("code",)), item=["1", "2"], year=["1995", None], code=["55105", "94043"])
    assert features.ids == [1, 2]
    assert {name: column.type for name, column in features.columns.items()} == {"code": "text", "year": "number"}
    assert entries(features)["code"] == ["55105", "94043"]
    assert shaped(FeatureShape(), item=["1", "02"], year=["1", "2"]).ids == ["1", "02"]


def test_flags_become_a_list() -> None:
    """MovieLens-100K has a column of 0 and 1 for each genre; another value is refused with its row."""
    shape = FeatureShape(flags={"genres": {"g1": "Action", "g2": "Sci-Fi"}})
    columns = {"item": ["1", "2", "3"], "g1": ["1", "0", None], "g2": ["1", "0", "1"]}
    assert entries(shaped(shape, **columns)) == {"genres": [["Action", "Sci-Fi"], [], ["Sci-Fi"]]}
    assert shape.names(["g1", "g2"]) == ["genres"]
    with pytest.raises(DataError, match=r"u\.item: column 'g2' has 'x' in row 1, where 0 or 1"):
        shaped(shape, **{**columns, "g2": ["1", "x", "1"]})


def test_codes_become_words() -> None:
    """MovieLens-1M writes ages as the first year of a band; a code without a word is refused."""
    shape = FeatureShape(words={"age": {"1": "under 18", "18": "18-24"}})
    assert entries(shaped(shape, item=["1", "2", "3"], age=["18", "1", None])) == {"age": ["18-24", "under 18", None]}
    with pytest.raises(DataError, match=r"u\.item: column 'age' has '19', which has no word; known are 1, 18"):
        shaped(shape, item=["1"], age=["19"])


def test_rows_of_an_item_are_gathered() -> None:
    """Tags have a row for each user who gave one; each different tag counts once, in the order of the file."""
    features = shaped(FeatureShape(gathered=True), item=["7", "8", "7", "7"], tags=["funny", None, "1", "funny"])
    assert features.ids == [7, 8]
    assert entries(features) == {"tags": [["funny", "1"], []]}


def test_lists_are_split() -> None:
    """``Action|Comedy`` is a list of two genres also where only one is there, and where it looks like a number."""
    features = shaped(FeatureShape(lists={"genres": "|"}), item=["1", "2", "3"], genres=["1|2", "1", None])
    assert entries(features) == {"genres": [["1", "2"], ["1"], None]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"lists": {"genre": "|"}},
            "lists names 'genre', which is none of the reader's columns; did you mean 'genres'?",
        ),
        ({"texts": ["zip"]}, "texts names 'zip', which is none"),
        ({"lists": {"genres": ""}}, "genres is ''; give a text"),
        ({"words": {"year": {"1": 2}}}, "1 is 2; give a text"),
        ({"flags": {"genres": {"year": "Y"}}}, "flags has 'genres', which is a column already"),
        ({"flags": {"kinds": {"sort": "Y"}}}, "flags, kinds names 'sort'"),
        ({"gathered": "yes"}, "gathered is 'yes'; give true or false"),
    ],
)
def test_an_impossible_shape_is_refused(values: dict[str, Any], message: str) -> None:
    """The error names the table and what is wrong in it, before anything is fetched."""
    reader = Reader("table", ("item", "genres", "", "year"))
    with pytest.raises(DataError) as caught:
        shape_of(Table(values, "shop.toml, Shop, features[1]"), reader)
    assert str(caught.value).startswith("shop.toml, Shop, features[1]")
    assert message in str(caught.value)


def test_movielens_has_genres_by_that_name() -> None:
    """Whatever the file of a version looks like, its genres are a list of texts called genres."""
    by_name = {definition.name: definition for definition in definitions().values()}
    for name in ("MovieLens100K", "MovieLens1M", "MovieLens10M", "MovieLens20M", "MovieLens25M", "MovieLens32M"):
        items = [features for features in by_name[name].features if features.subject == "items"]
        assert any("genres" in features.shape.lists or "genres" in features.shape.flags for features in items), name
