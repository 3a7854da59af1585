"""Messages between a task and its submitter: in order, each once, whatever call is repeated."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.cluster import mailbox
from omnibench.cluster.mailbox import AbandonedError, Mailbox, exchange, exchange_here


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop of a worker, in a thread of its own."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


def call(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The answer to a call that the scheduler passes on."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(180)


Begin = Callable[..., "Future[Any]"]


@pytest.fixture(scope="module", params=["loop", "thread"])
def begin(request: pytest.FixtureRequest, loop: asyncio.AbstractEventLoop) -> Iterator[Begin]:
    """Begins a call, in the worker's event loop or in a thread of its process."""
    if request.param == "loop":
        yield lambda *arguments: asyncio.run_coroutine_threadsafe(exchange(*arguments), loop)
        return
    with ThreadPoolExecutor() as threads:
        yield lambda *arguments: threads.submit(exchange_here, *arguments)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=12))
def test_every_message_arrives_once(
    loop: asyncio.AbstractEventLoop, begin: Begin, steps: list[tuple[int, int, bool]]
) -> None:
    """Whichever answers are lost, both sides get every message once and in order: a call is repeated with the same numbers."""
    sent_up = sent_down = taken = acknowledged = 0
    up: list[int] = []
    down: list[int] = []
    with Mailbox("t", "r", loop, lambda: True) as box:
        for n_up, n_down, is_lost in [*steps, (0, 0, False)]:
            for _ in range(n_up):
                box.send({"n": sent_up}, hurries=sent_up % 3 > 0)
                sent_up += 1
            messages = [{"n": sent_down + n} for n in range(n_down)]
            sent_down += n_down
            for _ in range(2 if is_lost else 1):
                first, answer = begin("t", taken, acknowledged, messages, 0.0).result(180)
            acknowledged += n_down
            up += [message["n"] for message in answer[taken - first :]]
            taken = first + len(answer)
            while (message := box.receive(0)) is not None:
                down.append(message["n"])
    assert up == list(range(sent_up))
    assert down == list(range(sent_down))


def test_a_call_ends_when_there_is_something(loop: asyncio.AbstractEventLoop, begin: Begin) -> None:
    """A call that waits is answered by the first message, and by the end of the task."""
    with Mailbox("t", "r", loop, lambda: True) as box:
        waiting = begin("t", 0, 0, [], 600.0)
        box.send({"kind": "x"})
        assert waiting.result(180) == (0, [{"kind": "x"}])
        waiting = begin("t", 1, 0, [], 600.0)
    assert waiting.result(180) in ((1, []), None)  # None: it came after the end
    assert begin("t", 1, 0, [], 0.0).result(180) is None


def test_what_does_not_hurry_comes_with_what_does(
    loop: asyncio.AbstractEventLoop, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and lines wait for the answer behind them, so that one call takes all of it, and alone they wait a moment."""
    monkeypatch.setattr(mailbox, "_GATHERING_SECONDS", 2.0)  # a busy machine may stop this thread between two of them
    with Mailbox("t", "r", loop, lambda: True) as box:
        waiting = begin("t", 0, 0, [], 600.0)
        for number in range(3):
            box.send({"n": number}, hurries=number == 2)
        assert waiting.result(180) == (0, [{"n": 0}, {"n": 1}, {"n": 2}])
        waiting = begin("t", 3, 0, [], 600.0)
        box.send({"n": 3}, hurries=False)
        box.send({"n": 4}, hurries=False)
        assert waiting.result(180) == (3, [{"n": 3}, {"n": 4}])
        box.send({"n": 5}, 13 * 2**20, hurries=False)  # as much as a call takes
        assert begin("t", 5, 0, [], 600.0).result(180) == (5, [{"n": 5}])
        assert begin("t", 6, 0, [], 0.0).result(180) == (6, [])  # it has arrived, and is not in the box any more
        box.send({"n": 6}, is_followed=True)
        assert not (waiting := begin("t", 6, 0, [], 600.0)).done()
        box.send({"n": 7})
        assert waiting.result(180) == (6, [{"n": 6}, {"n": 7}])


def test_a_task_without_submitter_ends(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that was taken back, or hears nothing for too long, does not wait for ever: neither for messages nor for room."""
    with Mailbox("t", "r", loop, lambda: False) as box, pytest.raises(AbandonedError, match="taken the task back"):
        box.receive()
    monkeypatch.setattr(mailbox, "_LEAST_PATIENCE", -1.0)
    with Mailbox("t", "r", loop, lambda: True) as box:
        with pytest.raises(AbandonedError, match="nothing was heard"):
            box.receive()
        box.send({}, size=30 * 2**20)
        with pytest.raises(AbandonedError, match="nothing was heard"):
            box.send({}, size=30 * 2**20)


def test_large_messages_go_one_by_one(loop: asyncio.AbstractEventLoop) -> None:
    """An answer has few bytes, so that neither the scheduler nor the submitter needs the memory of a whole file."""
    with Mailbox("t", "r", loop, lambda: True) as box:
        for number in range(3):
            box.send({"n": number}, size=8 * 2**20)
        answers = [call(loop, exchange("t", number, 0, [], 0.0)) for number in range(3)]
    assert answers == [(number, [{"n": number}]) for number in range(3)]


def test_it_rings_while_no_call_waits(loop: asyncio.AbstractEventLoop) -> None:
    """Once for what hurries, and once for what has waited for others; a call that waits hears of it by its answer."""
    rung: queue.SimpleQueue[str] = queue.SimpleQueue()
    with Mailbox("t", "r", loop, lambda: True, ring=lambda: rung.put("ring")) as box:
        box.send({"n": 0})
        rung.get(timeout=180)
        assert call(loop, exchange("t", 0, 0, [], 600.0)) == (0, [{"n": 0}])
        waiting = asyncio.run_coroutine_threadsafe(exchange("t", 1, 0, [], 600.0), loop)
        while not box._n_calls_in_loop:
            time.sleep(0.001)
        box.send({"n": 1})
        assert waiting.result(180) == (1, [{"n": 1}])
        call(loop, exchange("t", 2, 0, [], 0.0))
        assert rung.empty()
        for number in (2, 3):
            box.send({"n": number}, hurries=False)
        rung.get(timeout=180)
        assert call(loop, exchange("t", 2, 0, [], 0.0)) == (2, [{"n": 2}, {"n": 3}])
        exchange_here("t", 4, 0, [], 0.0)
        box.send({"n": 4})
        assert rung.empty(), "a call that comes by itself is not rung for"
