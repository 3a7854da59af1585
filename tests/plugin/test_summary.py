"""What the end of a run says beside its tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from support.projects import Project

from omnibench import NDCG, Evaluator, HitMetric
from omnibench.plugin import state
from omnibench.plugin.summary import Summary


def weighed(hits: Any, relevant: Any, weight: float = 1.0) -> Any:
    return weight * hits.any(axis=1) * np.minimum(relevant, 1)


def test_a_column_of_two_metrics_is_said() -> None:
    """One would stand in the other's place; on different datasets, they are in different tables."""

    def item(dataset: str, *metrics: Any) -> Any:
        evaluator = Evaluator(*metrics)
        experiment = SimpleNamespace(dataset=SimpleNamespace(key=dataset))
        return SimpleNamespace(parent=object(), evaluator=evaluator, experiment=experiment)

    def ambiguous(*items: Any) -> list[str]:
        config: Any = SimpleNamespace(stash={state.session_key: SimpleNamespace(items=items)})
        return Summary(config)._ambiguous()

    single, double = HitMetric(weighed, [3, 5]), HitMetric(weighed, 5, weight=2.0)
    assert ambiguous(item("a", NDCG(5), single), item("a", NDCG(5), double)) == ["weighed@5"]
    assert ambiguous(item("a", NDCG(5), single), item("b", double), item("a", single)) == []


def test_a_metric_that_no_item_has_is_said(project: Project) -> None:
    """It has no column: one sentence says so, and what measures it; also when the table was to be sorted by it."""
    project.bench(metrics="NDCG(5), PeakMemory()")
    arguments = ("--omnirec-track=none", "--omnirec-sort=PeakMemory")
    for expected in ("passed", "cached"):
        result = project.run(*arguments)
        result.stdout.fnmatch_lines(
            [
                " Algorithm *NDCG@5",
                (
                    "PeakMemory: no item has a value of it, so there is no such column, and nothing is sorted by it "
                    "(--omnirec-sort); --omnirec-track says what is measured"
                ),
                f"*2 {expected}*",
            ]
        )
    assert "no such column" not in project.run("-k", "nothing").stdout.str()
    project.bench(metrics="NDCG(5)")
    assert "no such column" not in project.run().stdout.str()
