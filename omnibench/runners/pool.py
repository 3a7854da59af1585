"""The guests of one process: started when needed, kept from item to item, least recently used ended first."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.errors import GuestEnvironmentError, nearest
from omnibench.runners.environments import environment_of
from omnibench.runners.gateway import Guest, thread_variables
from omnibench.runners.machine import available_memory, total_memory
from omnibench.runners.registry import CURRENT, ISOLATED, RunnerInfo, runners

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

MOST_GUESTS = 3
"""Guests kept alive at once."""

GUEST_MEGABYTES = {"LensKit": 600, "RecPack": 450, "RecBole": 700, "Own": 200}
"""What a framework's process holds when it has fitted MovieLens-100K, measured; until records know better."""

_Kind = tuple[str, str]
"""A framework's name and a device class."""


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

    def ready(self, runner: RunnerInfo) -> bool:
        """Whether a framework can be started without building anything."""
        return not runner.distribution or self.of(runner) == CURRENT or environment_of(runner).ready

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
        gpu: The GPU of guests that use one, as ``CUDA_VISIBLE_DEVICES`` names it; None for all.
    """

    def __init__(
        self,
        environments: Environments,
        scratch: Path,
        threads: int,
        log: Callable[[str, bytes], None],
        notify: Callable[[str], None],
        gpu: str | None = None,
    ) -> None:
        self._environments = environments
        self._scratch = scratch
        self._threads = threads
        self._log = log
        self._notify = notify
        self._gpu = gpu
        self._guests: OrderedDict[_Kind, tuple[Guest, Path]] = OrderedDict()
        self._starting: dict[_Kind, Future[tuple[Guest, Path]]] = {}
        # One thread for as long as there are guests: the system ends a guest with the thread that has started it.
        self._starter: ThreadPoolExecutor | None = None

    def warm(self, runner: RunnerInfo, device: str = "cpu") -> None:
        """Begin to start a framework's guest, so that it is there when somebody asks for it."""
        kind = (runner.name, device)
        if kind in self._starting or self.is_alive(runner, device):
            return
        self._make_room(kind, runner)
        if self._starter is None:
            from concurrent.futures import ThreadPoolExecutor

            self._starter = ThreadPoolExecutor(1, thread_name_prefix="omnibench-guests")
        self._starting[kind] = self._starter.submit(self._start, runner, device)

    def foresee(self, runner: RunnerInfo, device: str = "cpu") -> None:
        """Begin to start a guest that is needed later, where it takes no other guest's place and nothing has to be built."""
        if self.is_alive(runner, device) or len(self._guests) + len(self._starting) >= MOST_GUESTS:
            return
        needed = GUEST_MEGABYTES.get(runner.name, 0) * 2**20
        if not _memory_is_short(needed) and self._environments.ready(runner):
            self.warm(runner, device)

    def get(self, runner: RunnerInfo, device: str = "cpu") -> Guest:
        """Return a living guest of a framework.

        Raises:
            GuestEnvironmentError, GuestError: It does not start.
        """
        kind = (runner.name, device)
        self._take(kind)
        self.warm(runner, device)  # also in the place of one that died before anybody needed it
        self._take(kind)
        self._guests.move_to_end(kind)
        return self._guests[kind][0]

    def _take(self, kind: _Kind) -> None:
        """Wait for a guest that is starting, if there is one, and count it among the others."""
        started = self._starting.get(kind)
        if started is None:
            return
        try:
            self._guests[kind] = started.result()
        finally:
            if started.done():  # or we were interrupted, and it is ended when the pool is
                del self._starting[kind]

    def _make_room(self, kind: _Kind, runner: RunnerInfo) -> None:
        """End a dead guest of this kind, and others that were not used lately where there are many or memory is short."""
        dead = self._guests.pop(kind, None)
        if dead is not None:
            self._end(dead)
        needed = GUEST_MEGABYTES.get(runner.name, 0) * 2**20
        while self._guests and (len(self._guests) >= MOST_GUESTS or _memory_is_short(needed)):
            self._end(self._guests.popitem(last=False)[1])

    def _start(self, runner: RunnerInfo, device: str) -> tuple[Guest, Path]:
        python = self._environments.python(runner, self._notify)
        directory = self._scratch / f"{runner.name}-{uuid.uuid4().hex[:8]}"
        directory.mkdir(mode=0o700, parents=True)
        variables = thread_variables(self._threads)
        if device == "cuda" and self._gpu is not None:
            variables["CUDA_VISIBLE_DEVICES"] = self._gpu
        if device == "cpu" and runner.distribution:
            variables["CUDA_VISIBLE_DEVICES"] = ""
        try:
            # A framework may litter its working directory; a user's class expects to be where the user is.
            work = directory if runner.distribution else Path.cwd()
            return Guest(runner, python, directory, work, self._threads, variables, self._log), directory
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def is_alive(self, runner: RunnerInfo, device: str = "cpu") -> bool:
        """Whether a framework's guest is there and living."""
        kind = (runner.name, device)
        return kind in self._guests and self._guests[kind][0].alive

    def discard(self, runner: RunnerInfo, device: str = "cpu") -> None:
        """End a framework's guest, so that the next item gets a fresh one."""
        held = self._guests.pop((runner.name, device), None)
        if held is not None:
            self._end(held)

    def close(self) -> None:
        """End every guest."""
        while self._starting:
            _, started = self._starting.popitem()
            with suppress(Exception):  # cancelled, or nobody has asked for it, so its failure is nobody's
                self._end(started.result() if not started.cancel() else started.result(0))
        while self._guests:
            self._end(self._guests.popitem()[1])
        if self._starter is not None:
            self._starter.shutdown()
            self._starter = None

    def _end(self, held: tuple[Guest, Path]) -> None:
        guest, directory = held
        guest.close()
        shutil.rmtree(directory, ignore_errors=True)


def _memory_is_short(needed: int) -> bool:
    """Whether a process that needs so many bytes would leave less than a twentieth of the memory."""
    available, total = available_memory(), total_memory()
    return available is not None and total is not None and available - needed < total / 20
