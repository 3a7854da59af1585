"""Lists of a store scored again: the numbers of its own runs, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.cases import Case, ranking_case, rating_case, tags_of_items
from support.projects import Project

import omnibench
from omnibench import (
    AUC,
    F1,
    HR,
    MAE,
    MAP,
    MRR,
    NDCG,
    R2,
    RMSE,
    AveragePopularity,
    Gini,
    IntraListDiversity,
    ItemCoverage,
    Novelty,
    PopularityStratifiedRecall,
    Precision,
    Recall,
    RecallCapped,
    RPrecision,
    ShannonEntropy,
    UserCoverage,
    score,
)
from omnibench.data.dataset import RecSysDataSet
from omnibench.engine.exported_predictions import decoded
from omnibench.guest.parts import Part
from omnibench.metrics.base import Metric
from omnibench.store.per_user import read_per_user

K = [1, 5, 20]
RANKINGS: dict[str, list[Metric]] = {
    "omnibench": [
        *(metric(K) for metric in (NDCG, HR, Recall, RecallCapped, Precision, F1, MRR, MAP, RPrecision, AUC)),
        *(metric(K) for metric in (ItemCoverage, UserCoverage, Gini, Novelty, AveragePopularity)),
        PopularityStratifiedRecall(K),
        IntraListDiversity(tags_of_items(), K),
        NDCG(K, gains="rating"),
        HR(K, relevant=4),
    ],
    "recbole": [NDCG(K), Recall(K), MRR(K), MAP(K), Precision(K), AveragePopularity(K)],
    "omnirec": [NDCG(K), HR(K), Recall(K), Precision(K)],
    "lenskit": [NDCG(K), HR(K), Recall(K), Precision(K), MRR(K), MAP(K), Gini(K)],
    "trec": [NDCG(K), HR(K), Recall(K), Precision(K), MRR(K), MAP(K), RPrecision(K)],
}


def frame(part: Part) -> pd.DataFrame:
    columns = {"user": part.user, "item": part.item, "rating": part.rating}
    return pd.DataFrame({name: column for name, column in columns.items() if column is not None})


def predictions(case: Case) -> pd.DataFrame:
    return pd.DataFrame(decoded(case.directory, case.rows)).infer_objects()


@pytest.mark.parametrize("convention", RANKINGS)
@pytest.mark.parametrize("full", [True, False])
def test_lists_have_the_values_of_an_evaluation(convention: str, full: bool, tmp_path: Path) -> None:
    """Every metric under every convention, of full lists and of those with every edge."""
    case = ranking_case(tmp_path, full=full, rated=True)
    metrics = [metric.under(convention) for metric in RANKINGS[convention]]
    expected = case.evaluate(*metrics)
    fold = case.fold
    scores = score(
        predictions(case), frame(fold.test), *metrics, train=frame(fold.train), validation=frame(fold.validation)
    )
    assert [value.hex() for value in scores.values.values()] == [value.hex() for value in expected.values.values()]
    assert list(scores.intervals.values()) == list(expected.interval.values())
    assert list(scores.stderr.values()) == list(expected.stderr.values())
    assert scores.users == expected.users.tolist()


def test_ratings_have_the_values_of_an_evaluation(tmp_path: Path) -> None:
    """As predicted in 32 bits, in the order of the test part."""
    case = rating_case(tmp_path)
    for convention, metrics in {"omnibench": (RMSE(), MAE(), R2()), "lenskit": (RMSE(), MAE())}.items():
        expected = case.evaluate(*(metric.under(convention) for metric in metrics))
        scores = score(predictions(case), frame(case.fold.test), *metrics, convention=convention)
        assert list(scores.values.values()) == list(expected.values.values())


PLAN = """
plan.add_algorithm(Popular)
plan.add_algorithm(Flat)
"""

METRICS = "NDCG([5, 10]), HR(10), ItemCoverage(10), Novelty(10), AUC(20), ShannonEntropy(10), Serendipity(10), Gini(5), Recall(10)"


@pytest.fixture
def measured(project: Project) -> Project:
    """A store of two algorithms in two folds."""
    project.bench(PLAN, METRICS)
    own = project.pytester.path / "own_algorithms.py"
    own.write_text(
        own.read_text()
        + "\n\nclass Flat(Popular):\n    def recommend(self, users, k):\n"
        + "        return {user: self.items[::-1][:k] for user in users}\n"
    )
    project.first_run().assert_outcomes(passed=4)
    return project


def data_of(project: Project) -> RecSysDataSet:
    """Return the dataset of a project's bench file, without its algorithms."""
    bench = (project.pytester.path / "bench_tiny.py").read_text()
    head, _, rest = bench.partition("from own_algorithms import *")
    namespace: dict[str, Any] = {}
    exec(head + rest.partition("plan =")[0], namespace)
    dataset: RecSysDataSet = namespace["data"]
    return dataset


def test_predictions_of_a_store_have_its_numbers(measured: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """predictions.json against the bench file's own dataset: every metric, also where ties go by the order of items."""
    monkeypatch.chdir(measured.pytester.path)
    data, metrics = data_of(measured), eval(f"[{METRICS}]", {name: getattr(omnibench, name) for name in dir(omnibench)})
    store = omnibench.open_store()
    records = store.records()
    items = [record for key, record in records.items() if key.startswith("item/")]
    assert len(items) == 4
    for item in items:
        scores = score(Path("checkpoints", item["directory"], "predictions.json"), data, *metrics, fold=item["fold"])
        assert dict(scores.values) == {label: metric["value"] for label, metric in item["metrics"].items()}
        assert not scores.notes
        for label in scores.per_user_labels:
            evaluation = records[f"eval/{item['metrics'][label]['key']}"]
            values = scores.values_of(label)
            assert read_per_user(store.root, evaluation)[1].tolist() == values[~np.isnan(values)].tolist()


def test_entropy_differs_in_its_last_bit_at_most(tmp_path: Path) -> None:
    """Its sum is in the order of the items, which a table alone does not tell."""
    case = ranking_case(tmp_path, full=True)
    expected = case.evaluate(ShannonEntropy(K))
    scores = score(predictions(case), frame(case.fold.test), ShannonEntropy(K))
    assert list(scores.values.values()) == pytest.approx(list(expected.values.values()), rel=1e-14)
