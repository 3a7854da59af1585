"""Rating metrics against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from omnibench import MAE, RMSE
from omnibench.metrics.rating import RatingMetric, errors_of

Row = tuple[int, float, float]
ratings = st.floats(-1e4, 1e4, width=32)
tables = st.lists(st.tuples(st.integers(0, 6), ratings, ratings), min_size=1, max_size=40)
PEERS = [(RMSE, root_mean_squared_error), (MAE, mean_absolute_error)]


@pytest.mark.parametrize(("metric", "peer"), PEERS, ids=["RMSE", "MAE"])
@given(table=tables)
def test_a_metric_is_what_scikit_learn_says(metric: type[RatingMetric], peer: object, table: list[Row]) -> None:
    """Over all pairs for the value, over each user's pairs for the values per user, to 1e-9."""
    assert callable(peer)
    user, truth, predicted = (np.array(column) for column in zip(*table, strict=True))
    errors = errors_of(user.astype(np.int32), truth.astype(np.float32), predicted.astype(np.float32))
    assert metric().over_pairs(errors) == pytest.approx(peer(truth, predicted), rel=1e-9, abs=1e-9)
    assert errors.users.tolist() == sorted(set(user.tolist()))
    each = [peer(truth[user == one], predicted[user == one]) for one in errors.users]
    assert metric().per_user(errors).tolist() == pytest.approx(each, rel=1e-9, abs=1e-9)


def test_the_value_weighs_pairs_not_users() -> None:
    """Three errors of 0 and one of 2 are an MAE of 0.5, whoever made them."""
    errors = errors_of(
        np.array([0, 0, 0, 1], dtype=np.int32), np.zeros(4, dtype=np.float32), np.array([0, 0, 0, 2], dtype=np.float32)
    )
    assert MAE().over_pairs(errors) == 0.5
    assert RMSE().over_pairs(errors) == 1.0
    assert MAE().per_user(errors).tolist() == [0.0, 2.0]


def test_smaller_is_better() -> None:
    """The best of a column is its smallest value; the column is named by the metric alone."""
    for metric in (RMSE(), MAE()):
        assert not metric.higher_is_better
        assert metric.labels == [metric.name]
        assert metric.identity(metric.name) == [metric.name, {}, 1]
