"""Items that ask for resources, on real workers that declare what they have."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.clusters import DaskProcesses, marks, running_pytest, wait_for, worker_of
from support.projects import Project

pytestmark = pytest.mark.slow


def test_workers_with_what_is_asked_for(project: Project, tmp_path: Path) -> None:
    """What asks for four cores is computed by the worker that has them, one after another; the rest goes past it meanwhile."""
    gate = project.pytester.path / "gate"
    project.bench(
        f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}}, resources=Resources(cores=4))\n"
        "plan.add_algorithm(Slow, {'seconds': 0.0, 'tag': 'small'})"
    )
    with (
        DaskProcesses(tmp_path / "dask", resources=[{"CPU": 4}, {}]) as cluster,
        running_pytest(project.pytester.path, f"--omnirec-cluster={cluster.address}") as run,
    ):
        wait_for(lambda: len(marks(project.fits, "begin-small-")) == 2)
        large = wait_for(lambda: set(marks(project.fits, "begin-")) - set(marks(project.fits, "begin-small-")))
        assert {worker_of(guest) for guest in large} == {cluster.workers[0].pid}
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "4 passed" in output


def test_more_than_any_worker_has(project: Project, tmp_path: Path) -> None:
    """It is refused with both figures before anything runs."""
    project.bench("plan.add_algorithm(Popular)\nplan.add_algorithm(Slow, resources=Resources(cores=8))")
    with DaskProcesses(tmp_path / "dask", resources=[{"CPU": 4}]) as cluster:
        refused = project.run_process(f"--omnirec-cluster={cluster.address}")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert "Slow asks for 8 cores, and the largest worker of the cluster declares 4 cores" in refused.stderr.str()
    assert project.count_fits() == 0


def test_resources_of_this_machine_are_dealt_out(project: Project) -> None:
    """With local workers two Fits that ask for all cores compute one after the other, and more than there is is refused."""
    project.bench(
        "from omnibench.runners.machine import available_cores\n"
        "plan.add_algorithm(Slow, {'seconds': 0.5}, resources=Resources(cores=available_cores()))"
    )
    project.run_process("--omnirec-cluster=local:2").assert_outcomes(passed=2)
    begun, ended = (
        [int(name.split("-")[-2]) for name in marks(project.fits, kind).values()] for kind in ("begin-", "fit-")
    )
    assert max(begun) > min(ended)
    project.bench("plan.add_algorithm(Slow, {'tag': 1}, resources=Resources(cores=5000))")
    refused = project.run_process("--omnirec-cluster=local:2")
    assert "asks for 5000 cores" in refused.stderr.str()
