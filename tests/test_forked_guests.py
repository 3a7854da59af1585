"""Guests that inner runs fork from an interpreter with pandas find what those find that are started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import forked_guests as forked_guests_module
from support.forked_guests import ForkedProcess, Interpreter, Variables, forked_guests, forked_process
from support.projects import Project

from omnibench import open_store
from omnibench.runners.gateway import GUEST_MARK

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="clone is a system call of Linux")

SURROUNDINGS = """
import json, os, signal, sys, threading
print(json.dumps({
    "arguments": sys.argv, "path": sys.path, "flags": str(sys.flags), "directory": os.getcwd(), "parent": os.getppid(),
    "environment": dict(os.environ), "main": sorted(name for name in vars() if not name.startswith("__")),
    "ours": sorted(name for name in sys.modules if name.startswith(("omnibench", "support"))), "hash": hash("text"),
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "interrupt": str(signal.getsignal(signal.SIGINT)),
    "ignored": [line for line in open("/proc/self/status") if line.startswith("SigIgn")], "umask": os.umask(0o22),
    "limits": open("/proc/self/limits").read(), "line": sys.stdin.readline(), "threads": threading.active_count(),
    "streams": [sys.stdin.encoding, sys.stdout.encoding, sys.stderr.errors], "processors": sorted(os.sched_getaffinity(0)),
}))
"""


def command(program: str) -> list[str]:
    """How execnet starts a guest of a user's class."""
    marks = ["OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "PYTHONHASHSEED=0", f"{GUEST_MARK}=1"]
    return ["env", "-u", "PYTHONPATH", *marks, sys.executable, "-u", "-c", program, "-u", "-c", "rest"]


def measured(project: Project) -> dict[str, object]:
    """The metrics of each item of a project's store."""
    items = open_store(project.pytester.path / "checkpoints").items()
    return {key: item["metrics"] for key, item in items.items()}


@pytest.fixture(autouse=True)
def _own_interpreters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin without interpreters, and leave none."""
    interpreters: dict[Variables, Interpreter | None] = {}
    monkeypatch.setattr("support.forked_guests._interpreters", interpreters)
    yield
    for interpreter in filter(None, interpreters.values()):
        interpreter.close()


@pytest.fixture
def forked() -> Callable[[str], ForkedProcess]:
    """Fork a process for a program, from an interpreter that is started when it is first wanted."""
    with forked_guests():
        if (process := forked_process(command("pass"))) is not None:
            printed(process)
    with forked_guests():  # the next run has it
        return lambda program: forked_process(command(program)) or pytest.fail("it was not forked")


def printed(process: ForkedProcess) -> str:
    """What a process prints; its streams are closed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout:
        with contextlib.suppress(BrokenPipeError):  # it reads nothing
            process.stdin.write(b"a line\n")
            process.stdin.flush()
        text = process.stdout.read().decode()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    assert process.wait(60) == 0
    return text


@pytest.mark.guests
def test_it_finds_what_a_started_one_finds(
    forked: Callable[[str], ForkedProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments, paths, variables, signals, limits, streams and its parent are the same, and nothing of ours is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOMETHING_NEW", "of this test")
    variables = dict(os.environ)  # without COLUMNS and LINES, which readline sets behind Python's back
    text = subprocess.run(
        command(SURROUNDINGS), input=b"a line\n", env=variables, stdout=subprocess.PIPE, check=True
    ).stdout
    found, expected = json.loads(printed(forked(SURROUNDINGS))), json.loads(text)
    assert found["parent"] == os.getpid()
    assert found["ours"] == []
    assert found["environment"]["SOMETHING_NEW"] == "of this test"
    assert "PYTHONPATH" not in found["environment"]
    assert found == expected


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("raise ValueError", 1),
        ("import os; os._exit(4)", 4),
        ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV),
    ],
)
def test_its_parent_learns_how_it_has_ended(
    program: str, status: int, forked: Callable[[str], ForkedProcess], capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit statuses and signals reach who waits, and its stderr is the one of this process."""
    process = forked(program)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        assert process.wait(60) == status
    assert ("ValueError" in capfd.readouterr().err) is (status == 1)


def test_its_main_thread_gets_signals(forked: Callable[[str], ForkedProcess]) -> None:
    """The C library knows the number that its main thread has for the kernel, as it does behind ``fork``."""
    kill = "signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)"
    program = "import signal, threading\n"
    program += "signal.signal(signal.SIGTERM, lambda *_: print('got it', flush=True))\n"
    program += f"thread = threading.Thread(target=lambda: {kill}); thread.start(); thread.join()"
    assert printed(forked(program)) == "got it\n"


def test_each_draws_numbers_of_its_own(forked: Callable[[str], ForkedProcess]) -> None:
    """Python's and numpy's generators, which nobody seeds, begin anew as in an interpreter that starts."""
    draw = "import random, numpy; print(random.random(), *numpy.random.random(1))"
    first, second = (printed(forked(draw)).split() for _ in range(2))
    assert len(first) == 2
    assert not set(first) & set(second)


def test_what_may_matter_to_an_interpreter_gets_another_one(forked: Callable[[str], ForkedProcess]) -> None:
    """With other variables that are read at the start, and without the mark of a guest, it is started as users start it."""
    printed(forked("pass"))
    assert forked_process(["env", "MKL_NUM_THREADS=77", *command("pass")[1:]]) is None
    assert forked_process([sys.executable, "-u", "-c", "pass"]) is None


def test_a_fork_of_this_process_starts_its_guests_itself(forked: Callable[[str], ForkedProcess]) -> None:
    """The interpreters of this process are not its: what they fork would be a child of this one."""
    printed(forked("pass"))
    if (child := os.fork()) == 0:
        is_forked = True
        try:
            with forked_guests():
                is_forked = forked_process(command("pass")) is not None
        finally:
            os._exit(int(is_forked))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert printed(forked("print('still')")) == "still\n"


def test_a_run_forks_its_guests(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second run on, the guest of an inner run imports no pandas, and computes what the first one has."""
    project.run("-q").assert_outcomes(passed=2)
    expected = measured(project)
    forks: list[str] = []
    fork = forked_process

    def noted(arguments: list[str]) -> ForkedProcess | None:
        process = fork(arguments)
        forks.append("forked" if process is not None else "started")
        return process

    monkeypatch.setattr("support.forked_guests.forked_process", noted)
    project.run("-q", "--omnirec-reset").assert_outcomes(passed=2)
    assert forks == ["forked"]
    assert project.count_fits() == 4
    assert measured(project) == expected


def test_guests_are_started_where_what_forks_them_has_ended(project: Project) -> None:
    """Whatever has ended it: a test after it does not fail for it."""
    project.run("-q").assert_outcomes(passed=2)
    with forked_guests():
        (interpreter,) = filter(None, forked_guests_module._interpreters.values())
    assert interpreter._process is not None
    interpreter._process.kill()
    interpreter._process.wait()
    project.run("-q", "--omnirec-reset").assert_outcomes(passed=2)
    assert project.count_fits() == 4
