"""Commands of SLURM's."""

from __future__ import annotations

import subprocess

from omnibench.errors import ClusterError

_ANSWER_SECONDS = 60.0


def run_command(*command: str, script: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of SLURM's.

    Args:
        command: The command.
        script: What it reads.

    Raises:
        ClusterError: It is not there, or does not answer.
    """
    try:
        return subprocess.run(
            command, input=script, capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(
            f"`{command[0]}` cannot be used ({error}); run where SLURM's commands are, such as its login node."
        ) from error
