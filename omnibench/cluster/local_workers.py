"""Workers on this machine: processes of their own, which import nothing of the user's script, and end with this one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from omnibench.cluster.credentials import write_credentials
from omnibench.cluster.local_calls import LocalCaller
from omnibench.cluster.settings import dask_settings, dask_variable
from omnibench.store.workspaces import Workspace

_LOOK_SECONDS = 0.5
_MOST_RESTARTS = 100
_ENDING_SECONDS = 5.0

_START = """
import ctypes, os, signal, sys
from pathlib import Path
from omnibench.store.workspaces import remove_workspace
parent, end, directory = int(sys.argv.pop(1)), int(sys.argv.pop(1)), sys.argv.pop(1)

def end_with_parent(*_):
    if os.getppid() != parent:
        remove_workspace(Path(directory))
        os._exit(1)

signal.signal(signal.SIGUSR1, end_with_parent)
ctypes.CDLL(None).prctl(1, signal.SIGUSR1) if sys.platform == "linux" else None
end_with_parent()
from omnibench.cluster.local_calls import answer_calls
answer_calls(end)
from distributed.cli.dask_worker import main
main()
"""
"""What a worker runs: Dask's command, in a process that the system tells when its parent has died; then what was theirs is removed.

By a signal of which Dask knows nothing: of SIGTERM it takes only the first for a wish to end in order, and the system sends one for each
thread of the parent's.
"""


class LocalWorkers:
    """Workers, of which each computes one item at a time. Use it as a context manager.

    A worker that dies is replaced.

    Args:
        address: The scheduler's address.
        security: Its credentials.
        number: How many workers there are.

    Raises:
        OSError: The system does not let them be started.
    """

    def __init__(self, address: str, security: Any, number: int) -> None:
        self._address, self._security, self._number = address, security, number
        self._processes: list[subprocess.Popen[bytes]] = []
        self._callers: dict[str, LocalCaller] = {}
        self._n_started = 0
        self._started: Future[None] = Future()
        self._ending = threading.Event()
        # Workers end with this process, not with the thread that has started them: whatever that ends by, it ends them first.
        self._thread = threading.Thread(target=self._look_after, daemon=True, name="omnibench-local-workers")

    def __enter__(self) -> Self:
        self._workspace = Workspace(Path(tempfile.gettempdir()), "omnibench-workers.")
        credentials = write_credentials(self._workspace.directory / "credentials", self._security)
        settings = {dask_variable(name): str(value) for name, value in dask_settings().items()}
        self._variables = {**os.environ, **settings, **credentials}
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._workspace.remove()

    def caller(self, name: str) -> LocalCaller:
        """Return what calls functions in a worker's process, beside its tasks.

        Args:
            name: The worker's name.
        """
        return self._callers[name]

    def _look_after(self) -> None:
        """Start the workers, and replace those that die, until this ends; then they end, whatever it ends by."""
        try:
            for _ in range(self._number):
                self._processes.append(self._start())
            self._started.set_result(None)
            while not self._ending.wait(_LOOK_SECONDS):
                for position, process in enumerate(self._processes):
                    if process.poll() is not None and self._n_started < self._number + _MOST_RESTARTS:
                        with suppress(OSError):  # the system lacks what a process takes; soon it may have it again
                            self._processes[position] = self._start()
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            self._end()

    def _end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=_ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for caller in self._callers.values():
            caller.close()

    def _start(self) -> subprocess.Popen[bytes]:
        self._n_started += 1
        name, directory = f"worker-{self._n_started}", str(self._workspace.directory)
        options = {
            "--host": "127.0.0.1",
            "--nthreads": "1",
            "--memory-limit": "0",  # a guest's memory is the engine's business, which a worker knows nothing of
            "--death-timeout": "30",
            "--dashboard-address": "127.0.0.1:0",  # which listens also without one, and on all networks by default
            "--local-directory": directory,
            "--name": name,
        }
        arguments = [
            self._address,
            "--no-nanny",
            "--no-dashboard",
            *(word for pair in options.items() for word in pair),
        ]
        end, its_end = socket.socketpair()
        self._callers[name] = LocalCaller(end.detach())
        with its_end, (self._workspace.directory / f"{name}.log").open("wb") as log:
            # A session of its own: a Ctrl-C of the terminal is for the run, which ends what its workers do.
            return subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(os.getpid()), str(its_end.fileno()), directory, *arguments],
                env=self._variables,
                pass_fds=[its_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
