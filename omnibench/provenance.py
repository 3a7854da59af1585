"""Where a number comes from: versions, host, command, and the commit of the code around it."""

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

_DISTRIBUTIONS = ("numpy", "pandas", "pyarrow", "diskcache", "pytest", "pytest-xdist", "execnet")


def provenance(directory: Path) -> dict[str, Any]:
    """Return what a run's record says of its circumstances, as plain data.

    Args:
        directory: Where the user's code is; its git commit is noted when it has one.
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
        "command": sys.argv,
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

    def ask(*arguments: str) -> str:
        # Without the optional locks, `git status` would write into the user's repository.
        command = ["git", "--no-optional-locks", *arguments]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return {
            "commit": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None
