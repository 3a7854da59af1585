"""Provenance of a run: versions, host, command, and the git commit of the user's code."""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from omnibench import __version__
from omnibench.masking import masked_arguments

_DISTRIBUTIONS = ("numpy", "pandas", "pyarrow", "diskcache", "pytest", "pytest-xdist", "execnet")


def provenance(directory: Path) -> dict[str, Any]:
    """Return the circumstances of a run for its record, as plain data.

    Args:
        directory: The directory of the user's code; its git commit is noted when it has one.
    """
    versions = {"omnibench": __version__, "python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "host": platform.node(),
        "user": _user(),
        "pid": os.getpid(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "command": masked_arguments(sys.argv),
        "cwd": str(directory),
        "versions": versions,
        "git": git_of(directory),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return str(os.getuid())


def git_of(directory: Path) -> dict[str, Any] | None:
    """Return ``{commit, dirty}`` of the repository around a directory, or None."""

    def git(*arguments: str) -> str:
        # Without the optional locks, `git status` would write into the user's repository.
        command = ["git", "--no-optional-locks", *arguments]
        process = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=10, check=True)
        return process.stdout.strip()

    try:
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None
