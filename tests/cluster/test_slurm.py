"""Runs on a real SLURM of one machine, which a script of ours starts; see ``start_slurm.sh``."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from distributed.utils import get_ip
from support.clusters import kill, marks, running_pytest, wait_for
from support.listening import listeners, listeners_by_ss
from support.own_environments import WALKS
from support.projects import Project
from support.slurm import command, job_of, jobs, needs_slurm, workers_of
from support.strangers import assert_answers_no_stranger, speaks_http

pytestmark = needs_slurm


@pytest.mark.usefixtures("slurm_settings")
def test_jobs_compute_and_end(project: Project, slurm: Path) -> None:
    """Two jobs compute the items, end with the run, and leave no file behind."""
    project.run_process("--omnirec-cluster=slurm").assert_outcomes(passed=2)
    wait_for(lambda: not jobs())
    assert list((slurm / "shared").iterdir()) == []


@pytest.mark.usefixtures("slurm_settings")
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


@pytest.mark.usefixtures("slurm_settings")
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


@pytest.mark.usefixtures("slurm_settings")
def test_the_submitter_of_jobs_is_killed(project: Project) -> None:
    """The jobs of a run that was killed end by themselves."""
    project.bench("plan.add_algorithm(Slow, {'seconds': 1000.0})")
    with running_pytest(project.pytester.path, "--omnirec-cluster=slurm") as run:
        wait_for(lambda: len(marks(project.fits, "begin-")) == 2)
        assert len(jobs()) == 2
        kill(run.pid)
        wait_for(lambda: not jobs(), patience=60)


@pytest.mark.usefixtures("slurm_settings")
def test_what_a_run_in_jobs_listens_on(project: Project, slurm: Path, tmp_path: Path) -> None:
    """Scheduler and workers have two ports each: on the machine's network with the run's key alone, and on the loopback."""
    settings, gate = project.pytester.path / "pyproject.toml", project.pytester.path / "gate"
    settings.write_text(settings.read_text().replace("interface = 'lo'\n", ""))
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}})")
    with running_pytest(project.pytester.path, "--omnirec-cluster=slurm") as run:
        wait_for(lambda: len(marks(project.fits, "begin-")) == 2)
        # Those of a test before this one may still be ending.
        workers = wait_for(lambda: pids if len(pids := set(workers_of(slurm))) == 2 else None)
        pids = {run.pid, *workers}
        listening = listeners_by_ss(pids)
        assert listening == listeners(pids)
        hosts = {pid: sorted(each.host for each in listening if each.pid == pid) for pid in pids}
        assert len(pids) == 3
        assert hosts == dict.fromkeys(pids, sorted([get_ip(), "127.0.0.1"]))  # type: ignore[no-untyped-call]
        http = {listener for listener in listening if listener.host == "127.0.0.1" and speaks_http(listener)}
        assert {listener.pid for listener in http} == pids
        for listener in listening - http:
            assert_answers_no_stranger(listener, tmp_path / "unpickled")
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    assert not (tmp_path / "unpickled").exists()
    wait_for(lambda: not jobs())


@pytest.mark.usefixtures("slurm_settings")
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


@pytest.mark.usefixtures("slurm_settings")
def test_a_detached_run_that_no_job_could_compute(project: Project) -> None:
    """What asks for more than any node has is refused by the command itself: no job is submitted to say so in its log."""
    project.bench("plan.add_algorithm(Popular)\nplan.add_algorithm(Slow, resources=Resources(memory='100GiB'))")
    refused = project.run_process("--omnirec-cluster=slurm", "--omnirec-detach")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert "Slow asks for 107.4 GB of memory, and SLURM takes no job of" in " ".join(refused.stderr.str().split())
    assert not jobs()


@pytest.mark.usefixtures("slurm_settings")
def test_jobs_that_nobody_needs_end(project: Project) -> None:
    """A job whose item is done, while no other waits, ends before the run does; the one that computes goes on."""
    gate = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Slow, {{'seconds': 1.0}})\nplan.add_algorithm(Gated, {{'gate': {str(gate)!r}}})")
    with running_pytest(project.pytester.path, "--omnirec-cluster=slurm", "-k", "fold_0") as run:
        [guest] = wait_for(lambda: marks(project.fits, "begin-[1-9]"))  # the mark of Slow begins with its tag, 0
        wait_for(lambda: len(jobs()) == 2 or project.count_fits() == 1)
        wait_for(lambda: project.count_fits() == 1)
        wait_for(lambda: jobs() == [job_of(guest)], patience=120)
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    wait_for(lambda: not jobs(), patience=30)


@pytest.mark.usefixtures("slurm_settings")
def test_status_follows_a_detached_run(project: Project) -> None:
    """``omnibench status --follow`` on the login node shows the run of the job until it has ended, and then what is done."""
    gate = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}})")
    assert project.run_process("--omnirec-cluster=slurm", "--omnirec-detach").ret == pytest.ExitCode.OK
    wait_for(lambda: len(marks(project.fits, "begin-")) == 2)
    command = [sys.executable, "-m", "omnibench", "status", "--follow"]
    with subprocess.Popen(command, cwd=project.pytester.path, stdout=subprocess.PIPE, text=True) as status:
        assert status.stdout is not None
        first = status.stdout.readline()
        gate.touch()
        output, _ = status.communicate(timeout=300)
    assert "holds a run (RUNNING: pytest" in first + output
    assert "2 done" in output
    wait_for(lambda: not jobs())


@pytest.mark.usefixtures("slurm_settings")
def test_a_detached_run_without_a_node(project: Project) -> None:
    """Its items are known once it is submitted, wherever the store is; its job does not detach it again, though ``addopts`` have it so."""
    project.bench()
    settings = project.pytester.path / "tox.ini"
    where = "addopts = --omnirec-cluster=slurm --omnirec-detach '--omnirec-checkpoint-dir=50%j off'"
    settings.write_text(settings.read_text().replace("addopts =", where))
    command("scontrol", "update", "nodename=n[1-2]", "state=drain", "reason=full")
    try:
        submitted = project.run_process()
        assert submitted.ret == pytest.ExitCode.OK
        printed = re.search(r"`omnibench (status .*)` says", submitted.stdout.str())
        assert printed is not None
        status = subprocess.run(
            [sys.executable, "-m", "omnibench", *shlex.split(printed[1])], capture_output=True, text=True, check=True
        )
        assert "holds a run (PENDING: pytest" in status.stdout
        assert "2 items: 0 done, 0 failed, 0 interrupted, 0 running, 2 pending" in status.stdout
    finally:
        command("scontrol", "update", "nodename=n[1-2]", "state=resume")
    assert "2 cached" in project.run_process().stdout.str()
    wait_for(lambda: not jobs())


@pytest.mark.guests
@pytest.mark.usefixtures("slurm_settings")
def test_a_class_that_needs_packages(project: Project) -> None:
    """Its lock is made where the run is begun; jobs compute in its environment, with packages that nobody else has."""
    project.pytester.makepyfile(walks=WALKS)
    project.bench("from walks import PageRank\nplan.add_algorithm(PageRank)", metrics="NDCG(10)")
    project.run_process("--omnirec-cluster=slurm").assert_outcomes(passed=2)
    assert (project.pytester.path / "walks.PageRank.lock").exists()
    out = (project.pytester.path / "checkpoints" / "out.log").read_text()
    assert out.count("igraph 1.") == 2
    wait_for(lambda: not jobs())


def test_only_jobs_hold_runs(project: Project) -> None:
    """Without SLURM nothing is detached."""
    refused = project.run("--omnirec-detach", "--omnirec-cluster=local")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(
        ["*--omnirec-detach has a job of SLURM hold the run; give --omnirec-cluster=slurm with it.*"]
    )
