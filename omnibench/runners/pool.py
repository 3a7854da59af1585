"""The guests of one process: started when needed, kept from item to item, least recently used ended first."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.errors import GuestEnvironmentError, GuestError
from omnibench.guest.generators import DETERMINISTIC_MARK
from omnibench.limits import limits_told
from omnibench.memory import available_memory, memory_capacity
from omnibench.runners.environments import Environments
from omnibench.runners.gateway import Guest
from omnibench.runners.info import ISOLATED, RunnerInfo
from omnibench.runners.machine import CPU, DETERMINISTIC, is_gpu
from omnibench.runners.machine import gpus as all_gpus
from omnibench.runners.replies import AnsweringGuest
from omnibench.runners.shared_core import SharedCore
from omnibench.runners.thread_variables import thread_variables

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

MOST_GUESTS = 6
"""Guests kept alive at once: of three frameworks those that compute with one thread, and those that have more."""

GUEST_MEGABYTES = {
    "LensKit": 600,
    "RecPack": 450,
    "RecBole": 700,
    "Implicit": 150,
    "Cornac": 400,
    "Surprise": 250,
    "RecTools": 600,
    "Own": 200,
}
"""Memory of a framework's process after fitting MovieLens-100K, as measured; used until records have better numbers."""

_GuestKey = tuple[str, str, int]
"""A framework's name, a device class and a number of threads: a process keeps the number with which it has begun."""


class RunningGuest(AnsweringGuest, Protocol):
    """A guest that runs, here or elsewhere."""

    @property
    def pid(self) -> int:
        """Its process id; 0 where it runs on another machine."""

    @property
    def host(self) -> str:
        """The machine that it runs on; nothing where that is this one."""


class Guests(Protocol):
    """The guests of a worker thread: those of a ``GuestPool``, or elsewhere on a cluster."""

    are_here: bool
    """Whether they need this machine's memory."""

    gpu: str | None
    """The GPUs that they see from now on; None for all."""

    @property
    def has_worker(self) -> bool:
        """Whether there is a machine for them; else one has to be waited for."""

    def await_worker(self) -> None:
        """Wait for a machine, unless there is one."""

    def warm(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """Begin to start a guest; see ``GuestPool``, also for the other methods."""

    def warm_if_room(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """Begin to start a guest for later, if that costs no other."""

    def get(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> RunningGuest:
        """Return a living guest."""

    def is_alive(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> bool:
        """Whether a framework's guest is running."""

    def discard(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """End a framework's guest."""

    def end_idle(self, *, only_gpus: bool = False) -> bool:
        """End every guest, or those that compute on GPUs; return whether there was any."""

    def use_gpus(self, gpus: Sequence[str]) -> None:
        """Have guests that compute on GPUs compute on these."""

    def ask_for(self, resources: Mapping[str, Any], item: str, show: Callable[[str | None], None]) -> None:
        """Hear what the guests that are got next are to have of their machine, as ``Resources`` takes it, and for which item.

        ``show`` is called when a machine for them is waited for, with why none that is there will do or nothing, whenever that
        changes, and with None when there is one.
        """

    def rest(self) -> None:
        """Hear that an item has ended."""

    def leave(self) -> None:
        """Hear that the next item will not come at once, and others may wait for the place that it would have."""

    def close(self) -> None:
        """End every guest, for good."""


class GuestPool:
    """The living guests of this process.

    Args:
        environments: Where frameworks run.
        scratch: The directory in which guests get their working directories.
        threads: Threads per guest, where none other is asked for.
        log: Called with (stream, whole lines) of what guests print.
        notify: Called with a line of text for the user, e.g. that an environment is built.
        gpu: The GPU of guests that use one, as ``CUDA_VISIBLE_DEVICES`` names it; None for all.
        work: Where classes of the user's own expect to be; the current directory by default.
        core: The core on which guests wait for requests while they are small ones.

    Attributes:
        gpu: The GPUs of guests that use any from now on, separated by commas; None for all.
    """

    are_here = True
    has_worker = True

    def __init__(
        self,
        environments: Environments,
        scratch: Path,
        threads: int,
        log: Callable[[str, bytes], None],
        notify: Callable[[str], None],
        gpu: str | None = None,
        work: Path | None = None,
        core: SharedCore | None = None,
    ) -> None:
        self._work = work
        self._core = core or SharedCore()
        self._environments = environments
        self._scratch = scratch
        self._threads = threads
        self._log = log
        self._notify = notify
        self.gpu = gpu
        self._guests: OrderedDict[_GuestKey, tuple[Guest, Path]] = OrderedDict()
        self._starting: dict[_GuestKey, Future[tuple[Guest, Path]]] = {}
        # One thread for as long as there are guests: the system ends a guest with the thread that has started it.
        self._starter: ThreadPoolExecutor | None = None

    def await_worker(self) -> None:
        """Do nothing: they run here."""

    def _key(self, runner: RunnerInfo, device: str, threads: int) -> _GuestKey:
        return runner.guest_name, device, threads or self._threads

    def warm(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """Begin to start a framework's guest, so that it runs by the time that it is needed.

        Args:
            runner: The framework.
            device: ``cpu`` or ``cuda``.
            threads: The number of threads that it computes with; 0 for that of the pool.
        """
        key = self._key(runner, device, threads)
        if key in self._starting or self.is_alive(runner, device, threads):
            return
        self._make_room(key, runner)
        self._core.leave()  # or the thread would begin, and guests with it, with one core for ever
        if self._starter is None:
            from concurrent.futures import ThreadPoolExecutor

            self._starter = ThreadPoolExecutor(1, thread_name_prefix="omnibench-guests")
        with limits_told(f"the start of {runner.title}"):
            self._starting[key] = self._starter.submit(self._start, runner, device, key[-1])

    def warm_if_room(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """Begin to start a guest for later, if it needs no other guest to end and no environment to be built."""
        if self.is_alive(runner, device, threads) or len(self._guests) + len(self._starting) >= MOST_GUESTS:
            return
        needed_bytes = GUEST_MEGABYTES.get(runner.name, 0) * 2**20
        if not _memory_is_short(needed_bytes) and self._environments.is_built(runner):
            self.warm(runner, device, threads)

    def get(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> Guest:
        """Return a living guest of a framework; see ``warm``.

        Raises:
            GuestEnvironmentError, GuestError: It does not start.
            LimitReachedError: The machine gives no file, thread, process or memory for it.
        """
        key = self._key(runner, device, threads)
        self._finish_starting(key)
        self.warm(runner, device, threads)  # also in the place of one that died before anybody needed it
        self._finish_starting(key)
        self._guests.move_to_end(key)
        return self._guests[key][0]

    def _finish_starting(self, key: _GuestKey) -> None:
        """Wait for a guest that is starting, if there is one, and add it to the living ones."""
        started = self._starting.get(key)
        if started is None:
            return
        self._core.leave()  # it may take long
        try:
            self._guests[key] = started.result()
        finally:
            if started.done():  # or we were interrupted, and it is ended when the pool is
                del self._starting[key]

    def _make_room(self, key: _GuestKey, runner: RunnerInfo) -> None:
        """End a dead guest of this key, and the least recently used while there are too many or memory is short."""
        dead = self._guests.pop(key, None)
        if dead is not None:
            self._end(dead)
        needed_bytes = GUEST_MEGABYTES.get(runner.name, 0) * 2**20
        while self._guests and (len(self._guests) >= MOST_GUESTS or _memory_is_short(needed_bytes)):
            self._end(self._guests.popitem(last=False)[1])

    def _start(self, runner: RunnerInfo, device: str, threads: int) -> tuple[Guest, Path]:
        runner.check_adapter()
        python = self._environments.python(runner, self._notify)
        directory = self._scratch / f"{runner.name}-{uuid.uuid4().hex[:8]}"
        directory.mkdir(mode=0o700, parents=True)
        variables = thread_variables(threads)
        if is_gpu(device) and self.gpu is not None:
            variables["CUDA_VISIBLE_DEVICES"] = self.gpu
        if device == DETERMINISTIC:
            variables |= {
                DETERMINISTIC_MARK: "1",
                "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            }  # without which cuBLAS may not be
        if device == CPU and runner.distribution:
            variables["CUDA_VISIBLE_DEVICES"] = ""
        try:
            # A framework may litter its working directory; a user's class expects to be where the user is.
            work = directory if runner.distribution else self._work or Path.cwd()
            with limits_told(f"the start of {runner.title}"), _explaining_interpreter(runner, python):
                return Guest(runner, python, directory, work, threads, variables, self._log, self._core), directory
        except BaseException as error:
            shutil.rmtree(directory, ignore_errors=True)
            if isinstance(error, GuestError) and error.unusable and self._environments.of(runner) == ISOLATED:
                raise self._environments.refused(runner, error) from error
            raise

    def is_alive(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> bool:
        """Return whether a framework's guest is running; see ``warm``."""
        key = self._key(runner, device, threads)
        return key in self._guests and self._guests[key][0].alive

    def discard(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """End a framework's guest, so that the next item gets a fresh one; see ``warm``."""
        entry = self._guests.pop(self._key(runner, device, threads), None)
        if entry is not None:
            self._end(entry)

    def end_idle(self, *, only_gpus: bool = False) -> bool:
        """End every guest that runs, while none of them computes; return whether there was any.

        Args:
            only_gpus: Whether those go on that compute on the CPU.
        """
        keys = [key for key in self._guests if is_gpu(key[1]) or not only_gpus]
        for key in keys:
            self._end(self._guests.pop(key))
        return bool(keys)

    def use_gpus(self, gpus: Sequence[str]) -> None:
        """Have guests that compute on GPUs compute on these; those that see others are ended.

        Args:
            gpus: The GPUs, as ``CUDA_VISIBLE_DEVICES`` names them.
        """
        seen = ",".join(all_gpus()) if self.gpu is None else self.gpu
        self.gpu = ",".join(gpus)
        if self.gpu == seen:
            return
        for key in [key for key in self._starting if is_gpu(key[1])]:
            with suppress(Exception):  # whoever needs it hears of it
                self._finish_starting(key)
        self.end_idle(only_gpus=True)

    def ask_for(self, resources: Mapping[str, Any], item: str, show: Callable[[str | None], None]) -> None:
        """Do nothing: what this machine has, the engine deals out."""

    def rest(self) -> None:
        """Hear that an item has ended; its guests stay for the next one."""

    def leave(self) -> None:
        """Hear that the next item will not come at once; this machine's places are dealt out by the engine."""

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

    def _end(self, entry: tuple[Guest, Path]) -> None:
        guest, directory = entry
        guest.close()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _explaining_interpreter(runner: RunnerInfo, python: Path) -> Iterator[None]:
    """Say which interpreter does not run, where execnet speaks of its pipe.

    Raises:
        GuestEnvironmentError: The interpreter ended before it had listened, or cannot be executed.
    """
    try:
        yield
    except (OSError, EOFError) as error:
        broken = isinstance(error, EOFError | BrokenPipeError | FileNotFoundError | PermissionError)
        if not broken and getattr(error, "errno", None) is not None:  # no room, no more processes, ...
            raise
        is_ours = runner.has_environment and python != Path(sys.executable)
        advice = (
            f"`omnibench envs remove {runner.title}` removes its environment, and the next run builds it anew"
            if is_ours
            else f"check whether `{python} -c 0` works"
        )
        raise GuestEnvironmentError(
            f"the interpreter of {runner.title}, {python}, does not run ({type(error).__name__}: {error}); {advice}."
        ) from error


def _memory_is_short(needed_bytes: int) -> bool:
    """Return whether a process that needs this many bytes would leave less than a twentieth of the memory."""
    available, total = available_memory(), memory_capacity()
    return available is not None and total is not None and available - needed_bytes < total / 20
