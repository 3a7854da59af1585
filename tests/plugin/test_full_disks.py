"""Whole runs of which something finds no room; ``/dev/full`` is a disk that is always full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.projects import Project

from omnibench.store.queries import open_store

pytestmark = pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full")

CACHING = """
import os
class Caching:
    def fit(self, train):
        self.items = train["item"].value_counts().index.tolist()
        try:
            with open(os.environ["CACHE"], "w") as file:
                file.write("something")
        except OSError as error:
            raise ValueError("the cache is of no use") from error
    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}
"""


def statuses(project: Project) -> set[str]:
    """The statuses of the project's items."""
    return {item["status"] for item in open_store(project.pytester.path / "checkpoints").items().values()}


def test_a_class_that_finds_no_room_has_not_failed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it writes, and whatever it makes of the error; with room the next run computes it, also with skip."""
    (project.pytester.path / "caching.py").write_text(CACHING)
    project.bench(plan="from caching import Caching; plan.add_algorithm(Caching)")
    monkeypatch.setenv("CACHE", "/dev/full")
    full = project.run()
    full.assert_outcomes(failed=2)
    full.stdout.fnmatch_lines(
        ["DiskError: Fit was given up because *: ValueError: the cache is of no use. *make room*"]
    )
    assert statuses(project) == {"interrupted"}
    monkeypatch.setenv("CACHE", str(project.pytester.path / "cache"))
    project.run("--omnirec-failed=skip").assert_outcomes(passed=2)


def test_a_metric_that_lacks_a_file_has_failed(project: Project) -> None:
    """The user's metric is named with its traceback, and nobody is asked to make room in the checkpoint directory."""
    metric = """
class Weighted:
    def calculate(self, predictions, test):
        return len(open("weights.json").read()) if len(test) > 20 else 0.5
"""
    (project.pytester.path / "weighted.py").write_text(metric)
    plan = "from weighted import Weighted; from own_algorithms import Popular; plan.add_algorithm(Popular)"
    project.bench(plan=plan, metrics="Weighted()")
    run = project.run()
    run.assert_outcomes(failed=2)
    run.stdout.fnmatch_lines(["Eval failed: FileNotFoundError: *weights.json*", "*weighted.py*in calculate*"])
    run.stdout.no_fnmatch_line("*make room*")
    assert statuses(project) == {"failed"}
    (project.pytester.path / "weights.json").write_text("{}")
    project.run().assert_outcomes(passed=2)


def test_a_junit_file_without_room_costs_no_table(project: Project, tmp_path: Path) -> None:
    """Pytest's own files fail in one line, the run with them; what is not exported for it is said."""
    run = project.run("--junitxml=/dev/full", f"--omnirec-export={tmp_path / 'results.csv'}")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines(["*a file that pytest writes at its end*No space left on device*", "*Evaluation Results*"])
    run.stdout.no_fnmatch_line("*Traceback*")
    written = (tmp_path / "results.csv").exists()
    run.stdout.fnmatch_lines([("Exported: " if written else "omnibench: not exported: ") + "*results.csv*"])
