"""The evaluator with OmniRec's methods: single evaluations, frames, files, tables, metrics of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

import omnibench
import omnibench.compat.omnirec as moved
from omnibench.errors import EvaluationError
from omnibench.results import Result

TEST = pd.DataFrame({"user": [1, 1, 2, 2, 4], "item": [10, 11, 10, 12, 10], "rating": [5.0, 3.0, 4.0, 1.0, 2.0]})
LISTS = pd.DataFrame(
    {"user": [2, 1, 1, 3, 2], "item": [99, 10, 11, 10, 12], "score": [9.0, 8.0, 7.0, 1.0, 2.0], "rank": [1, 1, 2, 1, 2]}
)


class Listed(moved.Metric):
    """Counts the first items of lists; its name and its k are in its result only."""

    def __init__(self, *, first: int = 1) -> None:
        self.first = first

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> moved.MetricResult:
        """Return how many items the first ranks have."""
        count = float((predictions["rank"] <= self.first).sum())
        return moved.MetricResult("Items listed", {self.first: count})


class Nothing(moved.Metric):
    """Is not finished."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> moved.MetricResult:
        """Return no value."""
        return moved.MetricResult("Nothing", None)  # type: ignore[arg-type]  # as OmniRec's example does


class Elsewhere(moved.RankingMetric):
    """Is a ranking metric of one's own."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> moved.MetricResult:
        """Return how many users have both a list and relevant items."""
        users = self.make_evaluable_user_dict(predictions, test)
        return moved.MetricResult("Elsewhere", dict.fromkeys(self._k_list, float(len(users))))


def test_single_evaluations_follow_omnirecs_averages() -> None:
    """Averages by hand are of users 1 and 2, with lists and relevant items; 3 has no test, 4 no list."""
    assert moved.HR([1, 2]).calculate(LISTS, TEST).result == {1: 0.5, 2: 1.0}
    assert moved.Precision([1, 2, 4]).calculate(LISTS, TEST).result == {1: 0.5, 2: 0.75, 4: 0.375}
    assert moved.Recall(2).calculate(LISTS, TEST).result == {2: 0.75}
    ndcg = moved.NDCG(2).calculate(LISTS, TEST)
    discount = 0.6309297535714575
    assert ndcg == moved.MetricResult("NDCG", {2: pytest.approx((1 + discount / (1 + discount)) / 2)})  # type: ignore[dict-item]


def test_errors_of_ratings_are_of_the_pairs_that_both_have() -> None:
    """RMSE and MAE, by hand: errors of 1 and -2; a pair without a prediction does not count, as in OmniRec."""
    predicted = pd.DataFrame({"user": [1, 2, 9], "item": [10, 10, 10], "rating": [6.0, 2.0, 3.0]})
    assert moved.MAE().calculate(predicted, TEST) == moved.MetricResult("MAE", 1.5)
    assert moved.RMSE().calculate(predicted, TEST).result == pytest.approx(2.5**0.5)


def test_the_largest_k_is_that_of_ranking_metrics() -> None:
    """max_ranking_k ignores other metrics, and is None without any ranking metric."""
    assert moved.Evaluator(moved.NDCG([5, 20]), moved.HR(10), moved.RMSE(), Listed(first=99)).max_ranking_k == 20
    assert moved.Evaluator(moved.RMSE()).max_ranking_k is None


def test_results_are_frames_by_dataset() -> None:
    """The columns are algorithm, fold, name, k and value; a rerun replaces its rows; conventions are not in names."""
    evaluator = moved.Evaluator(moved.NDCG(2), Listed(first=2))
    evaluator.run_evaluation("data-1", "mine-1", LISTS, TEST)
    evaluator.run_evaluation("data-1", "mine-1", LISTS, TEST)
    evaluator.run_evaluation("data-2", "mine-1", LISTS, TEST, fold=1)
    evaluator.add(Result("data-2", "mine-1", "", 0, {"NDCG[omnirec]@2": 0.25, "RMSE": 1.0}))
    results = evaluator.get_results()
    assert list(results) == ["data-1", "data-2"]
    assert list(results["data-1"].columns) == ["algorithm", "fold", "name", "k", "value"]
    assert results["data-1"][["fold", "name", "k"]].to_numpy().tolist() == [
        [None, "NDCG", 2],
        [None, "Items listed", 2],
    ]
    means = results["data-2"].groupby(["algorithm", "name", "k"])["value"].mean()
    assert means["mine-1", "Items listed", 2] == 5
    assert set(results["data-2"]["name"]) == {"NDCG", "Items listed", "RMSE"}


def test_saved_results_come_back_and_are_shown(tmp_path: Path) -> None:
    """A file of results, in a directory that is made, gives the same frames and tables; it is OmniRec's own form."""
    evaluator = moved.Evaluator(moved.NDCG([1, 2]), moved.RMSE())
    evaluator.add(
        Result(
            "data-1",
            "mine-1",
            "",
            None,
            {"NDCG@1": 0.5, "NDCG@2": 0.25, "RMSE": 0.9},
            label="Mine(k=1)",
            user_label="Mine",
        )
    )
    evaluator.add(Result("data-1", "mine-2", "", None, {"NDCG@1": 0.4, "NDCG@2": 0.75, "RMSE": 0.8}))
    evaluator.save_results(tmp_path / "new" / "results.json")
    records = json.loads((tmp_path / "new" / "results.json").read_text())["data-1"]
    assert records[0] == {"algorithm": "mine-1", "fold": None, "name": "NDCG", "k": 1, "value": 0.5}
    loaded = moved.Evaluator()
    loaded.load_results(tmp_path / "new" / "results.json")
    pd.testing.assert_frame_equal(loaded.get_results()["data-1"], evaluator.get_results()["data-1"], check_dtype=False)
    console = Console(width=100, record=True)
    for table in evaluator.get_tables():
        console.print(table)
    assert "Mine " in console.export_text()  # the label that the run gave
    for table in loaded.get_tables():
        console.print(table)
    text = console.export_text()
    assert "mine-1" in text
    assert "data-1: Evaluation Results" in text
    assert "*0.8000" in text  # the smaller RMSE is the better one
    assert "*0.7500" in text


@pytest.mark.parametrize("content", ["", "[1]", '{"data": 3}'])
def test_a_file_without_results_is_refused(content: str, tmp_path: Path) -> None:
    """What save_results has not written is an error that names the file."""
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(EvaluationError, match=r"results\.json holds no results"):
        moved.Evaluator().load_results(tmp_path / "results.json")


def test_a_metric_of_ones_own_is_named_by_its_result() -> None:
    """Name and list lengths come from the result; a ranking metric of one's own has the lengths that it was given."""
    evaluator = moved.Evaluator(moved.NDCG(3), Listed(first=7), Elsewhere([2, 4]))
    assert evaluator.native().labels == ["NDCG[omnirec]@3", "Items listed@7", "Elsewhere@2", "Elsewhere@4"]
    assert evaluator.max_ranking_k == 4


def test_an_unfinished_metric_is_noticed_when_it_is_used() -> None:
    """It can be given to an evaluator, as in OmniRec; evaluating with it says what it returned."""
    evaluator = moved.Evaluator(moved.RMSE(), Nothing())
    with pytest.raises(EvaluationError, match="Nothing returned None"):
        evaluator.run_evaluation("data", "mine", TEST, TEST)


def test_what_is_no_metric_is_refused() -> None:
    """A class, a number, and a metric of omnibench that OmniRec does not have are errors with the way out."""
    with pytest.raises(EvaluationError, match=r"write NDCG\(\.\.\.\)"):
        moved.Evaluator(moved.NDCG)
    with pytest.raises(EvaluationError, match="3 is no metric"):
        moved.Evaluator(3)
    with pytest.raises(EvaluationError, match="OmniRec has no MAP"):
        moved.Evaluator(omnibench.MAP(3)).native()
