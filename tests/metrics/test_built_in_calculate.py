"""Built-in metrics answer ``calculate(predictions, test)``, as metrics of users' own do."""

from __future__ import annotations

from math import log2
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.cases import ranking_case, rating_case, tags_of_items

import omnibench.metrics
from omnibench import MAE, NDCG, RMSE, Evaluator, HitMetric, IntraListDiversity, Novelty
from omnibench.engine.exported_predictions import decoded
from omnibench.errors import EvaluationError
from omnibench.guest.parts import Part
from omnibench.metrics.examples import ranking_example, rating_example
from omnibench.metrics.ranking_metric import RankingMetric

LISTS = pd.DataFrame({"user": [1, 1, 2], "item": [5, 6, 5], "rank": [1, 2, 1]})
TEST = pd.DataFrame({"user": [1, 2, 3], "item": [6, 5, 9], "rating": [3.0, 4.0, 5.0]})
K = [1, 5, 20]
RANKINGS = [
    IntraListDiversity(tags_of_items(), K) if name == "IntraListDiversity" else definition(K)
    for name in omnibench.metrics.__all__
    if isinstance(definition := getattr(omnibench.metrics, name), type)
    and issubclass(definition, RankingMetric)
    and definition is not HitMetric
]


def frame(part: Part) -> pd.DataFrame:
    columns = {"user": part.user, "item": part.item, "rating": part.rating}
    return pd.DataFrame({name: column for name, column in columns.items() if column is not None})


def first_hit(hits: Any, relevant: Any) -> Any:
    return hits[:, 0]


def test_the_answer_has_a_number_for_each_k() -> None:
    """A user without a list counts as zero; what is judged by ratings reads those of the test part."""
    assert NDCG([1, 2]).calculate(LISTS, TEST) == {1: pytest.approx(1 / 3), 2: pytest.approx((1 / log2(3) + 1) / 3)}
    assert NDCG(2, relevant=4).calculate(LISTS, TEST) == {2: 0.5}
    assert HitMetric(first_hit, 1).calculate(LISTS, TEST) == {1: pytest.approx(1 / 3)}
    assert NDCG(2, relevant=6).calculate(LISTS, TEST) == {2: pytest.approx(float("nan"), nan_ok=True)}
    assert MAE().calculate(TEST.assign(rating=3.0), TEST) == 1


@pytest.mark.parametrize("metric", RANKINGS, ids=lambda metric: metric.name)
def test_every_metric_of_lists_has_the_values_of_an_evaluation(metric: RankingMetric, tmp_path: Path) -> None:
    """Of all lists with every edge; and exactly those that say so cannot do without the training part."""
    case = ranking_case(tmp_path, full=False, rated=True)
    predictions, test = pd.DataFrame(decoded(case.directory, case.rows)).infer_objects(), frame(case.fold.test)
    # The case has items in no part at all, which recbole's coverage counts, and no table has.
    peers = metric.peers - ({"recbole"} if metric.name in ("ItemCoverage", "Gini") else set())
    for convention in ("omnibench", *sorted(peers)):
        followed = metric.under(convention)
        expected = list(case.evaluate(followed).values.values())
        parts = (frame(case.fold.train), frame(case.fold.validation))
        values = followed.calculate(predictions, test, *parts)
        assert list(values) == K
        if metric.name != "Serendipity":  # whose ties go by the order of the items
            assert list(values.values()) == pytest.approx(expected, rel=1e-14)
        if metric.needs_training:
            with pytest.raises(EvaluationError, match=f"{metric.name} is made of what is known in training"):
                followed.calculate(predictions, test)
        elif metric.name != "ShannonEntropy":
            assert followed.calculate(predictions, test) == values


def test_ratings_have_the_values_of_an_evaluation(tmp_path: Path) -> None:
    """Over the pairs of the test part."""
    case = rating_case(tmp_path)
    predictions = pd.DataFrame(decoded(case.directory, case.rows)).infer_objects()
    for metric in (RMSE(), MAE(), RMSE().under("lenskit")):
        assert metric.calculate(predictions, frame(case.fold.test)) == case.evaluate(metric).values[metric.name]


def test_the_examples_for_own_metrics_do_for_built_in_ones() -> None:
    """The frames are those that own metrics are given."""
    assert NDCG(5).calculate(*ranking_example())[5] > 0
    assert RMSE().calculate(*rating_example()) > 0


def test_what_is_missing_is_said() -> None:
    """A column, or the training part."""
    with pytest.raises(EvaluationError, match="predictions has no predicted ratings"):
        RMSE().calculate(LISTS, TEST)
    with pytest.raises(EvaluationError, match=r"give the training part, calculate\(predictions, test, train\)"):
        Novelty(5).calculate(LISTS, TEST)


def test_an_evaluator_takes_it_for_what_it_is() -> None:
    """Having calculate does not make an own metric of it."""
    assert Evaluator(NDCG(5)).columns[0][0].kind == "ranking"


@pytest.mark.parametrize(("tables", "message"), [
    (("lists.csv", TEST), "predictions is 'lists.csv'; give calculate a pandas frame. omnibench.score takes files"),
    ((LISTS, Path("test.csv")), r"test is PosixPath\('test.csv'\); give calculate a pandas frame"),
    (([[1, 2]], TEST), "predictions is a list; give calculate a pandas frame"),
])  # fmt: skip
def test_what_is_no_frame_is_refused(tables: tuple[Any, Any], message: str) -> None:
    """With the function that takes files."""
    for metric in (NDCG(5), RMSE()):
        with pytest.raises(EvaluationError, match=message):
            metric.calculate(*tables)
