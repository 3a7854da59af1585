"""Classes of the user's own in whole runs: where they run, which code counts, what their exceptions may do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.projects import Project

GUARDED = """
from bench_tiny import Evaluator, ExperimentPlan, NDCG, data
from omnibench import run_omnirec

class Mine:
    def fit(self, train):
        self.items = train["item"].value_counts().index.tolist()
    def recommend(self, users, k):
        return {{user: self.items[:k] for user in users}}

{guard}
    plan = ExperimentPlan()
    plan.add_algorithm(Mine)
    print(run_omnirec(data, plan, Evaluator(NDCG(10)), {store!r}).to_frame())
"""


def test_code_changed_during_the_run_is_not_recorded_under_the_old_key(project: Project) -> None:
    """A class whose file changed after collection fails its item; nothing is recorded for code that did not run."""
    project.pytester.makeconftest(
        """
        from pathlib import Path
        def pytest_collection_finish():
            path = Path("own_algorithms.py")
            path.write_text(path.read_text().replace("self.items[:k] for", "self.items[::-1][:k] for"))
        """
    )
    changed = project.run("-k", "fold_0")
    changed.assert_outcomes(failed=1, deselected=1)
    changed.stdout.fnmatch_lines(["*Fit failed: RuntimeError: *own_algorithms.py has changed since this run began*"])


def test_code_changed_between_items_is_noticed_by_the_next(project: Project) -> None:
    """The guest has compared the class with its key before, and looks at its files again for each Fit."""
    project.pytester.makeconftest(
        """
        from pathlib import Path
        def pytest_runtest_logfinish():
            path = Path("own_algorithms.py")
            path.write_text(path.read_text().replace("self.items[:k] for", "self.items[::-1][:k] for"))
        """
    )
    changed = project.run()
    changed.assert_outcomes(passed=1, failed=1)
    changed.stdout.fnmatch_lines(["*Fit failed: RuntimeError: *own_algorithms.py has changed since this run began*"])


def test_helper_functions_and_constants_are_part_of_the_key(project: Project) -> None:
    """Changing a function that the class calls makes new items; changing one that it does not use does not."""
    source = """
LENGTH = 30
def cut(items, k): return items[:min(k, LENGTH)]
def unrelated(): return {unrelated}
class Helped:
    def fit(self, train): self.items = sorted(train["item"].unique(){reverse})
    def recommend(self, users, k): return {{user: cut(self.items, k) for user in users}}
"""
    project.bench(plan="from helped import Helped; plan.add_algorithm(Helped)")
    helped = project.pytester.path / "helped.py"
    helped.write_text(source.format(unrelated=1, reverse=""))
    project.run().assert_outcomes(passed=2)
    helped.write_text(source.format(unrelated=2, reverse="") + "# a comment\n")
    assert "2 cached" in project.run().stdout.str()
    helped.write_text(source.format(unrelated=2, reverse="").replace("LENGTH = 30", "LENGTH = 3"))
    project.run().assert_outcomes(passed=2)


def test_prediction_is_seeded_however_often_it_runs(project: Project) -> None:
    """A class that draws random numbers in recommend() gives the same lists when only Predict runs again."""
    project.pytester.makepyfile(
        lottery="""
        import numpy as np
        class Lottery:
            def fit(self, train): self.items = sorted(train["item"].unique())
            def recommend(self, users, k): return {user: np.random.permutation(self.items)[:k] for user in users}
        """
    )
    project.bench(plan="from lottery import Lottery; plan.add_algorithm(Lottery)", metrics="NDCG(10)")
    first = [line for line in project.run().stdout.lines if "mean" in line]
    project.bench(plan="from lottery import Lottery; plan.add_algorithm(Lottery)", metrics="NDCG([10, 30])")
    second = [line for line in project.run().stdout.lines if "mean" in line]
    assert first[0].split()[1] == second[0].split()[1]


SCORED = """
from own_algorithms import Popular
class Scored(Popular):
    def __init__(self, how):
        self.how = how
    def recommend(self, users, k):
        scores = [1_700_000_000 - n * 1e-6 for n in range(len(self.items))]
        pairs = list(zip(self.items, scores))
        if self.how == "shuffled":
            pairs = pairs[1::2] + pairs[::2]
        if self.how == "rising":
            pairs = [(item, -score) for item, score in pairs]
        return {user: pairs for user in users}
"""


def test_the_order_of_a_class_is_the_order_that_is_judged(project: Project) -> None:
    """Scores that float32 cannot tell apart rank as the class meant them; scores that contradict the order are refused."""
    project.pytester.makepyfile(scored=SCORED)
    plan = 'from scored import Scored; plan.add_algorithm(Popular); plan.add_algorithm(Scored, {"how": Grid(%s)})'
    project.bench(plan=plan % ["sorted", "shuffled"])
    result = project.run()
    result.assert_outcomes(passed=6)
    means = [line.split()[1:] for line in result.stdout.lines if line.split()[:1] == ["mean"]]
    assert len({tuple(value.strip("*~") for value in values) for values in means}) == 1
    project.bench(plan=plan % ["rising"])
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*recommend() contradicts itself: the scores rise along every list*"])


def test_a_network_is_the_same_after_a_reset(project: Project) -> None:
    """PyTorch's generator is seeded although the class imports it only in fit; each item's predictions are the same."""
    pytest.importorskip("torch")
    tests = Path(__file__).parent.parent
    (project.pytester.path / "networks.py").write_text((tests / "support" / "own_networks.py").read_text("utf-8"))
    project.bench(plan="from networks import LazyTorchNetwork; plan.add_algorithm(LazyTorchNetwork)")
    predictions = []
    for _ in range(2):
        project.run("--omnirec-reset").assert_outcomes(passed=2)
        files = sorted((project.pytester.path / "checkpoints").rglob("predictions.json"))
        assert len(files) == 2
        predictions.append([file.read_bytes() for file in files])
    assert predictions[0] == predictions[1]


def test_relative_paths_in_a_bench_file_mean_the_same_in_the_guest(project: Project) -> None:
    """A bench file with a class and a relative from_file works: the class's process is where the user is."""
    project.pytester.makepyfile(
        bench_shop="""
        from omnibench import *
        shop = from_file("purchases.csv").pipe(UserHoldout(0, 1))
        class First:
            def fit(self, train): self.items = sorted(train["item"].unique())
            def recommend(self, users, k): return {user: self.items[:k] for user in users}
        plan = ExperimentPlan(); plan.add_algorithm(First)
        @benchmark(shop, plan, Evaluator(HR(2)))
        def bench_shop(result): ...
        """
    )
    rows = "".join(f"{user},{item}\n" for user in "abc" for item in range(4))
    (project.pytester.path / "purchases.csv").write_text("user,item\n" + rows)
    project.run("bench_shop.py").assert_outcomes(passed=1)


def test_bench_file_in_a_subdirectory_under_importlib(project: Project) -> None:
    """A class in a bench file below directories without __init__.py can be saved and loaded with importlib mode."""
    project.pytester.makeini("[pytest]\naddopts = --import-mode=importlib\n")
    below = project.pytester.mkdir("suite") / "deep"
    below.mkdir()
    for name in ("bench_tiny.py", "own_algorithms.py", "tiny.csv"):
        (project.pytester.path / name).rename(below / name)
    text = (below / "bench_tiny.py").read_text()
    own = (below / "own_algorithms.py").read_text()
    (below / "bench_tiny.py").write_text(text.replace("from own_algorithms import *", own))
    project.run("suite").assert_outcomes(passed=2)


def test_unsendable_exception_fails_only_its_item(project: Project) -> None:
    """An exception whose text cannot be made or sent is its item's failure; the next items are computed."""
    project.pytester.makepyfile(
        rude="""
        from own_algorithms import Popular
        class Silent(Exception):
            def __str__(self): return None
        class Rude(Popular):
            def __init__(self, how): self.how = how
            def fit(self, train): raise Silent() if self.how == 1 else ValueError("\\udcff")
        """
    )
    project.bench(
        plan='from rude import Rude; plan.add_algorithm(Rude, {"how": Grid([1, 2])}); plan.add_algorithm(Popular)'
    )
    result = project.run()
    result.assert_outcomes(failed=4, passed=2)
    result.stdout.fnmatch_lines(["*Fit failed: Silent*", "*Fit failed: ValueError: *udcff*"])


def test_script_without_a_main_guard_is_told_what_to_do(project: Project) -> None:
    """A script whose class is in it and whose run is unguarded does not start runs within runs."""
    store = str(project.pytester.path / "store")
    script = project.pytester.path / "script.py"
    script.write_text(GUARDED.format(guard="if True:", store=store))
    run = project.pytester.run(sys.executable, "script.py", timeout=300)
    assert run.ret == 1
    assert 'Put the run below `if __name__ == "__main__":`' in run.stderr.str()
    script.write_text(GUARDED.format(guard='if __name__ == "__main__":', store=store))
    assert project.pytester.run(sys.executable, "script.py", timeout=300).ret == 0
    guarded = GUARDED.format(guard='if __name__ == "__main__":', store=store)
    script.write_text(
        guarded.replace("class Mine:", 'if __name__ == "__main__":\n  class Mine:').replace("    def ", "      def ")
    )
    assert list(Path(store, "tmp").iterdir()) == []
