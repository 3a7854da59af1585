"""Features of users and items: what they may be, what identifies them, and how every guest reads them."""

from __future__ import annotations

import datetime as dt
import gzip
import stat
import subprocess
import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from omnibench import MakeImplicit, UserHoldout, from_file, from_frame, from_split, load_dataset
from omnibench.data import loaders
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.data.words import recipe_words
from omnibench.errors import DataError
from omnibench.guest.features import FeatureTable
from omnibench.guest.folds import Fold

ITEMS = 6


def interactions(users: int = 4) -> pd.DataFrame:
    rows = [(user, f"i{item}", 4.0) for user in range(users) for item in range(ITEMS)]
    return pd.DataFrame(rows, columns=["user", "item", "rating"])


def movies() -> Any:
    return pd.DataFrame(
        {
            "item": [f"i{item}" for item in range(ITEMS)],
            "year": [1990, 1991, None, 1993, 1994, 1995],
            "title": ["A", "B", "C", None, "", "ü"],
            "genres": [["Drama", "Action"], {"Comedy", "Action"}, [], None, ("Drama",), np.array(["Action"])],
            "colour": [True, False, True, None, True, True],
        }
    )


def table_of(dataset: RecSysDataSet, directory: Path, subject: str = "items") -> FeatureTable:
    prepare(dataset.pipe(UserHoldout(validation_size=0.2, test_size=0.2)), directory)
    table = Fold(directory, 0).features(subject)
    assert table is not None
    return table


def by_id(dataset: RecSysDataSet, table: FeatureTable, name: str) -> dict[Hashable, Any]:
    own_ids = dataset.interactions().item_ids if table.subject == "items" else dataset.interactions().user_ids
    return dict(zip(own_ids, table.column(name).tolist(), strict=True))


def test_a_guest_reads_each_feature_by_code(tmp_path: Path) -> None:
    """Numbers, truth values, texts and lists come back under the codes of their ids; what is missing is NaN or None."""
    dataset = from_frame(interactions(), items=movies().sample(frac=1, random_state=1))
    table = table_of(dataset, tmp_path)
    assert table.types == {"colour": "boolean", "genres": "texts", "title": "text", "year": "number"}
    year, colour = by_id(dataset, table, "year"), by_id(dataset, table, "colour")
    assert {item: value for item, value in year.items() if not np.isnan(value)} == {
        "i0": 1990.0, "i1": 1991.0, "i3": 1993.0, "i4": 1994.0, "i5": 1995.0,
    }  # fmt: skip
    assert np.isnan(year["i2"])
    assert np.isnan(colour["i3"])
    assert (colour["i0"], colour["i1"]) == (1.0, 0.0)
    assert by_id(dataset, table, "title") == {"i0": "A", "i1": "B", "i2": "C", "i3": None, "i4": None, "i5": "ü"}
    assert by_id(dataset, table, "genres") == {
        "i0": ["Drama", "Action"], "i1": ["Action", "Comedy"], "i2": [], "i3": None, "i4": ["Drama"], "i5": ["Action"],
    }  # fmt: skip
    assert Fold(tmp_path, 0).features("users") is None


def test_categories_and_members_are_positions_in_sorted_texts(tmp_path: Path) -> None:
    """Texts and truth values come as positions, too, and lists as a sparse matrix has them; of numbers there are none."""
    dataset = from_frame(interactions(), items=movies())
    table = table_of(dataset, tmp_path)
    for name in ("title", "colour"):
        positions, texts = table.categories(name)
        assert texts == sorted(texts)
        decoded = [None if position < 0 else texts[position] for position in positions.tolist()]
        expected = table.column(name).tolist()
        if name == "colour":
            expected = [None if np.isnan(value) else str(bool(value)) for value in expected]
        assert decoded == expected
    first, members, texts = table.members("genres")
    assert texts == ["Action", "Comedy", "Drama"]
    assert len(first) == ITEMS + 1
    assert len(members) == first[-1]
    with pytest.raises(TypeError, match="'year' of items is a column of type number, not of categories"):
        table.categories("year")
    with pytest.raises(TypeError, match="'title' of items is a column of type text, not of lists"):
        table.members("title")
    with pytest.raises(KeyError, match=r"no feature 'studio'; they have colour, genres, title, year"):
        table.column("studio")


def test_features_are_read_with_numpy_alone(tmp_path: Path) -> None:
    """A guest has neither pandas nor omnibench: the module imports nothing else, and the files are no pickles."""
    table_of(from_frame(interactions(), items=movies()), tmp_path)
    code = (
        "import sys; from omnibench.guest.folds import Fold; "
        f"print(Fold({str(tmp_path)!r}, 0).features('items').column('genres').tolist()); "
        "print(sorted({'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "['Drama', 'Action']" in answer[0]
    assert answer[1] == "[]"


def test_prepared_features_are_private(tmp_path: Path) -> None:
    """Nobody else may look into the folders of features."""
    table_of(from_frame(interactions(), items=movies()), tmp_path)
    for folder in ("features", "features/items"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == stat.S_IRWXU


def test_features_are_part_of_the_key_by_content() -> None:
    """The order of rows and columns and the types of columns do not matter; a value, an id, a name and a subject do."""
    plain = from_frame(interactions())
    featured = plain.with_features(items=movies())
    assert featured.key != plain.key
    same = [
        movies().sample(frac=1, random_state=3),
        movies()[["genres", "colour", "title", "item", "year"]],
        movies().assign(title=movies()["title"].astype("category")),
        movies().assign(year=movies()["year"].astype("Int64")),
        movies().assign(genres=[["Drama", "Action"], ["Action", "Comedy"], (), None, {"Drama"}, ["Action"]]),
        movies().set_index("item"),
    ]
    assert {plain.with_features(items=frame).key for frame in same} == {featured.key}
    others = [
        movies().assign(year=1990),
        movies().drop(columns="year"),
        movies().rename(columns={"year": "released"}),
        movies().assign(item=[f"i{item + 1}" for item in range(ITEMS)]),
        movies().assign(genres=[["Action", "Drama"], *movies()["genres"][1:]]),
        movies().assign(genres=[["Drama", "Action"], ["Action", "Comedy"], None, None, ["Drama"], ["Action"]]),
        movies().iloc[1:],
    ]
    keys = {plain.with_features(items=frame).key for frame in others}
    assert len(keys | {featured.key, plain.key}) == len(others) + 2


def test_a_dataset_without_features_has_no_word_of_them(tmp_path: Path) -> None:
    """Its identity, its manifest and its directory are what they were before there were features."""
    dataset = from_frame(interactions()).pipe(UserHoldout(validation_size=0.2, test_size=0.2))
    assert set(dataset.identity[1]) == {"source", "steps", "seed"}
    assert "features" not in prepare(dataset, tmp_path)
    assert not (tmp_path / "features").exists()


def test_features_stay_with_a_dataset() -> None:
    """Steps, another name and what earlier releases recorded leave them; new ones take the place of those of their subject."""
    users = pd.DataFrame({"user": range(4), "age": [20, 30, 40, 50]})
    dataset = from_frame(interactions(), items=movies(), users=users)
    assert list(dataset.pipe(MakeImplicit(3)).named("b").as_recorded().features) == ["items", "users"]
    replaced = dataset.with_features(users=users.assign(age=1))
    assert replaced.features["items"] is dataset.features["items"]
    assert replaced.key != dataset.key
    assert "with features of items and users" in repr(dataset)
    assert recipe_words(dataset.pipe(MakeImplicit(3)).identity[1]) == "MakeImplicit(3), features of items and users"


def test_features_of_a_registered_dataset_and_of_a_published_split_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader may return a dataset with features, and a split that somebody else has made may be given some."""
    monkeypatch.setitem(loaders._LOADERS, "Shop", lambda: from_frame(interactions(), items=movies()))
    assert list(load_dataset("Shop").features) == ["items"]
    rows = interactions()
    split = from_split(rows.iloc[::2], rows.iloc[1::2], name="split")
    assert split.with_features(items=movies()).key != split.key


def test_a_later_change_of_the_frame_changes_nothing() -> None:
    """Features are what they were when they were given."""
    frame = movies()
    dataset = from_frame(interactions(), items=frame)
    frame.loc[0, "year"] = 1
    frame["genres"][0].append("Western")
    read = dataset.features["items"].read().frame()
    assert read["year"].tolist()[0] == 1990.0
    assert read["genres"].tolist()[0] == ["Drama", "Action"]


def test_ids_without_features_are_missing_and_others_are_counted(tmp_path: Path) -> None:
    """Items that features do not list have missing values, which is said; rows of unknown items are ignored and counted."""
    frame = pd.concat([movies().iloc[:4], movies().iloc[:2].assign(item=["x", "y"])], ignore_index=True)
    dataset = from_frame(interactions(), "shop", items=frame).pipe(UserHoldout(validation_size=0.2, test_size=0.2))
    with pytest.warns(UserWarning, match="shop: 2 of 6 items are not in the features of items, e.g. 'i4'"):
        manifest = prepare(dataset, tmp_path)
    assert (manifest["features"]["items"]["missing"], manifest["features"]["items"]["ignored"]) == (2, 2)
    table = Fold(tmp_path, 0).features("items")
    assert table is not None
    assert sorted(dict(zip(dataset.interactions().item_ids, table.is_listed.tolist(), strict=True)).items()) == [
        (f"i{item}", item < 4) for item in range(ITEMS)
    ]
    assert "x" not in table.categories("title")[1]


def test_texts_that_look_like_several_are_said(tmp_path: Path) -> None:
    """Genres that nobody has split would be a group for each combination; titles with such a sign are none of these."""
    genres = ["drama", "drama|family", "comedy", "comedy|family", "horror", "horror|family"]
    titles = [f"{number}|{number + 1}" for number in range(ITEMS)]
    frame = pd.DataFrame({"item": [f"i{item}" for item in range(ITEMS)], "genres": genres, "title": titles})
    joined = from_frame(interactions(), "shop", items=frame).pipe(UserHoldout(0.2, 0.2))
    for folder in ("joined", "split"):
        (tmp_path / folder).mkdir()
    with pytest.warns(UserWarning, match=r"its 6 texts are made of 4\. .*say so: lists=\{'genres': '\|'\}") as caught:
        prepare(joined, tmp_path / "joined")
    assert not any("title" in str(warning.message) for warning in caught)
    split = from_frame(interactions(), "shop").with_features(items=frame, lists={"genres": "|"})
    prepare(split.pipe(UserHoldout(0.2, 0.2)), tmp_path / "split")


def test_integers_and_texts_of_the_same_ids_meet(tmp_path: Path) -> None:
    """A file whose ids are all integers and another where one is a word name the same users."""
    users = pd.DataFrame({"user": ["0", "1", "2", "3", "guest"], "gender": ["f", "m", "f", "m", "f"]})
    table = table_of(from_frame(interactions(), users=users), tmp_path, "users")
    assert table.column("gender").tolist() == ["f", "m", "f", "m"]


def test_features_of_other_ids_are_refused(tmp_path: Path) -> None:
    """Where no id is known, the ids are others: the error shows one of each."""
    dataset = from_frame(interactions(), "shop", items=movies().assign(item=range(ITEMS)))
    with pytest.raises(
        DataError, match=r"shop: none of its 6 items is in .*'i0' \(str\) .* and 0 \(int\) in the features"
    ):
        table_of(dataset, tmp_path)


BAD: dict[str, tuple[Any, str]] = {
    "no-frame": ([1, 2], "items is list; give a frame with a column 'item'"),
    "no-ids": (movies().rename(columns={"item": "itm"}), "no column 'item'; did you mean 'itm'?"),
    "nothing-known": (movies()[["item"]], "no column but 'item'; give the features"),
    "empty": (movies().iloc[:0], "has no rows"),
    "repeated": (
        movies().assign(item=["i0", "i1", "i0", "i2", "i3", "i4"]),
        r"1 of its items have several rows, e.g. 'i0' in row 0 and row 2. .*drop_duplicates\('item'\)",
    ),
    "missing-id": (movies().assign(item=["i0", None, "i2", "i3", "i4", "i5"]), "column 'item' has 1 missing values"),
    "doubled-column": (movies().rename(columns={"year": "title"}), "the column 'title' twice"),
    "mixed": (movies().assign(year=[1990, "x", 1, 2, 3, 4]), "of several types: 1990 in row 0, and 'x' in row 1"),
    "text-among-lists": (movies().assign(genres=[["a"], "b", *[None] * 4]), r"\['a'\] in row 0, and 'b' in row 1"),
    "dictionary": (movies().assign(year=[{"a": 1}] * 6), r"has {'a': 1} \(dict\) in row 0; a feature is a number"),
    "vector": (movies().assign(year=[[0.5, 1.5]] * 6), r"a list with 0.5 \(float\) in row 0; .*a column for each"),
    "infinite": (movies().assign(year=[1, 2, np.inf, 4, 5, 6]), "column 'year' has an infinite number in row 2"),
    "large": (movies().assign(year=[2**53 + 1] * 6), r"9007199254740993 in row 0, .*astype\(str\)"),
    "surrogate": (movies().assign(title=pd.Series(["\ud800"] * 6, dtype=object)), "no valid Unicode text"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_feature_is_refused_when_it_is_given(case: str) -> None:
    """The error names the column, the row, the value, and what to do; nothing has been run yet."""
    frame, message = BAD[case]
    with pytest.raises(DataError, match=message):
        from_frame(interactions(), "shop", items=frame)


def test_dates_are_seconds() -> None:
    """Dates and times are numbers of seconds since 1970, in UTC where they have no zone."""
    day = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
    expected = [86400.0, 86400.0 + 43200, np.nan]
    for column in (
        pd.Series(pd.to_datetime(["1970-01-02 00:00", "1970-01-02 12:00", ""])),
        pd.Series([day, day + dt.timedelta(hours=12), None], dtype=object),
    ):
        frame = pd.DataFrame({"item": ["i0", "i1", "i2"], "released": column})
        read = from_frame(interactions(), items=frame).features["items"].read()
        np.testing.assert_array_equal(read.columns["released"].entries, expected)


def test_texts_are_split_where_lists_says_so() -> None:
    """``lists`` tells what separates the members of a column; a name that no features have is refused."""
    frame = pd.DataFrame({"item": ["i0", "i1", "i2"], "genres": ["Action|Sci-Fi", "", " Drama | "]})
    dataset = from_frame(interactions()).with_features(items=frame, lists={"genres": "|"})
    assert dataset.features["items"].read().columns["genres"].entries == [["Action", "Sci-Fi"], None, ["Drama"]]
    with pytest.raises(DataError, match="separates the members of 'genre', but no features have such a column"):
        from_frame(interactions()).with_features(items=frame, lists={"genre": "|"})
    with pytest.raises(DataError, match=r"lists has '' for 'genres'; give what separates"):
        from_frame(interactions()).with_features(items=frame, lists={"genres": ""})


def test_nothing_in_the_catalogue_is_said() -> None:
    """``with_features()`` without anything is what the catalogue has; a user's own frame is not in it."""
    with pytest.raises(
        DataError, match=r"the catalogue has no features of it; give yours, e.g. with_features\(items=df\)"
    ):
        from_frame(interactions()).with_features()
    with pytest.raises(DataError, match=r"the catalogue has no features of users; give yours"):
        from_frame(interactions()).with_features(users=True)


def written(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if ".csv" in path.name else "\t")
    return path


@pytest.mark.parametrize("name", ["movies.csv", "movies.tsv", "movies.parquet", "movies.csv.gz"])
def test_a_file_has_the_key_of_the_frame(name: str, tmp_path: Path) -> None:
    """The same rows as a frame, CSV, TSV or Parquet are the same features; 00501 stays a text, and empty is missing."""
    frame = pd.DataFrame(
        {
            "item": [f"i{item}" for item in range(ITEMS)],
            "year": [1990.5, 1991, None, 1993, 1994, 1995],
            "zip": ["00501", "12345", "1", "2", None, "NA"],
            "title": ["a, b", 'say "c"', "1e5", None, "e", "true"],
            "colour": [True, False, True, True, True, False],
        }
    )
    path = written(frame, tmp_path / name)
    of_frame = from_frame(interactions(), items=frame)
    of_file = from_frame(interactions(), items=path)
    pd.testing.assert_frame_equal(
        of_file.features["items"].read().frame(), of_frame.features["items"].read().frame(), check_dtype=False
    )
    assert of_file.key == of_frame.key
    rows = written(interactions(), tmp_path / "rows.csv")
    assert from_file(rows, items=path).features["items"].digest == of_frame.features["items"].digest


def test_ids_of_a_file_are_found_under_a_usual_name(tmp_path: Path) -> None:
    """MovieLens calls its items movieId; a file without any such column is refused with the call that helps."""
    path = written(movies()[["item", "year"]].rename(columns={"item": "movieId"}), tmp_path / "movies.csv")
    read = from_frame(interactions(), items=path).features["items"].read()
    assert list(read.ids) == [f"i{item}" for item in range(ITEMS)]
    assert list(read.columns) == ["year"]
    path = written(pd.DataFrame({"name": ["a"], "year": [1]}), tmp_path / "named.csv")
    with pytest.raises(DataError, match=r"named.csv has no column 'item'. .*\.rename\(columns={'name': 'item'}\)"):
        from_frame(interactions(), items=path)


def test_recboles_files_say_their_types(tmp_path: Path) -> None:
    """Of an atomic file ``token_seq`` is a list and ``token`` a text, unless all of it are integers."""
    path = tmp_path / "shop.item"
    path.write_text("item_id:token\tclass:token_seq\tyear:token\tcode:token\ni0\tA B\t1990\t1.5\ni1\t\t1991\tx\n")
    read = from_frame(interactions(), items=path).features["items"].read()
    assert {name: column.type for name, column in read.columns.items()} == {
        "class": "texts",
        "code": "text",
        "year": "number",
    }
    assert read.columns["class"].entries == [["A", "B"], None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("movies.csv", "item,year\ni0,1\ni1\n", "line 3"),
        ("movies.csv", "", "is empty"),
        ("movies.xls", "item", "features are read from .csv, .tsv, .parquet, .item and .user"),
        ("movies.csv.gz", "\x1f\udc8b\x08no gzip", "is cut off: .* fetch it again"),
        ("movies.csv.gz", "no gzip", "has no column .item."),
        ("movies.csv", 'item,title\ni0,"open\ni1,x\n', "quotation mark"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: str, message: str, tmp_path: Path) -> None:
    """What is wrong with a file of features is said with its name and line, as of a file of interactions."""
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        from_frame(interactions(), items=path).features["items"].read()
    assert "movies" in str(caught.value)
    with pytest.raises(DataError, match=r"there is no file .*nowhere.csv.* with features of items"):
        from_frame(interactions(), items=tmp_path / "nowhere.csv")


def test_a_file_that_changes_under_a_run_is_refused(tmp_path: Path) -> None:
    """Its new content would be recorded under the key of the old one."""
    path = written(movies()[["item", "year"]], tmp_path / "movies.csv")
    features = from_frame(interactions(), items=path).features["items"]
    assert features.digest
    written(movies()[["item", "year"]].assign(year=7), path)
    with pytest.raises(DataError, match=r"movies.csv has changed since this run read its key"):
        features.read()


def test_the_digest_of_features_stays() -> None:
    """It is in the keys of experiments: releases and machines have to agree on it, for every type of column."""
    dataset = from_frame(interactions(), items=movies())
    assert dataset.features["items"].digest == "5b423ed4af462723e2cdd327690ff3ef413d69067eddcb159d2f859f5f6cae89"
    users = pd.DataFrame({"user": [3, 1, 2, 0], "age": [0.0, -0.0, None, 7.5]})
    assert (
        from_frame(interactions(), users=users).features["users"].digest
        == "3199326dfdcfe3a7616c01e7fa7d039ef7a73338b31735e16623cce4c36bf49f"
    )


@pytest.mark.parametrize("library", ["polars", "lazy polars", "pyarrow", "duckdb"])
def test_frames_of_other_libraries_have_the_same_features(library: str) -> None:
    """Whatever the frame, its numbers, truth values, texts, lists and dates are the same content."""
    frame = movies().assign(
        genres=[["Drama", "Action"], ["Comedy"], [], None, ["Drama"], ["Action"]],
        released=pd.Series(pd.to_datetime(["2020-01-01 00:00", "", "2021-01-01 12:00", "", "", ""])),
    )
    if library == "pyarrow":
        other: Any = pa.Table.from_pandas(frame)
    elif library == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        other = duckdb.sql("select * from frame")
    else:
        polars = pytest.importorskip("polars")
        other = polars.from_pandas(frame)
        other = other.lazy() if library == "lazy polars" else other
    expected = from_frame(interactions(), items=frame).features["items"].digest
    assert from_frame(interactions(), items=other).features["items"].digest == expected


@pytest.mark.parametrize("form", ["folder", "a.parquet.gz", "misnamed.csv"])
def test_files_of_features_come_in_every_form(form: str, tmp_path: Path) -> None:
    """A directory of Parquet files, a compressed one, and one that is compressed without saying so have the frame's key."""
    frame = pd.DataFrame({"item": [f"i{item}" for item in range(ITEMS)], "year": range(1990, 1990 + ITEMS)})
    path = tmp_path / form
    if form == "folder":
        path.mkdir()
        frame[:3].to_parquet(path / "a.parquet")
        frame[3:].to_parquet(path / "b.parquet")
    elif form == "a.parquet.gz":
        frame.to_parquet(tmp_path / "a.parquet")
        path.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    else:
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    assert from_frame(interactions(), items=path).key == from_frame(interactions(), items=frame).key


def test_files_of_features_that_cannot_be_read_are_named_with_the_line(tmp_path: Path) -> None:
    """Letters in another encoding are said with their line and what reads them, and what is cut off with what it is."""
    latin = tmp_path / "latin.csv"
    latin.write_bytes("item,title\ni0,a\ni1,é\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin.csv cannot be read as utf-8: line 3 .* pandas.read_csv\('latin.csv'"):
        _ = from_frame(interactions(), items=latin).key
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(latin.read_bytes())[:-12])
    with pytest.raises(DataError, match=r"cut.csv.gz is cut off: .*fetch it again"):
        _ = from_frame(interactions(), items=cut).key
