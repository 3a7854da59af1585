"""Runs on a real SLURM of one machine, which a script of ours starts; see ``start_slurm.sh``."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clusters import kill, marks, running_pytest, wait_for
from support.projects import Project

PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("slurm"),  # its ports are those of its configuration
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in PROGRAMS),
        reason="apt-get install --no-install-recommends slurm-wlm munge",
    ),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a SLURM with two nodes, whose configuration commands find."""
    directory = tmp_path_factory.mktemp("slurm")
    started = subprocess.run(
        [Path(__file__).with_name("start_slurm.sh"), directory], capture_output=True, text=True, check=False
    )
    try:
        if started.returncode:
            pytest.skip(f"SLURM does not start here: {started.stderr.strip()[-300:]}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(directory / "slurm.conf"))
            yield directory
    finally:
        subprocess.run([Path(__file__).with_name("stop_slurm.sh"), directory], check=False)


@pytest.fixture
def settings(project: Project, slurm: Path) -> None:
    """What jobs are asked for in the project."""
    (project.pytester.path / "pyproject.toml").write_text(
        "[tool.omnibench.slurm]\njobs = 2\npartition = 'debug'\nwalltime = '00:20:00'\nmemory = '1GiB'\n"
        f"interface = 'lo'\nshared-directory = {str(slurm / 'shared')!r}\nprologue = ['export BY_PROLOGUE=1']\n"
    )


def jobs() -> list[str]:
    """The ids of the jobs that wait or run."""
    return subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.usefixtures("settings")
def test_jobs_compute_and_end(project: Project, slurm: Path) -> None:
    """Two jobs compute the items, end with the run, and leave no file behind."""
    project.run_process("--omnirec-cluster=slurm").assert_outcomes(passed=2)
    wait_for(lambda: not jobs())
    assert list((slurm / "shared").iterdir()) == []


@pytest.mark.usefixtures("settings")
def test_jobs_of_the_shapes_that_are_asked_for(project: Project) -> None:
    """Each item is computed in a job with the cores, the memory and the time that it asks for, and its Fit has these threads."""
    project.bench(
        "plan.add_algorithm(Slow, {'seconds': 1000.0})\n"
        "plan.add_algorithm(Slow, {'seconds': 1000.0, 'tag': 1}, resources=Resources(cores=2, memory='2GiB', hours=2))"
    )
    with running_pytest(project.pytester.path, "--omnirec-cluster=slurm:4", "-k", "fold_0") as run:
        wait_for(lambda: len(marks(project.fits, "begin-")) == 2)
        shapes = subprocess.run(["squeue", "-h", "-o", "%C %m %l"], capture_output=True, text=True, check=True).stdout
        assert sorted(shapes.splitlines()) == ["1 1G 20:00", "2 2G 2:15:00"]
        run.send_signal(signal.SIGINT)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=120)
    wait_for(lambda: not jobs())


@pytest.mark.usefixtures("settings")
def test_a_job_that_no_node_could_run(project: Project) -> None:
    """It is refused with what is asked for, SLURM's words and what nodes have, before anything runs."""
    project.bench("plan.add_algorithm(Popular)\nplan.add_algorithm(Slow, resources=Resources(cores=64))")
    refused = project.run_process("--omnirec-cluster=slurm")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    words = " ".join(refused.stderr.str().split())
    assert "Slow asks for 64 cores, and SLURM takes no job of 64 cores" in words
    assert "nodes have 2 cores, 8000 MiB" in words
    assert project.count_fits() == 0
    assert not jobs()


@pytest.mark.usefixtures("settings")
def test_the_submitter_of_jobs_is_killed(project: Project) -> None:
    """The jobs of a run that was killed end by themselves."""
    project.bench("plan.add_algorithm(Slow, {'seconds': 1000.0})")
    with running_pytest(project.pytester.path, "--omnirec-cluster=slurm") as run:
        wait_for(lambda: len(marks(project.fits, "begin-")) == 2)
        assert len(jobs()) == 2
        kill(run.pid)
        wait_for(lambda: not jobs(), patience=60)


@pytest.mark.usefixtures("settings")
def test_a_run_that_nobody_waits_for(project: Project) -> None:
    """A job of its own holds the run; status says so, the same command follows it, and shows the results when it has ended."""
    gate = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}})")
    where = ("--omnirec-cluster=slurm", "--omnirec-detach")
    submitted = project.run_process(*where)
    assert submitted.ret == pytest.ExitCode.OK
    words = " ".join(submitted.stdout.str().split())
    assert "omnibench: 2 items: 0 done, 0 failed, 2 pending" in words
    [job] = jobs()
    assert f"omnibench: job {job} holds the run." in words
    wait_for(lambda: len(marks(project.fits, "begin-")) == 2)
    with running_pytest(project.pytester.path, *where) as follower:
        status = subprocess.run(
            [sys.executable, "-m", "omnibench", "status"],
            cwd=project.pytester.path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"job {job} holds a run (RUNNING: pytest " in status.stdout
        assert "2 running" in status.stdout
        assert follower.stdout is not None
        assert f"omnibench: job {job} holds this run (RUNNING: pytest" in follower.stdout.readline()
        gate.touch()
        output, _ = follower.communicate(timeout=300)
    assert "2 passed" in output
    assert "2 cached" in output
    assert follower.returncode == pytest.ExitCode.OK
    assert len(list(project.fits.glob("begin-*"))) == 2
    wait_for(lambda: not jobs())


def test_only_jobs_hold_runs(project: Project) -> None:
    """Without SLURM nothing is detached."""
    refused = project.run("--omnirec-detach", "--omnirec-cluster=local")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(
        ["*--omnirec-detach has a job of SLURM hold the run; give --omnirec-cluster=slurm with it.*"]
    )
