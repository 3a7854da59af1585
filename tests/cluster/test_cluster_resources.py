"""Items that ask for resources, on real workers that declare what they have."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.clusters import DaskProcesses, kill, marks, running_pytest, wait_for, worker_of
from support.projects import Project

from omnibench.cluster.choice import ClusterChoice
from omnibench.cluster.cluster import Cluster
from omnibench.cluster.connection import Connection
from omnibench.cluster.settings import SlurmSettings
from omnibench.experiment.resources import Resources
from omnibench.runners.environments import Environments

pytestmark = pytest.mark.slow


def test_workers_with_what_is_asked_for(project: Project, tmp_path: Path) -> None:
    """What asks for four cores is computed by the worker that has them, one after another; the rest goes past it meanwhile.

    Of what waits, status says so.
    """
    gate = project.pytester.path / "gate"
    project.bench(
        f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}}, resources=Resources(cores=4))\n"
        "plan.add_algorithm(Slow, {'seconds': 0.0, 'tag': 'small'})"
    )
    with (
        DaskProcesses(tmp_path / "dask", resources=[{"CPU": 4}, {}]) as cluster,
        running_pytest(project.pytester.path, f"--omnirec-cluster={cluster.address}") as run,
    ):
        wait_for(lambda: len(list(project.fits.glob("begin-small-*"))) == 2)  # maybe by the same process
        large = wait_for(lambda: marks(project.fits, "begin-[0-9]"))
        assert {worker_of(guest) for guest in large} == {cluster.workers[0].pid}
        command = [sys.executable, "-m", "omnibench", "status"]
        status = subprocess.run(command, cwd=project.pytester.path, capture_output=True, text=True, check=True).stdout
        assert "waiting for a worker for Fit" in status
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "4 passed" in output


def test_workers_are_not_described_for_each_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 100,000 items asks how large the workers are, which are asked once in a while; one that joins is soon known.

    Before an item is refused they are asked again.
    """
    descriptions, workers = [0], Connection.workers

    def counted(connection: Connection) -> dict[str, tuple[int, dict[str, float]]]:
        descriptions[0] += 1
        return workers(connection)

    monkeypatch.setattr(Connection, "workers", counted)
    with DaskProcesses(tmp_path / "dask", resources=[{"MEMORY": 4e9}]) as processes:
        cluster = Cluster(
            ClusterChoice.parse(processes.address),
            SlurmSettings(),
            "run",
            Environments("isolated"),
            tmp_path,
            30.0,
            print,
        )
        with closing(cluster):
            wait_for(lambda: cluster.raised_memory(int(2e9)))
            began, descriptions[0] = time.monotonic(), 0
            for _ in range(1000):
                assert cluster.raised_memory(int(2e9)) == int(2e9)
                assert cluster.raised_memory(int(8e9)) is None
                assert not cluster.shortage(Resources(memory=int(2e9)))
            assert descriptions[0] <= 1 + time.monotonic() - began
            processes.add_worker({"MEMORY": 8e9})
            wait_for(lambda: cluster.raised_memory(int(8e9)) == int(8e9))
            monkeypatch.setattr("omnibench.cluster.cluster._KNOWN_SECONDS", math.inf)
            assert cluster.shortage(Resources(memory=int(16e9)))
            processes.add_worker({"MEMORY": 16e9})
            wait_for(lambda: not cluster.shortage(Resources(memory=int(16e9))))


def test_more_than_any_worker_has(project: Project, tmp_path: Path) -> None:
    """It is refused with both figures before anything runs."""
    project.bench("plan.add_algorithm(Popular)\nplan.add_algorithm(Slow, resources=Resources(cores=8))")
    with DaskProcesses(tmp_path / "dask", resources=[{"CPU": 4}]) as cluster:
        cluster.await_workers()  # who comes later could declare anything
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
        [int(path.name.split("-")[-2]) for path in project.fits.glob(f"{kind}*")]  # both maybe of the same process
        for kind in ("begin-", "fit-")
    )
    assert max(begun) > min(ended)
    project.bench("plan.add_algorithm(Slow, {'tag': 1}, resources=Resources(cores=5000))")
    refused = project.run_process("--omnirec-cluster=local:2")
    assert "asks for 5000 cores" in refused.stderr.str()


SEEING = """
import os, time
from pathlib import Path
from own_algorithms import Gated

class Seeing(Gated):
    uses_gpu = True

    def fit(self, train):
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        Path(os.environ["COUNT_FITS_IN"], f"gpus-{seen}-{time.time_ns()}").touch()
        super().fit(train)
"""


def seen_gpus(project: Project) -> list[str]:
    """The GPUs that each Fit has seen, of GPUs that are none: what is dealt out is an environment variable."""
    return sorted(path.name.split("-")[1] for path in project.fits.glob("gpus-*"))


def test_gpus_of_a_machine_are_dealt_to_its_workers(project: Project, tmp_path: Path) -> None:
    """Two workers of a machine see both GPUs; items that compute side by side get one each, though the submitter has none."""
    gate = project.pytester.path / "gate"
    project.pytester.makepyfile(seeing=SEEING)
    project.bench(f"from seeing import Seeing\nplan.add_algorithm(Seeing, {{'gate': {str(gate)!r}}})")
    variables = {"CUDA_VISIBLE_DEVICES": "0,1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with DaskProcesses(tmp_path / "dask", variables=variables, resources=[{"GPU": 1}, {"GPU": 1}]) as cluster:
        where = f"--omnirec-cluster={cluster.address}"
        with running_pytest(project.pytester.path, where, "--omnirec-device=cuda") as run:
            wait_for(lambda: len(seen_gpus(project)) == 2)
            gate.touch()
            output, _ = run.communicate(timeout=300)
        assert "2 passed" in output
        assert seen_gpus(project) == ["0", "1"]
        left_to_itself = project.run_process(where)  # nothing asks for a GPU, so these are other items
        left_to_itself.assert_outcomes(passed=2)
    assert len(seen_gpus(project)) == 4


def test_workers_that_declare_no_gpu(project: Project, tmp_path: Path) -> None:
    """What is to compute on a GPU is refused with what declares one, before anything runs."""
    project.pytester.makepyfile(seeing=SEEING)
    project.bench("from seeing import Seeing\nplan.add_algorithm(Seeing)")
    with DaskProcesses(tmp_path / "dask", 1) as cluster:
        cluster.await_workers()  # who comes later could declare anything
        refused = project.run_process(f"--omnirec-cluster={cluster.address}", "--omnirec-device=cuda")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert "no worker of the cluster declares any (dask worker --resources GPU=1)" in refused.stderr.str()


def test_workers_that_join_later_and_declare_no_gpu(project: Project, tmp_path: Path) -> None:
    """Nobody knows whether others come: the rest is computed, and what waits for a GPU is named, with what to do, until one comes."""
    gate = project.pytester.path / "gate"
    gate.touch()
    project.pytester.makepyfile(seeing=SEEING)
    project.bench(
        f"from seeing import Seeing\nplan.add_algorithm(Seeing, {{'gate': {str(gate)!r}}})\nplan.add_algorithm(Popular)"
    )
    variables = {"CUDA_VISIBLE_DEVICES": "0", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with (
        DaskProcesses(tmp_path / "dask", 0, variables=variables) as cluster,
        running_pytest(
            project.pytester.path, f"--omnirec-cluster={cluster.address}", "--omnirec-device=cuda", "-v"
        ) as run,
    ):
        wait_for(lambda: "(the cluster has no worker; waiting for a worker for Fit)" in status_of(project))
        cluster.add_worker({})
        wait_for(lambda: project.count_fits() == 2)
        words = "asks for 1 GPU, and no worker of the cluster declares any (dask worker --resources GPU=1)"
        wait_for(lambda: "(no worker declares 1 GPU; waiting for a worker for Fit)" in status_of(project))
        assert run.stdout is not None
        said = next(line for line in run.stdout if words in line)
        assert "Seeing" in said
        assert "until such a worker joins, and the rest of the run goes on: start one, or end the run" in said
        assert not seen_gpus(project)
        cluster.add_worker({"GPU": 1})
        output, _ = run.communicate(timeout=300)
    assert "4 passed" in output
    assert seen_gpus(project) == ["0", "0"]


def test_a_gpu_that_is_lost_for_a_while(project: Project, tmp_path: Path) -> None:
    """What is begun while its only worker is away, and others are there, is computed when that is back."""
    gate = project.pytester.path / "gate"
    project.pytester.makepyfile(seeing=SEEING)
    project.bench(f"from seeing import Seeing\nplan.add_algorithm(Seeing, {{'gate': {str(gate)!r}}})")
    variables = {"CUDA_VISIBLE_DEVICES": "0", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with DaskProcesses(tmp_path / "dask", variables=variables, resources=[{"GPU": 1}, {}]) as cluster:
        cluster.await_workers()
        where = f"--omnirec-cluster={cluster.address}"
        with running_pytest(project.pytester.path, where, "--omnirec-device=cuda") as run:
            wait_for(lambda: seen_gpus(project))
            kill(cluster.workers[0].pid)
            words = "(no worker declares 1 GPU; waiting for a worker for Fit)"
            wait_for(lambda: words in status_of(project))
            gate.touch()
            cluster.add_worker({"GPU": 1})
            output, _ = run.communicate(timeout=300)
    assert "2 passed" in output


def status_of(project: Project) -> str:
    """What ``omnibench status`` says, from the run's first record on."""
    command = [sys.executable, "-m", "omnibench", "status"]
    return subprocess.run(command, cwd=project.pytester.path, capture_output=True, text=True, check=False).stdout


def test_gpus_of_this_machine_are_dealt_to_its_workers(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With local workers each Fit gets a GPU of its own, as with -n."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    gate = project.pytester.path / "gate"
    project.pytester.makepyfile(seeing=SEEING)
    project.bench(f"from seeing import Seeing\nplan.add_algorithm(Seeing, {{'gate': {str(gate)!r}}})")
    with running_pytest(project.pytester.path, "--omnirec-cluster=local:2") as run:
        wait_for(lambda: len(seen_gpus(project)) == 2)
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    assert seen_gpus(project) == ["0", "1"]


KILLED = """
import os, signal
from pathlib import Path
from own_algorithms import Gated

class Killed(Gated):
    def fit(self, train):
        super().fit(train)
        kills = Path(os.environ["OOM_KILLS"])
        if not kills.exists():
            kills.touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""

COUNTING_KILLS = """
import os
from pathlib import Path
import omnibench.proc
omnibench.proc.oom_kills = lambda: (int(Path(os.environ["OOM_KILLS"]).exists()), 0)
"""
"""A kernel that tells of a kill as soon as a file is there: what is loaded by each Python before anything else."""


def test_a_fit_that_is_killed_for_memory_while_the_only_larger_worker_is_away(project: Project, tmp_path: Path) -> None:
    """It waits for the next one that declares twice as much, as one was there; where none ever was, its error is the kill."""
    gate = project.pytester.path / "gate"
    project.pytester.makepyfile(killing=KILLED)
    (tmp_path / "counting").mkdir()
    (tmp_path / "counting" / "sitecustomize.py").write_text(COUNTING_KILLS)
    variables = {"OOM_KILLS": str(tmp_path / "kills"), "PYTHONPATH": str(tmp_path / "counting")}
    project.bench(
        f"from killing import Killed\nplan.add_algorithm(Killed, {{'gate': {str(gate)!r}}}, resources=Resources(memory='3GB'))",
    )
    with DaskProcesses(tmp_path / "dask", variables=variables, resources=[{"MEMORY": 4e9}, {"MEMORY": 8e9}]) as cluster:
        cluster.await_workers()
        where = (f"--omnirec-cluster={cluster.address}", "-k", "fold_0", "-v")
        with running_pytest(project.pytester.path, *where) as run:
            wait_for(lambda: marks(project.fits, "begin-"))
            kill(cluster.workers[1].pid)
            wait_for(lambda: on_workers(project, cluster.workers[0].pid))
            gate.touch()
            wait_for(
                lambda: "(no worker declares 6.0 GB of memory; waiting for a worker for Fit)" in status_of(project)
            )
            cluster.add_worker({"MEMORY": 8e9})
            output, _ = run.communicate(timeout=300)
        assert "killed for want of memory; it is tried once more with 6.0 GB, twice as much" in output
        assert "1 passed" in output
    (tmp_path / "kills").unlink()
    with DaskProcesses(tmp_path / "another", variables=variables, resources=[{"MEMORY": 4e9}]) as cluster:
        cluster.await_workers()
        given_up = project.run_process(f"--omnirec-cluster={cluster.address}", "-k", "fold_1")
    given_up.assert_outcomes(failed=1)
    assert "tried once more" not in given_up.stdout.str()


def on_workers(project: Project, worker: int) -> bool:
    """Whether a guest that has begun a Fit, and is alive, is a worker's."""
    for guest in marks(project.fits, "begin-"):
        with suppress(OSError):  # it has ended
            if worker_of(guest) == worker:
                return True
    return False


def test_measured_memory_is_asked_for(project: Project, tmp_path: Path) -> None:
    """What a Fit was measured to need, later Fits of its algorithm ask for: those workers that declare less get none of them."""
    project.bench("plan.add_algorithm(Slow, {'seconds': 0.0, 'tag': Grid([0, 1, 2])})")
    project.run_process("-k", "fold_0 and tag=0").assert_outcomes(passed=1)
    for mark in project.fits.iterdir():
        mark.unlink()
    with DaskProcesses(tmp_path / "dask", resources=[{"MEMORY": 10e6}, {"MEMORY": 8e9}]) as cluster:
        wait_for(lambda: cluster.n_joined == 2)  # while nobody has as much, Fits are computed by whoever is there
        with running_pytest(project.pytester.path, f"--omnirec-cluster={cluster.address}") as run:
            workers = set()
            while run.poll() is None:
                for guest in marks(project.fits, "begin-"):
                    with suppress(OSError):  # it has ended
                        workers.add(worker_of(guest))
                time.sleep(0.05)
            output, _ = run.communicate(timeout=300)
    assert "5 passed, 1 cached" in output
    assert workers == {cluster.workers[1].pid}
