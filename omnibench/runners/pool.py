"""The guests of one process: started when needed, kept from item to item, least recently used ended first."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

from omnibench.errors import GuestEnvironmentError, nearest
from omnibench.runners.environments import environment_of
from omnibench.runners.gateway import Guest
from omnibench.runners.registry import CURRENT, ISOLATED, RunnerInfo, runners

MOST_GUESTS = 3
"""Guests kept alive at once; each framework holds 300 to 600 MB."""


def available_cores() -> int:
    """Return how many cores this process may compute on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Environments:
    """Which environment each framework runs in: ``isolated`` (the default) or ``current``.

    Args:
        choice: One word for all, or a mapping by framework name; those not named are isolated.

    Raises:
        GuestEnvironmentError: A word is neither.
    """

    def __init__(self, choice: str | Mapping[str, str] = ISOLATED) -> None:
        self._by_name = {} if isinstance(choice, str) else dict(choice)
        self._default = choice if isinstance(choice, str) else ISOLATED
        known = [runner.name for runner in runners()]
        for name in self._by_name:
            if name not in known:
                raise GuestEnvironmentError(
                    f"there is no framework named {name!r} to choose an environment for{nearest(name, known)}."
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

    def of(self, runner: RunnerInfo) -> str:
        """Return the word for a framework."""
        return self._by_name.get(runner.name, self._default)

    def version(self, runner: RunnerInfo) -> str:
        """Return the version of a framework where it would run, without importing it."""
        return runner.version(self.of(runner))

    def python(self, runner: RunnerInfo, notify: Callable[[str], None]) -> Path:
        """Return the interpreter for a framework, building its environment when it is missing."""
        if not runner.distribution or self.of(runner) == CURRENT:
            return Path(sys.executable)
        if runner.name not in self._refused:
            try:
                return environment_of(runner).ensure(notify)
            except GuestEnvironmentError as error:
                self._refused[runner.name] = error  # trying again for every item would take all night
        raise self._refused[runner.name]


class GuestPool:
    """The living guests of this process.

    Args:
        environments: Where frameworks run.
        scratch: The directory in which guests get their working directories.
        threads: Threads per guest.
        log: Called with (stream, whole lines) of what guests print.
        notify: Called with a line when something is worth telling.
    """

    def __init__(
        self,
        environments: Environments,
        scratch: Path,
        threads: int,
        log: Callable[[str, bytes], None],
        notify: Callable[[str], None],
    ) -> None:
        self._environments = environments
        self._scratch = scratch
        self._threads = threads
        self._log = log
        self._notify = notify
        self._guests: OrderedDict[str, tuple[Guest, Path]] = OrderedDict()

    def get(self, runner: RunnerInfo) -> Guest:
        """Return a living guest of a framework."""
        held = self._guests.pop(runner.name, None)
        if held is not None and not held[0].alive:
            self._end(held)
            held = None
        if held is None:
            while len(self._guests) >= MOST_GUESTS:
                self._end(self._guests.popitem(last=False)[1])
            held = self._start(runner)
        self._guests[runner.name] = held
        return held[0]

    def _start(self, runner: RunnerInfo) -> tuple[Guest, Path]:
        python = self._environments.python(runner, self._notify)
        directory = self._scratch / f"{runner.name}-{uuid.uuid4().hex[:8]}"
        directory.mkdir(mode=0o700, parents=True)
        try:
            # A framework may litter its working directory; a user's class expects to be where the user is.
            work = directory if runner.distribution else Path.cwd()
            return Guest(runner, python, directory, work, self._threads, self._log), directory
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def is_alive(self, runner: RunnerInfo) -> bool:
        """Whether a framework's guest is there and living."""
        return runner.name in self._guests and self._guests[runner.name][0].alive

    def discard(self, runner: RunnerInfo) -> None:
        """End a framework's guest, so that the next item gets a fresh one."""
        held = self._guests.pop(runner.name, None)
        if held is not None:
            self._end(held)

    def close(self) -> None:
        """End every guest."""
        while self._guests:
            self._end(self._guests.popitem()[1])

    def _end(self, held: tuple[Guest, Path]) -> None:
        guest, directory = held
        guest.close()
        shutil.rmtree(directory, ignore_errors=True)
