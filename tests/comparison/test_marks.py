"""What tables mark: tested on the very items that they show."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.measuring import ALGORITHM, measure, results
from support.projects import Project

from omnibench import NDCG, Evaluator, Recall, SampledNegatives, compare_with_best
from omnibench.comparison.marks import not_worse
from omnibench.errors import StatisticsError
from omnibench.store import CheckpointStore
from omnibench.store.schema import Record

COLUMNS = ("NDCG@10", "HR@3", "HR@10")


def test_every_column_is_tested_against_its_best(measured_store: Path) -> None:
    """The marks of every column are those that `compare_with_best` gives."""
    table = results(measured_store)
    marks = not_worse(measured_store, table, ())
    assert set(marks) == {(dataset, label) for dataset in {result.dataset for result in table} for label in COLUMNS}
    for (dataset, label), names in marks.items():
        assert names == compare_with_best(measured_store, dataset, label).not_worse
    assert any(marks.values())
    upside_down = not_worse(measured_store, table, COLUMNS)
    for (dataset, label), names in upside_down.items():
        assert names == compare_with_best(measured_store, dataset, label, higher=False).not_worse


def test_only_what_is_shown_counts(measured_store: Path) -> None:
    """Without the best of all, another is the best; of one fold, only that fold's users are compared."""
    table = [result for result in results(measured_store) if result.dataset.startswith("crossed")]
    dataset = table[0].dataset
    best = compare_with_best(measured_store, dataset, "NDCG@10").best
    rest = [result for result in table if result.algorithm != best]
    assert best not in not_worse(measured_store, rest, ())[dataset, "NDCG@10"]
    assert not_worse(measured_store, [result for result in table if result.algorithm == best], ()) == {}
    one_fold = not_worse(measured_store, [result for result in table if result.fold == 1], ())
    everywhere = not_worse(measured_store, table, ())
    assert len(one_fold[dataset, "NDCG@10"]) >= len(everywhere[dataset, "NDCG@10"])


def test_what_was_never_measured_together_is_not_marked(measured_store: Path) -> None:
    """An algorithm of which another fold was run has no pair with the best."""
    table = [result for result in results(measured_store) if result.dataset.startswith("crossed")]
    names = sorted({result.algorithm for result in table})
    apart = [result for result in table if result.fold == (0 if result.algorithm == names[0] else 1)]
    for marked in not_worse(measured_store, apart, ()).values():
        assert names[0] not in marked


def test_a_column_without_evaluations_is_left_out(measured_store: Path) -> None:
    """A table may show what is no metric, such as what a fit cost."""
    table = [replace(result, metrics={**result.metrics, "Seconds": 1.0}) for result in results(measured_store)]
    assert not_worse(measured_store, table, ()) == not_worse(measured_store, results(measured_store), ())


def test_a_column_of_other_values_is_left_out(measured_store: Path) -> None:
    """What a table shows by another convention is not tested by the values that the store has under that label."""
    table = results(measured_store)
    dataset = table[0].dataset
    table[0] = replace(table[0], metrics={**table[0].metrics, "HR@3": 0.123})
    assert set(not_worse(measured_store, results(measured_store), ())) - set(not_worse(measured_store, table, ())) == {
        (dataset, "HR@3")
    }


@pytest.mark.guests
def test_columns_of_other_conventions_and_candidates_are_tested(tmp_path: Path) -> None:
    """Each as a column of its own, by its own values per user, beside those of omnibench's own convention."""
    with pytest.warns(UserWarning, match="inconsistent"):
        negatives = SampledNegatives(20)
    evaluators = [
        Evaluator(NDCG(10), Recall(3)),
        Evaluator(NDCG(10), Recall(3), convention="lenskit"),
        Evaluator(NDCG(10), candidates=negatives),
    ]
    store = measure(tmp_path, *evaluators)
    table = results(store)
    marks = not_worse(store, table, ())
    labels = {label for evaluator in evaluators for label in evaluator.labels}
    assert len(labels) == 5
    assert set(marks) == {(dataset, label) for dataset in {result.dataset for result in table} for label in labels}
    for (dataset, label), names in marks.items():
        assert names == compare_with_best(store, dataset, label).not_worse
    assert any(marks[column] for column in marks if "[" in column[1])


def test_a_run_marks_them_in_its_table(project: Project) -> None:
    """A run marks the rows of means and explains the mark, also when everything is cached."""
    project.pytester.makepyfile(own_algorithms=ALGORITHM)
    project.bench(plan='plan.add_algorithm(Rotated, {"by": Grid([0, 1, 2, 12])})', metrics="NDCG(10), HR(10)")
    first, second = project.run("--omnirec-names=hash"), project.run("--omnirec-names=hash")
    standings = {
        label: compare_with_best(project.pytester.path / "checkpoints", "tiny", label) for label in ("NDCG@10", "HR@10")
    }
    assert standings["NDCG@10"].not_worse
    for run in (first, second):
        text = run.stdout.str()
        assert "~ not significantly worse than the best (paired bootstrap test, Holm-corrected, 0.05)" in text
        algorithms = re.findall(r"^ (Rotated-\w+)", text, re.MULTILINE)
        means = [line.split()[1:] for line in text.splitlines() if line.split()[:1] == ["mean"]]
        for index, label in enumerate(standings):
            marked = {name for name, row in zip(algorithms, means, strict=True) if row[index].startswith("~")}
            best = {name for name, row in zip(algorithms, means, strict=True) if row[index].startswith("*")}
            assert standings[label].best in best
            assert marked | best == {*standings[label].not_worse, standings[label].best}


def test_a_damaged_file_costs_the_marks_and_no_more(project: Project) -> None:
    """The run says so, and its table is there."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    project.run("--omnirec-table=none")
    damaged = next((project.pytester.path / "checkpoints").rglob("per_user-*.parquet"))
    damaged.write_bytes(b"nothing")
    run = project.run()
    run.stdout.fnmatch_lines(["omnibench: what is not significantly worse than the best is not marked: *per_user-*"])
    assert "Evaluation Results" in run.stdout.str()
    assert "~" not in run.stdout.str().partition("Evaluation Results")[2]
    with pytest.raises(StatisticsError, match="differs from its record"):
        not_worse(project.pytester.path / "checkpoints", results(project.pytester.path / "checkpoints"), ())


def test_what_was_tested_is_remembered(measured_store: Path, tmp_path: Path) -> None:
    """A column is tested again only if its results or its direction change."""
    store = shutil.copytree(measured_store, tmp_path / "store")
    table = [result for result in results(store) if result.dataset.startswith("crossed")]
    level = 0.04  # the run itself has tested at 0.05
    remembered: dict[str, Record] = {}
    marks = not_worse(store, table, (), level, remembered.update)
    assert len(remembered) == len(marks)
    opened = CheckpointStore(store)
    opened.records.commit(remembered)
    opened.close()
    for file in store.rglob("per_user-*"):
        file.unlink()
    assert not_worse(store, table, (), level) == marks
    with pytest.raises(StatisticsError):
        not_worse(store, table, COLUMNS, level)
    with pytest.raises(StatisticsError):
        not_worse(store, table[:-1], (), level)


def test_without_a_store_there_are_no_marks(project: Project) -> None:
    """Nothing is kept, so nobody's values are there to be paired."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    run = project.run("--omnirec-resume=never")
    assert "Evaluation Results" in run.stdout.str()
    assert "not significantly worse" not in run.stdout.str()
