"""Runs of pytest whose gate judges stochastic algorithms: with a baseline of several seeds, and with one of a single seed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.projects import OWN_ALGORITHMS, Project

NOISY = """


class Noisy(Popular):
    '''Orders items by their popularity and chance.'''

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, train):
        import numpy as np

        counts = train["item"].value_counts().sort_index()
        noise = np.random.default_rng(self.seed).normal(0, 3, len(counts))
        self.items = (counts + noise).sort_values(ascending=False, kind="stable").index.tolist()


class Stated(Popular):
    '''Says that it is deterministic.'''

    deterministic = True
"""
WARNING = "A change of the random stream alone may"
QUIET = ("--omnirec-table=none", "-q")


@pytest.fixture
def stochastic(project: Project) -> Project:
    """A project whose own class uses its seed, beside one that says it is deterministic."""
    project.pytester.makepyfile(own_algorithms=OWN_ALGORITHMS + NOISY)
    return project


def ask(project: Project, seeds: str) -> None:
    """Write the bench file of both classes with some seeds."""
    project.bench(
        plan="plan.add_algorithm(Noisy)\nplan.add_algorithm(Stated)", metrics=f"NDCG([5, 10]), HR(10)), seeds=({seeds}"
    )


def text_of(result: pytest.RunResult) -> str:
    """Return what a run printed, in one line."""
    return " ".join(result.stdout.str().split())


def gate_properties(path: Path) -> dict[str, str]:
    """Return the properties of the gate's test case."""
    (case,) = (case for case in ET.parse(path).getroot().iter("testcase") if case.get("name") == "regression gate")
    return {entry.attrib["name"]: entry.attrib["value"] for entry in case.iter("property")}


def test_a_baseline_of_seeds_judges_by_their_spread(stochastic: Project) -> None:
    """Other seeds pass; a single seed is judged by the same spread; writer and judge say nothing of a single stream."""
    ask(stochastic, "4")
    written = stochastic.run("--omnirec-baseline=baseline.parquet", "--omnirec-table=none")
    assert "2 configurations with 1 to 4 seeds" in text_of(written)
    assert WARNING not in text_of(written)
    for seeds, sides in (("[7, 8, 9]", "4 -> 3 seeds"), ("[7]", "4 -> 1 seeds")):
        ask(stochastic, seeds)
        judged = stochastic.run("--omnirec-gate=baseline.parquet", "--omnirec-table=none", "-v")
        assert judged.ret == pytest.ExitCode.OK, judged.stdout.str()
        rows = [line for line in judged.stdout.lines if "users" in line and "->" in line]
        assert [sides in row for row in rows] == [True] * 3 + [False] * 3  # the deterministic one is fitted once
        assert WARNING not in text_of(judged)


def test_a_baseline_of_one_seed_says_what_may_fail_it(stochastic: Project) -> None:
    """Its writer says so, and the run that is judged by it; only of the stochastic class, also in JUnit's file."""
    ask(stochastic, "1")
    written = text_of(stochastic.run("--omnirec-baseline=baseline.parquet", "--omnirec-table=none"))
    assert "tiny/Noisy: fewer than 3 seeds, so the gate will judge these fitted models" in written
    assert WARNING in written
    assert "tiny/Stated" not in written
    same = text_of(stochastic.run("--omnirec-gate=baseline.parquet", "--omnirec-table=none"))
    assert "6 comparisons: 6 same" in same
    assert WARNING not in same  # nothing was tested
    ask(stochastic, "[7]")
    judged = text_of(stochastic.run("--omnirec-gate=baseline.parquet", "--omnirec-table=none", "--junitxml=junit.xml"))
    assert "tiny/Noisy: of these fitted models; other seeds may differ" in judged
    assert WARNING in judged
    assert "tiny/Stated" not in judged
    assert WARNING in gate_properties(stochastic.pytester.path / "junit.xml")["omnibench.gate.condition"]
