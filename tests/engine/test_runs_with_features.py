"""Whole runs with features: own classes and metrics get them, and another value of one is another dataset."""

from __future__ import annotations

import pytest
from support.projects import Project

BENCH = """
import pandas as pd
from omnibench import *
from taste import Taste

rows = [(user, item) for user in range(20) for item in range(12) if (user * 7 + item * 5) % 3]
items = pd.DataFrame({{"item": range(12), "genres": [["odd", "{genre}"] if item % 2 else [] for item in range(12)]}})
users = pd.DataFrame({{"user": range(20), "gender": ["fm"[user % 2] for user in range(20)]}})
data = from_frame(pd.DataFrame(rows, columns=["user", "item"]), "shop"{features}).pipe(UserHoldout(0.0, 0.3))

plan = ExperimentPlan("tests")
plan.add_algorithm(Taste)


@benchmark(data, plan, Evaluator(NDCG(5), IntraListDiversity(feature="genres", k=5)))
def bench_shop(result): ...
"""

TASTE = """
class Taste:
    def fit(self, train, items, users):
        assert set(users["gender"]) == {"f", "m"}
        is_odd = dict(zip(items["item"], ["odd" in genres for genres in items["genres"]]))
        self.items = sorted(train["item"].unique().tolist(), key=lambda item: (not is_odd[item], item))
        print("fitted")

    def recommend(self, users, k):
        return [self.items for _ in users]
"""

pytestmark = [pytest.mark.guests, pytest.mark.inner]


def bench(project: Project, *, genre: str = "drama", features: str = ", items=items, users=users") -> None:
    project.pytester.makepyfile(taste=TASTE, bench_shop=BENCH.format(genre=genre, features=features))


def fits(project: Project) -> int:
    return (project.pytester.path / "checkpoints" / "out.log").read_text().count("fitted")


def test_a_run_gives_features_to_classes_and_metrics(project: Project) -> None:
    """The class sorts by genre, the metric compares by it; the same features in another order are done already."""
    bench(project)
    project.run("bench_shop.py").assert_outcomes(passed=1)
    source = (project.pytester.path / "bench_shop.py").read_text()
    (project.pytester.path / "bench_shop.py").write_text(source.replace("items=items,", "items=items.iloc[::-1],"))
    assert "1 cached" in project.run("bench_shop.py").stdout.str()
    assert fits(project) == 1
    bench(project, genre="comedy")
    project.run("bench_shop.py").assert_outcomes(passed=1)
    assert fits(project) == 2


def test_a_run_without_the_features_of_its_metric_ends_before_it_begins(project: Project) -> None:
    """The error names the metric, the dataset and the call that gives it features; nothing is fitted."""
    bench(project, features="")
    result = project.run("bench_shop.py")
    text = " ".join(result.stdout.str().split())
    assert "shop: IntraListDiversity needs the feature 'genres' of the dataset's items" in text
    assert "dataset.with_features(items=df)" in text
    assert not (project.pytester.path / "checkpoints" / "out.log").exists()
