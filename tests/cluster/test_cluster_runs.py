"""Runs on a cluster that they start themselves: what comes of them is what comes of a run on this machine."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from support.clusters import measured
from support.projects import Project

LOCAL = "--omnirec-cluster=local:2"


@pytest.mark.slow
def test_a_cluster_computes_what_this_machine_computes(project: Project) -> None:
    """Keys, predictions and metrics are those of -n, failures are items' failures, and what is done starts no cluster."""
    project.bench("plan.add_algorithm(Popular, {'noise': Grid([0, 1])})\nplan.add_algorithm(Broken)")
    elsewhere = project.run_process(LOCAL, "--junitxml=report.xml", "-rf")
    elsewhere.assert_outcomes(passed=4, failed=2)
    elsewhere.stdout.fnmatch_lines(["*Fit failed: RuntimeError: the algorithm is broken*"])
    assert project.count_fits() == 4
    cases = ET.parse(project.pytester.path / "report.xml").iter("testcase")
    assert all(float(case.get("time", 0)) > 0 for case in cases)
    here = project.run("--omnirec-checkpoint-dir=here", "-n0")
    here.assert_outcomes(passed=4, failed=2)
    assert measured(project.pytester.path / "checkpoints") == measured(project.pytester.path / "here")
    again = project.run("--omnirec-cluster=tcp://127.0.0.1:1", "-k", "Popular")  # where nobody listens
    assert "4 cached" in again.stdout.str()


def test_one_place_to_compute(project: Project) -> None:
    """-n beside a cluster is refused, and so is a place that is none, before anything is collected."""
    both = project.run(LOCAL, "-n2")
    both.stderr.fnmatch_lines(
        ["*-n computes on this machine, and --omnirec-cluster=local:2 elsewhere; give one of them.*"]
    )
    wrong = project.run("--omnirec-cluster=slum")
    wrong.stderr.fnmatch_lines(["*--omnirec-cluster: the cluster is 'slum'; give local, local:N, slurm, *"])
    assert both.ret == wrong.ret == pytest.ExitCode.USAGE_ERROR


def test_checkpoints_that_cannot_be_written(project: Project) -> None:
    """Each item fails with the directory and the reason, as without a cluster, and none is started."""
    result = project.run(LOCAL, "--omnirec-checkpoint-dir=/proc/checkpoints")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*StoreError: the checkpoint directory '/proc/checkpoints' cannot be written (*"])
    assert "INTERNALERROR" not in result.stdout.str()
    assert project.count_fits() == 0


@pytest.mark.slow
def test_the_first_failure_ends_the_run(project: Project) -> None:
    """With -x what is in progress elsewhere ends, and nothing that it was at is recorded as failed."""
    project.bench("plan.add_algorithm(Broken)\nplan.add_algorithm(Slow, {'seconds': 1000.0})")
    stopped = project.run_process(LOCAL, "-x")
    assert stopped.parseoutcomes()["failed"] == 1
    assert "passed" not in stopped.parseoutcomes()
    status = project.run("--omnirec-plan", "-k", "Slow")
    assert "failed" not in status.stdout.str().partition("0 failed")[0]


@pytest.mark.slow
def test_frameworks_on_a_cluster(project: Project) -> None:
    """LensKit, RecBole and RecPack compute there what they compute here, to the last byte."""
    project.bench(
        "plan.add_algorithm(LensKit.PopScorer)\nplan.add_algorithm(RecBole.BPR, {'epochs': 2})\n"
        "plan.add_algorithm(RecPack.ItemKNN, {'K': 5})"
    )
    project.run_process(LOCAL).assert_outcomes(passed=6)
    project.run_process("--omnirec-checkpoint-dir=here").assert_outcomes(passed=6)
    assert measured(project.pytester.path / "checkpoints") == measured(project.pytester.path / "here")


@pytest.mark.slow
def test_other_tests_and_fixtures_run_beside_benchmarks(project: Project) -> None:
    """Plain tests run as ever, benchmarks may use fixtures of any scope, and what is marked as skipped is not computed."""
    project.pytester.makepyfile(
        bench_more="""
import pytest
from bench_tiny import data, Evaluator, NDCG, Popular, ExperimentPlan, benchmark
plan = ExperimentPlan("more")
plan.add_algorithm(Popular, {"noise": 5})

@pytest.fixture(scope="module")
def least():
    return 0.0

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_more(result, least):
    assert result["NDCG@10"] >= least

@pytest.mark.skip(reason="not today")
@benchmark(data, plan, Evaluator(NDCG(10)), seeds=[3])
def bench_skipped(result): ...

def test_plain(): ...
"""
    )
    ended = project.run_process(LOCAL, "-p", "no:cacheprovider", "bench_tiny.py", "bench_more.py")
    ended.assert_outcomes(passed=5, skipped=2)
    assert project.count_fits() == 4
