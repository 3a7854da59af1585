"""Calls of the workers that this process has started: an answer each, an exception as it was raised, and an end that is noticed."""

from __future__ import annotations

import operator
import socket
import threading
from collections.abc import Iterator

import pytest

from omnibench.cluster.local_calls import LocalCaller, answer_calls


@pytest.fixture
def ends() -> Iterator[tuple[LocalCaller, socket.socket]]:
    """What calls, and the end that a worker has inherited."""
    own, its = socket.socketpair()
    caller = LocalCaller(own.detach())
    yield caller, its
    caller.close()
    its.close()


def test_each_call_has_its_answer(ends: tuple[LocalCaller, socket.socket]) -> None:
    """Threads that call at the same time get each what they have asked for, and an exception ends no other call."""
    caller, end = ends
    answer_calls(end.detach())
    answers: dict[int, float] = {}

    def call(number: int) -> None:
        with pytest.raises(ZeroDivisionError):
            caller.call(operator.truediv, number, 0)
        answers[number] = caller.call(operator.mul, number, number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: number * number for number in range(20)}


def test_a_worker_that_ends_is_noticed(ends: tuple[LocalCaller, socket.socket]) -> None:
    """A call that it does not answer raises, and so does every later one."""
    caller, end = ends

    def end_at_a_call() -> None:
        end.recv(1)
        end.close()

    ending = threading.Thread(target=end_at_a_call)
    ending.start()
    for _ in range(2):
        with pytest.raises((OSError, EOFError)):
            caller.call(operator.mul, 2, 3)
    ending.join()


def test_what_cannot_be_sent_back(ends: tuple[LocalCaller, socket.socket]) -> None:
    """An answer that cannot be pickled is an exception where it was asked for, and the next call is answered."""
    caller, end = ends
    answer_calls(end.detach())
    with pytest.raises(Exception, match="pickle"):
        caller.call(threading.Lock)
    assert caller.call(operator.mul, 2, 3) == 6
