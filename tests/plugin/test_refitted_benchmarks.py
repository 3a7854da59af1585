"""Benchmarks that are fitted on training and validation together: what is said where, and how items are named."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.projects import Project

ALGORITHMS = """
class Popular:
    def fit(self, train):
        self.size = len(train)
        self.items = train["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index.tolist()

    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}


class Judging(Popular):
    def fit(self, train, validation):
        super().fit(train)
"""

DATA = """
import numpy as np
import pandas as pd
from omnibench import *
from two_algorithms import *

rng = np.random.default_rng(7)
frame = pd.DataFrame({"user": rng.integers(0, 30, 900), "item": rng.integers(0, 60, 900)}).drop_duplicates()
data = from_frame(frame, "tiny").pipe(UserHoldout(0.2, 0.2))


def plan_of(*algorithms):
    plan = ExperimentPlan("tests")
    for algorithm in algorithms:
        plan.add_algorithm(algorithm)
    return plan
"""

BENCH = """
from tiny_data import *


@benchmark(data, plan_of({algorithms}), Evaluator(NDCG(5), ItemCoverage(5)){options})
def bench_{name}(result): ...
"""

REFIT = ', refit="train+validation"'
UNUSED = "omnibench: no algorithm uses the validation part of tiny; *"


@pytest.fixture
def benches(project: Project) -> Project:
    """A project of which each test writes its own benchmarks."""
    (project.pytester.path / "bench_tiny.py").unlink()
    project.pytester.makepyfile(two_algorithms=ALGORITHMS, tiny_data=DATA)
    return project


def write(project: Project, name: str, algorithms: str, options: str = "") -> None:
    project.pytester.makepyfile(**{f"bench_{name}": BENCH.format(name=name, algorithms=algorithms, options=options)})


@pytest.mark.guests
def test_the_footer_and_every_export_say_what_was_fitted_on_what(benches: Project) -> None:
    """Terminal, Markdown, HTML and CSV; `show`, `why` and the store know it as well; the next run has it cached."""
    write(benches, "both", "Popular, Judging", REFIT)
    result = benches.run("--omnirec-export=a.md", "--omnirec-export=a.html", "--omnirec-export=a.csv")
    result.assert_outcomes(passed=2)
    footer = "itted on train+validation: Popular; the others on training alone"
    result.stdout.fnmatch_lines(
        ["omnibench: on training alone, although refit='train+validation': Judging (its fit takes it)", f"  f{footer}"]
    )
    for name in ("a.md", "a.html"):
        assert f"F{footer}." in (benches.pytester.path / name).read_text()
    rows = (benches.pytester.path / "a.csv").read_text()
    assert rows.count(",train+validation,") == 2
    for command in ("show", "why"):
        printed = _command(benches, command, "Popular(refit=train+validation)")
        assert "tiny/Popular(refit=train+validation)" in printed
        assert "refit train+validation" in printed
    benches.run().stdout.fnmatch_lines([f"  f{footer}", "*2 cached*"])


def _command(project: Project, *arguments: str) -> str:
    command = [sys.executable, "-m", "omnibench", *arguments]
    done = subprocess.run(command, cwd=project.pytester.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.guests
def test_both_ways_stand_beside_each_other(benches: Project) -> None:
    """In a table, for ``-k``, for commands: by what they are fitted on; coverage is of what was known to each."""
    write(benches, "alone", "Popular")
    write(benches, "both", "Popular", REFIT)
    result = benches.run()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([" Popular  *", " Popular(refit=train+validation)  *"])
    assert "Popular(refit=train+validation)" in result.stdout.str()
    for expression, file in (("refit=train+validation", "bench_both"), ("refit=train", "bench_alone")):
        selected = benches.run("-k", expression, "-v")
        selected.stdout.fnmatch_lines([f"{file}.py::*", "*1 cached*"])
    text = _command(benches, "compare", "Popular(refit=train)", "Popular(refit=train+validation)", "--metric", "NDCG@5")
    assert "Fitted on train+validation: Popular(refit=train+validation); the others on training alone." in text
    assert "Fitted on" not in _command(benches, "compare", "Popular(refit=train)", "Popular(refit=train)")


@pytest.mark.guests
def test_an_unused_validation_part_is_told_once(benches: Project) -> None:
    """By the controller, with the ways out; not with ``-q``, and not where somebody uses it in the same run."""
    write(benches, "one", "Popular")
    write(benches, "two", "Popular")
    for arguments in ((), ("-n", "1")):
        lines = benches.run_process(*arguments).stdout.str().splitlines()
        (line,) = [line for line in lines if "no algorithm uses" in line]
        assert line.endswith(
            'validation_size=0 leaves it in training, refit="train+validation" fits on both, refit="train" keeps it so'
        )
    assert "no algorithm uses" not in benches.run("-q").stdout.str()
    write(benches, "two", "Judging")
    assert "no algorithm uses" not in benches.run().stdout.str()
    write(benches, "two", "Popular", ', refit="train"')
    assert "no algorithm uses" not in benches.run("bench_two.py").stdout.str()


@pytest.mark.guests
def test_a_script_tells_it_too(benches: Project) -> None:
    """On stderr, unless it is quiet; and refit is an argument there."""
    script = "from tiny_data import *\nrun_omnirec(data, plan_of(Popular), Evaluator(NDCG(5)){options})\n"
    for options, told, footer in (("", True, False), (", quiet=True", False, False), (REFIT, False, True)):
        benches.pytester.makepyfile(script=script.format(options=options))
        done = subprocess.run(
            [sys.executable, "script.py"], cwd=benches.pytester.path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert ("no algorithm uses the validation part of tiny" in done.stderr) is told
        assert ("fitted on train+validation" in done.stdout) is footer


def test_what_cannot_be_refitted_is_refused_before_anything_runs(benches: Project) -> None:
    """One failed item that says why; nothing is fitted."""
    write(benches, "both", "Judging", REFIT)
    result = benches.run()
    result.stdout.fnmatch_lines(["*no algorithm of the plan can be fitted so. Judging: its fit takes the validation*"])
    assert not (benches.pytester.path / "checkpoints").exists()


@pytest.mark.guests
def test_seeds_are_named_on_every_dataset(benches: Project) -> None:
    """Also where a configuration is refitted on one dataset of a benchmark, and has nothing to add on another."""
    benches.pytester.makepyfile(
        bench_seeds="from tiny_data import *\n"
        'none = from_frame(frame, "none").pipe(UserHoldout(0, 0.2))\n'
        "@benchmark([data, none], plan_of(Popular), Evaluator(NDCG(5)), seeds=2" + REFIT + ")\n"
        "def bench_seeds(result): ...\n"
    )
    benches.run().assert_outcomes(passed=4)
    status = _command(benches, "status", "--all")
    for dataset in ("tiny/Popular(refit=train+validation)", "none/Popular"):
        assert [f"{dataset}/seed_{seed}" in status for seed in (42, 43)] == [True, True]
    compared = _command(benches, "compare", "--dataset", "tiny")
    assert "Fitted on train+validation." in compared
