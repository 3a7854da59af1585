"""Being asked to stop: the first signal lets a phase finish, the second does not, and nothing is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from omnibench.engine import stopping as stopping_module
from omnibench.engine.stopping import StoppedError, Stopping

INT, TERM = signal.SIGINT, signal.SIGTERM


def send(number: int) -> None:
    """Send a signal to this process, and have it heard before this returns."""
    os.kill(os.getpid(), number)
    signal.sigtimedwait([], 0)  # a system call: Python runs its handlers when it comes back


def handlers() -> list[object]:
    return [signal.getsignal(INT), signal.getsignal(TERM)]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.mark.parametrize("number", [INT, TERM])
def test_between_phases_the_first_signal_stops_at_once(number: signal.Signals, told: list[str]) -> None:
    """There is nothing to finish, so nothing is said of a grace period."""
    with pytest.raises(StoppedError, match=f"stopped by {number.name}"), Stopping(60, told.append) as stopping:
        send(number)
    assert (stopping.reason, told) == (number.name, [])


def test_stopping_is_a_keyboard_interrupt() -> None:
    """That is what pytest and scripts end on; `except Exception` in somebody's code does not swallow it."""
    assert issubclass(StoppedError, KeyboardInterrupt)
    assert not issubclass(StoppedError, Exception)


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_phase_in_progress_may_finish(number: signal.Signals, told: list[str]) -> None:
    """One sentence says what is going on and how to hurry; the next phase does not begin."""
    with Stopping(60, told.append) as stopping:
        stopping.check()
        with stopping.phases("D/A"):
            stopping.check()
            send(number)
            stopping.expired()
        assert told == [
            f"{number.name}: stopping; D/A has 60 s to finish what it is at. Once more (Ctrl-C) stops at once."
        ]
        with pytest.raises(StoppedError, match=f"stopped by {number.name}"):
            stopping.check()


def test_a_second_signal_ends_the_phase(told: list[str]) -> None:
    """Whichever of the two it is; the reason stays the first one's."""
    acts: list[str] = []
    stopping = Stopping(
        60, told.append, on_first_signal=lambda: acts.append("first"), on_second_signal=lambda: acts.append("second")
    )
    with stopping, stopping.phases("D/A"):
        send(TERM)
        assert acts == ["first"]
        with pytest.raises(StoppedError, match="stopped by SIGTERM"):
            send(INT)
    assert acts == ["first", "second"]
    assert (stopping.reason, len(told)) == ("SIGTERM", 1)


def test_a_third_signal_ends_what_the_second_has_left(told: list[str]) -> None:
    """Somebody catches the KeyboardInterrupt and goes on: each further signal says it again."""
    with Stopping(60, told.append) as stopping, stopping.phases("D/A"):
        send(INT)
        for _ in range(2):
            with pytest.raises(StoppedError):
                send(INT)


def test_a_worker_is_not_insistent(told: list[str]) -> None:
    """It hears a signal from its terminal and one from its controller: neither ends a phase, nor the time between."""
    acts: list[str] = []
    with Stopping(60, told.append, insistent=False, on_first_signal=lambda: acts.append("first")) as stopping:
        send(INT)
        with stopping.phases("D/A"):
            send(TERM)
            send(INT)
            stopping.expired()
        assert (acts, told, stopping.reason) == (["first"], [], "SIGINT")
        with pytest.raises(StoppedError):
            stopping.check()


def test_the_grace_period_ends(told: list[str]) -> None:
    """No grace is over at once; and while nobody asked, there is nothing to expire."""
    with Stopping(0, told.append) as stopping, stopping.phases("D/A"):
        stopping.expired()
        send(TERM)
        with pytest.raises(StoppedError):
            stopping.expired()


def test_the_grace_period_begins_with_the_first_signal(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Later ones do not prolong it."""
    now = [1000.0]
    monkeypatch.setattr("omnibench.engine.stopping.time.monotonic", lambda: now[0])
    with Stopping(10, told.append, insistent=False) as stopping, stopping.phases("D/A"):
        send(TERM)
        now[0] = 1009.9
        send(TERM)
        stopping.expired()
        now[0] = 1010.0
        with pytest.raises(StoppedError):
            stopping.expired()


@pytest.mark.parametrize("leave", [lambda: None, lambda: 1 / 0, lambda: send(INT)], ids=["end", "error", "signal"])
def test_the_handlers_are_put_back(leave: Callable[[], object]) -> None:
    """However it is left, also those that are not Python's own."""

    def mine(*_: object) -> None: ...

    before = handlers()
    for theirs in (mine, signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler):
        signal.signal(TERM, theirs)
        expected = handlers()
        try:
            with Stopping(1, lambda _: None) as stopping:
                assert handlers() != expected
                leave()
        except (ZeroDivisionError, StoppedError):
            pass
        assert handlers() == expected
        del stopping
    signal.signal(TERM, before[1])  # type: ignore[arg-type]  # it is what `signal` gave
    assert handlers() == before


def test_outside_of_the_main_thread_it_hears_nothing_and_changes_nothing() -> None:
    """A server may run benchmarks in a thread; signals are its own business."""
    before, found = handlers(), []

    def use() -> None:
        with Stopping(1, lambda _: None) as stopping:
            found.append((handlers(), stopping.reason))
            stopping.check()

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert found == [(before, "")]
    assert handlers() == before


def test_entering_it_within_itself_keeps_hearing() -> None:
    """A run in a run listens once, until the outer one is done."""
    before = handlers()
    with Stopping(1, lambda _: None) as stopping:
        listening = handlers()
        with stopping:
            assert handlers() == listening
        assert handlers() == listening
    assert handlers() == before


def test_what_was_stopped_can_be_run_again() -> None:
    """In a notebook, Ctrl-C and another `run` of the same coordinator: it is not stopped by the earlier signal."""
    stopping = Stopping(60, lambda _: None)
    with pytest.raises(StoppedError), stopping:
        send(INT)
    assert asked_to_stop(stopping) == []


def asked_to_stop(stopping: Stopping) -> list[str]:
    """Return which questions a run's beginning is stopped by."""
    found = []
    with stopping, stopping.phases("D/A"):
        for ask in (stopping.check, stopping.expired):
            try:
                ask()
            except StoppedError:  # a KeyboardInterrupt would end all tests
                found.append(ask.__name__)
    return found


def test_a_signal_wakes_who_waits() -> None:
    """In a process of its own: a long wait between phases ends at once, with the exit status of a Ctrl-C."""
    code = """
import time
from omnibench.engine import stopping as stopping_module
from omnibench.engine.stopping import Stopping
with Stopping(60, print):
    print("waits", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "waits\n"
        one.send_signal(TERM)
        _, errors = one.communicate(timeout=180)
    assert errors.endswith("StoppedError: stopped by SIGTERM\n")
    assert one.returncode == 1 or -one.returncode == INT


def test_what_hangs_is_ended_a_little_after_the_grace_period(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A phase that never looks at the grace period is raised in, once, after whoever oversees it has been called."""
    monkeypatch.setattr(stopping_module, "_ENDING_SECONDS", 0.0)
    ended: list[str] = []

    def hang() -> None:
        with Stopping(0.0, told.append, on_second_signal=lambda: ended.append("workers")) as stopping:
            with stopping.phases("D/A"):
                send(INT)
                threading.Event().wait(60)
            pytest.fail("it went on")

    with pytest.raises(StoppedError, match="stopped by SIGINT"):
        hang()
    assert ended == ["workers"]
    assert len(told) == 1


def test_what_swallows_the_first_signal_is_ended_by_the_next(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A body is raised in at once; one that goes on all the same is raised in again after the grace period."""
    monkeypatch.setattr(stopping_module, "_ENDING_SECONDS", 0.0)

    def swallow() -> None:
        with Stopping(0.0, told.append):
            with suppress(StoppedError):
                send(INT)
            threading.Event().wait(60)

    with pytest.raises(StoppedError):
        swallow()


def test_what_ends_in_time_is_not_raised_in(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what comes behind it: no signal is sent after the handlers were put back."""
    monkeypatch.setattr(stopping_module, "_ENDING_SECONDS", 0.1)
    before = handlers()
    with Stopping(0.0, told.append) as stopping, stopping.phases("D/A"):
        send(TERM)
    threading.Event().wait(0.5)
    assert handlers() == before


def test_a_worker_is_left_to_its_controller(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyboardInterrupt in a worker would have xdist start another; so nothing is raised there by itself."""
    monkeypatch.setattr(stopping_module, "_ENDING_SECONDS", 0.0)
    with Stopping(0.0, told.append, insistent=False) as stopping, stopping.phases("D/A"):
        send(TERM)
        threading.Event().wait(0.3)


@pytest.mark.parametrize("insistent", [True, False], ids=["overseer", "worker"])
def test_sigterm_ends_what_was_forked_meanwhile(told: list[str], insistent: bool) -> None:
    """A pool ends its workers by SIGTERM, and waits for them: with our handlers they would live on, and it wait for ever."""
    with Stopping(60, told.append, insistent=insistent) as stopping, stopping.phases("D/A"):
        children = [multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)) for _ in range(3)]
        for child in children:
            child.start()
            child.terminate()
        for child in children:
            child.join(180)
        statuses = [child.exitcode for child in children]
        for child in children:
            child.kill()
        assert statuses == [-TERM] * 3
        assert handlers() == [stopping._on_signal] * 2
    assert told == []


def hear_twice() -> None:
    """Hear a Ctrl-C, and then another one."""
    os.kill(os.getpid(), INT)
    print("went by", flush=True)
    os.kill(os.getpid(), INT)
    print("went by", flush=True)


def test_the_first_ctrl_c_of_a_terminal_leaves_what_was_forked_to_its_phase(
    told: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """The phase may finish, and so may those who work for it; the second one is meant for all."""
    with Stopping(60, told.append) as stopping, stopping.phases("D/A"):
        child = multiprocessing.get_context("fork").Process(target=hear_twice)
        child.start()
        child.join(60)
    printed = capfd.readouterr()
    assert (child.exitcode, told, printed.out) == (1, [], "went by\n")
    assert "KeyboardInterrupt" in printed.err
