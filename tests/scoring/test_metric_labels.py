"""Metrics by their labels: what results call a column can be asked for again."""

from __future__ import annotations

import pytest

import omnibench.metrics
from omnibench import F1, HR, MAP, NDCG, RMSE, PopularityStratifiedRecall, Recall
from omnibench.errors import EvaluationError
from omnibench.metrics.base import Metric
from omnibench.scoring.labels import metric_of


@pytest.mark.parametrize(
    ("label", "metric"),
    [
        ("NDCG@10", NDCG(10)),
        ("NDCG@10,20", NDCG([10, 20])),
        ("RMSE", RMSE()),
        ("RMSE[lenskit]", RMSE().under("lenskit")),
        ("NDCG[relevant=4]@5", NDCG(5, relevant=4)),
        ("NDCG[relevant=3.5, gains=exponential]@5", NDCG(5, relevant=3.5, gains="exponential")),
        ("MAP[trec]@100", MAP(100).under("trec")),
        ("HR[relevant=4,recbole]@1", HR(1, relevant=4).under("recbole")),
        ("PopularityStratifiedRecall(beta=0.3)@5", PopularityStratifiedRecall(5, beta=0.3)),
    ],
)
def test_a_label_is_its_metric(label: str, metric: Metric) -> None:
    """With its list lengths, its relevance and its convention."""
    made = metric_of(label)
    assert [made.identity(column) for column in made.labels] == [metric.identity(column) for column in metric.labels]


def test_every_column_has_a_label_that_makes_it() -> None:
    """Of all metrics that need no more than a label says."""
    metrics = [getattr(omnibench.metrics, name) for name in omnibench.metrics.__all__]
    for made in (
        cls(10) if hasattr(cls, "relevance") else cls()
        for cls in metrics
        if cls.__name__ in vars(omnibench.metrics)
        and cls.__name__ not in ("Metric", "HitMetric", "IntraListDiversity", "FitTime", "PredictTime", "PeakMemory")
    ):
        for convention in ("omnibench", *made.peers):
            metric = made.under(convention)
            label = metric.qualified(metric.labels[0], "")
            again = metric_of(label)
            assert again.qualified(again.labels[0], "") == label
            assert again.identity(again.labels[0]) == metric.identity(metric.labels[0])


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("NDCG", "give its list length, NDCG@10"),
        ("RMSE@10", "RMSE has no list length, write RMSE"),
        ("NDCG@0", "k is 0; give integers of at least 1"),
        ("NDCG @ 10 %", "is no label of a metric; write one such as NDCG@10"),
        ("ndcg@10", "did you mean 'NDCG'"),
        ("NDCG[fast]@10", "'fast' is neither an argument, such as relevant=4, nor a convention"),
        ("NDCG[relevnat=4]@10", "but not relevnat; leave out what it does not take"),
        ("IntraListDiversity@10", "the item features are None; give a mapping from item ids"),
        ("F1[lenskit]@10", "LensKit has no F1"),
        ("PeakMemory", "is what a fit or a prediction costs"),
    ],
)
def test_what_is_no_label_is_refused(label: str, message: str) -> None:
    """With what was probably meant."""
    with pytest.raises(EvaluationError, match=message.replace("[", r"\[")):
        metric_of(label)


def test_metrics_are_compared_by_identity() -> None:
    """The labels above are told apart by it."""
    assert Recall(10).identity("Recall@10") != F1(10).identity("F1@10")
