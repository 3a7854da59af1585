"""Eval: the metrics of a file of predictions, against numbers worked out by hand and another implementation's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import log2, sqrt
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score
from support.cases import ITEMS, USERS, ranking_case

from omnibench import (
    HR,
    MAE,
    MRR,
    NDCG,
    RMSE,
    Evaluator,
    HitMetric,
    IntraListDiversity,
    ItemCoverage,
    Precision,
    Recall,
)
from omnibench.engine.evaluation import evaluate, evaluation_facts
from omnibench.errors import EvaluationError
from omnibench.experiment.evaluator import Calculator
from omnibench.guest.folds import NO_ITEM, RATING_DTYPE, recommendation_dtype
from omnibench.metrics.base import Metric
from omnibench.metrics.evaluation import Evaluation

Pairs = Sequence[tuple[int, int]]

TRAIN = [(0, 0), (1, 1), (2, 2), *((4, item) for item in range(6))]
"""User 4 makes every item known in training, and is not in the test part; user 3 is unknown in training."""
TEST = [(0, 1), (0, 2), (1, 3), (2, 4), (3, 5)]
LISTS = {0: [2, 3, 1], 1: [0, 2, 3], 2: []}
"""User 0 has hits at ranks 1 and 3, user 1 at rank 3; user 2 has an empty list and user 3 none."""


def write_dataset(directory: Path, train: Pairs, test: Pairs, ratings: Mapping[tuple[int, int], float] | None) -> None:
    """Write a prepared dataset with ids such as ``u0`` and ``i0``."""
    pairs = sorted([*train, *test])
    users, items = np.array(pairs, dtype=np.int32).T
    columns: dict[str, Any] = {"user": users, "item": items}
    if ratings is not None:
        columns["rating"] = np.array([ratings.get(pair, 3.0) for pair in pairs], dtype=np.float32)
    (directory / "fold_0").mkdir(parents=True)
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", column)
    for name, part in (("train", train), ("validation", ()), ("test", test)):
        numbers = [number for number, pair in enumerate(pairs) if pair in set(part)]
        np.save(directory / "fold_0" / f"{name}.npy", np.array(numbers, dtype=np.int64))
    counts = {"users": int(users.max()) + 1, "items": int(items.max()) + 1}
    feedback = "implicit" if ratings is None else "explicit"
    (directory / "manifest.json").write_text(json.dumps({**counts, "feedback": feedback, "columns": list(columns)}))
    for name, count in counts.items():
        (directory / f"{name}.json").write_text(json.dumps([f"{name[0]}{code}" for code in range(count)]))


@pytest.fixture
def rankings(tmp_path: Path) -> Path:
    """The lists above, in a prepared dataset."""
    write_dataset(tmp_path, TRAIN, TEST, None)
    write_lists(tmp_path, LISTS)
    return tmp_path


def write_lists(directory: Path, lists: Mapping[int, Sequence[int]], scores: Sequence[float] = (0.9, 0.8, 0.7)) -> None:
    rows = np.zeros(len(lists), dtype=recommendation_dtype(3))
    rows["item"] = NO_ITEM
    for row, (user, items) in zip(rows, sorted(lists.items()), strict=True):
        row["user"], row["item"][: len(items)], row["score"][: len(items)] = user, items, scores[: len(items)]
    np.save(directory / "predictions.npy", rows)


def evaluated(directory: Path, *metrics: Metric | Calculator, convention: str = "omnibench") -> Evaluation:
    """Evaluate the predictions that lie beside a prepared dataset."""
    columns = Evaluator(*metrics, convention=convention).columns
    return evaluate(directory, 0, directory / "predictions.npy", columns)


def values_of(evaluation: Evaluation) -> dict[str, float]:
    """Return the values by label."""
    return evaluation.values  # noqa: PD011 - no frame


def test_ranking_metrics_are_what_they_are_by_hand(rankings: Path) -> None:
    """Every user with a test item counts, without recommendations as zero; the ideal list is as long as can be."""
    evaluation = evaluated(rankings, NDCG([2, 3]), HR(3), MRR(3), Recall([2, 3]), Precision(3))
    ideal = 1 + 1 / log2(3)
    assert values_of(evaluation) == pytest.approx(
        {
            "NDCG@2": (1 / ideal) / 4,
            "NDCG@3": ((1 + 1 / 2) / ideal + 1 / 2) / 4,
            "HR@3": 2 / 4,
            "MRR@3": (1 + 1 / 3) / 4,
            "Recall@2": (1 / 2) / 4,
            "Recall@3": (1 + 1) / 4,
            "Precision@3": (2 / 3 + 1 / 3) / 4,
        }
    )
    assert list(values_of(evaluation)) == ["NDCG@2", "NDCG@3", "HR@3", "MRR@3", "Recall@2", "Recall@3", "Precision@3"]
    assert evaluation.users.tolist() == [0, 1, 2, 3]
    per_user = evaluation.values_per_user()
    assert per_user["MRR@3"].tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert per_user["Recall@2"].tolist() == [0.5, 0, 0, 0]


def test_means_have_a_standard_error_and_an_interval(rankings: Path) -> None:
    """Over users: the sample's standard deviation by the root of their number; the interval is around the mean."""
    evaluation = evaluated(rankings, HR(3))
    assert evaluation.stderr["HR@3"] == pytest.approx(sqrt((4 * 0.5**2) / 3) / sqrt(4))
    low, high = evaluation.interval["HR@3"]
    assert 0 <= low < 0.5 < high <= 1


def test_a_metric_does_not_depend_on_what_is_evaluated_with_it(rankings: Path) -> None:
    """A metric that is added later gets the numbers that it would have had at first, to the last digit."""
    together = evaluated(rankings, NDCG([2, 3]), ItemCoverage(3), MRR(3), HR(3))
    for metric in (NDCG(2), MRR(3), HR(3)):
        alone = evaluated(rankings, metric)
        (label,) = values_of(alone)
        assert values_of(alone)[label] == values_of(together)[label]
        assert alone.interval[label] == together.interval[label]
        assert alone.stderr[label] == together.stderr[label]


def test_what_no_single_user_has_has_no_values_per_user(rankings: Path) -> None:
    """The share of the catalogue that is recommended to anybody: neither error nor interval, nor a column."""
    evaluation = evaluated(rankings, HR(3), ItemCoverage(3))
    assert values_of(evaluation)["ItemCoverage@3"] == pytest.approx(4 / 6)
    assert list(evaluation.stderr) == list(evaluation.interval) == ["HR@3"]
    assert list(evaluation.values_per_user()) == ["HR@3"]
    assert np.isnan(evaluation.per_user[1]).all()


def of_even_users(hits: npt.NDArray[np.bool_], _relevant: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Count hits, of every other user only."""
    values: npt.NDArray[np.float64] = hits.sum(axis=1).astype(np.float64)
    values[1::2] = np.nan
    return values


def of_nobody(hits: npt.NDArray[np.bool_], _relevant: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Count for no user."""
    return np.full(len(hits), np.nan)


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
def test_users_who_do_not_count_are_left_out(rankings: Path) -> None:
    """A value that is defined for nobody is recorded as none."""
    evaluation = evaluated(rankings, HitMetric(of_even_users, 3), HitMetric(of_nobody, 3))
    assert values_of(evaluation)["of_even_users@3"] == (2 + 0) / 2
    assert evaluation.stderr["of_even_users@3"] == pytest.approx(1.0)
    assert "of_nobody@3" not in evaluation.stderr
    facts = evaluation_facts(evaluation, {"user": [4], "of_even_users@3": [20]})
    assert facts["of_nobody@3"] == {
        "value": None,
        "stderr": None,
        "interval": None,
        "users": 4,
        "counted": 0,
        "place": None,
    }
    assert facts["of_even_users@3"] == {
        "value": 1.0,
        "stderr": evaluation.stderr["of_even_users@3"],
        "interval": list(evaluation.interval["of_even_users@3"]),
        "users": 4,
        "counted": 2,
        "place": {"user": [4], "value": [20]},
    }


def test_another_convention_breaks_ties_in_its_own_way(rankings: Path) -> None:
    """By item code with us, by the item's name from the end of the alphabet in trec_eval."""
    write_lists(rankings, {0: [0, 2, 5], 1: [0, 2, 5], 2: [0, 1, 5]}, scores=(0.5, 0.5, 0.1))
    assert values_of(evaluated(rankings, HR(1))) == {"HR@1": 0}
    assert values_of(evaluated(rankings, HR(1), convention="trec")) == {"HR@1": 1 / 4}  # user 0's item i2 comes first
    both = [(metric, "HR@1" if metric.convention == "trec" else "HR@2") for metric in (HR(1).under("trec"), HR(2))]
    assert values_of(evaluate(rankings, 0, rankings / "predictions.npy", both)) == {"HR@1": 1 / 4, "HR@2": 1 / 4}


class Frames:
    """Keeps the frames that it is given."""

    seen: ClassVar[list[tuple[pd.DataFrame, pd.DataFrame]]] = []

    def __init__(self) -> None:
        self.k = [1, 3]

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> dict[int, float]:
        """Count rows."""
        self.seen.append((predictions, test))
        return {k: float((predictions["rank"] <= k).sum()) for k in self.k}


def test_classes_of_the_users_own_get_frames_with_their_ids_once(rankings: Path) -> None:
    """However many list lengths they answer for; the columns stay in the order in which they are wanted."""
    Frames.seen.clear()
    evaluation = evaluated(rankings, HR(3), Frames(), MRR(3))
    assert values_of(evaluation) == {"HR@3": 0.5, "Frames@1": 2, "Frames@3": 6, "MRR@3": pytest.approx(1 / 3)}
    assert list(values_of(evaluation)) == ["HR@3", "Frames@1", "Frames@3", "MRR@3"]
    ((predictions, test),) = Frames.seen
    assert predictions["user"].tolist() == ["u0"] * 3 + ["u1"] * 3
    assert predictions["item"].tolist() == ["i2", "i3", "i1", "i0", "i2", "i3"]
    assert predictions["rank"].tolist() == [1, 2, 3] * 2
    assert predictions["score"].tolist() == pytest.approx([0.9, 0.8, 0.7] * 2)
    assert list(zip(test["user"], test["item"], strict=True)) == [(f"u{user}", f"i{item}") for user, item in TEST]


def test_rating_metrics_are_what_they_are_by_hand(tmp_path: Path) -> None:
    """The value is over all test pairs, the values per user over each user's; classes of the user's own see ratings."""
    truth = {(0, 1): 4.0, (0, 2): 2.0, (1, 0): 5.0}
    write_dataset(tmp_path, [(0, 0), (1, 1), (1, 2)], list(truth), truth)
    rows = np.zeros(3, dtype=RATING_DTYPE)
    rows["user"], rows["item"] = np.array(list(truth), dtype=np.int32).T
    rows["rating"] = [3.0, 2.0, 3.0]  # wrong by 1, 0 and 2
    np.save(tmp_path / "predictions.npy", rows)
    evaluation = evaluated(tmp_path, RMSE(), MAE(), Bias())
    assert values_of(evaluation) == pytest.approx({"RMSE": sqrt((1 + 0 + 4) / 3), "MAE": 3 / 3, "Bias": -3 / 3})
    assert evaluation.users.tolist() == [0, 1]
    per_user = evaluation.values_per_user()
    assert per_user["MAE"].tolist() == [0.5, 2.0]
    assert per_user["RMSE"].tolist() == pytest.approx([sqrt(1 / 2), 2.0])
    assert list(per_user) == ["RMSE", "MAE"]


class Bias:
    """By how much ratings are predicted too high."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        """Return the mean difference."""
        pairs = predictions.merge(test, on=["user", "item"], suffixes=("_predicted", "_true"))
        return float((pairs["rating_predicted"] - pairs["rating_true"]).mean())


def test_a_metric_that_lacks_features_says_so(rankings: Path) -> None:
    """A metric names a recommended item that lacks features."""
    with pytest.raises(EvaluationError, match="IntraListDiversity"):
        evaluated(rankings, IntraListDiversity({f"i{item}": {"tag"} for item in (0, 1, 2)}, 3))


def test_ndcg_is_that_of_scikit_learn(tmp_path: Path) -> None:
    """Over sixty users with lists of full length, user by user."""
    case = ranking_case(tmp_path, full=True)
    relevance, score = np.zeros((USERS, ITEMS)), np.zeros((USERS, ITEMS))
    relevance[case.fold.test.user, case.fold.test.item] = 1
    for row in case.rows:
        score[row["user"], row["item"]] = np.arange(len(row["item"]), 0, -1)
    evaluation = case.evaluate(NDCG([1, 5, 20]))
    users = evaluation.users
    for label, values in evaluation.values_per_user().items():
        k = int(label.partition("@")[2])
        expected = [ndcg_score(relevance[[user]], score[[user]], k=k, ignore_ties=True) for user in users.tolist()]
        assert values.tolist() == pytest.approx(expected, abs=1e-9)
        assert values_of(evaluation)[label] == pytest.approx(float(np.mean(expected)), abs=1e-9)
