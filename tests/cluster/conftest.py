"""A real SLURM for the tests of a module."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.projects import Project
from support.slurm import SCRIPTS


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a SLURM with two nodes, whose configuration commands find."""
    directory = tmp_path_factory.mktemp("slurm")
    started = subprocess.run([SCRIPTS / "start_slurm.sh", directory], capture_output=True, text=True, check=False)
    try:
        if started.returncode:
            pytest.skip(f"SLURM does not start here: {started.stderr.strip()[-300:]}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(directory / "slurm.conf"))
            yield directory
    finally:
        subprocess.run([SCRIPTS / "stop_slurm.sh", directory], check=False)


@pytest.fixture
def settings(project: Project, slurm: Path) -> None:
    """What jobs are asked for in the project."""
    (project.pytester.path / "pyproject.toml").write_text(
        "[tool.omnibench.slurm]\njobs = 2\npartition = 'debug'\nwalltime = '00:20:00'\nmemory = '1GiB'\n"
        f"interface = 'lo'\nshared-directory = {str(slurm / 'shared')!r}\nprologue = ['export BY_PROLOGUE=1']\n"
    )
