"""What happens to a run on a cluster when machines are cut off from each other, in network namespaces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import cut_networks
from support.clusters import DaskProcesses, credentials_in, is_running, marks, measured, running_pytest, wait_for
from support.cut_networks import Network
from support.projects import Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not cut_networks.can_be_made(), reason="networks need root and iproute2"),
]

QUICKLY = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "12s"}
"""How soon Dask gives up a connection on which nothing comes: less than this it does not accept."""


@pytest.fixture
def network() -> Iterator[Network]:
    """A network of this machine."""
    with Network() as made:
        yield made


@pytest.fixture
def gate(project: Project) -> Path:
    """The file for which the only algorithm waits, which is fitted for two folds."""
    path = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(path)!r}}})")
    return path


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of all processes: without TLS nothing is sent off the loopback."""
    variables = {**credentials_in(tmp_path / "credentials"), **QUICKLY}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def computed_here(project: Project) -> object:
    """The digests and metrics of a run on this machine that nothing has disturbed."""
    project.run("--omnirec-checkpoint-dir=here").assert_outcomes(passed=2)
    return measured(project.pytester.path / "here")


@contextmanager
def cut_off(machine: cut_networks.Machine, least_seconds: float) -> Iterator[float]:
    """Cut a machine off for so long at least, and until what is done meanwhile has ended."""
    began = time.monotonic()
    machine.cut()
    try:
        yield began
        time.sleep(max(0.0, began + least_seconds - time.monotonic()))
    finally:
        machine.heal()


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_the_client_is_cut_off(
    project: Project, gate: Path, tmp_path: Path, network: Network, encrypted: dict[str, str], seconds: float
) -> None:
    """After a short cut sessions go on, after a minute they are submitted anew; the results are those without a cut."""
    laptop = network.join()
    with DaskProcesses(tmp_path / "dask", 2, encrypted, "tls", host=network.host) as cluster:
        where = f"--omnirec-cluster={cluster.address}"
        with running_pytest(project.pytester.path, where, prefix=laptop.prefix) as run:
            guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
            with cut_off(laptop, seconds):
                if seconds > 2 * 12:  # the scheduler has noticed, and workers have ended what nobody waits for
                    wait_for(lambda: not any(map(is_running, guests)))
            gate.touch()
            output, _ = run.communicate(timeout=300)
    said = output.replace("\n", " ")
    assert "2 passed" in output
    assert ("the scheduler answers again, and the run goes on" in said) == (seconds > 2 * 12)
    assert len(marks(project.fits, "begin-")) == (4 if seconds > 2 * 12 else 2)
    assert measured(project.pytester.path / "checkpoints") == computed_here(project)


def test_the_client_is_cut_off_for_good(
    project: Project, gate: Path, tmp_path: Path, network: Network, encrypted: dict[str, str]
) -> None:
    """After the limit the run ends with a sentence that names it; nothing is left on workers, and the next run goes on."""
    laptop = network.join()
    with DaskProcesses(tmp_path / "dask", 2, encrypted, "tls", host=network.host) as cluster:
        where = f"--omnirec-cluster={cluster.address}"
        with running_pytest(project.pytester.path, where, "--omnirec-reconnect=5s", prefix=laptop.prefix) as run:
            guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
            laptop.cut()
            output, _ = run.communicate(timeout=300)
            wait_for(lambda: not any(map(is_running, guests)))
        laptop.heal()
        assert "it was out of reach for 5 s (--omnirec-reconnect)" in output.replace("\n", " ")
        assert run.returncode == pytest.ExitCode.INTERRUPTED
        gate.touch()
        project.run_process(where).assert_outcomes(passed=2)


def test_a_worker_is_cut_off(
    project: Project, gate: Path, tmp_path: Path, network: Network, encrypted: dict[str, str]
) -> None:
    """Its item is computed by another one, what it still does itself ends, and the results are those without a cut."""
    nodes = [network.join(), network.join()]
    prefixes, hosts = [node.prefix for node in nodes], [node.address for node in nodes]
    with DaskProcesses(
        tmp_path / "dask", 2, encrypted, "tls", host=network.host, prefixes=prefixes, hosts=hosts
    ) as cluster:
        where = f"--omnirec-cluster={cluster.address}"
        with running_pytest(project.pytester.path, where) as run:
            guests = wait_for(lambda: begun if len(begun := marks(project.fits, "begin-")) == 2 else None)
            with cut_off(nodes[0], 30.0):
                wait_for(lambda: sum(map(is_running, guests)) == 1)
            gate.touch()
            output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    assert "is gone; what it computed is computed elsewhere" in output.replace("\n", " ")
    assert measured(project.pytester.path / "checkpoints") == computed_here(project)
