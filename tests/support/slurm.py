"""A real SLURM of this machine with two nodes, and what tests look at in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support.clusters import parent_of

SCRIPTS = Path(__file__).parents[1] / "cluster"

needs_slurm = [
    pytest.mark.slow,
    pytest.mark.xdist_group("slurm"),  # its ports are those of its configuration
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in ("munged", "slurmctld", "slurmd", "sinfo")),
        reason="apt-get install --no-install-recommends slurm-wlm munge",
    ),
]
"""The marks of tests that use it."""


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
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                variables = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            is_daemon = Path(words[0]).name.startswith("slurmd") and node in words
            is_step = words[0].startswith("slurmstepd") and _is_step_of(folder, node)
            if is_daemon or is_step or f"SLURMD_NODENAME={node}" in variables:
                found.append(int(folder.name))
    return found


def _is_step_of(folder: Path, node: str) -> bool:
    children = (folder / "task" / folder.name / "children").read_text().split()
    return any(
        f"SLURMD_NODENAME={node}" in Path(f"/proc/{child}/environ").read_bytes().decode(errors="replace")
        for child in children
    )


def limits_memory() -> bool:
    """Whether control groups hold jobs to the memory that they ask for; see ``start_slurm.sh``."""
    return "task/cgroup" in command("scontrol", "show", "config")
