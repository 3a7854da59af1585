"""A framework that is a program, as omnibench runs it: its version is what it says, its code what its files hold."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from omnibench.code.files import content_digest
from omnibench.errors import GuestEnvironmentError
from omnibench.guest.program_commands import located
from omnibench.keys import digest
from omnibench.runners.info import RunnerInfo

_VERSION_SECONDS = 60.0


@dataclass(frozen=True)
class ProgramRunner(RunnerInfo):
    """A framework that is a program.

    Attributes:
        stated_version: Its version, where the description says it.
        version_command: The command that says it otherwise; empty where the files alone tell programs apart.
        files: The files beside the description that are the program, or are read by it, with their names there.
    """

    stated_version: str = ""
    version_command: tuple[str, ...] = ()
    files: tuple[tuple[str, Path], ...] = ()

    def version(self, environment: str) -> str:
        """Return what the program says of its version, asked once.

        Raises:
            GuestEnvironmentError: It cannot be asked, or fails.
        """
        if not self.version_command:
            return self.stated_version
        assert self.adapter_file is not None
        return _version_of(self.name, tuple(located(self.version_command, self.adapter_file.parent)))

    @property
    def adapter_package(self) -> list[str]:
        """Likewise nothing."""
        return []

    @property
    def adapter_path(self) -> list[str]:
        """Nothing: a program imports nothing of Python's."""
        return []

    def _locked_version(self) -> str:
        return ""  # nothing is locked, and a list of algorithms starts no program

    def _read_digest(self) -> str | None:
        assert self.adapter_file is not None
        return description_digest(self.adapter_file, self.files)


def description_digest(description: Path, files: Iterable[tuple[str, Path]]) -> str:
    """Return a digest of what a description says, comments apart, and of what is in its files."""
    description_values = tomllib.loads(description.read_text(encoding="utf-8"))
    contents = {label: content_digest(file) if file.is_file() else "" for label, file in files}
    return "program " + digest([description_values, contents])


@cache
def _version_of(name: str, command: tuple[str, ...]) -> str:
    line = shlex.join(command)
    advice = f"`version` of {name} is a command that prints it, or the version itself as a text."
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GuestEnvironmentError(f"{name} does not say its version: {line} fails ({error}). {advice}") from error
    lines = [text.strip() for text in (process.stdout or process.stderr).splitlines() if text.strip()]
    if process.returncode or not lines:
        words = process.stderr.strip()[-500:]
        remark = f": {words}" if words else ""
        raise GuestEnvironmentError(
            f"{name} does not say its version: {line} ends with exit status {process.returncode}{remark or ' and prints nothing'}. "
            f"{advice}"
        )
    return lines[0]
