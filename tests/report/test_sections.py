"""What documents compare: only what was measured on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.reporting import VALUES, contents, joined

from omnibench import compare
from omnibench.report import sections
from omnibench.report.choices import Choices
from omnibench.report.comparisons import pairs
from omnibench.report.sections import report_of
from omnibench.results import Result

PARTIAL = "Lib.Partial-0000dddd"


def test_a_configuration_that_lacks_a_fold_is_compared_with_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown, but neither the best, nor tested, nor ranked over datasets, as in the table on a terminal."""
    values = {**VALUES, PARTIAL: {"NDCG@10": [0.9, 0.9], "RMSE": [0.1, 0.1, 0.1]}}
    several = joined(*(contents(values, f"Data-{number:08}") for number in range(4)))
    handed: list[Result] = []

    def standings(_: Path, results: Sequence[Result], *__: Any, **___: Any) -> dict[Any, Any]:
        handed.extend(results)
        return {}

    monkeypatch.setattr(sections, "standings", standings)
    report = report_of(several, Path("nowhere"), Choices())
    assert PARTIAL in report.sections[0].marked.names
    assert [report.sections[0].marked.best[label] for label in ("NDCG@10", "RMSE")] == [
        {"Lib.Best-0000aaaa"},
        {PARTIAL},
    ]
    assert {label for result in handed if result.algorithm == PARTIAL for label in result.metrics} == {"RMSE"}
    assert {label for result in handed if result.algorithm != PARTIAL for label in result.metrics} == {
        "NDCG@10",
        "RMSE",
    }
    ranked = {
        label: ranking if isinstance(ranking, str) else ranking.configurations
        for label, ranking in report.rankings.items()
    }
    assert PARTIAL not in ranked["NDCG@10"]
    assert PARTIAL in ranked["RMSE"]


def test_a_single_pair_is_singular() -> None:
    """A metric without values per user has one fold after a holdout."""
    single, several = compare([0.1], [0.2], units="folds"), compare([0.1, 0.2, 0.4], [0.2, 0.1, 0.1])
    assert pairs([single, several]) == "1 fold (t corrected for overlapping training sets), 3 users"


def test_groups_of_users_are_a_range() -> None:
    """A metric by group is paired over some users, and no list of ten numbers stands above the table."""
    of_groups = [compare([0.1] * number, [0.2] * number) for number in (80, 2, 39)]
    assert pairs(of_groups) == "2 to 80 users"
