"""Tuning and the gate on a cluster: what comes of them is what comes of them on this machine."""

from __future__ import annotations

import pytest
from support.clusters import measured
from support.projects import Project

LOCAL = "--omnirec-cluster=local:2"

TUNED = """
data = from_file("tiny.csv").pipe(MakeImplicit(2), CorePruning(4), UserHoldout(validation_size=0.2, test_size=0.2))
plan = ExperimentPlan("tuned", tuning=Tuning("NDCG@10", trials=4, sampler="random"))
plan.tune(Popular, {"noise": Int(0, 9)})
"""

pytestmark = pytest.mark.slow


def test_a_search_on_a_cluster(project: Project) -> None:
    """Trials that workers compute side by side choose the hyperparameters, and give the numbers, of a run without a cluster."""
    project.bench(TUNED)
    project.run_process(LOCAL).assert_outcomes(passed=1)
    project.run_process("--omnirec-checkpoint-dir=here").assert_outcomes(passed=1)
    elsewhere, here = (measured(project.pytester.path / name) for name in ("checkpoints", "here"))
    assert elsewhere == here


def test_the_gate_on_a_cluster(project: Project) -> None:
    """A run on a cluster writes the baseline of a run without one, passes it, and fails what has got worse."""
    project.bench("plan.add_algorithm(Popular)")
    project.run_process("--omnirec-baseline=baseline.parquet").assert_outcomes(passed=2)
    passes = project.run_process(LOCAL, "--omnirec-checkpoint-dir=elsewhere", "--omnirec-gate=baseline.parquet")
    passes.assert_outcomes(passed=2)
    assert passes.ret == pytest.ExitCode.OK
    own = project.pytester.path / "own_algorithms.py"
    own.write_text(own.read_text().replace("ascending=False", "ascending=True", 1))
    fails = project.run_process(LOCAL, "--omnirec-checkpoint-dir=worse", "--omnirec-gate=baseline.parquet")
    assert fails.ret == pytest.ExitCode.TESTS_FAILED
