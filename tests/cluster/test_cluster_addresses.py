"""Schedulers that run already: found by their file or address, encrypted, and on machines that share no files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.clusters import DaskProcesses, credentials_in, measured
from support.projects import Project

pytestmark = pytest.mark.slow


def listeners(pids: set[int]) -> set[str]:
    """The hosts that processes listen on, as ``ss -ltnp`` says."""
    lines = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[3].rpartition(":")[0] for line in lines if any(f"pid={pid}," in line for pid in pids)}


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed")
def test_encrypted_and_on_the_loopback(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the credentials that we write, a run works and nothing listens beyond the loopback; without, it says so."""
    variables = credentials_in(tmp_path / "credentials")
    with DaskProcesses(tmp_path / "dask", 1, variables, "tls") as cluster:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert cluster.address.startswith("tls://127.0.0.1:")
        project.run_process(f"--omnirec-cluster={cluster.address}").assert_outcomes(passed=2)
        pids = {cluster.scheduler.pid, *(worker.pid for worker in cluster.workers)}
        assert listeners(pids) == {"127.0.0.1"}
        for name, value in credentials_in(tmp_path / "others").items():
            monkeypatch.setenv(name, value)
        refused = project.run_process(f"--omnirec-cluster={cluster.address}", "--omnirec-salt=x")
        assert "cannot be reached" in refused.stdout.str().replace("\n", " ")


def _can_hide() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("unshare") is None or not _can_hide(), reason="mount namespaces need root")
def test_machines_that_share_no_files(project: Project, tmp_path: Path) -> None:
    """A worker that does not see the store gets the data by content, once, and its results are those of this machine."""
    project.bench("plan.add_algorithm(Popular, {'noise': Grid([0, 1])})")
    store, cache = project.pytester.path / "checkpoints", tmp_path / "cache"
    store.mkdir()
    hide = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {store} && exec "$@"', "sh"]
    with DaskProcesses(tmp_path / "dask", 1, {"XDG_CACHE_HOME": str(cache)}, prefix=hide) as cluster:
        project.run_process(f"--omnirec-cluster=file:{cluster.file}").assert_outcomes(passed=4)
    files = [path for path in (cache / "omnibench" / "cluster" / "files").rglob("*") if len(path.name) == 64]
    assert files
    sizes = {os.path.getsize(path) for path in files}
    manifest = next(store.glob("datasets/*/manifest.json"))
    assert manifest.stat().st_size in sizes
    assert json.loads(manifest.read_text())
    project.run("--omnirec-checkpoint-dir=here").assert_outcomes(passed=4)
    assert measured(store) == measured(project.pytester.path / "here")
