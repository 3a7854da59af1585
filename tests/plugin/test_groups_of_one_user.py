"""Groups of a single user, and test parts of one: their results are whole records of the store."""

from __future__ import annotations

from pathlib import Path

from support.projects import Project

from omnibench.commands.main import main

BENCH = """
import pandas as pd

from omnibench import HR, Evaluator, ExperimentPlan, UserHoldout, benchmark, from_frame

rows = pd.DataFrame([(user, item) for user in range(6) for item in range(10)], columns=["user", "item"])
users = pd.DataFrame({"user": range(6), "shop": ["north", *["south"] * 5]})


class First:
    def fit(self, train):
        self.items = sorted(train["item"].unique())

    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}


plan = ExperimentPlan("plan")
plan.add_algorithm(First)


@benchmark(
    from_frame(rows, "rows", users=users).pipe(UserHoldout(validation_size=0.1, test_size=0.2)),
    plan,
    Evaluator(HR(3), HR(3, by="shop")),
)
def bench_first(result): ...
"""


def test_results_of_a_single_user_are_whole(project: Project) -> None:
    """They have no interval, and `verify` finds no damage."""
    bench = project.pytester.path / "bench_first.py"
    bench.write_text(BENCH)
    project.run(bench.name).assert_outcomes(passed=1)
    assert main(["verify", "--store", "checkpoints"]) == 0
    assert '"group": "shop=north"' in Path("checkpoints", "results.json").read_text()
