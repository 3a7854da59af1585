"""How configurations stand in what a report shows, and how they rank over its datasets."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.measuring import results

from omnibench import compare_with_best, rank_configurations
from omnibench.comparison.configurations import DatasetRanking, measured
from omnibench.comparison.marks import not_worse
from omnibench.comparison.standings import rankings, standings
from omnibench.errors import StatisticsError


@pytest.mark.parametrize("test", ["t", "randomisation"])
def test_every_column_stands_as_a_comparison_says(measured_store: Path, test: str) -> None:
    """The standings of every column have the numbers of `compare_with_best` and the marks of the terminal's tables."""
    table = results(measured_store)
    tested = standings(measured_store, table, (), test=test, alpha=0.1)
    assert len(tested) == 6
    for (dataset, label), standing in tested.items():
        assert standing == compare_with_best(measured_store, dataset, label, test=test, alpha=0.1)
    marks = {column: standing.not_worse for column, standing in standings(measured_store, table, ()).items()}
    assert marks == not_worse(measured_store, table, ())


def test_only_what_is_shown_and_known_is_tested(measured_store: Path) -> None:
    """One fold alone, the other direction, no column that somebody added or of which nobody knows what is better."""
    table = [
        replace(result, metrics={**result.metrics, "gain": 1.0})
        for result in results(measured_store)
        if result.fold != 1
    ]
    tested = standings(measured_store, table, ["HR@3"], undirected=["HR@10"])
    assert {label for _, label in tested} == {"NDCG@10", "HR@3"}
    (crossed,) = {dataset for dataset, _ in tested if dataset.startswith("crossed")}
    assert tested[crossed, "NDCG@10"] != compare_with_best(measured_store, crossed, "NDCG@10")
    assert tested[crossed, "HR@3"].best != tested[crossed, "NDCG@10"].best
    assert standings(measured_store, [], ()) == {}


def test_a_missing_file_is_an_error(measured_store: Path, tmp_path: Path) -> None:
    """Nobody is told that there is no difference because a file is gone."""
    store = Path(shutil.copytree(measured_store, tmp_path / "store"))
    for file in store.rglob("per_user-*"):
        file.unlink()
    with pytest.raises(StatisticsError):
        standings(store, results(measured_store), ())


def test_ranks_are_those_of_the_store(measured_store: Path) -> None:
    """From means alone; a metric of one dataset is not ranked, and where nothing is in common the reason is told."""
    measurements = measured(measured_store)
    means = {
        label: {dataset: measurements.means(dataset, label) for dataset in measurements.datasets}
        for label in ("NDCG@10", "HR@3")
    }
    means["MAP"] = {"one": {"A": 1.0, "B": 2.0}}
    means["MRR"] = {"one": {"A": 1.0}, "two": {"B": 2.0}}
    ranked = rankings(means, ["HR@3"], alpha=0.1)
    assert list(ranked) == ["NDCG@10", "HR@3", "MRR"]
    for label, higher in (("NDCG@10", True), ("HR@3", False)):
        expected, ranking = rank_configurations(measured_store, label, alpha=0.1, higher=higher), ranked[label]
        assert isinstance(ranking, DatasetRanking)
        assert (ranking.configurations, ranking.datasets) == (expected.configurations, expected.datasets)
        assert ranking.ranking.ranks.tolist() == expected.ranking.ranks.tolist()
        assert ranking.ranking.critical_difference == expected.ranking.critical_difference
    assert (
        ranked["MRR"]
        == "ranks need at least two configurations that have MRR on each of the 2 datasets, and there is none."
    )
