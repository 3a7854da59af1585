"""What the host does after an epoch: it measures what it is sent, tells of it, and judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from support.cases import ranking_case

from omnibench.engine.epochs import EpochMetric, answering
from omnibench.engine.evaluation import epoch_metric, evaluate
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.outputs import Outputs
from omnibench.guest import VALIDATION
from omnibench.guest.folds import NO_ITEM
from omnibench.metrics import NDCG

LISTS = Outputs(lists=True, ratings=False)


def test_a_judge_is_asked_of_every_epoch_but_the_last() -> None:
    """With its number and value; who has trained all epochs has nothing to gain from being pruned."""
    asked: list[tuple[int, float]] = []
    shown: list[dict[str, Any]] = []

    def judge(epoch: int, value: float) -> bool:
        asked.append((epoch, value))
        return value < 0.2

    answer = answering(judge, None, shown.append)
    questions = [
        {"epoch": epoch, "epochs": 4, "validation": value} for epoch, value in enumerate((0.5, 0.1, 0.3, 0.1), 1)
    ]
    answers = [answer({"progress": question, "asks": True}) for question in questions]
    assert [each["stop"] for each in answers] == [False, True, False, False]
    assert asked == [(1, 0.5), (2, 0.1), (3, 0.3)]
    assert shown == questions


def test_predictions_are_measured_and_told() -> None:
    """The value goes to the guest, to who watches, and to the judge; without a judge nothing stops."""
    measured: list[Path] = []
    shown: list[dict[str, Any]] = []

    def measure(predictions: Path) -> float:
        measured.append(predictions)
        return 0.75

    answer = answering(None, EpochMetric("NDCG@10", 10, LISTS, measure), shown.append)
    question = {"progress": {"epoch": 1, "epochs": 4, "loss": 2.0}, "asks": True, "predictions": "rows.npy"}
    assert answer(question) == {"value": 0.75, "stop": False}
    assert measured == [Path("rows.npy")]
    assert shown == [{"epoch": 1, "epochs": 4, "loss": 2.0, "validation": 0.75}]


def test_an_epoch_is_measured_as_a_trial_is(tmp_path: Path) -> None:
    """By the metric of the search, on the validation part."""
    case = ranking_case(tmp_path, full=False)
    metric = NDCG(10)
    predictions = case.directory / "predictions.npy"
    expected = evaluate(case.directory, 0, predictions, [(metric, "NDCG@10")], judged=VALIDATION)
    by_test = evaluate(case.directory, 0, predictions, [(metric, "NDCG@10")])
    value = epoch_metric(case.directory, 0, metric, "NDCG@10", 20, LISTS).measure(predictions)
    assert {"NDCG@10": value} == vars(expected)["values"] != vars(by_test)["values"]


class OwnRecall:
    """A metric of a user's own, calculated from frames with the user's ids."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        """Return which share of the judged pairs was recommended."""
        lists, pairs = (set(zip(frame["user"], frame["item"], strict=True)) for frame in (predictions, test))
        return len(lists & pairs) / len(pairs) if pairs else 0.0


def test_a_metric_of_the_users_own_gets_the_validation_part(tmp_path: Path) -> None:
    """In the place of the test part, as a frame: so that a search may choose by it, too."""
    case = ranking_case(tmp_path, full=False)
    rows, validation = case.rows.copy(), case.fold.validation
    user = int(rows["user"][(rows["item"] != NO_ITEM).all(axis=1)][0])
    recommended = rows["item"][rows["user"] == user]
    recommended[0, 0] = validation.item[validation.user == user][0]
    rows["item"][rows["user"] == user] = recommended
    np.save(tmp_path / "rows.npy", rows)
    columns = Evaluator(OwnRecall()).columns
    values = vars(evaluate(tmp_path, 0, tmp_path / "rows.npy", columns, judged=VALIDATION))["values"]
    assert list(values.values()) == [1 / len(validation)]
