"""Metrics by group in a run: a column a group, found again by the next run, compared and gated as any other."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from support.projects import Project

from omnibench import NDCG, Evaluator, compare_configurations, compare_with_best, open_store
from omnibench.commands.main import main
from omnibench.results import Result

PLAN = """plan.add_algorithm(Popular)
plan.add_algorithm(Backwards)


class Backwards(Popular):
    def recommend(self, users, k):
        return {user: self.items[::-1][:k] for user in users}
"""
METRICS = "NDCG(5), NDCG(5, by=[Popularity(2), Activity(2)]), Recall(5, by=ColdItems())"
LABELS = [
    "NDCG@5",
    "NDCG@5 popularity=head",
    "NDCG@5 popularity=tail",
    "NDCG@5 activity=low",
    "NDCG@5 activity=high",
    "Recall@5 items=known",
    "Recall@5 items=cold",
]


@pytest.fixture
def divided(project: Project) -> Project:
    """A project that measures NDCG by popularity and by activity."""
    class_text = PLAN[PLAN.index("class Backwards") :]
    plan = f"{class_text}\n{PLAN[: PLAN.index(chr(10) * 3)]}"
    project.bench(plan, METRICS)
    return project


def test_each_group_is_a_column_that_is_found_again(divided: Project) -> None:
    """The table has them in order and says how many users are in each; the next run computes nothing, and shows the same."""
    first = divided.run("--omnirec-table=mean").stdout.str()
    header = [line for line in first.splitlines() if line.lstrip().startswith("Algorithm")]
    assert [label for label in LABELS if any(label in line for line in header)] == LABELS
    assert (
        "tiny: users of a fold by popularity: head 30, tail 30; by activity: low 17, high 13; by items: known 30, cold 5"
        in first
    )
    fits = divided.count_fits()
    again = divided.run("--omnirec-table=mean")
    again.stdout.fnmatch_lines(["*4 cached*"])
    tables = [text[text.index("tiny: Evaluation") : text.index("Results and")] for text in (first, again.stdout.str())]
    assert tables[0] == tables[1]
    assert divided.count_fits() == fits


def test_groups_have_significance_of_their_own(divided: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Statistics read a group's values of single users, with as many users as count in it."""
    divided.first_run()
    store = open_store("checkpoints")
    results = store.results()
    assert set(results["metric"]) == {*LABELS}
    assert results["stderr"].notna().all()
    comparison = compare_configurations(store, "Popular", "Backwards", metric="NDCG@5 popularity=head")
    assert comparison.difference is not None
    assert comparison.difference > 0
    assert comparison.p is not None
    assert comparison.p < 0.01
    tail = compare_with_best(store, "tiny", "NDCG@5 popularity=tail")
    assert tail.best.startswith("Backwards")
    low, high = (compare_with_best(store, "tiny", f"NDCG@5 activity={group}") for group in ("low", "high"))
    assert low.best == high.best != tail.best
    assert main(["compare", "--metric", "NDCG@5 by activity"]) == 0
    printed = capsys.readouterr().out
    assert [line.partition(":")[0] for line in printed.splitlines() if line.startswith("tiny, ")] == [
        "tiny, NDCG@5 activity=low",
        "tiny, NDCG@5 activity=high",
    ]
    assert main(["export", "out.csv", "--metric", "NDCG@5 by popularity"]) == 0
    assert set(pd.read_csv("out.csv")["metric"]) == {"NDCG@5 popularity=head", "NDCG@5 popularity=tail"}


def test_another_grouping_only_evaluates_again(divided: Project) -> None:
    """Groups that are asked for later are added; those that are there already stay, and nothing is fitted."""
    divided.first_run()
    fits = divided.count_fits()
    text = (divided.pytester.path / "bench_tiny.py").read_text()
    (divided.pytester.path / "bench_tiny.py").write_text(text.replace("Activity(2)]", "Activity(2), ColdItems()]"))
    result = divided.run("--omnirec-table=mean")
    assert "NDCG@5 items=known" in result.stdout.str()
    assert divided.count_fits() == fits
    assert {*LABELS, "NDCG@5 items=known", "NDCG@5 items=cold"} == set(open_store("checkpoints").results()["metric"])


def test_a_gate_judges_each_group(divided: Project) -> None:
    """A baseline has the columns of groups, and the gate compares each."""
    divided.first_run()
    divided.run("--omnirec-baseline=base.parquet")
    result = divided.run("--omnirec-gate=base.parquet")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*14 comparisons: 14 same*"])
    result = divided.run(
        "--omnirec-gate=base.parquet", "--omnirec-gate-metrics=NDCG@5 by popularity,Recall@5 items=cold"
    )
    result.stdout.fnmatch_lines(["*6 comparisons: 6 same*"])
    one_item = divided.run("--omnirec-gate=base.parquet", "-k", "Popular and fold_0")
    assert one_item.ret == 0


def test_tables_are_sorted_by_a_group(divided: Project) -> None:
    """The option takes the column of a group, and refuses what is measured of no group, before anything runs."""
    divided.first_run()
    result = divided.run("--omnirec-sort=NDCG@5 popularity=tail", "--omnirec-table=mean")
    assert result.ret == 0
    rows = [line.split()[0] for line in result.stdout.lines if line.lstrip().startswith(("Popular", "Backwards"))]
    assert rows[0] == "Backwards"
    result = divided.run("--omnirec-sort=NDCG@5 gender=F")
    result.stderr.fnmatch_lines(["*'NDCG@5 gender=F', which is not measured; there are NDCG@5, NDCG@5 by activity*"])


def test_results_say_which_group_a_value_is_of(divided: Project) -> None:
    """The readable export and frames have a member for it; a result is found by the label, and not for another's."""
    divided.first_run()
    rows = json.loads(Path("checkpoints/results.json").read_text())["results"]
    heads = [row for row in rows if row.get("group") == "popularity=head"]
    assert {(row["metric"], row["k"]) for row in heads} == {("NDCG", 5)}
    assert len(heads) == 4
    assert sum("group" not in row for row in rows) == 4
    metrics = {"NDCG[lenskit]@5 activity=low": 0.25, "Recall@5": 0.5, "RMSE gender=F": 0.75}
    result = Result("tiny-1", "Popular-1", "Popular()", 0, metrics)
    assert result["NDCG@5 activity=low"] == 0.25
    with pytest.raises(KeyError, match="there is no 'NDCG@5'"):
        result["NDCG@5"]
    evaluator = Evaluator(NDCG(5))
    evaluator.add(result)
    frame = evaluator.to_frame()
    assert list(frame.columns)[4:] == ["metric", "k", "group", "value"]
    assert frame["group"].fillna("").tolist() == ["activity=low", "", "gender=F"]
    assert frame["metric"].tolist() == ["NDCG[lenskit]", "Recall", "RMSE"]
