"""The guest processes of the contract's checks: one that is shared, others where a check needs another process."""

from __future__ import annotations

import tempfile
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from omnibench.runners.environments import Environments
from omnibench.runners.gateway import Guest
from omnibench.runners.info import RunnerInfo
from omnibench.runners.thread_variables import thread_variables

SHARED, KILLED, ELSEWHERE = "shared", "killed", "elsewhere"
"""The process that most checks share and the one that is killed, in the user's directory; another, in an empty one."""

_LINES = 40


class Processes:
    """The guest processes of one algorithm. Use it as a context manager, or close it.

    Args:
        runner: The framework.
        environments: Where frameworks run.
        threads: How many threads may compute in each of them.
        device: ``cpu`` or ``cuda``.

    Attributes:
        printed: The last lines that they have printed.
    """

    def __init__(self, runner: RunnerInfo, environments: Environments, threads: int, device: str) -> None:
        self.printed: deque[str] = deque(maxlen=_LINES)
        self._runner = runner
        self._environments = environments
        self._threads = threads
        self._device = device
        self._guests: dict[str, Guest] = {}
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="omnibench-contract-")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, name: str) -> Guest:
        """Return a living guest; one that has died gets a successor.

        Args:
            name: Guests of different names are different processes.

        Raises:
            GuestEnvironmentError, GuestError: It does not start.
        """
        guest = self._guests.get(name)
        if guest is None or not guest.alive:
            if guest is not None:
                guest.close()
            guest = self._guests[name] = self._start(name)
        return guest

    def renew(self, name: str) -> None:
        """Have the next one of a name be a process that knows nothing yet; frameworks' begin too slowly for that."""
        guest = self._guests.pop(name, None) if not self._runner.distribution else None
        if guest is not None:
            guest.close()

    def _start(self, name: str) -> Guest:
        python = self._environments.python(self._runner, self.printed.append)
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))
        is_own = not self._runner.distribution
        work = Path.cwd() if is_own and name != ELSEWHERE else scratch
        variables = thread_variables(self._threads)
        if self._device == "cpu" and not is_own:
            variables["CUDA_VISIBLE_DEVICES"] = ""
        return Guest(self._runner, python, scratch, work, self._threads, variables, self._keep)

    def _keep(self, stream: str, lines: bytes) -> None:
        self.printed.extend(lines.decode(errors="replace").splitlines())

    def close(self) -> None:
        """End all of them."""
        while self._guests:
            self._guests.popitem()[1].close()
        self._stack.close()
