"""Own classes whose results depend on other files of the project: what a run does when those have changed."""

from __future__ import annotations

import shutil
import sys

import pytest
from support.projects import Project

KNN = """
from model.util import order


class Knn:
    def __init__(self, seed=1):
        self.seed = seed

    def fit(self, train):
        self.items = order(train["item"].value_counts())

    def recommend(self, users, k):
        return {user: self.items for user in users}
"""

UTIL = '''
def order(counts):
    """Return the items, the most popular first."""
    return counts.sort_index().sort_values(ascending=False, kind="stable").index.tolist()
'''

PLAN = "from model.knn import Knn\nplan.add_algorithm(Knn)"


@pytest.fixture
def helped(project: Project) -> Project:
    """A project with a class of its own in one file and a helper of it in another."""
    folder = project.pytester.mkpydir("model")
    (folder / "knn.py").write_text(KNN)
    (folder / "util.py").write_text(UTIL)
    project.bench(PLAN, metrics="NDCG(10)")
    return project


def test_the_gate_sees_a_broken_helper(helped: Project) -> None:
    """A checkpoint directory that CI has restored does not serve the results of the helper as it was."""
    arguments = ("-n", "1", "--omnirec-table=none", "--omnirec-gate=baseline.parquet")
    helped.run("--omnirec-baseline=baseline.parquet").assert_outcomes(passed=2)
    result = helped.run(*arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*2 cached*"])
    util = helped.pytester.path / "model" / "util.py"
    util.write_text(UTIL.replace("ascending=False", "ascending=True"))
    restored = shutil.copytree(helped.pytester.path / "checkpoints", helped.pytester.path / "restored")
    result = helped.run(*arguments, f"--omnirec-checkpoint-dir={restored}")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*2 passed*"])
    result.stdout.no_fnmatch_line("*gate passed*")
    util.write_text(UTIL.replace("the most popular first", "best first"))
    result = helped.run(*arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*2 cached*"])


def test_what_cannot_be_followed_is_said_in_the_summary(helped: Project) -> None:
    """Once, also with workers; the run goes on."""
    folder = helped.pytester.path / "model"
    text = KNN.replace("from model.util import order", "import importlib").replace(
        "order(", 'importlib.import_module("model." + self.name).order('
    )
    (folder / "knn.py").write_text(text.replace("class Knn:", 'class Knn:\n    name = "util"\n'))
    result = helped.run_process("-n", "2")
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*bench_tiny.py:*UserWarning: Knn: its key does not cover importlib.import_module(...) in knn.py, line *version = 1*"
        ]
    )


def test_a_file_that_is_not_there_is_refused_before_anything_runs(helped: Project) -> None:
    """The message names class, file and directory."""
    file = helped.pytester.path / "model" / "knn.py"
    file.write_text(KNN.replace("class Knn:", 'class Knn:\n    depends_on = ["weights.csv"]\n'))
    result = helped.run()
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*Knn: depends_on names 'weights.csv', but there is no such file in *model*"])
    (helped.pytester.path / "model" / "weights.csv").write_text("1")
    helped.run().assert_outcomes(passed=2)
    (helped.pytester.path / "model" / "weights.csv").write_text("2")
    helped.run().assert_outcomes(passed=2)


def test_a_guest_that_has_imported_a_helper_before_it_changed_imports_it_anew(helped: Project) -> None:
    """Guests live longer than a file stays as it is: what is recorded is of the file as it is now."""
    helped.pytester.makepyfile(
        script="""
        from pathlib import Path
        import pandas as pd
        from omnibench import *
        from model.knn import Knn

        frame = pd.DataFrame({"user": [n % 30 for n in range(600)], "item": [n * n % 41 * (n % 3) for n in range(600)]})
        data = from_frame(frame.drop_duplicates(), "tiny").pipe(CorePruning(2), UserHoldout(0, 1))
        write = Path("model/util.py").write_text
        with Coordinator("checkpoints") as coordinator:
            for ascending in (False, True, False):
                write(f"def order(counts): return counts.sort_index().sort_values(ascending={ascending}).index.tolist()")
                plan = ExperimentPlan("p")
                plan.add_algorithm(Knn)
                evaluator = coordinator.run(data, plan, Evaluator(NDCG(3)))
                (guest,) = [guest for guest, _ in coordinator.guests._guests.values()]
                print("run", guest.pid, evaluator.to_frame()["value"].iloc[-1])
        """
    )
    result = helped.pytester.run(sys.executable, "script.py")
    runs = [line.split()[1:] for line in result.outlines if line.startswith("run ")]
    pids, values = {pid for pid, _ in runs}, [value for _, value in runs]
    assert len(pids) == 1
    assert values[0] == values[2] != values[1]
