"""What waits for the disk together: every action is taken, and every failure is heard of."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.store import at_once
from omnibench.store.at_once import MOST_HELPERS, take_at_once


def refuse(number: int) -> None:
    raise OSError(number, "refused")


@given(st.lists(st.booleans(), max_size=MOST_HELPERS + 4))
def test_all_actions_are_taken_whatever_fails(fail: list[bool]) -> None:
    """Each once; the first failure is raised when all have ended."""
    taken: list[int] = []

    def action(number: int) -> Callable[[], None]:
        def take() -> None:
            taken.append(number)
            if fail[number]:
                refuse(number + 1)

        return take

    actions = [action(number) for number in range(len(fail))]
    if any(fail):
        with pytest.raises(OSError, match="refused") as caught:
            take_at_once(actions)
        assert caught.value.errno is not None
        assert fail[caught.value.errno - 1]
    else:
        take_at_once(actions)
    assert sorted(taken) == list(range(len(fail)))


def test_actions_wait_at_the_same_time() -> None:
    """Three that wait for each other all come to their end."""
    barrier = threading.Barrier(3, timeout=60)
    take_at_once([lambda: barrier.wait() and None] * 3)


def test_the_first_is_taken_by_the_thread_that_asks() -> None:
    """One alone needs no other thread."""
    threads: list[int] = []
    take_at_once([lambda: threads.append(threading.get_ident())])
    take_at_once([lambda: threads.append(threading.get_ident()), lambda: None])
    assert threads == [threading.get_ident()] * 2


def test_threads_that_ask_at_once_do_not_wait_for_each_others_helpers() -> None:
    """More of them than there are helpers: who finds none does it alone."""
    taken: list[int] = []
    barrier = threading.Barrier(MOST_HELPERS + 1, timeout=60)

    def ask(number: int) -> None:
        barrier.wait()
        take_at_once([lambda: taken.append(number)] * 3)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(MOST_HELPERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted([*range(MOST_HELPERS + 1)] * 3)
    assert len(at_once._helpers) <= MOST_HELPERS


def test_without_a_thread_it_is_done_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of threads is no reason to lose what was computed."""

    def none(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(at_once, "_idle", type(at_once._idle)())
    monkeypatch.setattr(at_once, "_helpers", [])
    monkeypatch.setattr(threading.Thread, "start", none)
    threads: list[int] = []
    take_at_once([lambda: threads.append(threading.get_ident())] * 3)
    assert threads == [threading.get_ident()] * 3


def test_a_forked_child_has_helpers_of_its_own() -> None:
    """It has none of its parent's threads, for which it would wait for ever."""
    take_at_once([lambda: None] * 3)
    pid = os.fork()
    if pid == 0:
        try:
            barrier = threading.Barrier(2, timeout=30)
            take_at_once([lambda: barrier.wait() and None] * 2)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
