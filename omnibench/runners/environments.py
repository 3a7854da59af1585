"""Isolated environments: built once with uv from a lock with exact pins, then only looked up.

An environment is keyed by its lock, its Python and the torch backend. It is built in a directory beside its own,
under a lock file, and published by a rename, so that an environment that exists is complete, whoever was killed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omnibench.errors import GuestEnvironmentError, nearest
from omnibench.masking import masked, masked_arguments
from omnibench.packages import has_own_index, uv_options, uv_variables, where_from
from omnibench.paths import cache_directory
from omnibench.runners.info import CURRENT, ISOLATED, RunnerInfo
from omnibench.runners.installed import differences
from omnibench.runners.lock_file import pins_of
from omnibench.runners.registry import runner_names
from omnibench.runners.wheel_sizes import download_size
from omnibench.sizes import size_text
from omnibench.store.leases import lease

Notify = Callable[[str], None]

FROM_INDEX = "index"
"""The torch backend that leaves the choice of torch to the indexes."""

_REPORT_SECONDS = 5.0


@dataclass(frozen=True)
class Environment:
    """An isolated environment, built or not.

    Attributes:
        runner: The framework it is for.
        backend: The torch backend: ``cpu``, ``auto``, or what uv's ``--torch-backend`` takes; or ``index`` for the
            torch that the user's indexes have.
    """

    runner: RunnerInfo
    backend: str

    @property
    def key(self) -> str:
        """Digest of what it is built from, as 64 hex digits."""
        assert self.runner.lock is not None
        parts = (
            self.runner.lock.read_bytes(),
            self.runner.python.encode(),
            self.backend.encode(),
            _platform_name().encode(),
        )
        return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    @property
    def directory(self) -> Path:
        """The directory that it is or will be in."""
        return cache_directory() / "envs" / f"{self.runner.name}-{self.key[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def is_built(self) -> bool:
        """Whether it is built."""
        return self.python.exists()

    @property
    def needs_torch(self) -> bool:
        """Whether PyTorch is in its lock, so that the backend matters."""
        return "torch" in _pins(self.runner)

    def size(self) -> int:
        """Return its size in bytes, as ``du`` counts (files shared with uv's cache included)."""
        return sum(
            os.lstat(os.path.join(folder, name)).st_size
            for folder, _, names in os.walk(self.directory)
            for name in names
        )

    def ensure(self, notify: Notify = lambda _: None) -> Path:
        """Return the interpreter, building the environment when it is missing.

        Args:
            notify: Called with a line of text for the user, e.g. that a build begins.

        Raises:
            GuestEnvironmentError: uv failed; the message holds its last lines.
        """
        if self.is_built:
            return self.python

        def on_wait(holder: str) -> None:
            if f"process {os.getpid()} " not in f"{holder} ":  # another thread of this one tells of its own build
                notify(f"{self.runner.title}: waiting for {holder}, which builds the same environment")

        lock_file = self.directory.with_name(self.directory.name + ".lock")
        with lease(lock_file, on_wait):
            if not self.is_built:
                self._build(notify)
        return self.python

    def _build(self, notify: Notify) -> None:
        partial = self.directory.with_name(f"{self.directory.name}.partial-{os.getpid()}")
        for stale in self.directory.parent.glob(f"{self.directory.name}.partial-*"):
            shutil.rmtree(stale, ignore_errors=True)  # we hold the lock: whoever built it is dead
        started = time.monotonic()
        count = len(_pins(self.runner))
        size = self._size_text()
        torch = f"torch for {self.backend}, " if self.needs_torch else ""
        notify(
            f"{self.runner.title}: building its isolated environment, once: {count} packages, {size}{torch}in {self.directory}"
        )
        try:
            make = ["venv", "--python", self.runner.python, "--relocatable", str(partial)]
            self._uv(make, notify, partial, count, advice=self._advice_of_python)
            python = partial / "bin" / "python"
            install = ["pip", "install", *uv_options(), "--python", str(python), "-r", str(self.runner.lock)]
            self._uv([*install, *self._torch_options(python)], notify, partial, count)
            shutil.rmtree(self.directory, ignore_errors=True)
            os.replace(partial, self.directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        notify(f"{self.runner.title}: built in {time.monotonic() - started:.0f} s")

    def _size_text(self) -> str:
        """Return how large it is, where that is known, or else how much is downloaded for it, as a part of a sentence."""
        if self.runner.size:
            return f"about {self.runner.size}, "
        assert self.runner.lock is not None
        download = download_size(self.runner.lock, self.runner.python)
        return "" if download is None else f"at most {size_text(download)} to download, "

    def _torch_options(self, python: Path) -> list[str]:
        """Return uv's options for the choice of torch.

        The lock is complete for the CPU; other builds of torch bring libraries of their own. Where the user's indexes
        or wheel folders have the build, it is taken from there: ``--torch-backend`` would look for it at PyTorch's own
        index, whatever indexes there are.
        """
        options = ["--no-deps"] if self.backend == "cpu" else []
        if self.backend == FROM_INDEX:
            return options
        torch = _pins(self.runner).get("torch")
        if torch is None:  # it needs none
            return options
        build = f"torch=={torch}+{self.backend}"
        if self._has_wheel(build):
            return options
        if has_own_index() and self._can_install(build, python):
            return [*options, build]
        return [*options, "--torch-backend", self.backend]

    def _has_wheel(self, build: str) -> bool:
        """Return whether a local wheel folder has a build; asking uv would ask the index, too."""
        return any(True for _ in local_wheels(build.replace("==", "-")))

    def _can_install(self, build: str, python: Path) -> bool:
        import uv

        command = ["pip", "install", *uv_options(), "--python", str(python), "--dry-run", "--no-deps", build]
        process = subprocess.run([uv.find_uv_bin(), *command], capture_output=True, check=False, env=uv_variables())
        return process.returncode == 0

    @property
    def _advice_of_python(self) -> str:
        says = f" or name another in {self.runner.adapter_file}," if self.runner.adapter_file else ""
        return (
            f"A Python {self.runner.python} is looked for on the PATH and among uv's own, and downloaded where there is none: "
            f"install one,{says} or let uv reach its downloads (UV_PYTHON_INSTALL_MIRROR).\n"
        )

    def _uv(self, arguments: list[str], notify: Notify, partial: Path, count: int, advice: str = "") -> None:
        import uv

        process = subprocess.Popen(
            [uv.find_uv_bin(), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=uv_variables(),
        )
        while True:
            try:
                output, _ = process.communicate(timeout=_REPORT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                installed = len(list(partial.glob("lib/python*/site-packages/*.dist-info")))
                step = f"{installed} of {count} packages installed" if installed else "resolving and downloading"
                notify(f"{self.runner.title}: {step}")
            except BaseException:
                process.kill()
                process.wait()
                raise
        if process.returncode != 0:
            raise GuestEnvironmentError(
                f"uv could not build the environment of {self.runner.title} (exit status {process.returncode}). Its "
                f"last words:\n{masked(_tail(output))}\nThe command was: uv {' '.join(masked_arguments(arguments))}\n{advice}{_advice()}"
            )

    def remove(self) -> None:
        """Remove it; the next use builds it anew."""
        with lease(self.directory.with_name(self.directory.name + ".lock")):
            shutil.rmtree(self.directory, ignore_errors=True)

    def verify(self) -> list[str]:
        """Return the differences from the lock: packages that are missing or of another version, and files that are not theirs."""
        return differences(self.directory, _pins(self.runner))

    @property
    def mending(self) -> str:
        """The commands that show what is wrong with it, and make it anew."""
        name = self.runner.title
        return (
            f"`omnibench envs verify {name}` says what is missing or has changed in {self.directory}; "
            f"`omnibench envs remove {name}` and `omnibench envs build {name}` make it anew"
        )


def local_wheels(beginning: str) -> Iterator[Path]:
    """Yield the wheels in the user's wheel folders whose names begin so."""
    for folder in uv_variables().get("UV_FIND_LINKS", "").split(","):
        if folder:
            yield from Path(folder).glob(f"{beginning}-*.whl")


def environment_of(runner: RunnerInfo) -> Environment:
    """Return the isolated environment that a runner uses on this machine."""
    return Environment(runner, torch_backend())


class Environments:
    """The environment that each framework runs in: ``isolated`` (the default) or ``current``.

    Args:
        choice: ``isolated`` or ``current`` for all, or a mapping by framework name; the others are isolated.

    Raises:
        GuestEnvironmentError: A choice is neither, or there is no framework of a name.
    """

    def __init__(self, choice: str | Mapping[str, str] = ISOLATED) -> None:
        self._by_name = {} if isinstance(choice, str) else dict(choice)
        self._default = choice if isinstance(choice, str) else ISOLATED
        names = runner_names() if self._by_name else []
        for name in self._by_name:
            if name not in names:
                raise GuestEnvironmentError(
                    f"there is no framework named {name!r} to choose an environment for"
                    + (nearest(name, names) or f"; there are {', '.join(names)}.")
                )
        self._refused: dict[str, GuestEnvironmentError] = {}
        for word in (self._default, *self._by_name.values()):
            if word not in (ISOLATED, CURRENT):
                raise GuestEnvironmentError(f"the environment {word!r} is neither {ISOLATED!r} nor {CURRENT!r}.")

    @classmethod
    def parse(cls, text: str) -> Environments:
        """Read ``isolated``, ``current``, or e.g. ``LensKit=current,RecBole=isolated``."""
        if "=" not in text:
            return cls(text.strip() or ISOLATED)
        pairs = (entry.partition("=") for entry in text.split(",") if entry.strip())
        return cls({name.strip(): word.strip() for name, _, word in pairs})

    @property
    def choice(self) -> str | dict[str, str]:
        """What it was made of, for another process."""
        return dict(self._by_name) or self._default

    def of(self, runner: RunnerInfo) -> str:
        """Return ``isolated`` or ``current`` for a framework."""
        if not runner.has_environment:
            return CURRENT
        return self._by_name.get(runner.name, self._default)

    def version(self, runner: RunnerInfo) -> str:
        """Return the version of a framework in its environment, without importing it."""
        return runner.version(self.of(runner))

    def is_built(self, runner: RunnerInfo) -> bool:
        """Return whether a framework can be started without building anything."""
        return self.of(runner) == CURRENT or environment_of(runner).is_built

    def python(self, runner: RunnerInfo, notify: Callable[[str], None]) -> Path:
        """Return the interpreter for a framework, building its environment when it is missing."""
        if self.of(runner) == CURRENT:
            return Path(sys.executable)
        if runner.guest_name not in self._refused:
            try:
                return environment_of(runner).ensure(notify)
            except GuestEnvironmentError as error:
                self._refused[runner.guest_name] = error  # trying again for every item would take all night
        raise self._refused[runner.guest_name]

    def refused(self, runner: RunnerInfo, error: Exception) -> GuestEnvironmentError:
        """Return the error of a framework whose environment has turned out to be broken; every later use raises it at once."""
        self._refused[runner.guest_name] = GuestEnvironmentError(
            f"the environment of {runner.title} is broken ({error}). {environment_of(runner).mending}."
        )
        return self._refused[runner.guest_name]

    def refusal(self, runner: RunnerInfo) -> GuestEnvironmentError | None:
        """Return why the environment of a framework cannot be used, as far as that was tried."""
        return self._refused.get(runner.guest_name)


def torch_backend() -> str:
    """Return ``OMNIBENCH_TORCH_BACKEND`` or uv's ``UV_TORCH_BACKEND``; else ``auto`` with an NVIDIA GPU, ``cpu`` without."""
    override = os.environ.get("OMNIBENCH_TORCH_BACKEND") or os.environ.get("UV_TORCH_BACKEND")
    if override:
        return override
    return "auto" if Path("/proc/driver/nvidia/version").exists() else "cpu"


def _advice() -> str:
    return (
        f"uv was told: {where_from()}. Its own variables win over pip's settings (UV_INDEX_URL for the index, "
        "UV_EXTRA_INDEX_URL, UV_FIND_LINKS, UV_CONSTRAINT, UV_OFFLINE, ...). torch comes from PyTorch's own index unless "
        f"one of yours has the build; OMNIBENCH_TORCH_BACKEND={FROM_INDEX} takes the torch that yours has. The page "
        '"Behind a company\'s proxy" of the documentation has all of it.'
    )


def _platform_name() -> str:
    return f"{sys.platform}-{platform.machine()}"


def _pins(runner: RunnerInfo) -> dict[str, str]:
    assert runner.lock is not None
    return pins_of(runner.lock)


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
