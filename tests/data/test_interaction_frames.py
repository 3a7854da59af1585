"""Frames of other libraries and sparse matrices: the same rows are the same dataset, whoever holds them."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from omnibench import UserHoldout, from_frame, from_split, load_dataset, register_dataset
from omnibench.data.dataset import RawData, RecSysDataSet
from omnibench.errors import DataError

FRAME = pd.DataFrame(
    {
        "user": ["ann", "ann", "bob", "007"],
        "item": [7, 2**53 + 1, -3, 7],
        "rating": [0.1, 5.0, 3.5, 1e-7],
        "timestamp": [3, 2, 1, 881250949],
    }
)
NAMES = {"user": "user_id", "item": "item_id", "rating": "stars", "timestamp": "ts"}
SAID = {own: role for role, own in NAMES.items()}


def relation_of(frame: pd.DataFrame) -> Any:
    """A query that DuckDB has not run yet."""
    return duckdb.from_arrow(pa.table(frame)).filter("true")


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": lambda frame: pl.DataFrame(frame.to_dict("list")),
    "polars, lazy": lambda frame: pl.DataFrame(frame.to_dict("list")).lazy(),
    "polars, categories": lambda frame: pl.DataFrame(frame.to_dict("list")).with_columns(pl.col("user").cast(pl.Categorical)),
    "Arrow": pa.table,
    "Arrow, dictionary": lambda frame: pa.table(frame).set_column(0, "user", pa.array(frame["user"]).dictionary_encode()),
    "Arrow, batch": pa.RecordBatch.from_pandas,
    "Arrow, reader": lambda frame: pa.table(frame).to_reader(max_chunksize=2),
    "Arrow, index": lambda frame: pa.table(frame.set_index("user")),
    "DuckDB": relation_of,
}  # fmt: skip


def rows_of(dataset: RecSysDataSet) -> list[tuple[Any, ...]]:
    data = dataset.data
    assert isinstance(data, RawData)
    return sorted(data.df.itertuples(index=False, name=None), key=repr)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_frame_is_the_same_dataset(form: str) -> None:
    """The key is that of the pandas frame, before and after a split; types of ids and 64-bit integers are kept."""
    dataset = from_frame(FORMS[form](FRAME), "shop")
    assert dataset.name == "shop"
    assert rows_of(dataset) == rows_of(from_frame(FRAME))
    assert dataset.key == from_frame(FRAME).key
    assert dataset.pipe(UserHoldout(0, 1)).key == from_frame(FRAME).pipe(UserHoldout(0, 1)).key


@pytest.mark.parametrize("form", ["polars", "polars, lazy", "Arrow", "Arrow, reader", "DuckDB"])
def test_other_names_are_mapped_in_every_form(form: str) -> None:
    """The same argument for pandas, polars, Arrow and DuckDB, so that nobody has to know how each renames a column."""
    table = FORMS[form](FRAME.rename(columns=NAMES))
    assert from_frame(table, columns=SAID).key == from_frame(FRAME).key


def test_columns_may_have_numbers_for_names() -> None:
    """As pandas gives them to what has none."""
    frame = pd.DataFrame([["ann", 7, "x"], ["bob", 8, "y"]])
    with pytest.warns(UserWarning, match="drops 2"):
        dataset = from_frame(frame, columns={0: "user", 1: "item"})
    assert dataset.key == from_frame(pd.DataFrame({"user": ["ann", "bob"], "item": [7, 8]})).key


def test_usual_names_are_guessed_and_said() -> None:
    """With the argument that says so, under which nothing is said any more; ratings and times come along."""
    frame = FRAME.rename(columns=NAMES)
    with pytest.warns(
        UserWarning,
        match=r"shop: 'user_id' is taken for the user, 'item_id' is taken for the item, 'stars' is taken for the rating, 'ts' is "
        r"taken for the timestamp.*columns=\{'user_id': 'user', 'item_id': 'item', 'stars': 'rating', 'ts': 'timestamp'\}",
    ):
        guessed = from_frame(frame, "shop")
    assert guessed.key == from_frame(FRAME).key
    frame = FRAME[["user", "item"]].rename(columns={"item": "movieId"})
    with pytest.warns(UserWarning, match=r"'movieId' is taken for the item.*columns=\{'movieId': 'item'\}"):
        assert from_frame(frame).key == from_frame(FRAME[["user", "item"]]).key


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["userId", "asin", "parent_asin"], "Of 'asin', 'parent_asin' each may be the item.*columns={'userId': 'user', 'asin': 'item'}"),
        (["user_id", "UserID", "item"], "Of 'user_id', 'UserID' each may be the user"),
        (["session_id", "item_id"], "has no column 'user'.*columns={'session_id': 'user', 'item_id': 'item'}"),
        (["a", "b"], "has no column 'user'. It has"),
    ],
)  # fmt: skip
def test_doubtful_names_are_not_guessed(names: list[str], says: str) -> None:
    """Several that may be meant, or a name that may be of something else: the error says which, and a call."""
    with pytest.raises(DataError, match=says):
        from_frame(pd.DataFrame({name: [1, 2] for name in names}))


def test_nothing_is_guessed_beside_the_usual_columns() -> None:
    """A frame with user and item is what it always was: what else it has is dropped with a warning, and its key stays."""
    with pytest.warns(UserWarning, match="drops 'stars', 'ts'.*'stars' is the rating"):
        dataset = from_frame(FRAME.rename(columns={"rating": "stars", "timestamp": "ts"}))
    assert dataset.source.columns == ("user", "item")
    with pytest.warns(UserWarning, match="drops 'stars', 'ts'"):
        said = from_frame(FRAME.rename(columns=NAMES), columns={"user_id": "user", "item_id": "item"})
    assert said.key == dataset.key == from_frame(FRAME[["user", "item"]]).key


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_dates_of_every_unit_are_the_same_moments(unit: Any) -> None:
    """Days, moments with and without a time zone, in polars and Arrow."""
    days = ["2020-01-31T12:00", "2020-01-31T13:00", "1999-01-01T00:00", "2000-01-01T00:00"]
    moments = [dt.datetime.fromisoformat(day) for day in days]
    expected = from_frame(FRAME.assign(timestamp=moments)).key
    polars = pl.DataFrame({**FRAME.drop(columns="timestamp").to_dict("list"), "timestamp": moments})
    polars = polars.with_columns(pl.col("timestamp").cast(pl.Datetime(unit)))
    assert from_frame(polars).key == expected
    zoned = polars.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"))
    assert from_frame(zoned).key == expected
    dates = polars.with_columns(pl.col("timestamp").cast(pl.Date))
    assert (
        from_frame(dates).key
        == from_frame(FRAME.assign(timestamp=pd.to_datetime([moment.date() for moment in moments]))).key
    )


def test_an_arrow_table_is_copied() -> None:
    """What changes the memory that it shares with numpy changes no dataset."""
    values = np.arange(4)
    dataset = from_frame(pa.table({"user": pa.array(values), "item": pa.array(values)}))
    values[:] = 0
    assert dataset.interactions().user_ids == [0, 1, 2, 3]


MATRIX = np.array([[0, 2.5, 0], [1, 0, 4], [0, 0, 0]])


@pytest.mark.parametrize(
    "form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array, sparse.lil_matrix, sparse.dok_array]
)
def test_the_entries_of_a_sparse_matrix_are_ratings(form: Any) -> None:
    """Rows are users and columns items, by their numbers or the ids that are given."""
    numbered = pd.DataFrame({"user": [0, 1, 1], "item": [1, 0, 2], "rating": [2.5, 1, 4]})
    assert from_frame(form(MATRIX)).key == from_frame(numbered).key
    named = numbered.assign(user=["a", "b", "b"], item=["y", "x", "z"])
    assert from_frame(form(MATRIX), user_ids="abc", item_ids=np.array(["x", "y", "z"])).key == from_frame(named).key


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
def test_a_sparse_matrix_of_ones_has_no_ratings(dtype: Any) -> None:
    """It is how implicit feedback is written; two entries of a cell are their sum, as scipy has it."""
    dataset = from_frame(sparse.csr_array((MATRIX != 0).astype(dtype)))
    assert dataset.feedback == "implicit"
    assert dataset.key == from_frame(pd.DataFrame({"user": [0, 1, 1], "item": [1, 0, 2]})).key
    doubled = sparse.coo_array(([1, 1, 1], ([0, 0, 1], [0, 0, 1])))
    assert from_frame(doubled).key == from_frame(pd.DataFrame({"user": [0, 1], "item": [0, 1], "rating": [2, 1]})).key


def test_zeros_that_a_matrix_stores_are_no_interactions() -> None:
    """That they are left out is said with their number."""
    with pytest.warns(UserWarning, match="plays stores 1 zeros, which are no interactions"):
        dataset = from_frame(sparse.coo_array(([0, 1], ([0, 1], [0, 1]))), "plays")
    assert rows_of(dataset) == [(1, 1)]


@pytest.mark.parametrize("mistake", [
    (lambda: from_frame(sparse.csr_array(MATRIX), user_ids="ab"), "has 3 rows, but user_ids has 2 ids"),
    (lambda: from_frame(sparse.csr_array(MATRIX), item_ids=["a", "b", "a"]), "item_ids has 'a' twice"),
    (lambda: from_frame(sparse.csr_array(MATRIX), columns={}), "a matrix, which has none"),
    (lambda: from_frame(sparse.csr_array(MATRIX * 1j)), "a matrix of complex128"),
    (lambda: from_frame(sparse.csr_array((3, 3))), "has no interactions"),
    (lambda: from_frame(sparse.coo_array(np.array([1, 2]))), r"has the shape \(2,\)"),
    (lambda: from_frame(sparse.csr_array(np.array([[np.nan]]))).key, "'rating' has 1 values that are no finite number"),
    (lambda: from_frame(FRAME, user_ids=["a"]), "user_ids and item_ids are for a sparse matrix"),
    (lambda: from_frame(FRAME, columns=["user", "item"]), "a frame has names; give a mapping"),  # type: ignore[arg-type]
    (lambda: from_frame(FRAME, columns={"usr": "user"}), "no column 'usr'; did you mean 'user'"),
    (lambda: from_frame(MATRIX), "got ndarray, which is no frame"),
    (lambda: from_frame([(1, 2)]), "got list, which is no frame"),
    (lambda: from_frame(type("Spark", (), {"toPandas": lambda _: FRAME})()), r"got Spark, .*give its .toPandas\(\)"),
    (lambda: from_frame(pl.DataFrame({"user": [1], "item": [2]}).lazy().select(pl.col("gone"))), "LazyFrame gives no table: .*gone"),
    (lambda: from_frame(pl.DataFrame({"user": [1, None], "item": [1, 2]})).key, r"'user' has 1 missing values \(the first in row 1\)"),
    (lambda: from_frame(pl.DataFrame({"user": [1.5], "item": [2]})).key, "no whole numbers .the first is 1.5 in row 0"),
    (lambda: from_frame(pa.table({"user": [[1]], "item": [2]})).key, "not hashable"),
    (lambda: from_frame(pa.table([[1], [2], [3]], names=["user", "item", "user"])), "the column 'user' twice"),
    (lambda: from_frame(pl.DataFrame({"user": [], "item": []})), "has no interactions"),
    (lambda: from_frame(pl.DataFrame({"user": [1], "item": [2], "timestamp": [-5]})).key, "1 counts below 0 .*-5 in row 0"),
    (lambda: from_frame(pl.DataFrame({"user": [1], "item": [2], "timestamp": [dt.date(9999, 1, 1)]})).key, "after 2200"),
])  # fmt: skip
def test_bad_input_is_named_in_every_form(mistake: tuple[Callable[[], Any], str]) -> None:
    """The same sentences as for pandas; nothing of another library's own."""
    attempt, says = mistake
    with pytest.raises(DataError, match=f"(?s){says}"):
        attempt()


def test_a_registered_loader_may_return_any_frame() -> None:
    """What from_frame takes, load_dataset takes as well."""
    register_dataset("PolarsShop", lambda: pl.DataFrame(FRAME.to_dict("list")))
    assert load_dataset("PolarsShop").key == from_frame(FRAME).key
    register_dataset("MatrixShop", lambda: sparse.csr_array(MATRIX))
    assert load_dataset("MatrixShop").key == from_frame(sparse.csr_array(MATRIX)).key


def test_no_library_is_imported_for_a_frame_of_pandas() -> None:
    """Neither polars nor DuckDB nor scipy, which a session would wait for."""
    script = (
        "import sys, pandas as pd; from omnibench import from_frame; from_frame(pd.DataFrame({'user': [1], 'item': [2]})).key; "
        "print([name for name in ('polars', 'duckdb', 'scipy') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_parts_and_features_may_be_frames_of_any_library() -> None:
    """Published splits and what is known of items take what from_frame takes, with columns of other names."""
    train, test = FRAME.iloc[:2], FRAME.iloc[2:]
    expected = from_split(train, test).key
    parts = (pl.DataFrame(part.rename(columns=NAMES).to_dict("list")) for part in (train, test))
    assert from_split(*parts, columns=SAID).key == expected
    known = pd.DataFrame({"item": [7, -3], "genre": ["pop", "rock"], "year": [1999, 2001]})
    for form in ("polars", "polars, lazy", "Arrow", "DuckDB"):
        assert from_frame(FRAME, items=FORMS[form](known)).key == from_frame(FRAME, items=known).key, form


def test_a_frame_imports_no_formats_of_files() -> None:
    """Bench files with frames of their own import neither the readers of raw files nor what opens archives."""
    code = """
import sys
from omnibench import Evaluator, ExperimentPlan, NDCG, UserHoldout, benchmark, from_frame, load_dataset
heavy = ("tarfile", "omnibench.data.catalogue", "omnibench.data.file_source", "omnibench.data.readers", "omnibench.scoring")
print([name for name in heavy if name in sys.modules])
"""
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"
