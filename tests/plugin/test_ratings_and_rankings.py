"""Ratings beside rankings in whole runs: who learns from ratings, who ranks by them, and what judges by them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from support.projects import Project

from omnibench import open_store

OWN = """
import numpy as np

class ByRating:
    '''Recommends what is rated highest in sum, which needs ratings.'''
    uses_ratings = True
    def fit(self, train):
        self.items = train.groupby("item")["rating"].sum().sort_values(ascending=False, kind="stable").index.tolist()
    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}

class Means:
    '''Predicts the mean rating of an item, plus what tells items apart that have the same.'''
    def fit(self, train):
        self.mean, means = train["rating"].mean(), train.groupby("item")["rating"].mean()
        self.means = (means + means.index * 1e-12).to_dict()
    def predict(self, users, items):
        return np.array([self.means.get(item, self.mean) for item in items])

class Backwards(Means):
    '''Predicts ratings, and has an order of its own for lists: the lowest rated first.'''
    def recommend(self, users, k):
        return {user: sorted(self.means, key=self.means.get)[:k] for user in users}

class Overlap:
    '''Of lists.'''
    k = 5
    def calculate(self, predictions, test): return float(len(predictions[predictions["rank"] <= 5]))

class Bias:
    '''Of ratings.'''
    def calculate(self, predictions, test): return float(predictions["rating"].mean() - test["rating"].mean())
"""

BENCH = """
import numpy as np
import pandas as pd
from omnibench import *
from own_algorithms import *
from own import *

rng = np.random.default_rng(7)
frame = pd.DataFrame({{"user": rng.integers(0, 30, 1200), "item": (rng.pareto(1.0, 1200) * 8).astype(int) % 60,
                      "rating": rng.integers(1, 6, 1200)}}).drop_duplicates(["user", "item"])
raw = from_frame(frame, "tiny")
data = {data}
plan = ExperimentPlan("tests")
for algorithm in ({algorithms},):
    plan.add_algorithm(algorithm)

@benchmark(data, plan, Evaluator({metrics}))
def bench_tiny(result):
    print("RESULT", dict(result.metrics))
"""


@pytest.fixture
def bench(project: Project) -> Project:
    """A project with classes that learn from ratings."""
    (project.pytester.path / "own.py").write_text(OWN)
    return project


def write(project: Project, data: str, algorithms: str, metrics: str) -> None:
    text = BENCH.format(data=data, algorithms=algorithms, metrics=metrics)
    (project.pytester.path / "bench_tiny.py").write_text(text)


def values(project: Project) -> dict[tuple[str, str], float]:
    """The recorded values by algorithm and metric."""
    rows = open_store(project.pytester.path / "checkpoints").results().to_dict("records")
    return {(row["algorithm"].partition("-")[0], row["metric"]): row["value"] for row in rows}


def predictions(project: Project, algorithm: str, name: str = "predictions") -> pd.DataFrame:
    (path,) = (project.pytester.path / "checkpoints").glob(f"tiny-*/{algorithm}-*/{name}.json")
    return pd.DataFrame(json.loads(path.read_text()))


RATED = 'raw.pipe(MakeImplicit(2, keep="rating"), UserHoldout(0.1, 0.3))'
PLAIN = "raw.pipe(MakeImplicit(2), UserHoldout(0.1, 0.3))"
EXPLICIT = "raw.pipe(UserHoldout(0.1, 0.3))"


def test_rankers_see_the_ratings_that_are_kept(bench: Project) -> None:
    """A class that asks for them has them, one that does not gives the same lists; a model of ratings ranks by them."""
    write(bench, RATED, "ByRating, Popular, Means", "NDCG(10), HR(10), relevant=4")
    bench.run().assert_outcomes(passed=3)
    kept = values(bench)
    assert {metric for _, metric in kept} == {"NDCG[relevant=4]@10", "HR[relevant=4]@10"}
    lists = predictions(bench, "Popular")
    write(bench, PLAIN, "Popular", "NDCG(10)")
    bench.run().assert_outcomes(passed=1)
    paths = sorted((bench.pytester.path / "checkpoints").glob("tiny-*/Popular-*/predictions.json"))
    assert len(paths) == 2
    assert all(pd.DataFrame(json.loads(path.read_text())).equals(lists) for path in paths)


def test_a_class_that_needs_ratings_is_refused_without_them(bench: Project) -> None:
    """Before anything runs; the advice leads to success, as the test above shows."""
    write(bench, PLAIN, "ByRating", "NDCG(10)")
    refused = bench.run()
    refused.stdout.fnmatch_lines(
        ["*ByRating is asked to learn from ratings (uses_ratings = True), but tiny has none. Keep*"]
    )
    assert 'MakeImplicit(..., keep="rating")' in refused.stdout.str()
    assert not (bench.pytester.path / "checkpoints").exists()


def test_a_model_of_ratings_is_judged_by_rankings_and_ratings_at_once(bench: Project) -> None:
    """All unseen items by predicted rating; a class with lists of its own keeps its order; each metric gets what it is of."""
    write(bench, EXPLICIT, "Means, Backwards", "RMSE(), NDCG(10), HR(10, relevant=4), Overlap(), Bias()")
    bench.run().assert_outcomes(passed=2)
    measured = values(bench)
    assert measured["Means", "RMSE"] == measured["Backwards", "RMSE"] > 0
    best, worst = (predictions(bench, name).query("rank == 1") for name in ("Means", "Backwards"))
    assert not set(best["item"]) & set(worst["item"])
    assert 0 < measured["Means", "HR[relevant=4]@10"] <= 1
    assert measured["Means", "Overlap@5"] > 100
    assert abs(measured["Means", "Bias"]) < 0.5
    lists, ratings = predictions(bench, "Means"), predictions(bench, "Means", "ratings")
    assert list(lists.columns) == ["user", "item", "score", "rank"]
    assert list(ratings.columns) == ["user", "item", "rating"]
    for _, rows in lists.groupby("user"):
        scores = rows.sort_values("rank")["score"].to_numpy()
        assert len(rows) == 20
        assert (np.diff(scores) < 0).all()  # in float64: by float32, most of them would tie


def test_lists_and_ratings_are_those_of_either_alone(bench: Project) -> None:
    """Nothing is fitted again for the other metric, and the numbers are the same; all of them are cached then."""
    write(bench, EXPLICIT, "Means", "RMSE()")
    bench.run().assert_outcomes(passed=1)
    rmse = values(bench)["Means", "RMSE"]
    for metrics in ("NDCG(10)", "RMSE(), NDCG(10)", "MAE(), NDCG([10, 30])"):
        write(bench, EXPLICIT, "Means", metrics)
        bench.run().assert_outcomes(passed=1)
        assert "1 cached" in bench.run().stdout.str()
    measured = values(bench)
    assert measured["Means", "RMSE"] == rmse
    (store,) = (open_store(bench.pytester.path / "checkpoints"),)
    assert len(store.results()["item"].unique()) == 1
    alone = measured["Means", "NDCG@10"]
    write(bench, EXPLICIT, "Means", "NDCG(10)")
    bench.run("--omnirec-resume=fresh").assert_outcomes(passed=1)
    assert values(bench)["Means", "NDCG@10"] == alone


@pytest.mark.parametrize(
    ("data", "algorithm", "metrics", "says"),
    [
        (
            PLAIN,
            "Popular",
            "RMSE()",
            "*RMSE judges predicted ratings, but tiny is implicit: its interactions are ranked*",
        ),
        (
            RATED,
            "Means",
            "RMSE()",
            "*RMSE judges predicted ratings, but tiny is implicit, also with the ratings that it keeps*",
        ),
        (
            PLAIN,
            "Popular",
            "HR(10), relevant=4",
            '*HR?relevant=4? judges by the ratings of the test part*keep="rating")*',
        ),
        (PLAIN, "Popular", "NDCG(10, gains='rating')", "*NDCG?gains=rating? judges by the ratings*leave out gains*"),
        (PLAIN, "Means", "NDCG(10)", '*Means only predicts ratings, but tiny is implicit.*keep="rating")*'),
        (EXPLICIT, "Popular", "RMSE(), NDCG(10)", "*Popular predicts no ratings, but tiny has explicit ratings*"),
        (EXPLICIT, "Popular", "NDCG(10)", "*Popular predicts no ratings, but tiny has explicit ratings*"),
        (
            EXPLICIT,
            "LensKit.EASEScorer",
            "NDCG(10)",
            '*EASEScorer predicts no ratings*keep="rating") keeps the ratings*',
        ),
        (PLAIN, "LensKit.BiasScorer", "NDCG(10)", '*BiasScorer only predicts ratings*keep="rating")*'),
        (
            RATED,
            "Popular",
            "HR(10), relevant=40",
            "*HR?relevant=40?: nothing in the test part is relevant*from 2 to 5*",
        ),
        (
            'from_frame(frame.assign(rating=1000 * frame["rating"])).pipe(MakeImplicit(1, keep="rating"), UserHoldout())',
            "Popular",
            "NDCG(10, gains='exponential')",
            "*no float holds for ratings up to 5000; give gains='rating'*",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    bench: Project, data: str, algorithm: str, metrics: str, says: str
) -> None:
    """The error says what to change."""
    write(bench, data, f"'{algorithm}'" if "." in algorithm else algorithm, metrics)
    refused = bench.run()
    refused.stdout.fnmatch_lines([says])
    assert bench.count_fits() == 0


@pytest.mark.parametrize(
    "parameters", ["ImplicitMFScorer, {'use_ratings': True}", "ItemKNNScorer, {'feedback': 'explicit'}"]
)
def test_a_framework_asked_for_ratings_is_refused_without_them(bench: Project, parameters: str) -> None:
    """LensKit would fail in Fit with KeyError: 'rating'."""
    write(bench, PLAIN, "Popular", "NDCG(10)")
    path = bench.pytester.path / "bench_tiny.py"
    path.write_text(path.read_text().replace("@benchmark", f"plan.add_algorithm(LensKit.{parameters})\n@benchmark"))
    bench.run().stdout.fnmatch_lines(
        ['*is asked to learn from ratings (*Keep them with MakeImplicit(..., keep="rating")*']
    )
