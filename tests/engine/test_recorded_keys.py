"""Results of a store of an earlier omnibench, which identified datasets by the order of rows and by docstrings."""

from __future__ import annotations

import shutil

import pytest
from support.projects import Project

STEPS = '''
def keep(frame):
    """Drop an item."""
    return frame[frame["item"] != 3]
'''
BENCH = """
import pandas as pd
from omnibench import *
from own_algorithms import Popular
from steps import keep

rows = [(user, item, (7 * item + user) % 100) for item in range(12) for user in range(9) if (user + item) % 3]
frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
data = [
    from_frame(frame.iloc[::-1], "shuffled").pipe(UserHoldout(0, 0.3)){recorded},
    from_frame(frame.iloc[::-1], "applied").pipe(Apply(keep), UserHoldout(0, 0.3)){recorded},
]
plan = ExperimentPlan("earlier")
plan.add_algorithm(Popular)


@benchmark(data, plan, Evaluator(NDCG(5)))
def bench_tiny(result):
    pass
"""


@pytest.fixture
def earlier(project: Project) -> Project:
    """A project with the store of an earlier omnibench."""
    (project.pytester.path / "steps.py").write_text(STEPS)
    bench = project.pytester.path / "bench_tiny.py"
    bench.write_text(BENCH.format(recorded=".as_recorded()"))
    project.run().assert_outcomes(passed=2)
    bench.write_text(BENCH.format(recorded=""))
    return project


@pytest.mark.parametrize("arguments", [(), ("-n", "2"), ("--omnirec-readonly",)], ids=" ".join)
def test_results_are_served_under_the_keys_that_they_have(earlier: Project, arguments: tuple[str, ...]) -> None:
    """Also by workers, and where nothing may be written; nothing is prepared anew."""
    result = earlier.run(*arguments)
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 2}
    assert len(list((earlier.pytester.path / "checkpoints" / "datasets").iterdir())) == 2, "no dataset is there twice"


def test_prepared_data_need_not_be_there(earlier: Project) -> None:
    """Whoever removed it keeps the results."""
    shutil.rmtree(earlier.pytester.path / "checkpoints" / "datasets")
    result = earlier.run()
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 2}


def test_a_step_that_has_changed_is_computed_anew(earlier: Project) -> None:
    """The key of earlier releases serves the code that they saw, and no other."""
    (earlier.pytester.path / "steps.py").write_text(STEPS.replace("!= 3", "!= 4"))
    result = earlier.run()
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 1, "passed": 1}
