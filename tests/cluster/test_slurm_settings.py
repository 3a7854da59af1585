"""The settings of jobs in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnibench.cluster.jobs import slurm_cluster
from omnibench.cluster.settings import SlurmSettings, slurm_settings
from omnibench.errors import ClusterError


def test_settings_of_the_nearest_project(tmp_path: Path) -> None:
    """The nearest pyproject.toml with a table counts; what it does not say keeps its default."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.omnibench.slurm]\npartition = 'gpu'\njobs = 4\nshared-directory = '/scratch'\n"
        "directives = ['--gres=gpu:1']\nprologue = ['module load cuda']\n"
    )
    below = tmp_path / "benchmarks"
    below.mkdir()
    (below / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert slurm_settings(below) == SlurmSettings(
        partition="gpu",
        jobs=4,
        shared_directory="/scratch",
        directives=("--gres=gpu:1",),
        prologue=("module load cuda",),
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("partitoin = 'gpu'", r"no setting 'partitoin'; did you mean 'partition'\?"),
        ("jobs = 0", "jobs is 0; give a whole number from 1 on"),
        ("jobs = true", "jobs is True; give a whole number from 1 on"),
        ("walltime = 3", "walltime is 3; give a text"),
        ("memory = 'much'", "memory: 'much' is no size; write e.g. 16GB"),
        ("run-memory = ''", "run-memory: '' is no size; write e.g. 16GB"),
        ("prologue = 'module load cuda'", "prologue is 'module load cuda'; give a list of texts"),
    ],
)
def test_what_is_no_setting(line: str, words: str, tmp_path: Path) -> None:
    """A name or a type that is wrong is refused before a job is asked for."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.omnibench.slurm]\n{line}\n")
    with pytest.raises(ClusterError, match=words):
        slurm_settings(tmp_path)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"shared_directory": "/scratch/ann b"}, "'/scratch/ann b' has a blank, .* give shared-directory of"),
        ({"python": "/my env/bin/python"}, "'/my env/bin/python' has a blank, .* give python of"),
    ],
)
def test_paths_that_cannot_stand_in_a_job(setting: dict[str, str], words: str) -> None:
    """A blank would end in a directive that SLURM refuses while the run waits for ever; it is refused before a job is asked for."""
    pytest.importorskip("distributed")
    with pytest.raises(ClusterError, match=words), slurm_cluster(1, SlurmSettings(**setting)):  # type: ignore[arg-type]
        pass
