"""What happens to a run on a cluster when a worker, the submitter or the scheduler is killed in the midst of it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from support.clusters import DaskProcesses, is_running, kill, marks, running_pytest, wait_for, worker_of
from support.projects import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def gate(project: Project) -> Path:
    """The file for which the only algorithm waits, which is fitted for two folds."""
    path = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(path)!r}}})")
    return path


def test_a_worker_is_killed(project: Project, gate: Path) -> None:
    """Its item is computed by another worker in the same run, and nothing fails."""
    with running_pytest(project.pytester.path, "--omnirec-cluster=local:2") as run:
        guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
        kill(worker_of(min(guests)))
        wait_for(lambda: not is_running(min(guests)))
        wait_for(lambda: len(marks(project.fits, "begin-")) == 3)
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    assert "is gone; what it computed is computed elsewhere" in output.replace("\n", " ")


def test_a_worker_of_another_scheduler_is_killed(project: Project, gate: Path, tmp_path: Path) -> None:
    """Likewise, and Dask, whose errors are printed where the scheduler is none of this process, has none to print."""
    with (
        DaskProcesses(tmp_path / "dask") as cluster,
        running_pytest(project.pytester.path, f"--omnirec-cluster={cluster.address}") as run,
    ):
        guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
        kill(worker_of(min(guests)))
        cluster.add_worker({})
        wait_for(lambda: len(marks(project.fits, "begin-")) == 3)
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    assert "is gone; what it computed is computed elsewhere" in output.replace("\n", " ")
    assert "distributed." not in output


def test_an_item_that_loses_every_worker(project: Project, gate: Path) -> None:
    """After three workers the item is given up, as no failure of the algorithm's, and the next run computes it."""
    with running_pytest(project.pytester.path, "--omnirec-cluster=local:1", "-k", "fold_0") as run:
        killed: set[int] = set()
        for _ in range(3):
            guest = wait_for(lambda: next(iter(set(marks(project.fits, "begin-")) - killed), None))
            killed.add(guest)
            kill(worker_of(guest))
        output, _ = run.communicate(timeout=300)
    assert "3 machines that computed this item were lost" in output.replace("\n", " ")
    assert "1 failed" in output
    gate.touch()
    again = project.run("-k", "fold_0")
    again.stdout.fnmatch_lines(["*1 item: 0 done, 0 failed, 1 pending*"])
    again.assert_outcomes(passed=1)


def test_the_submitter_is_killed(project: Project, gate: Path, tmp_path: Path) -> None:
    """What it has left on workers ends by itself, who then serve the next run, which goes on."""
    with DaskProcesses(tmp_path / "dask") as cluster:
        where = f"--omnirec-cluster=file:{cluster.file}"
        with running_pytest(project.pytester.path, where) as run:
            guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
            kill(run.pid)
            wait_for(lambda: not any(map(is_running, guests)), patience=60)
        assert all(worker.poll() is None for worker in cluster.workers)
        gate.touch()
        project.run_process(where).assert_outcomes(passed=2)


def test_the_submitter_of_local_workers_is_killed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers and guests end, and remove what was theirs and the run's, among it the run's key."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    project.bench("plan.add_algorithm(Slow, {'seconds': 1000.0})")
    with running_pytest(project.pytester.path, "--omnirec-cluster=local:2") as run:
        guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
        processes = [*guests, *map(worker_of, guests)]
        assert list(scratch.glob("omnibench-workers.*/credentials/key.pem"))
        kill(run.pid)
        wait_for(lambda: not any(map(is_running, processes)), patience=60)
    wait_for(lambda: not list(scratch.glob("omnibench-*")), patience=10)


def test_the_scheduler_is_killed(project: Project, gate: Path, tmp_path: Path) -> None:
    """The run ends with a sentence, and what it was at is no failure: the next run computes it."""
    with DaskProcesses(tmp_path / "dask") as cluster:
        where = f"--omnirec-cluster={cluster.address}", "--omnirec-reconnect=2s"
        with running_pytest(project.pytester.path, *where) as run:
            guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
            kill(cluster.scheduler.pid)
            output, _ = run.communicate(timeout=300)
        wait_for(lambda: not any(map(is_running, guests)))
    assert "the scheduler of the cluster is gone" in output.replace("\n", " ")
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    gate.touch()
    project.run().assert_outcomes(passed=2)


def _can_hide() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("unshare") is None or not _can_hide(), reason="mount namespaces need root")
def test_the_disk_of_a_node_is_full(project: Project, tmp_path: Path) -> None:
    """The items are given up with the node's name, as no failures of theirs; the next run, where there is room, computes them."""
    project.bench("plan.add_algorithm(Popular)")
    store, cache = project.pytester.path / "checkpoints", tmp_path / "cache"
    store.mkdir()
    cache.mkdir()
    small = (
        f"mount -t tmpfs none {store} && mount -t tmpfs -o size=1m none {cache} && head -c 1m /dev/zero > {cache}/full"
    )
    prefix = ["unshare", "--mount", "sh", "-c", f'{small}; exec "$@"', "sh"]
    with DaskProcesses(tmp_path / "dask", 1, {"XDG_CACHE_HOME": str(cache)}, prefix=prefix) as cluster:
        full = project.run_process(f"--omnirec-cluster=file:{cluster.file}")
    words = " ".join(full.stdout.str().split())
    assert full.ret != pytest.ExitCode.OK
    assert f"{platform.node()}: there is too little room on the file system {cache}" in words
    again = project.run()
    again.stdout.fnmatch_lines(["*2 items: 0 done, 0 failed, 2 pending*"])
    again.assert_outcomes(passed=2)
