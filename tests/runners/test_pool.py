"""The guests of one process: which are started, kept and ended. The guests themselves are other tests' business."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.errors import GuestEnvironmentError, GuestError
from omnibench.guest.generators import DETERMINISTIC_MARK
from omnibench.runners import pool
from omnibench.runners.environments import Environments
from omnibench.runners.pool import GUEST_MEGABYTES, MOST_GUESTS, GuestPool
from omnibench.runners.registry import get_runner
from omnibench.runners.shared_core import SMALL_ITEMS, SharedCore, allowed_cores

LENSKIT, RECBOLE, RECPACK, OWN = (get_runner(name) for name in ("LensKit", "RecBole", "RecPack", "Own"))


def _ignore(*_: object) -> None: ...


class FakeGuest:
    """Stands for a process; knows what it was started with, and whether it lives."""

    started: list[FakeGuest]
    failing: Callable[[], BaseException | None]

    def __init__(
        self,
        runner: Any,
        python: Path,
        directory: Path,
        work: Path,
        threads: int,
        variables: dict[str, str],
        *_: object,
    ) -> None:
        error = type(self).failing()
        if error is not None:
            raise error
        self.runner, self.python, self.directory, self.work = runner, python, directory, work
        self.variables, self.threads, self.thread = variables, threads, threading.current_thread()
        self.cores = allowed_cores()
        self.alive, self.closed = True, 0
        self.started.append(self)

    def close(self) -> None:
        """End."""
        self.alive = False
        self.closed += 1


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[FakeGuest]:
    """The guests that were started, in order; memory is plenty, and every environment is there."""
    FakeGuest.started = []
    FakeGuest.failing = lambda: None
    monkeypatch.setattr(pool, "Guest", FakeGuest)
    monkeypatch.setattr(pool, "available_memory", lambda: 64 * 2**30)
    monkeypatch.setattr(pool, "memory_capacity", lambda: 64 * 2**30)
    monkeypatch.setattr(Environments, "python", lambda *_: Path(sys.executable))
    return FakeGuest.started


@pytest.fixture
def guests(started: list[FakeGuest], tmp_path: Path) -> Iterator[GuestPool]:
    opened = GuestPool(Environments(), tmp_path, 3, _ignore, _ignore, gpu="1")
    yield opened
    opened.close()
    assert list(tmp_path.iterdir()) == [], "every guest's directory is gone"
    assert all(guest.closed == 1 for guest in started), "every guest was ended, and once"


def names(started: list[FakeGuest]) -> list[str]:
    return [guest.runner.name for guest in started]


def test_guests_with_other_threads_are_other_guests(guests: GuestPool, started: list[FakeGuest]) -> None:
    """A process keeps the number of threads with which it began; the pool's own number is the default."""
    one: Any = guests.get(LENSKIT, "cpu", 1)
    assert guests.get(LENSKIT, "cpu", 1) is one
    assert not guests.is_alive(LENSKIT)
    usual: Any = guests.get(LENSKIT)
    assert guests.get(LENSKIT, "cpu", 3) is usual, "which is what the pool has anyway"
    assert [(guest.threads, guest.variables["OMP_NUM_THREADS"]) for guest in started] == [(1, "1"), (3, "3")]
    guests.discard(LENSKIT, "cpu", 1)
    assert not one.alive
    assert guests.is_alive(LENSKIT)
    guests.warm_if_room(LENSKIT, "cpu", 2)
    assert guests.get(LENSKIT, "cpu", 2).threads == 2


def test_a_guest_is_kept_from_item_to_item(guests: GuestPool, started: list[FakeGuest]) -> None:
    """The same framework gets the same process; warming it when it is there starts none."""
    first: Any = guests.get(LENSKIT)
    guests.warm(LENSKIT)
    second: Any = guests.get(LENSKIT)
    assert second is first
    assert names(started) == ["LensKit"]
    assert first.threads == 3
    assert first.variables["OMP_NUM_THREADS"] == "3"
    assert first.work == first.directory
    own: Any = guests.get(OWN)
    assert own.work == Path.cwd(), "a user's class expects to be where the user is"


def test_warming_starts_in_the_background_and_once(
    guests: GuestPool, started: list[FakeGuest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It returns before the guest is there, and get waits for that very one."""
    let = threading.Event()

    def waiting() -> None:
        assert let.wait(180)

    monkeypatch.setattr(FakeGuest, "failing", staticmethod(waiting))
    guests.warm(RECBOLE)
    guests.warm(RECBOLE)
    assert started == []
    assert not guests.is_alive(RECBOLE)
    let.set()
    guest: Any = guests.get(RECBOLE)
    assert guest is started[0]
    assert names(started) == ["RecBole"]
    guests.get(LENSKIT)
    assert started[0].thread is started[1].thread, "the system ends a guest with the thread that has started it"
    assert started[0].thread is not threading.main_thread()


def test_a_guest_for_later_takes_nobodys_place(
    guests: GuestPool, started: list[FakeGuest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that is needed later starts where there is room; no other ends for it, and no environment is built."""
    monkeypatch.setattr(Environments, "is_built", lambda _, runner: runner is not RECPACK)
    guests.get(LENSKIT)
    guests.warm_if_room(RECPACK)
    guests.warm_if_room(RECBOLE)
    guests.warm_if_room(RECBOLE)
    guests.get(RECBOLE)
    assert names(started) == ["LensKit", "RecBole"]
    monkeypatch.setattr(pool, "MOST_GUESTS", 2)
    monkeypatch.setattr(Environments, "is_built", lambda *_: True)
    guests.warm_if_room(RECPACK)
    assert names(started) == ["LensKit", "RecBole"]
    assert guests.is_alive(LENSKIT)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system keeps nothing on a core")
def test_a_guest_that_starts_meanwhile_may_use_all_cores(started: list[FakeGuest], tmp_path: Path) -> None:
    """While a worker is kept on one core, what it starts is not, for it would be kept there for ever."""
    cores = os.sched_getaffinity(0)
    core = SharedCore(min(cores))
    opened = GuestPool(Environments(), tmp_path, 1, _ignore, _ignore, core=core)
    for _ in range(SMALL_ITEMS):
        with core.kept():
            pass
    with core.kept():
        assert os.sched_getaffinity(0) == {min(cores)}
        opened.get(LENSKIT)
    opened.close()
    assert [guest.cores for guest in started] == [cores]


def test_dead_guests_are_replaced(guests: GuestPool, started: list[FakeGuest]) -> None:
    """One that died between two items, was discarded, or died after it was warmed: the next item gets a living one."""
    guests.get(LENSKIT)
    started[0].alive = False
    assert not guests.is_alive(LENSKIT)
    assert guests.get(LENSKIT).alive
    guests.discard(LENSKIT)
    guests.discard(LENSKIT)
    assert not guests.is_alive(LENSKIT)
    guests.warm(LENSKIT)
    while len(started) < 3:
        threading.Event().wait(0.001)
    started[2].alive = False
    assert guests.get(LENSKIT).alive
    assert len(started) == 4


def test_a_guest_that_does_not_start_says_so_to_who_wants_it(
    guests: GuestPool, started: list[FakeGuest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants it hears what went wrong, each time anew, and leaves nothing behind; a warm one that nobody wants is nobody's."""
    monkeypatch.setattr(FakeGuest, "failing", staticmethod(lambda: GuestError("no start")))
    for _ in range(2):
        guests.warm(LENSKIT)
        with pytest.raises(GuestError, match="no start"):
            guests.get(LENSKIT)
    guests.warm(RECPACK)
    while not all(started.done() for started in guests._starting.values()):
        threading.Event().wait(0.001)
    monkeypatch.setattr(FakeGuest, "failing", staticmethod(lambda: None))
    assert guests.get(LENSKIT).alive
    assert names(started) == ["LensKit"]


def test_devices(guests: GuestPool, started: list[FakeGuest]) -> None:
    """One that computes on a GPU sees its worker's; a framework on the CPU sees none; the two are two guests."""
    guests.get(RECBOLE, "cuda")
    guests.get(RECBOLE, "cpu")
    guests.get(OWN)
    assert [guest.variables.get("CUDA_VISIBLE_DEVICES") for guest in started] == ["1", "", None]
    assert guests.is_alive(RECBOLE, "cuda")
    guests.discard(RECBOLE, "cuda")
    assert guests.is_alive(RECBOLE, "cpu")
    assert not guests.is_alive(RECBOLE, "cuda")


def test_a_guest_that_is_to_be_deterministic(guests: GuestPool, started: list[FakeGuest]) -> None:
    """It is told so, and cuBLAS gets the workspace without which it is not; it sees its worker's GPU, and is a guest of its own."""
    guests.get(RECBOLE, "cuda-deterministic")
    guests.get(RECBOLE, "cuda")
    (strict, other) = (guest.variables for guest in started)
    assert strict["CUDA_VISIBLE_DEVICES"] == other["CUDA_VISIBLE_DEVICES"] == "1"
    assert strict["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert DETERMINISTIC_MARK in strict
    assert DETERMINISTIC_MARK not in other
    guests.end_idle(only_gpus=True)
    assert not guests.is_alive(RECBOLE, "cuda-deterministic")


def test_without_a_worker_of_its_own_all_gpus_are_seen(started: list[FakeGuest], tmp_path: Path) -> None:
    """In a run of one process, a guest on a GPU sees what the process sees."""
    opened = GuestPool(Environments(), tmp_path, 1, _ignore, _ignore)
    opened.get(RECBOLE, "cuda")
    assert "CUDA_VISIBLE_DEVICES" not in started[0].variables
    opened.close()


GUESTS = [(runner, device) for runner in (LENSKIT, RECBOLE, RECPACK, OWN) for device in ("cpu", "cuda")]


@given(st.lists(st.sampled_from(range(len(GUESTS))), max_size=30))
def test_the_least_recently_used_goes_first(requests: list[int]) -> None:
    """Never more than three live; those are the three that were used last."""
    with pytest.MonkeyPatch.context() as patch:
        FakeGuest.started, FakeGuest.failing = [], lambda: None
        patch.setattr(pool, "Guest", FakeGuest)
        patch.setattr(pool, "available_memory", lambda: None)
        patch.setattr(Environments, "python", lambda *_: Path(sys.executable))
        patch.setattr(Path, "mkdir", lambda *_, **__: None)
        opened = GuestPool(Environments(), Path("/nonexistent"), 1, _ignore, _ignore)
        for number, which in enumerate(requests):
            assert opened.get(*GUESTS[which]).alive
            last = list(dict.fromkeys(reversed(requests[: number + 1])))[:MOST_GUESTS]
            assert {number for number in range(len(GUESTS)) if opened.is_alive(*GUESTS[number])} == set(last)
        opened.close()
        assert not any(guest.alive for guest in FakeGuest.started)


def test_short_memory_ends_guests_that_wait(
    guests: GuestPool, started: list[FakeGuest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before one is started that would leave too little memory, others go, the least recently used first, and no more."""
    total = 16 * 2**30
    monkeypatch.setattr(pool, "memory_capacity", lambda: total)
    # Each guest holds 2 GB; 5 GB are free beside them.
    monkeypatch.setattr(pool, "available_memory", lambda: 5 * 2**30 - 2 * 2**30 * sum(guest.alive for guest in started))
    guests.get(LENSKIT)
    guests.get(OWN)
    assert 5 * 2**30 - 4 * 2**30 - GUEST_MEGABYTES["RecBole"] * 2**20 < total / 20
    guests.get(RECBOLE)
    assert [guest.alive for guest in started] == [False, True, True]
    monkeypatch.setattr(pool, "available_memory", lambda: 0)
    assert guests.get(RECPACK).alive, "one is started all the same when there is no other to end"
    assert [guest.alive for guest in started] == [False, False, False, True]


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "Broken pipe"), EOFError(), OSError("cannot send")])
def test_an_interpreter_that_does_not_run_is_named(
    guests: GuestPool, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whatever execnet makes of it: it speaks of its pipe, and people look at disks."""
    monkeypatch.setattr(Environments, "python", lambda *_: Path("/broken/bin/python"))
    monkeypatch.setattr(FakeGuest, "failing", staticmethod(lambda: error))
    with pytest.raises(
        GuestEnvironmentError, match=r"LensKit, /broken/bin/python, does not run .*`omnibench envs remove"
    ):
        guests.get(LENSKIT)
    monkeypatch.setattr(Environments, "python", lambda *_: Path(sys.executable))
    with pytest.raises(GuestEnvironmentError, match=r"check whether `.* -c 0` works"):
        guests.get(OWN)


def test_a_disk_without_room_for_a_guest_is_the_disks_trouble(
    guests: GuestPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pipes find no room where the run works: that is passed on as it is."""
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(FakeGuest, "failing", staticmethod(lambda: full))
    with pytest.raises(OSError, match="No space left") as caught:
        guests.get(LENSKIT)
    assert caught.value is full
