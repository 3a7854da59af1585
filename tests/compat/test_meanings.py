"""Where a name means something else in OmniRec than in omnibench, the moved name means what it does in OmniRec."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

import omnibench
import omnibench.compat.omnirec as moved
from omnibench.compat.omnirec.preprocess.validation import PreprocessorValidationError
from omnibench.errors import DataError


def stars(*values: float) -> moved.RecSysDataSet[moved.RawData]:
    """Return a dataset of one user who gave these ratings, a minute after each other."""
    rows = {"user": [1] * len(values), "item": range(len(values)), "rating": values}
    frame = pd.DataFrame({**rows, "timestamp": [60 * number for number in range(len(values))]})
    return moved.RecSysDataSet(moved.RawData(frame), moved.DatasetMeta(name="stars"))


def test_the_end_of_a_time_filter_is_included() -> None:
    """OmniRec keeps what happens at the very end; omnibench's end is the first moment that goes."""
    dataset = stars(1, 2, 3, 4)
    start, end = pd.Timestamp(60, unit="s"), pd.Timestamp(120, unit="s")
    assert moved.TimeFilter(start=start, end=end).process(dataset).num_interactions() == 2
    assert moved.TimeFilter(end=pd.Timestamp("1970-01-01 00:01:59.5")).process(dataset).num_interactions() == 2
    assert moved.TimeFilter(start=end, end=end).process(dataset).num_interactions() == 1
    assert moved.TimeFilter().process(dataset).num_interactions() == 4
    native = omnibench.from_frame(dataset._data.df).pipe(omnibench.TimeFilter(start, end))
    assert len(native.interactions()) == 1


@pytest.mark.parametrize(
    ("values", "fraction", "kept"),
    [
        ((1, 2, 3, 4, 5), 0.5, [2, 3, 4, 5]),  # round(6 * .5) - 1 = 2; the middle of the range would be 3
        ((1, 2, 3, 4, 5), 1.0, [5]),
        ((1, 2, 3, 4, 5), 0.0, [1, 2, 3, 4, 5]),
        ((0.5, 2, 3.5, 5), 0.7, [3.5, 5]),  # round(5.5 * .7) - .5 = 3.5
        ((-10, -2, 0, 4, 10), 0.75, [10]),  # round(20 * .75) - 10 = 5
    ],
)
def test_a_fraction_of_make_implicit_is_of_the_highest_rating(
    values: tuple[float, ...], fraction: float, kept: list[float]
) -> None:
    """The limit is round(fraction * (|highest| + |lowest|)) - |lowest|, and the ratings go."""
    dataset = stars(*values)
    implicit = moved.MakeImplicit(fraction).process(dataset)._data.df
    assert [values[item] for item in implicit["item"]] == kept
    assert list(implicit.columns) == ["user", "item", "timestamp"]


def test_an_int_of_make_implicit_is_a_rating_and_the_same_step_as_in_omnibench() -> None:
    """Results of MakeImplicit(3) are shared with omnibench's own, as their keys are the same."""
    dataset = stars(1, 3, 5)
    assert moved.MakeImplicit(3).process(dataset).recipe.key == dataset.recipe.pipe(omnibench.MakeImplicit(3)).key
    with pytest.raises(DataError, match="no fraction from 0 to 1"):
        moved.MakeImplicit(3.5).process(dataset)
    with pytest.raises(PreprocessorValidationError, match="implicit already"):
        moved.MakeImplicit(3).process(moved.MakeImplicit(3).process(dataset))


def test_a_rating_filter_leaves_data_without_ratings_alone(caplog: pytest.LogCaptureFixture) -> None:
    """OmniRec warns and goes on, also within a pipe; omnibench refuses."""
    implicit = moved.MakeImplicit(3).process(stars(1, 3, 5))
    with caplog.at_level(logging.WARNING, logger="omnirec"):
        same = moved.RatingFilter(lower=4).process(implicit)
    assert same is implicit
    assert len(same.lineage) == 1
    assert "there are no ratings" in caplog.text
    with pytest.raises(DataError, match="needs ratings"):
        implicit.recipe.pipe(omnibench.RatingFilter(lower=4))
    assert moved.RatingFilter(lower=3, upper=4).process(stars(1, 3, 4, 5)).num_interactions() == 2


def test_recall_is_capped_and_of_users_with_a_list() -> None:
    """OmniRec divides by min(k, relevant), and counts no user without a list; by hand, and as the run's metric."""
    test = pd.DataFrame({"user": [1, 1, 1, 2], "item": [10, 11, 12, 10]})
    lists = pd.DataFrame({"user": [1, 1], "item": [10, 99], "score": [2.0, 1.0], "rank": [1, 2]})
    assert moved.Recall([1, 2]).calculate(lists, test).result == {1: 1.0, 2: 0.5}
    (metric,) = moved.Evaluator(moved.Recall(2)).native().metrics
    assert metric.identity("Recall@2") == omnibench.Recall(2).under("omnirec").identity("Recall@2")


def test_a_time_based_holdout_takes_sizes_or_moments() -> None:
    """Its arguments are called validation and test; two moments are where the parts begin."""
    dataset = stars(*range(1, 11))
    sizes = moved.TimeBasedHoldout(validation=2, test=3).process(dataset)
    assert sizes.num_interactions() == {"train": 5, "val": 2, "test": 3}
    shares = moved.TimeBasedHoldout(validation=0.2, test=0.3).process(dataset)
    assert shares.num_interactions() == sizes.num_interactions()
    moments = moved.TimeBasedHoldout(validation=pd.Timestamp(300, unit="s"), test=pd.Timestamp(420, unit="s"))
    assert moments.process(dataset).num_interactions() == sizes.num_interactions()
    with pytest.raises(DataError, match="two sizes or two moments"):
        moved.TimeBasedHoldout(validation=0.1, test=pd.Timestamp(420, unit="s"))
    with pytest.raises(PreprocessorValidationError, match="needs timestamps"):
        moved.TimeBasedHoldout(1, 1).process(dataset.replace_data(moved.RawData(dataset._data.df[["user", "item"]])))
