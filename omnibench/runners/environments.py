"""Isolated environments: built once with uv from a lock with exact pins, then only looked up.

An environment is keyed by its lock, its Python and the torch backend. It is built beside its final place
under a lock file and published by a rename, so that what exists is complete, whoever was killed meanwhile.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omnibench.errors import GuestEnvironmentError
from omnibench.paths import cache_directory
from omnibench.runners.registry import RunnerInfo
from omnibench.store.leases import lease

Notify = Callable[[str], None]

_REPORT_SECONDS = 5.0


@dataclass(frozen=True)
class Environment:
    """An isolated environment, built or not.

    Attributes:
        runner: The framework it is for.
        backend: The torch backend: ``cpu``, ``auto``, or what uv's ``--torch-backend`` takes.
    """

    runner: RunnerInfo
    backend: str

    @property
    def key(self) -> str:
        """What it is made of, as 64 hex digits."""
        assert self.runner.lock is not None
        parts = (
            self.runner.lock.read_bytes(),
            self.runner.python.encode(),
            self.backend.encode(),
            _platform().encode(),
        )
        return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    @property
    def directory(self) -> Path:
        """Where it is, or will be."""
        return cache_directory() / "envs" / f"{self.runner.name}-{self.key[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it is built."""
        return self.python.exists()

    def size(self) -> int:
        """Return its size in bytes, as ``du`` counts (files shared with uv's cache included)."""
        return sum(
            os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(self.directory) for name in names
        )

    def ensure(self, notify: Notify = lambda _: None) -> Path:
        """Return the interpreter, building the environment when it is missing.

        Args:
            notify: Called with a line of text when something is worth telling.

        Raises:
            GuestEnvironmentError: uv failed; the message holds its last words.
        """
        if self.ready:
            return self.python
        waiting = f"{self.runner.name}: waiting for {{}}, which builds the same environment"
        lock_file = self.directory.with_name(self.directory.name + ".lock")
        with lease(lock_file, lambda holder: notify(waiting.format(holder))):
            if not self.ready:
                self._build(notify)
        return self.python

    def _build(self, notify: Notify) -> None:
        partial = self.directory.with_name(f"{self.directory.name}.partial-{os.getpid()}")
        for stale in self.directory.parent.glob(f"{self.directory.name}.partial-*"):
            shutil.rmtree(stale, ignore_errors=True)  # we hold the lock: whoever built it is dead
        started = time.monotonic()
        count = sum(1 for line in _lock_lines(self.runner) if line)
        notify(
            f"{self.runner.name}: building its isolated environment, once: {count} packages, about "
            f"{self.runner.size}, torch for {self.backend}, in {self.directory}"
        )
        try:
            self._uv(["venv", "--python", self.runner.python, "--relocatable", str(partial)], notify, partial, count)
            install = ["pip", "install", "--python", str(partial / "bin" / "python"), "-r", str(self.runner.lock)]
            self._uv([*install, *self._torch_options()], notify, partial, count)
            shutil.rmtree(self.directory, ignore_errors=True)
            os.replace(partial, self.directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        notify(f"{self.runner.name}: built in {time.monotonic() - started:.0f} s")

    def _torch_options(self) -> list[str]:
        """How uv is told which torch to take.

        The lock is complete for the CPU; other builds of torch bring libraries of their own. A build that lies
        in a local wheel folder is preferred by uv as it is, while --torch-backend would look on the network.
        """
        options = ["--no-deps"] if self.backend == "cpu" else []
        folders = [Path(one) for one in _find_links().get("UV_FIND_LINKS", "").split(",") if one]
        if any(any(folder.glob(f"torch-*+{self.backend}-*.whl")) for folder in folders):
            return options
        return [*options, "--torch-backend", self.backend]

    def _uv(self, arguments: list[str], notify: Notify, partial: Path, count: int) -> None:
        import uv

        variables = {**os.environ, **_find_links()}
        for foreign in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX"):
            variables.pop(foreign, None)
        process = subprocess.Popen(
            [uv.find_uv_bin(), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables
        )
        while True:
            try:
                output, _ = process.communicate(timeout=_REPORT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                done = len(list(partial.glob("lib/python*/site-packages/*.dist-info")))
                step = f"{done} of {count} packages installed" if done else "resolving and downloading"
                notify(f"{self.runner.name}: {step}")
            except BaseException:
                process.kill()
                process.wait()
                raise
        if process.returncode != 0:
            raise GuestEnvironmentError(
                f"uv could not build the environment of {self.runner.name} (exit status {process.returncode}). Its "
                f"last words:\n{_tail(output)}\nThe command was: uv {' '.join(arguments)}\nuv's own variables (UV_INDEX_URL, "
                "UV_FIND_LINKS, UV_OFFLINE, ...) are honoured; OMNIBENCH_TORCH_BACKEND chooses another torch."
            )

    def remove(self) -> None:
        """Remove it; the next use builds it anew."""
        with lease(self.directory.with_name(self.directory.name + ".lock")):
            shutil.rmtree(self.directory, ignore_errors=True)

    def verify(self) -> list[str]:
        """Return what differs from the lock: packages missing, or of another version."""
        import uv

        listed = subprocess.run(
            [uv.find_uv_bin(), "pip", "freeze", "--python", str(self.python)],
            capture_output=True,
            text=True,
            check=False,
        )
        if listed.returncode != 0:
            return [f"its interpreter does not run: {_tail(listed.stderr)}"]
        installed = dict(line.split("==", 1) for line in listed.stdout.splitlines() if "==" in line)
        differences = []
        for line in filter(None, _lock_lines(self.runner)):
            name, _, version = line.partition("==")
            found = installed.get(name)
            if found is None:
                differences.append(f"{name} {version} is missing")
            elif found.split("+")[0] != version:  # 2.13.0+cpu is 2.13.0 for a backend
                differences.append(f"{name} is {found} instead of {version}")
        return differences


def environment_of(runner: RunnerInfo) -> Environment:
    """Return the isolated environment that a runner uses on this machine."""
    return Environment(runner, torch_backend())


def torch_backend() -> str:
    """Return ``OMNIBENCH_TORCH_BACKEND``, or ``cpu`` where there is no NVIDIA GPU and ``auto`` where there is."""
    given = os.environ.get("OMNIBENCH_TORCH_BACKEND")
    if given:
        return given
    return "auto" if Path("/proc/driver/nvidia/version").exists() else "cpu"


def _platform() -> str:
    return f"{sys.platform}-{platform.machine()}"


def _lock_lines(runner: RunnerInfo) -> list[str]:
    assert runner.lock is not None
    lines = runner.lock.read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].split(";")[0].strip() for line in lines]


@functools.cache
def _find_links() -> dict[str, str]:
    """Return uv's local wheel folders; pip's when uv has none, because uv does not read pip's configuration."""
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS") or _pip_setting("global.find-links")
    return {"UV_FIND_LINKS": ",".join(links.replace(",", " ").split())} if links else {}


def _pip_setting(name: str) -> str:
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", name], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
