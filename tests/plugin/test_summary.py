"""What the end of a run says beside its tables."""

from __future__ import annotations

import re
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


def test_a_single_fold_has_a_row_each(project: Project) -> None:
    """``-k fold_0`` shows neither mean nor standard deviation, on the terminal and in exported files."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([1, 2])})')
    result = project.run("-k", "fold_0", "--omnirec-export=results.md", "--omnirec-export=results.html")
    result.assert_outcomes(passed=2, deselected=2)
    table = result.stdout.str().partition("Evaluation Results")[2].partition("Results and predictions")[0]
    assert len(re.findall(r"^ Popular\S* +0( +\*?\d\.\d{4}){3}$", table, re.MULTILINE)) == 2
    assert not re.search(r"\bmean\b|\bstd\b", table)
    for name in ("results.md", "results.html"):
        text = (project.pytester.path / name).read_text()
        assert "All values are of fold 0." in text
        assert "Mean ±" not in text


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
