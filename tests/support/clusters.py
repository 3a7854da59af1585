"""Real schedulers and workers of Dask, as processes, and what runs of pytest on them leave."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

_PATIENCE = 120.0


class DaskProcesses:
    """A scheduler with workers, each in a process of its own. Use it as a context manager.

    Args:
        directory: Where their files are; the scheduler's is ``scheduler.json``.
        workers: How many workers there are.
        resources: What each worker declares, e.g. ``{"CPU": 4}``; nothing by default.
        variables: Environment variables in addition to ours.
        protocol: ``tcp`` or ``tls``.
        prefix: What comes before the command of a worker, e.g. to hide files from it.
        host: The address on which the scheduler listens, and the workers unless they have addresses of their own.
        prefixes: The same as ``prefix``, for each worker.
        hosts: Their addresses.
    """

    def __init__(
        self,
        directory: Path,
        workers: int = 2,
        variables: dict[str, str] | None = None,
        protocol: str = "tcp",
        prefix: Sequence[str] = (),
        resources: Sequence[dict[str, float]] = (),
        host: str = "127.0.0.1",
        prefixes: Sequence[Sequence[str]] = (),
        hosts: Sequence[str] = (),
    ) -> None:
        self._resources = resources or [{}] * workers
        self._host, self._hosts = host, hosts or [host] * len(self._resources)
        self._prefixes = prefixes or [prefix] * len(self._resources)
        self.file = directory / "scheduler.json"
        self._directory, self._variables = directory, {**os.environ, **(variables or {})}
        self._protocol = protocol
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._directory.mkdir(exist_ok=True)
        listening = ["--host", self._host, "--port", "0", "--protocol", self._protocol]
        self.scheduler = self._start("dask_scheduler", *self._common, *listening)
        wait_for(self.file.exists)
        self.workers: list[subprocess.Popen[bytes]] = []
        for resources, host, prefix in zip(self._resources, self._hosts, self._prefixes, strict=True):
            self.add_worker(resources, host, prefix)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def _common(self) -> list[str]:
        return ["--scheduler-file", str(self.file), "--dashboard-address", "127.0.0.1:0"]

    def add_worker(self, resources: dict[str, float], host: str = "", prefix: Sequence[str] = ()) -> None:
        """Start another worker, which joins in a moment.

        Args:
            resources: What it declares.
            host: Its address; the scheduler's by default.
            prefix: What comes before its command.
        """
        options = ["--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--local-directory", str(self._directory)]
        arguments = [*self._common, "--host", host or self._host, *options, *_declaring(resources)]
        self.workers.append(self._start("dask_worker", *arguments, prefix=prefix))

    def _start(self, program: str, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        command = [*prefix, sys.executable, "-m", f"distributed.cli.{program}", *arguments]
        log = self._stack.enter_context((self._directory / f"{program}-{time.time_ns()}.log").open("wb"))
        process = subprocess.Popen(command, env=self._variables, stdout=log, stderr=subprocess.STDOUT)
        self._stack.callback(_end, process)
        return process

    @property
    def n_joined(self) -> int:
        """How many workers the scheduler has."""
        logs = self._directory.glob("dask_worker-*.log")
        return sum("Registered to:" in log.read_text(errors="replace") for log in logs)

    def await_workers(self) -> None:
        """Wait until the scheduler knows all workers, and with them what they declare; over ``tcp``."""
        import distributed

        client: Any = distributed.Client(self.address, set_as_default=False)  # type: ignore[no-untyped-call]
        try:
            client.wait_for_workers(len(self.workers), timeout=60)
        finally:
            client.close()

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return str(json.loads(self.file.read_text())["address"])


def _declaring(resources: dict[str, float]) -> list[str]:
    pairs = ",".join(f"{name}={amount:g}" for name, amount in resources.items())
    return ["--resources", pairs] if pairs else []


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def credentials_in(directory: Path) -> dict[str, str]:
    """The variables of credentials that are written into a directory, as a user has them written."""
    command = [sys.executable, "-m", "omnibench.cluster.credentials", str(directory)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in lines)
    return {name: value for name, _, value in pairs}


def wait_for(condition: Callable[[], Any], patience: float = _PATIENCE) -> Any:
    """What a condition returns once that is true.

    Raises:
        AssertionError: It was not in time.
    """
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return value


def measured(store: Path) -> tuple[dict[str, str], Any]:
    """The digests of all predictions in a store by their paths, and its metrics."""
    digests = {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.glob("*/*/**/predictions*.npy")
    }
    return digests, json.loads((store / "results.json").read_text())["results"]


@contextmanager
def running_pytest(directory: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """A run of pytest that goes on; it is killed at the end if it still does."""
    command = [*prefix, sys.executable, "-m", "pytest", *arguments]
    with subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def marks(fits: Path, prefix: str) -> dict[int, str]:
    """The processes that have begun a Fit, as the algorithms of ``support.projects`` mark it, with the mark of each."""
    return {int(path.name.rpartition("-")[2]): path.name for path in fits.glob(f"{prefix}*")}


def is_running(pid: int) -> bool:
    """Whether a process runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def parent_of(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def worker_of(guest: int) -> int:
    """The worker above a guest and its supervisor."""
    pid = guest
    while "dask_worker" not in Path(f"/proc/{pid}/cmdline").read_bytes().decode():
        pid = parent_of(pid)
    return pid


def kill(pid: int) -> None:
    """End a process as the kernel does that lacks memory."""
    os.kill(pid, signal.SIGKILL)
