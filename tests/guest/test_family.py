"""What code of the user's starts in a process ends with that process; what others start there does not."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.runs import wait_until

from omnibench.guest import family

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

SCRIPT = """
import ctypes, json, multiprocessing, os, signal, subprocess, sys, threading, time
from omnibench.guest.family import end_started, own_code

pids = {"inside": [], "outside": []}

def program(group, *words, **how):
    pids[group].append(subprocess.Popen([*words, "sleep", "600"], stdout=subprocess.DEVNULL, **how).pid)

def child(group):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if (grandchild := os.fork()) == 0:
            time.sleep(600)
        os.write(writing, str(grandchild).encode())
        os._exit(0)
    os.wait()
    pids[group].append(int(os.read(reading, 100)))

def below_python(group):
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        ctypes.CDLL(None).sleep(600)
        os._exit(0)
    pids[group].append(pid)

def of_a_fixture():
    begun.wait()
    program("outside")
    child("outside")
    done.set()
    time.sleep(600)

how = sys.argv[1]
begun, done = threading.Event(), threading.Event()
threading.Thread(target=of_a_fixture, daemon=True).start()
program("outside")
child("outside")
with own_code():
    pass
program("outside")
with own_code():
    program("inside")
    child("inside")
    if how == "at once":
        print(json.dumps(pids), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    program("inside", env={}, start_new_session=True)
    below_python("inside")
    begun.set()
    done.wait()
    time.sleep(1)
    if how == "within":
        print(json.dumps(pids), flush=True)
        sys.stdin.read()
program("outside")
child("outside")
if how == "asked":
    end_started()
print(json.dumps(pids), flush=True)
if how != "normal":
    sys.stdin.read()
"""


def lives(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@contextlib.contextmanager
def families(how: str, script: str = SCRIPT) -> Iterator[tuple[subprocess.Popen[str], dict[str, list[int]]]]:
    """A process that starts others inside and outside of sections, and those by group; none is left."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    pids: dict[str, list[int]] = {}
    try:
        pids = json.loads(process.stdout.readline())
        yield process, pids
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()
        for pid in [pid for group in pids.values() for pid in group]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", ["at once", "within", "after", "normal", "asked"])
def test_what_sections_start_ends_with_the_process(how: str) -> None:
    """However the process ends, programs, daemons and what code below Python forks end; a fixture's services do not.

    It is killed at once, before anybody could look; within a section; after it; it ends normally; or somebody asks for it.
    """
    with families(how) as (process, pids):
        if how in ("within", "after"):
            process.kill()
        wait_until(lambda: not any(map(lives, pids["inside"])))
        assert (process.poll() is None) == (how == "asked")
        assert all(map(lives, pids["outside"]))
        counts = {"at once": (2, 3), "within": (4, 5)}
        assert (len(pids["inside"]), len(pids["outside"])) == counts.get(how, (4, 7))


KEPT = """
import json, os, subprocess, sys
from omnibench.guest import family

with family.tried_code():
    subprocess.run(["true"])
assert not family._guard.pid and family.MARK not in os.environ
before = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
with family.tried_code():
    kept = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, env={})
    orphan = int(subprocess.check_output("sleep 600 >/dev/null & echo $!", shell=True))
assert family._guard.pid == os.getpid() and family.MARK not in os.environ
print(json.dumps({"inside": [kept.pid, orphan], "outside": [before.pid]}), flush=True)
sys.stdin.read()
"""


def test_what_a_trial_at_declaration_keeps_ends_with_the_process() -> None:
    """A trial that keeps nothing starts no guard; with one that does, as joblib's loky, a run is guarded from then on."""
    with families("kept", KEPT) as (process, pids):
        assert all(map(lives, pids["inside"]))
        process.kill()
        wait_until(lambda: not any(map(lives, pids["inside"])))
        assert all(map(lives, pids["outside"]))


def test_without_a_guard_own_code_computes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no process to spare, or its interpreter may be gone; and somebody may have ended it."""
    guard = family._Guard()
    monkeypatch.setattr(family, "_guard", guard)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nonexistent")
        with family.own_code():
            assert guard.pid == 0
            assert family.MARK not in os.environ
    with family.own_code():
        assert guard.pid == os.getpid()
        assert os.environ[family.MARK]
    os.close(guard._pipe)
    with family.own_code():
        pass
    assert guard.pid == 0
    with family.own_code():
        assert guard.pid == os.getpid()


def test_a_child_writes_nothing_into_a_file_that_has_got_the_number_of_the_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon closes all descriptors, opens files of its own, and forks."""
    guard = family._Guard()
    monkeypatch.setattr(family, "_guard", guard)
    file = tmp_path / "data"
    with family.own_code():
        child = os.fork()
        if child == 0:
            os.close(guard._pipe)
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), guard._pipe)
            if os.fork() == 0:
                os._exit(0)
            os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
        assert os.waitpid(child, 0)[1] == 0
    assert file.read_bytes() == b""
