"""On which devices items compute: by the GPUs of this machine, or by what is asked of a cluster."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.engine.devices import Devices
from omnibench.errors import OmnibenchError
from omnibench.experiment.resources import Resources
from omnibench.runners.machine import device_class


def configuration(*, uses_gpu: bool = True) -> Any:
    """A configuration that can use a GPU, or cannot."""
    return SimpleNamespace(uses_gpu=uses_gpu, device=lambda choice: device_class(choice) if uses_gpu else "cpu")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("where", ["slurm", "tls://node1:8786", "file:/shared/scheduler.json"])
def test_a_cluster_has_gpus_for_those_who_ask(where: str) -> None:
    """Left to itself, what asks for GPUs gets one and the rest the CPU, whatever the submitting machine has."""
    devices = Devices("auto", where)
    assert devices.of(configuration(), Resources(gpus=1)) == "cuda"
    assert devices.of(configuration(), Resources(cores=4)) == "cpu"
    assert devices.of(configuration(uses_gpu=False), Resources(gpus=1)) == "cpu"


@pytest.mark.usefixtures("project")
def test_a_choice_counts_for_all() -> None:
    """The option, or a plugin, chooses; this machine needs no GPU for what computes elsewhere."""
    assert Devices("cuda", "slurm").of(configuration(), Resources()) == "cuda"
    assert Devices("cuda", "slurm").of(configuration(uses_gpu=False), Resources()) == "cpu"
    assert Devices("cpu", "slurm").of(configuration(), Resources(gpus=1)) == "cpu"
    assert Devices("auto", "slurm").of(configuration(), Resources(gpus=1), "cpu") == "cpu"


@pytest.mark.parametrize(
    ("directive", "device"),
    [
        ("--gres=gpu:1", "cuda"),
        ("--gres=gpu:a100:2", "cuda"),
        ("--gpus=2", "cuda"),
        ("-G 1", "cuda"),
        ("--qos=long", "cpu"),
    ],
)
def test_jobs_that_have_gpus(project: Path, directive: str, device: str) -> None:
    """Where all jobs of SLURM have GPUs by their directives, that is where algorithms compute that can."""
    (project / "pyproject.toml").write_text(f"[tool.omnibench.slurm]\ndirectives = [{directive!r}]\n")
    assert Devices("auto", "slurm").of(configuration(), Resources()) == device


def test_this_machine_counts_where_it_computes() -> None:
    """Without a cluster, and with workers of this machine alone, it is this machine's GPUs that count."""
    for devices in (Devices("auto"), Devices("auto", "local:2")):
        assert devices.of(configuration(), Resources(gpus=1)) == device_class("auto")
    if device_class("auto") == "cpu":
        with pytest.raises(OmnibenchError, match="no NVIDIA GPU"):
            Devices("cuda", "local").of(configuration(), Resources())
