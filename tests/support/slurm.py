"""A real SLURM of this machine with two nodes, and what tests look at in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.clusters import kill, parent_of, wait_for

_SCRIPTS = Path(__file__).parents[1] / "cluster"

needs_slurm = [
    pytest.mark.slow,
    pytest.mark.xdist_group("slurm"),  # its ports are those of its configuration
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in ("munged", "slurmctld", "slurmd", "sinfo")),
        reason="apt-get install --no-install-recommends slurm-wlm munge",
    ),
]
"""The marks of tests that use it."""


@contextmanager
def running_slurm(directory: Path) -> Iterator[Path]:
    """A SLURM with two nodes, whose files are in a directory; the test is skipped where it does not start."""
    started = subprocess.run([_SCRIPTS / "start_slurm.sh", directory], capture_output=True, text=True, check=False)
    try:
        if started.returncode:
            pytest.skip(f"SLURM does not start here: {started.stderr.strip()[-300:]}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(directory / "slurm.conf"))
            yield directory
        wait_for(lambda: not workers_of(directory), patience=30)
    finally:
        subprocess.run([_SCRIPTS / "stop_slurm.sh", directory], check=False)
        for worker in workers_of(directory):
            kill(worker)


def workers_of(directory: Path) -> list[int]:
    """The workers in jobs of a SLURM, whether or not it still knows of the jobs."""
    return [
        pid
        for pid, (words, variables) in _processes().items()
        if any("dask_worker" in word for word in words) and f"SLURM_CONF={directory / 'slurm.conf'}" in variables
    ]


def _processes() -> dict[int, tuple[list[str], list[str]]]:
    """The commands of all processes, and their environments."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended
                contents = [(folder / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")]
                found[int(folder.name)] = contents[0].split("\0"), contents[1].split("\0")
    return found


def jobs() -> list[str]:
    """The ids of the jobs that wait or run."""
    return command("squeue", "-h", "-o", "%i").split()


def command(*words: str) -> str:
    """What a command of SLURM's prints."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def job_of(guest: int) -> str:
    """The job in which a guest computes."""
    return variables_of(guest)["SLURM_JOB_ID"]


def node_of(guest: int) -> str:
    """The node on which a guest computes."""
    return variables_of(guest)["SLURMD_NODENAME"]


def variables_of(pid: int) -> dict[str, str]:
    """The environment with which a process, or the first one above it that has a job's, was started."""
    while pid > 1:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        variables = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        if "SLURM_JOB_ID" in variables:
            return variables
        pid = parent_of(pid)
    raise AssertionError("no job")


def processes_of_node(node: str) -> list[int]:
    """The daemon of a node, its steps, and all that runs in them."""
    processes = _processes()
    inside = {pid for pid, (_, variables) in processes.items() if f"SLURMD_NODENAME={node}" in variables}
    daemons = {pid for pid, (words, _) in processes.items() if Path(words[0]).name == "slurmd" and node in words}
    steps = {pid for pid in map(parent_of, inside) if processes.get(pid, ([""], []))[0][0].startswith("slurmstepd")}
    return [*daemons, *steps, *inside]


def limits_memory() -> bool:
    """Whether control groups hold jobs to the memory that they ask for; see ``start_slurm.sh``."""
    return "task/cgroup" in command("scontrol", "show", "config")
