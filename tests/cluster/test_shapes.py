"""What an item asks for, as jobs of SLURM and workers of Dask are asked for it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from omnibench.cluster.settings import SlurmSettings
from omnibench.cluster.shapes import job_settings, walltime_seconds, worker_resources, workers_shortage
from omnibench.experiment.resources import Resources

SETTINGS = SlurmSettings(cores=2, memory="4GiB", walltime="01:00:00", directives=("--gres=gpu:1",))


def test_what_is_said_goes_before_the_settings() -> None:
    """Cores, memory and GPUs that are said replace the project's; what is not said stays, so that equal jobs are shared."""
    assert job_settings(Resources(), SETTINGS) == SETTINGS
    asked = job_settings(Resources(cores=4, memory="16GiB", gpus=2), SETTINGS)
    assert (asked.cores, asked.memory, asked.walltime) == (4, "16384MiB", "01:00:00")
    assert asked.directives == ("--gres=gpu:2",)
    assert job_settings(Resources(gpus=0), SETTINGS) == SETTINGS


@pytest.mark.parametrize(
    ("directives", "asked"),
    [
        ((), ("--gres=gpu:3",)),
        (("--qos=long",), ("--qos=long", "--gres=gpu:3")),
        (("--gres=gpu", "--qos=long"), ("--gres=gpu:3", "--qos=long")),
        (("--gres=gpu:a100",), ("--gres=gpu:a100:3",)),
        (("--gres=gpu:a100:1",), ("--gres=gpu:a100:3",)),
        (("--gpus=v100:1",), ("--gpus=v100:3",)),
        (("--gpus-per-node=1",), ("--gpus-per-node=3",)),
        (("-G 1",), ("-G 3",)),
    ],
)
def test_gpus_of_the_type_that_jobs_have(directives: tuple[str, ...], asked: tuple[str, ...]) -> None:
    """A number of GPUs goes into the directive that asks for some, in the spelling and with the type that stand there."""
    assert job_settings(Resources(gpus=3), replace(SETTINGS, directives=directives)).directives == asked


def test_hours_fit_into_the_walltime() -> None:
    """A job lasts longer than the longest Fit in it; a Fit that is shorter needs no job of its own shape."""
    assert job_settings(Resources(hours=0.5), SETTINGS) == SETTINGS
    assert job_settings(Resources(hours=1), SETTINGS).walltime == "0-01:15:00"
    assert job_settings(Resources(hours=30), SETTINGS).walltime == "1-06:15:00"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("1:30", 90), ("08:00:00", 28800), ("2-12", 216000), ("1-0:30", 88200), ("1-00:00:01", 86401)],
)
def test_walltimes_as_sbatch_spells_them(text: str, seconds: int) -> None:
    """The six spellings of sbatch's manual are read."""
    assert walltime_seconds(text) == seconds


def test_a_walltime_that_is_none_is_left_to_slurm() -> None:
    """UNLIMITED is longer than everything."""
    assert walltime_seconds("UNLIMITED") == math.inf


def test_workers_that_declare_resources() -> None:
    """Needs go to workers under the names of Dask's documentation; only what is said."""
    assert worker_resources(Resources(cores=4, memory="1GiB", gpus=1)) == {"CPU": 4.0, "MEMORY": 2.0**30, "GPU": 1.0}
    assert worker_resources(Resources(gpus=0, hours=3)) == {}


@pytest.mark.parametrize(
    ("resources", "workers", "sentence"),
    [
        (Resources(cores=2), [{"CPU": 1.0}, {"CPU": 2.0}], ""),
        (Resources(cores=2), [], ""),  # the first may be on its way
        (Resources(hours=2), [{}], ""),
        (
            Resources(cores=8),
            [{"CPU": 1.0}, {"CPU": 4.0}],
            "asks for 8 cores, and the largest worker of the cluster declares 4 cores",
        ),
        (
            Resources(memory="2GB"),
            [{"MEMORY": 1e9}],
            "asks for 2.0 GB of memory, and the largest worker of the cluster declares 1.0 GB of memory",
        ),
        (
            Resources(gpus=1),
            [{"CPU": 4.0}],
            "asks for 1 GPU, and no worker of the cluster declares any (dask worker --resources GPU=1)",
        ),
        (
            Resources(cores=2, gpus=1),
            [{"CPU": 2.0}, {"GPU": 1.0}],
            "asks for 2 cores, 1 GPU, and no single worker of the cluster declares as much of everything",
        ),
    ],
)
def test_what_no_worker_has(resources: Resources, workers: list[dict[str, float]], sentence: str) -> None:
    """What is missing is said with both figures, and with how a worker declares it."""
    assert workers_shortage(resources, workers) == sentence
