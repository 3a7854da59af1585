"""Other users of the machine, as whom pytest and omnibench are run; only root can be somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

GROUP = 61000
"""A group that no account has."""


@dataclass(frozen=True)
class User:
    """A user without an account.

    Attributes:
        uid: The number.
        home: A directory of this user's.
        groups: The groups, beside one of the user's own.
    """

    uid: int
    home: Path
    groups: tuple[int, ...] = ()

    def run(
        self, *words: str, umask: int = 0o022, variables: Mapping[str, str] | None = None, host: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a module of Python's as this user, e.g. ``pytest``, in the working directory.

        Args:
            words: The module and its arguments.
            umask: The permissions that new files do not get.
            variables: Further variables.
            host: What the machine is called meanwhile, for this process alone. It may then read all files, as where homes are
                open to all: an interpreter often lies in one.
        """
        groups = f"--groups={','.join(map(str, self.groups))}" if self.groups else "--clear-groups"
        command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", groups, sys.executable, "-m", *words]
        if host:
            command[1:1] = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
            command = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$@"', "sh", *command]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OMNI", "XDG", "PYTEST"))
        }
        environment |= {
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(variables or {}),
        }
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, umask=umask, env=environment
        )


def users(directory: Path, *groups: tuple[int, ...]) -> list[User]:
    """Return as many users as groups are given for, or skip the test where there can be none.

    Args:
        directory: Where their homes are made.
        groups: The groups of each.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be other users, by setpriv")
    made = [User(61001 + number, directory / f"home{number}", ids) for number, ids in enumerate(groups)]
    for user in made:
        user.home.mkdir(mode=0o700)
        os.chown(user.home, user.uid, user.uid)
    if made[0].run("omnibench", "--version").returncode != 0:
        pytest.skip(f"{sys.executable} cannot be run by other users")
    return made
