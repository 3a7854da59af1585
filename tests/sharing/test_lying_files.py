"""Files that are arrays and tables, and hold something else than their records say: digests prove nothing of what somebody made."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.shared_items import lists

from omnibench.errors import SharingError
from omnibench.guest.folds import RATING_DTYPE, recommendation_dtype
from omnibench.sharing.contents import check_contents
from omnibench.store.per_user import write_per_user

DATASET = {"users": 3, "items": 8}
VALUES = np.array([0.0, 0.25, np.nan])
LABEL = "NDCG@10"


def of_array(*arrays: Any) -> bytes:
    """A file of arrays, one behind the other."""
    file = io.BytesIO()
    for array in arrays:
        np.save(file, array)
    return file.getvalue()


def check_predictions(path: Path, content: bytes, rows: int = 3) -> None:
    path.write_bytes(content)
    check_contents(path, "predictions", [{"rows": rows}], DATASET)


def recommended(**columns: Any) -> bytes:
    """Lists of two items for three users, with other columns."""
    rows = np.load(io.BytesIO(lists(1)))
    for name, column in columns.items():
        rows[name] = column
    return of_array(rows)


def rated(**columns: Any) -> Any:
    """Ratings of three pairs, with other columns."""
    rows = np.zeros(3, dtype=RATING_DTYPE)
    for name, column in columns.items():
        rows[name] = column
    return rows


def test_honest_predictions_are_taken(tmp_path: Path) -> None:
    """Lists, also short ones; ratings; both; none at all."""
    check_predictions(tmp_path / "file", lists(1))
    check_predictions(tmp_path / "file", recommended(item=[[1, -1]], score=[[1.0, np.nan]]))
    check_predictions(tmp_path / "file", of_array(rated(rating=4.5)))
    check_predictions(tmp_path / "file", lists(1) + of_array(rated()))
    check_predictions(tmp_path / "file", of_array(np.zeros(0, dtype=recommendation_dtype(2))), rows=0)


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (of_array(np.zeros((3, 2), dtype=np.int32)), "rows of int32"),
        (of_array(np.zeros(3, dtype=[("user", "<i4"), ("item", "<i4"), ("score", "<f4")])), "does not write"),
        (
            of_array(np.zeros(3, dtype=[("user", "<i8"), ("item", "<i4", (2,)), ("score", "<f4", (2,))])),
            "does not write",
        ),
        (
            of_array(np.zeros(3, dtype=[("user", "<i4"), ("item", "<i4", (2,)), ("score", "<f4", (3,))])),
            "does not write",
        ),
        (of_array(np.zeros((3, 1), dtype=recommendation_dtype(2))), "does not write"),
        (recommended(user=[0, 1, 3]), "does not have"),
        (recommended(user=[-1, 0, 1]), "does not have"),
        (recommended(user=[0, 0, 1]), "in the order of the users"),
        (recommended(item=[[1, 8]]), "does not have"),
        (recommended(item=[[1, -2]]), "does not have"),
        (recommended(item=[[1, 1]]), "an item twice"),
        (recommended(score=[[1.0, np.inf]]), "no finite numbers"),
        (of_array(np.load(io.BytesIO(lists(1)))[:2]), "2 rows"),
        (of_array(rated(rating=np.nan)), "no finite numbers"),
        (of_array(rated(item=8)), "does not have"),
        (lists(1) + of_array(rated(user=3)), "does not have"),
    ],
)
def test_predictions_that_nobody_has_made(tmp_path: Path, content: bytes, flaw: str) -> None:
    """Other types, users and items that are none, an item twice, scores that no order has."""
    with pytest.raises(SharingError, match=flaw):
        check_predictions(tmp_path / "file", content)


def table(path: Path, users: Any = (0, 1, 2), values: Any = VALUES) -> dict[str, Any]:
    """Write a table of values per user as omnibench does; return the record of an evaluation that names it."""
    place = write_per_user(path, np.array(users, dtype=np.int32), {"HR@10": VALUES, LABEL: np.array(values)})
    facts = {"users": len(users), "place": {"user": place["user"], "value": place[LABEL]}}
    return {"label": LABEL, "value": 0.125, "counted": 2, **facts}


def foreign(path: Path, **options: Any) -> None:
    """Write the same table with other options of Parquet."""
    columns = {"user": np.arange(3, dtype=np.int32), "HR@10": VALUES, LABEL: VALUES}
    fields = [pa.field(name, pa.from_numpy_dtype(column.dtype), nullable=False) for name, column in columns.items()]
    pq.write_table(pa.table(list(columns.values()), schema=pa.schema(fields)), path, **options)


def test_an_honest_table_is_taken(tmp_path: Path) -> None:
    """With more than a row group, too, and where earlier formats did not say where values are."""
    path = tmp_path / "file"
    record = table(path)
    check_contents(path, "per_user", [record], DATASET)
    check_contents(path, "per_user", [{**record, "place": None}], DATASET)
    many = np.arange(20_000)
    place = write_per_user(path, many.astype(np.int32), {LABEL: many / 1e4})
    record = {"label": LABEL, "value": 0.99995, "counted": 20_000, "users": 20_000}
    record["place"] = {"user": place["user"], "value": place[LABEL]}
    check_contents(path, "per_user", [record], {"users": 20_000})


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda _: {"value": 0.5}, "not the mean"),
        (lambda _: {"value": 0.125 + 1e-6}, "not the mean"),
        (lambda _: {"counted": 3}, "2 users have a value"),
        (lambda _: {"users": 4}, "not where its record says"),
        (lambda _: {"users": 2}, "not where its record says"),
        (lambda _: {"users": 10**12}, "cannot be read"),
        (lambda record: {"place": {**record["place"], "value": [4]}}, "not where its record says"),
        (lambda record: {"place": {**record["place"], "value": [10**9]}}, "cannot be read"),
        (lambda record: {"place": {**record["place"], "value": []}}, "cannot be read"),
        (lambda record: {"place": {**record["place"], "user": record["place"]["value"]}}, "not where its record says"),
    ],
)
def test_records_that_read_something_else_in_a_table(tmp_path: Path, change: Change, flaw: str) -> None:
    """Another metric than the mean, other numbers of users, offsets at which there is something else, or nothing."""
    record = table(tmp_path / "file")
    with pytest.raises(SharingError, match=flaw):
        check_contents(tmp_path / "file", "per_user", [{**record, **change(record)}], DATASET)


def test_a_record_that_takes_the_column_of_another_metric(tmp_path: Path) -> None:
    """The values are in the table, and of the metric that the record is about they are not."""
    values = np.array([0.5, 0.75, np.nan])
    record = table(tmp_path / "file", values=values)
    path = tmp_path / "file"
    place = write_per_user(path, np.arange(3, dtype=np.int32), {"HR@10": VALUES, LABEL: values})
    with pytest.raises(SharingError, match="not where its record says"):
        check_contents(path, "per_user", [{**record, "place": {**record["place"], "value": place["HR@10"]}}], DATASET)


@pytest.mark.parametrize("users", [(0, 1, 3), (-1, 0, 1), (1, 0, 2), (0, 0, 1)])
def test_values_of_users_that_are_none(tmp_path: Path, users: Any) -> None:
    """Codes beyond the dataset's, or not in their order, whom no test would find."""
    record = table(tmp_path / "file", users)
    with pytest.raises(SharingError, match="users that the dataset does not have"):
        check_contents(tmp_path / "file", "per_user", [record], DATASET)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip", "use_dictionary": False},
        {"compression": "none", "use_dictionary": True},
        {"compression": "none", "use_dictionary": False, "column_encoding": "BYTE_STREAM_SPLIT"},
    ],
    ids=["compressed", "dictionary", "encoded"],
)
def test_tables_of_another_form(tmp_path: Path, options: dict[str, Any]) -> None:
    """What may be much larger than it looks is not even read."""
    record = table(tmp_path / "file")
    if "column_encoding" in options:
        options = {**options, "column_encoding": {LABEL: "BYTE_STREAM_SPLIT"}}
    foreign(tmp_path / "file", **options)
    with pytest.raises(SharingError, match="another form than omnibench writes"):
        check_contents(tmp_path / "file", "per_user", [record], DATASET)


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    """Wherever a byte of a table is another one, it is refused in words, or its values are what they were."""
    path = tmp_path_factory.getbasetemp() / "changed"
    record = table(path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content)
    try:
        check_contents(path, "per_user", [record], DATASET)
    except SharingError:
        return
    offset = record["place"]["value"][0]
    values = np.frombuffer(bytes(content), "<f8", 3, offset)
    assert np.nanmean(values) == pytest.approx(0.125, abs=2e-9)


def test_a_codec_that_there_is_not(tmp_path: Path) -> None:
    """Wherever 1, as which Thrift writes -1, stands in the place of a byte: pyarrow ends the process where it reads such a codec."""
    record = table(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    for position in range(len(content)):
        (tmp_path / "file").write_bytes(content[:position] + b"\x01" + content[position + 1 :])
        with suppress(SharingError):
            check_contents(tmp_path / "file", "per_user", [record], DATASET)


def test_the_matrix_of_earlier_versions(tmp_path: Path) -> None:
    """A row that there is not, values that are none, or another mean."""
    path, record = tmp_path / "file", {"label": LABEL, "value": 0.125, "counted": 2, "row": 0}
    path.write_bytes(of_array(VALUES[None]))
    check_contents(path, "per_user", [record], DATASET)
    for content, changes in (
        (of_array(VALUES[None]), {"row": 1}),
        (of_array(VALUES[None]), {"value": 0.25}),
        (of_array(np.zeros((1, 3), dtype=np.int32)), {}),
        (of_array(np.array([[0.0, 0.25, np.inf]])), {"counted": 3}),
        (of_array(np.float64(0.125)), {}),
    ):
        path.write_bytes(content)
        with pytest.raises(SharingError):
            check_contents(path, "per_user", [{**record, **changes}], DATASET)
