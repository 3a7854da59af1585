"""Evaluator: the wanted columns, and the results that a run fills in."""

from __future__ import annotations

import pandas as pd
import pytest

from omnibench import HR, MAE, NDCG, RMSE, Evaluator, FitTime, Gini, SampledNegatives
from omnibench.errors import EvaluationError
from omnibench.results import Result


def result(algorithm: str = "A-1", fold: int | None = 0, **metrics: float) -> Result:
    return Result(
        "D-1", algorithm, f"{algorithm}()", fold, {name.replace("_", "@"): one for name, one in metrics.items()}
    )


def test_columns_stand_in_the_order_given_and_once() -> None:
    """The same column twice counts once."""
    evaluator = Evaluator(NDCG([10, 20]), HR(10), NDCG(10))
    assert evaluator.labels == ["NDCG@10", "NDCG@20", "HR@10"]
    assert Evaluator(RMSE(), MAE()).lower_is_better == ["RMSE", "MAE"]
    assert evaluator.lower_is_better == []


def test_lists_are_as_long_as_the_largest_k_but_at_least_twenty() -> None:
    """The default of 20 suffices for smaller metrics."""
    assert Evaluator(NDCG([5, 10])).list_length == 20
    assert Evaluator(NDCG([5, 50]), HR(100)).list_length == 100
    assert Evaluator(RMSE()).list_length == 20


@pytest.mark.parametrize("given", [NDCG, "NDCG@10", [NDCG(10)], None])
def test_what_is_no_metric_is_refused(given: object) -> None:
    """A class gets the hint to call it."""
    with pytest.raises(EvaluationError, match="is no metric" + (r"; write NDCG\(...\)" if given is NDCG else "")):
        Evaluator(given)  # type: ignore[arg-type]


def test_a_result_of_the_same_item_replaces_the_earlier_one() -> None:
    """What is shown is what came last, at the place of the first."""
    evaluator = Evaluator(NDCG(10))
    for one in (result(NDCG_10=0.1), result(fold=1, NDCG_10=0.2), result(NDCG_10=0.3)):
        evaluator.add(one)
    assert [one["NDCG@10"] for one in evaluator.results] == [0.3, 0.2]


def test_a_missing_metric_names_the_nearest() -> None:
    """result["NDCG@1"] says what there is."""
    with pytest.raises(KeyError, match=r"did you mean 'NDCG@10'.*there are NDCG@10, HR@10"):
        result(NDCG_10=0.1, HR_10=0.2)["NDCG@1"]


def test_the_frame_has_a_row_per_metric() -> None:
    """Fold and k are missing where there is none, and stay whole numbers where there are."""
    evaluator = Evaluator(NDCG(10), RMSE())
    evaluator.add(result(NDCG_10=0.25))
    evaluator.add(result("B-1", None, RMSE=0.9))
    expected = pd.DataFrame(
        [("D-1", "A-1", "A-1()", 0, "NDCG", 10, 0.25), ("D-1", "B-1", "B-1()", None, "RMSE", None, 0.9)],
        columns=["dataset", "algorithm", "configuration", "fold", "metric", "k", "value"],
    ).astype({"fold": "Int64", "k": "Int64"})
    pd.testing.assert_frame_equal(evaluator.to_frame(), expected)


def test_without_results_frame_and_tables_are_empty() -> None:
    """Nothing computed is no error."""
    assert Evaluator(NDCG(10)).to_frame().empty
    assert Evaluator(NDCG(10)).get_tables() == []


def test_columns_under_a_convention_are_called_after_it() -> None:
    """In every list of columns alike; a result finds them by their plain name as long as that is clear."""
    with pytest.warns(UserWarning, match="inconsistent"):
        policy = SampledNegatives(10, seed=1)
    evaluator = Evaluator(NDCG(10), Gini(5), FitTime(), convention="lenskit", candidates=policy)
    note = "[lenskit, 10 negatives, seed 1]"
    assert evaluator.labels == [f"NDCG{note}@10", f"Gini{note}@5", "FitTime"]
    assert evaluator.lower_is_better == [f"Gini{note}@5", "FitTime"]
    assert evaluator.costs == ["FitTime"]
    assert Evaluator(RMSE(), convention="lenskit", candidates=policy).labels == ["RMSE[lenskit]"]
    both = Result("D-1", "A-1", "A", None, {"NDCG[lenskit]@10": 0.5, "NDCG[trec]@10": 0.25, "HR[trec]@10": 1.0})
    assert both["HR@10"] == both["HR[trec]@10"] == 1.0
    with pytest.raises(KeyError, match="there is no 'NDCG@10'"):
        both["NDCG@10"]


def test_an_evaluator_shows_what_it_has() -> None:
    """An evaluator shows its metrics while there are no results, then the tables; names are escaped, and marks stay."""
    with pytest.warns(UserWarning, match="sampled negatives"):
        evaluator = Evaluator(NDCG(10), HR(10), convention="omnirec", candidates=SampledNegatives(5))
    assert repr(evaluator).startswith("<Evaluator NDCG")
    assert "convention omnirec; SampledNegatives(" in repr(evaluator)
    assert repr(evaluator).endswith("; no results yet>")
    assert evaluator._repr_html_().startswith("<div>&lt;Evaluator NDCG")
    evaluator = Evaluator(NDCG(10))
    for name, value in (("<i>A</i>-1", 0.25), ("B-1", 0.5)):
        evaluator.add(Result("D<script>-1", name, f"{name[:-2]}()", None, {"NDCG@10": value}))
    assert "D<script>-1: Evaluation Results" in repr(evaluator)
    assert "*0.5000" in repr(evaluator)
    markup = evaluator._repr_html_()
    assert "<i>A" not in markup
    assert "D&lt;script&gt;-1" in markup
    assert "<script>" not in markup
    assert "*0.5000" in markup
