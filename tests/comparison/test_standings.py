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
    """The same numbers as of `compare_with_best`, and the marks of the terminal's tables."""
    shown = results(measured_store)
    found = standings(measured_store, shown, (), test=test, alpha=0.1)
    assert len(found) == 6
    for (dataset, label), one in found.items():
        assert one == compare_with_best(measured_store, dataset, label, test=test, alpha=0.1)
    marks = {column: one.not_worse for column, one in standings(measured_store, shown, ()).items()}
    assert marks == not_worse(measured_store, shown, ())


def test_only_what_is_shown_and_known_is_tested(measured_store: Path) -> None:
    """One fold alone, the other direction, no column that somebody added or of which nobody knows what is better."""
    shown = [replace(one, metrics={**one.metrics, "gain": 1.0}) for one in results(measured_store) if one.fold != 1]
    found = standings(measured_store, shown, ["HR@3"], undirected=["HR@10"])
    assert {label for _, label in found} == {"NDCG@10", "HR@3"}
    (crossed,) = {dataset for dataset, _ in found if dataset.startswith("crossed")}
    assert found[crossed, "NDCG@10"] != compare_with_best(measured_store, crossed, "NDCG@10")
    assert found[crossed, "HR@3"].best != found[crossed, "NDCG@10"].best
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
    known = measured(measured_store)
    means = {label: {place: known.means(place, label) for place in known.datasets} for label in ("NDCG@10", "HR@3")}
    means["MAP"] = {"one": {"A": 1.0, "B": 2.0}}
    means["MRR"] = {"one": {"A": 1.0}, "two": {"B": 2.0}}
    found = rankings(means, ["HR@3"], alpha=0.1)
    assert list(found) == ["NDCG@10", "HR@3", "MRR"]
    for label, higher in (("NDCG@10", True), ("HR@3", False)):
        expected, one = rank_configurations(measured_store, label, alpha=0.1, higher=higher), found[label]
        assert isinstance(one, DatasetRanking)
        assert (one.configurations, one.datasets) == (expected.configurations, expected.datasets)
        assert one.ranking.ranks.tolist() == expected.ranking.ranks.tolist()
        assert one.ranking.critical_difference == expected.ranking.critical_difference
    assert found["MRR"] == "0 configurations have MRR on each of 2 datasets; ranks need at least two."
