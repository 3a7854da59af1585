"""What happens to a run on a real SLURM when a worker, a job, a node, or SLURM itself is lost in the midst of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clusters import is_running, kill, marks, measured, running_pytest, wait_for, worker_of
from support.projects import Project
from support.slurm import command, job_of, jobs, limits_memory, needs_slurm, node_of, processes_of_node

pytestmark = [*needs_slurm, pytest.mark.usefixtures("slurm_settings")]

SLURM = "--omnirec-cluster=slurm"


@pytest.fixture
def gate(project: Project) -> Path:
    """The file for which the only algorithm waits, which is fitted for two folds."""
    path = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(path)!r}}})")
    return path


def kill_worker(guest: int) -> None:
    """End the process that drives a guest."""
    kill(worker_of(guest))


def cancel_job(guest: int) -> None:
    """Cancel the job of a guest, as an operator does."""
    command("scancel", job_of(guest))


def cancel_all() -> bool:
    """Cancel the jobs that SLURM has; return whether it has none."""
    remaining = jobs()
    for job in remaining:
        command("scancel", job)
    return not remaining


def preempt_job(guest: int) -> None:
    """Have a job of a partition that goes before others take the node of a guest."""
    node = node_of(guest)
    script = (
        "#!/bin/sh\n#SBATCH --partition=urgent --cpus-per-task=2 --mem=7500M --output=/dev/null --time=1\nsleep 5\n"
    )
    subprocess.run(["sbatch", f"--nodelist={node}"], input=script, text=True, check=True, capture_output=True)


def lose_node(guest: int) -> None:
    """End everything that runs on the node of a guest, with its daemon, as a power cut does."""
    for pid in processes_of_node(node_of(guest)):
        kill(pid)


@pytest.mark.parametrize("lose", [kill_worker, cancel_job, preempt_job, lose_node])
def test_a_part_of_the_cluster_is_lost(project: Project, gate: Path, slurm: Path, lose: Callable[[int], None]) -> None:
    """The item is computed elsewhere in the same run, the results are those of this machine, and no job is left."""
    with running_pytest(project.pytester.path, SLURM) as run:
        guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
        victim = min(guests)
        node = node_of(victim)
        lose(victim)
        wait_for(lambda: not is_running(victim))
        wait_for(lambda: len(marks(project.fits, "begin-")) >= 3)
        gate.touch()
        output, _ = run.communicate(timeout=300)
        if lose is lose_node:  # for the tests that come later
            subprocess.run(["slurmd", "-N", node], check=True)
            wait_for(lambda: node in command("sinfo", "-h", "-N", "-t", "idle,mixed", "-o", "%N").split())
    assert "2 passed" in output
    assert "is gone; what it computed is computed elsewhere" in " ".join(output.split())
    wait_for(lambda: not jobs(), patience=60)
    assert list((slurm / "shared").iterdir()) == []
    project.run_process("--omnirec-checkpoint-dir=here").assert_outcomes(passed=2)
    assert measured(project.pytester.path / "checkpoints") == measured(project.pytester.path / "here")


def test_slurms_controller_is_killed(project: Project, gate: Path, slurm: Path) -> None:
    """What jobs compute already, they go on with; the run ends with its results, and jobs end though nobody can cancel them.

    A run that begins when it has just been started again waits until nodes have reported to it.
    """
    with running_pytest(project.pytester.path, SLURM) as run:
        guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
        workers = [worker_of(guest) for guest in guests]
        kill(int((slurm / "slurmctld.pid").read_text()))
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    wait_for(lambda: not any(map(is_running, workers)), patience=60)
    subprocess.run(["slurmctld"], check=True)
    project.run_process(SLURM, "--omnirec-checkpoint-dir=again").assert_outcomes(passed=2)
    wait_for(cancel_all, patience=120)  # it may not have heard of their end


HUNGRY = """
import os, time
from pathlib import Path
from own_algorithms import Popular

class Hungry(Popular):
    def __init__(self, mebibytes=0, tag=0):
        self.mebibytes, self.tag = mebibytes, tag

    def fit(self, train):
        Path(os.environ["COUNT_FITS_IN"], f"begin-{time.time_ns()}-{os.getpid()}").touch()
        taken = []
        for _ in range(self.mebibytes // 20):
            taken.append(bytearray(b"x") * (20 * 2**20))
            time.sleep(0.02)
        super().fit(train)

class Seeing(Popular):
    uses_gpu = True

    def fit(self, train):
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        Path(os.environ["COUNT_FITS_IN"], f"gpus-{seen}-{time.time_ns()}").touch()
        super().fit(train)
"""


def test_memory_that_a_job_lacks(project: Project) -> None:
    """The kernel ends a Fit that takes more than its job has; it is tried with twice as much, and the next run asks for that."""
    if not limits_memory():
        pytest.skip("no control groups hold jobs to their memory here")
    project.pytester.makepyfile(hungry=HUNGRY)
    project.bench("from hungry import Hungry\nplan.add_algorithm(Hungry, {'mebibytes': 1100})")
    first = project.run_process(SLURM, "-k", "fold_0")
    words = " ".join(first.stdout.str().split())
    first.assert_outcomes(passed=1)
    assert "its Fit was killed for want of memory; it is tried once more with 2.1 GB, twice as much" in words
    assert project.count_fits("begin-") == 2
    assert (
        "distributed." not in first.stdout.str() + first.stderr.str()
    )  # two schedulers have ended, one for each shape
    second = project.run_process(SLURM, "-k", "fold_1")
    second.assert_outcomes(passed=1)
    words = " ".join(second.stdout.str().split())
    assert "SLURM is asked for up to 2 jobs of 1 core, 2048MiB" in words
    assert "killed" not in words
    assert project.count_fits("begin-") == 3


def test_gpus_of_jobs(project: Project) -> None:
    """What asks for GPUs is computed in jobs that have so many, and sees those that SLURM has dealt out."""
    project.pytester.makepyfile(hungry=HUNGRY)
    project.bench("from hungry import Seeing\nplan.add_algorithm(Seeing, resources=Resources(gpus=2))")
    project.run_process(SLURM).assert_outcomes(passed=2)
    assert {path.name.split("-")[1] for path in project.fits.glob("gpus-*")} == {"0,1"}
    project.bench("from hungry import Seeing\nplan.add_algorithm(Seeing, {'noise': 1}, resources=Resources(gpus=3))")
    refused = project.run_process(SLURM)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert "Seeing asks for 3 GPUs, and SLURM takes no job of" in " ".join(refused.stderr.str().split())


EPOCHS = """
import os, time
from pathlib import Path
from own_algorithms import Popular

class Epochs(Popular):
    def __init__(self, seconds=1.0, n=8):
        self.seconds, self.n = seconds, n

    def fit(self, train, report):
        if report.iteration == 0:
            super().fit(train)
        for iteration in range(report.iteration + 1, self.n + 1):
            time.sleep(self.seconds)
            Path(os.environ["COUNT_FITS_IN"], f"epoch-{iteration}-{time.time_ns()}").touch()
            report(iteration=iteration, iterations=self.n)
"""


def test_a_job_at_its_walltime(project: Project) -> None:
    """SLURM ends a job that has had its time; the item goes on in the next one, from its newest snapshot."""
    settings = project.pytester.path / "pyproject.toml"
    settings.write_text(re.sub("walltime = .*", "walltime = '00:01:00'", settings.read_text()))
    project.pytester.makepyfile(epochs=EPOCHS)
    project.bench("from epochs import Epochs\nplan.add_algorithm(Epochs, {'seconds': 5.0, 'n': 24})")
    with running_pytest(project.pytester.path, SLURM, "--omnirec-snapshots=1it", "-k", "fold_0") as run:
        output, _ = run.communicate(timeout=500)
    assert "1 passed" in output
    assert "is gone; what it computed is computed elsewhere" in " ".join(output.split())
    epochs = [path.name.split("-")[1] for path in project.fits.glob("epoch-*")]
    assert set(epochs) == {str(number) for number in range(1, 25)}
    assert len(epochs) <= 24 + 2 * 2, "a job's end costs the epoch in progress, and that before it at most"
    wait_for(lambda: not jobs(), patience=60)
