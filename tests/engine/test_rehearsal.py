"""Users' own metrics are tried on two users of the data before anything is fitted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.cases import Case, ranking_case, rating_case
from support.projects import Project

from omnibench import Evaluator
from omnibench.engine.rehearsal import Rehearsals, rehearse

METRICS = """
class Misspelt:
    k = 5
    def calculate(self, predictions, test):
        return {5: predictions["itm"].nunique()}

class Dropping:
    k = 5
    def calculate(self, predictions, test):
        return {5: 0.1, 10: 0.2}
"""


class Noting:
    """Notes the frames that it gets in a list that all its copies share."""

    k = 5

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        CALLS.append((predictions, test))
        return 0.5


CALLS: list[tuple[pd.DataFrame, pd.DataFrame]] = []


@pytest.fixture
def calls() -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """The frames of all calls, none so far."""
    CALLS.clear()
    return CALLS


def test_two_users_of_the_data_are_enough(calls: list[tuple[pd.DataFrame, pd.DataFrame]], tmp_path: Path) -> None:
    """A rehearsal has two users with their own ids, unseen items as recommendations, and their own test part."""
    case = ranking_case(tmp_path, full=False)
    rehearse(case.directory, 0, 20, Evaluator(Noting()).columns)
    ((predictions, test),) = calls
    users = case.fold.users[:2].tolist()
    assert predictions["user"].unique().tolist() == test["user"].unique().tolist() == users
    assert list(predictions.columns) == ["user", "item", "score", "rank"]
    assert predictions.groupby("user").size().tolist() == [20, 20]
    for user in users:
        assert not set(predictions.loc[predictions["user"] == user, "item"]) & set(case.fold.seen(user).tolist())


def test_ratings_are_rehearsed_with_ratings(calls: list[tuple[pd.DataFrame, pd.DataFrame]], tmp_path: Path) -> None:
    """The frames have the columns of ratings, a row for each pair of the test part."""
    case = rating_case(tmp_path)
    rehearse(case.directory, 0, 20, Evaluator(Noting()).columns)
    ((predictions, test),) = calls
    assert list(predictions.columns) == list(test.columns) == ["user", "item", "rating"]
    assert predictions["user"].nunique() == 2
    assert len(predictions) == len(test)


def test_items_share_a_rehearsal(calls: list[tuple[pd.DataFrame, pd.DataFrame]], tmp_path: Path) -> None:
    """A benchmark and a dataset are rehearsed once in a process."""
    case: Case = ranking_case(tmp_path, full=True)
    rehearsals, columns = Rehearsals(), Evaluator(Noting()).columns
    for fold in (0, 0, 0):
        rehearsals.check(case.directory, fold, 20, columns)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("metric", "message"),
    [("Misspelt", "*Eval failed: KeyError: 'itm'*"), ("Dropping", "*Dropping.calculate returned numbers for k = 10*")],
)
def test_a_mistake_in_a_metric_is_found_before_the_first_fit(metric: str, message: str, project: Project) -> None:
    """Every item fails in no time, and says where; no model is fitted for a metric that cannot be computed."""
    project.pytester.makepyfile(own_metrics=METRICS)
    project.bench(metrics=f"NDCG(5), __import__('own_metrics').{metric}()")
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([message])
    assert project.count_fits() == 0
