"""Forked children: they have none of our descriptors, and no half of anything."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from omnibench.guest import forks


def in_child(action: Callable[[], bool]) -> bool:
    """Whether an action says yes in a forked child."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if action() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def leads_to(descriptor: int, path: Path) -> bool:
    """Whether a descriptor is open for a file."""
    return os.path.samestat(os.fstat(descriptor), path.stat())


def test_what_is_withheld_is_nothing_in_a_child(tmp_path: Path) -> None:
    """Its number stays taken, so that whoever believes to own it closes no other file; the parent keeps everything."""
    path, other = tmp_path / "ours", tmp_path / "theirs"
    path.touch()
    theirs = os.open(other, os.O_RDWR | os.O_CREAT)
    with forks.undivided():
        ours = forks.withhold(os.open(path, os.O_RDWR))
    with path.open("rb") as file:
        forks.withhold_file(file)

        def has_only_theirs() -> bool:
            nothing = Path(os.devnull)
            replaced = leads_to(ours, nothing) and leads_to(file.fileno(), nothing)
            return replaced and not os.get_inheritable(ours) and leads_to(theirs, other)

        assert in_child(has_only_theirs)
        assert leads_to(ours, path)
        assert leads_to(file.fileno(), path)
    forks.close(ours)
    again = os.open(other, os.O_RDWR)
    assert again == ours
    assert in_child(lambda: leads_to(again, other)), "the number is somebody else's now"
    os.close(again)
    os.close(theirs)


@pytest.mark.parametrize("whole", [forks.undivided, forks.whole_transaction])
def test_a_fork_waits_for_what_must_be_whole(whole: Callable[[], AbstractContextManager[None]]) -> None:
    """Another thread's transaction, or opening of a file, is not cut in two; a fork inside of one's own is possible."""
    order: list[str] = []
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with whole():
            held.set()
            forked.wait(0.3)
            order.append("whole")

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    assert in_child(lambda: True)
    order.append("forked")
    forked.set()
    holder.join()
    assert order == ["whole", "forked"]
    with whole():
        assert in_child(lambda: in_child(lambda: True))


class Garbage:
    """Part of a cycle, and finalized when that is collected."""

    def __init__(self, finalized: Callable[[], object]) -> None:
        self.itself = self
        self._finalized = finalized

    def __del__(self) -> None:
        self._finalized()


def test_a_child_leaves_garbage_to_its_parent() -> None:
    """A finalizer may wait for a lock that another thread of the parent had; the child's own garbage it does collect."""
    finalized: list[int] = []
    is_enabled = gc.isenabled()
    Garbage(lambda: finalized.append(os.getpid()))

    def leaves_it() -> bool:
        gc.collect()
        before = list(finalized)
        Garbage(lambda: finalized.append(os.getpid()))
        gc.collect()
        return (before, finalized, gc.isenabled()) == ([], [os.getpid()], is_enabled)

    assert in_child(leaves_it)
    assert gc.isenabled() == is_enabled
    gc.collect()
    assert finalized == [os.getpid()]
