"""One content, one key: whatever file the rows come from, in whatever order and with whatever types."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench import (
    Apply,
    CorePruning,
    Deduplicate,
    LeaveLastOut,
    LeaveNOut,
    MakeImplicit,
    RandomCrossValidation,
    RandomHoldout,
    RatingFilter,
    RecSysDataSet,
    SessionSplit,
    StrongGeneralization,
    TimeBasedHoldout,
    TimeFilter,
    UserCrossValidation,
    UserHoldout,
    UserTimeBasedHoldout,
    from_file,
    from_frame,
)
from omnibench.data.interactions import coded_columns
from omnibench.data.sorting import sort_rows
from omnibench.data.step import Step

WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv": lambda frame, path: frame.to_csv(path, sep="\t", index=False),
    "parquet": lambda frame, path: frame.to_parquet(path),
}

rows = st.lists(
    st.tuples(
        st.integers(-3, 3),
        st.sampled_from(["x1", "x2", "y", "é"]),
        st.sampled_from([1.0, 2.5, 3.7, 4.0]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda row: (row[0], row[1]),
)


def table(dataset: RecSysDataSet) -> list[list[Any]]:
    """The rows that a dataset has, in their order, with the codes of users and items."""
    loaded = dataset.interactions()
    return [*loaded.frame().to_numpy().tolist(), loaded.user.tolist(), loaded.item.tolist()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.sampled_from(sorted(WRITERS)), st.randoms(use_true_random=False))
def test_every_form_of_the_same_rows_has_one_key(
    tmp_path: Path, content: list[tuple[Any, ...]], suffix: str, random: Any
) -> None:
    """A frame, CSV, TSV and Parquet of the same rows, shuffled, are one dataset: key, rows and codes are equal."""
    frame = pd.DataFrame(content, columns=["user", "item", "rating", "timestamp"])
    shuffled = frame.sample(frac=1.0, random_state=random.randrange(1000))
    path = tmp_path / f"rows.{suffix}"
    WRITERS[suffix](shuffled, path)
    whole, parts = from_frame(frame), from_file(path)
    assert whole.key == parts.key
    assert table(whole) == table(parts)


@pytest.mark.parametrize(
    "types",
    [
        {"user": "int32", "rating": "float32"},
        {"user": "Int64", "rating": "int64", "timestamp": "float64"},
        {"item": "category", "timestamp": "datetime64[s]"},
        {"timestamp": "datetime64[ns]", "rating": "object"},
    ],
)
def test_types_of_numbers_do_not_count(types: dict[str, str]) -> None:
    """Ratings 4 and 4.0, seconds as int, float or date, ids of any width are the same rows with the same key."""
    frame = pd.DataFrame(
        {"user": [2, 1, 1], "item": ["a", "b", "a"], "rating": [4.0, 3.0, 5.0], "timestamp": [3, 2, 1]}
    )
    moments = pd.to_datetime(frame["timestamp"], unit="s") if "datetime" in types.get("timestamp", "") else None
    typed = (frame if moments is None else frame.assign(timestamp=moments)).astype(types)
    assert from_frame(typed).key == from_frame(frame).key
    assert table(from_frame(typed)) == table(from_frame(frame))


def test_a_rating_is_the_same_in_32_bits() -> None:
    """3.7 as float32 and 3.7 in a CSV are one rating; the next number of 32 bits is another one."""
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [3.7, 0.1]})
    assert from_frame(frame.astype({"rating": "float32"})).key == from_frame(frame).key
    other = frame.assign(rating=np.nextafter(frame["rating"].astype("float32"), np.float32(9)))
    assert from_frame(other).key != from_frame(frame).key


def test_moments_within_a_second_count() -> None:
    """Events of one second stand in the order of their exact times, whatever order they came in."""
    moments = pd.to_datetime(["2020-01-01T00:00:00.750", "2020-01-01T00:00:00.250", "2020-01-01T00:00:00.000"])
    frame = pd.DataFrame({"user": [1, 1, 1], "item": ["late", "early", "first"], "timestamp": moments})
    dataset, other = from_frame(frame), from_frame(frame.iloc[::-1])
    assert dataset.pipe(LeaveLastOut(0)).key == other.pipe(LeaveLastOut(0)).key
    assert list(dataset.interactions().frame()["item"]) == ["first", "early", "late"]
    whole = frame.assign(timestamp=frame["timestamp"].dt.floor("s"))
    assert from_frame(whole).key != dataset.key


TIED = pd.DataFrame({"user": [1, 1, 1, 2, 2], "item": [3, 2, 1, 1, 2], "rating": 3.0, "timestamp": [5, 5, 5, 6, 6]})


@pytest.mark.parametrize(
    "step",
    [UserHoldout(0, 1), UserCrossValidation(2), RandomHoldout(0, 1), RandomCrossValidation(2), TimeBasedHoldout(0, 1)],
)
def test_random_splits_do_not_depend_on_the_order_of_rows(step: Step) -> None:
    """Also where several interactions have one moment, the key and the parts are the same for shuffled rows."""
    dataset, other = (from_frame(frame).pipe(step) for frame in (TIED, TIED.iloc[::-1]))
    assert dataset.key == other.key
    assert table(dataset) == table(other)


def keep_first(frame: pd.DataFrame) -> pd.DataFrame:
    """A step of the user's own."""
    return frame.drop_duplicates("user")


@pytest.mark.parametrize(
    "step",
    [
        LeaveLastOut(0),
        LeaveNOut(1, 0),
        UserTimeBasedHoldout(0, 1),
        StrongGeneralization(0, 1, 1, which="last"),
        SessionSplit(1, unknown_items=True),
        Deduplicate(),
        Apply(keep_first, version=1),
    ],
)
def test_the_order_of_rows_counts_where_it_says_what_came_last(step: Step) -> None:
    """Of several interactions of one moment the later row counts as later, so another order is another dataset."""
    dataset, other = (from_frame(frame).pipe(step) for frame in (TIED, TIED.iloc[::-1]))
    assert dataset.key != other.key
    apart = TIED.assign(timestamp=[7, 6, 5, 1, 2])
    assert from_frame(apart).pipe(step).key == from_frame(apart.iloc[::-1]).pipe(step).key


def test_the_last_of_repeated_ratings_is_that_of_the_later_row() -> None:
    """Without Deduplicate the last of a pair counts; where time does not say which that is, the order of rows does."""
    frame = pd.DataFrame({"user": [1, 1], "item": [2, 2], "rating": [5.0, 1.0]})
    dataset, other = from_frame(frame), from_frame(frame.iloc[::-1])
    assert dataset.key != other.key
    with pytest.warns(UserWarning, match="1 repeated"):
        assert dataset.interactions().frame()["rating"].tolist() == [1.0]
    with pytest.warns(UserWarning, match="1 repeated"):
        assert other.interactions().frame()["rating"].tolist() == [5.0]
    alike = frame.assign(rating=2.0)
    assert from_frame(alike).key == from_frame(alike.iloc[::-1]).key


@pytest.mark.parametrize(
    ("step", "same"),
    [
        (UserHoldout(0, 0.5), UserHoldout(0.0, 0.5)),
        (UserCrossValidation(2, validation_size=0), UserCrossValidation(2, validation_size=0.0)),
        (TimeBasedHoldout(0, 1), TimeBasedHoldout(0.0, 1)),
        (RatingFilter(3), RatingFilter(3.0)),
        (TimeFilter(5), TimeFilter(5.0)),
        (StrongGeneralization(0, 1), StrongGeneralization(0.0, 1)),
    ],
)
def test_zero_is_zero_in_arguments(step: Step, same: Step) -> None:
    """An argument written as 0 or 0.0, 3 or 3.0, means the same and has the same key."""
    assert from_frame(TIED).pipe(step).key == from_frame(TIED).pipe(same).key


@pytest.mark.parametrize(
    ("step", "identity"),
    [
        (UserHoldout(0, 0.5), '["UserHoldout", 1, {"validation_size": 0, "test_size": 0.5}]'),
        (UserHoldout(0.0, 0.5), '["UserHoldout", 1, {"validation_size": 0.0, "test_size": 0.5}]'),
        (UserCrossValidation(2, 0), '["UserCrossValidation", 1, {"num_folds": 2, "validation_size": 0}]'),
        (TimeBasedHoldout(0, 1), '["TimeBasedHoldout", 1, {"validation_size": 0, "test_size": 1}]'),
        (RatingFilter(3.0, 4), '["RatingFilter", 1, {"lower": 3.0, "upper": 4}]'),
        (TimeFilter(5.0), '["TimeFilter", 1, {"start": 5.0, "end": null}]'),
    ],
)
def test_stores_of_before_know_arguments_as_they_were_written(step: Step, identity: str) -> None:
    """Whether 0 or 0.0 stood there was part of keys: the first release wrote these texts."""
    assert json.dumps(step.as_recorded().identity) == identity


def test_a_fraction_and_a_number_stay_apart() -> None:
    """MakeImplicit(1) is a rating and MakeImplicit(1.0) a share of the range: two datasets."""
    assert from_frame(TIED).pipe(MakeImplicit(1)).key != from_frame(TIED).pipe(MakeImplicit(1.0)).key


def test_a_sorted_frame_has_the_key_that_it_always_had() -> None:
    """What was in canonical order before keeps its key: the digest of the table as it is."""
    frame = pd.DataFrame(
        {"user": [1, 1, 2], "item": ["b", "a", "c"], "rating": [3.5, 1.0, 2.0], "timestamp": [1, 2, 3]}
    )
    for dataset in (from_frame(frame), from_frame(frame).pipe(CorePruning(1))):
        assert dataset.key == dataset.as_recorded().key
    assert from_frame(frame.iloc[::-1]).key == from_frame(frame).key
    assert from_frame(frame.iloc[::-1]).as_recorded().key != from_frame(frame).key


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1.0, 2.5]), st.integers(0, 3)),
        min_size=1,
        max_size=30,
    ),
    st.booleans(),
    st.booleans(),
)
def test_rows_are_sorted_as_pandas_sorts_them(
    rows: list[tuple[int, int, float, int]], has_times: bool, in_place: bool
) -> None:
    """By user, time, item and rating; codes are given in the order of the result; ties and repeats are told."""
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]).drop(
        columns=[] if has_times else "timestamp"
    )
    coded = coded_columns({str(name): frame[name] for name in frame}, "frame")
    by = ["user", *(["timestamp"] if has_times else []), "item", "rating"]
    expected = frame.sort_values(by, kind="stable").reset_index(drop=True)
    was_sorted = frame.equals(expected)
    in_order = sort_rows(coded.rows, coded.moments, in_place=in_place)
    assert in_order.rows.frame().astype(float).equals(expected[in_order.rows.frame().columns].astype(float))
    assert in_order.rows.user_ids == expected["user"].unique().tolist()
    assert in_order.rows.item_ids == expected["item"].unique().tolist()
    ties = expected.duplicated(by[:-2])
    assert in_order.has_ties == ties.any()
    different = expected.drop_duplicates([*by[:-1], "rating"])
    assert in_order.has_tied_repeats == different.duplicated(by[:-1]).any()
    assert in_order.is_same == was_sorted


@pytest.mark.parametrize("split", [UserHoldout(0.0, 0.5), LeaveLastOut()])
def test_different_ratings_of_one_moment_keep_the_order_of_the_file(tmp_path: Path, split: Step) -> None:
    """A file's rows are sorted where they lie; which rating comes last is asked of the file once more."""
    columns = {
        "user": [2, 1, 1, 1, 2, 1],
        "item": [5, 5, 4, 5, 4, 6],
        "rating": [1.0, 4.0, 2.0, 3.0, 5.0, 1.0],
        "timestamp": [9] * 6,
    }
    frame = pd.DataFrame(columns)
    frame.to_parquet(tmp_path / "ratings.parquet")
    with pytest.warns(UserWarning, match="1 repeated"):
        of_file = from_file(tmp_path / "ratings.parquet").pipe(split).interactions()
    with pytest.warns(UserWarning, match="1 repeated"):
        assert of_file.frame().equals(from_frame(frame).pipe(split).interactions().frame())
    kept = of_file.frame()
    assert kept[(kept["user"] == 1) & (kept["item"] == 5)]["rating"].tolist() == [3.0], "the last of the file's rows"
