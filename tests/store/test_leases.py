"""Leases: one holder at a time, freed by death and not by sleep; workspaces of the dead are removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from omnibench.errors import StoreError
from omnibench.store import holders
from omnibench.store.leases import is_held, lease
from omnibench.store.workspaces import Workspace, remove_workspace

HOLDER = """
import sys
from pathlib import Path
from omnibench.store.leases import lease
with lease(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lease until its stdin is closed."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leases" / "key.lock"


def test_a_lease_is_held_and_freed(path: Path) -> None:
    """While it is held others see who has it; afterwards nobody does, and the file stays."""
    assert is_held(path) is None
    with lease(path) as held:
        held.check()
        assert is_held(path) == f"process {os.getpid()} on {os.uname().nodename}"
    assert is_held(path) is None
    assert path.is_file()


def test_the_kernels_table_is_not_read_for_own_leases(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that holds a thousand leases would read a thousand lines for each; for those of others it has what lets them go on."""
    asked: list[Path] = []
    lockers = holders.lockers

    def noted(locked: Path) -> list[holders.Holder]:
        asked.append(locked)
        return lockers(locked)

    monkeypatch.setattr(holders, "lockers", noted)
    with lease(path):
        assert is_held(path)
        assert asked == []
        path.write_text("nobody")
        assert is_held(path)
        assert asked == [path]


def test_an_error_frees_the_lease(path: Path) -> None:
    """A failed phase does not block its item."""
    with pytest.raises(ZeroDivisionError), lease(path):
        _ = 1 / 0
    assert is_held(path) is None


def test_every_lease_has_a_token_of_its_own(path: Path) -> None:
    """Two holders after one another are told apart."""
    with lease(path) as first:
        pass
    with lease(path) as second:
        assert first.token != second.token
        second.check()
        with pytest.raises(StoreError, match=r"the lease key\.lock was lost"):
            first.check()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"token": "other"}', "\x00\x00"])
def test_a_lease_is_lost_when_the_file_no_longer_names_it(path: Path, content: str) -> None:
    """A lease is lost if its file says anything else, and then the result is not published."""
    with lease(path) as held:
        path.write_text(content, encoding="utf-8")
        assert is_held(path) == "another process"
        with pytest.raises(StoreError, match="was lost to another process"):
            held.check()


def test_a_lease_is_lost_when_the_file_is_removed_and_taken_again(path: Path) -> None:
    """Somebody cleaned up under us: two hold "the" lease, and only the later one may publish."""
    with lease(path) as first:
        path.unlink()
        with pytest.raises(StoreError, match="lost"):
            first.check()
        with lease(path) as second:
            second.check()
            with pytest.raises(StoreError, match="lost"):
                first.check()


def test_who_waits_is_told_once_and_gets_the_lease(path: Path) -> None:
    """The second one waits, names the holder, and goes on when the first is done."""
    told: list[str] = []
    with held_elsewhere(path) as holder:
        assert holder.stdin is not None

        def let_go(who: str) -> None:
            told.append(who)
            assert holder.stdin is not None
            holder.stdin.close()

        with lease(path, on_wait=let_go) as held:
            held.check()
            assert holder.wait() == 0
    assert told == [f"process {holder.pid} on {os.uname().nodename}"]


def test_kill_9_frees_the_lease(path: Path) -> None:
    """No clock and no clean-up is needed when the holder is gone."""
    with held_elsewhere(path) as holder:
        assert is_held(path) is not None
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert is_held(path) is None
        with lease(path) as held:
            held.check()


def test_a_stopped_holder_keeps_the_lease(path: Path) -> None:
    """Somebody's Ctrl-Z is not a death: nobody takes over."""
    with held_elsewhere(path) as holder:
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        taken = threading.Event()
        waits = threading.Event()

        def take() -> None:
            with lease(path, on_wait=lambda _: waits.set()):
                taken.set()

        taker = threading.Thread(target=take)
        taker.start()
        assert waits.wait(180)
        assert not taken.wait(0.3)
        description = is_held(path) or ""
        assert description.startswith(f"process {holder.pid} on {os.uname().nodename}")
        if holders.LOCKS.exists():
            assert f"it is stopped: `kill -CONT {holder.pid}` lets it go on" in description
        holder.send_signal(signal.SIGCONT)
        holder.kill()
        taker.join(180)
        assert taken.is_set()


def test_programs_that_the_holder_starts_do_not_inherit_the_lease(path: Path) -> None:
    """A guest that outlives its parent does not block the item."""
    with lease(path):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        assert is_held(path) is None
    finally:
        child.communicate()


FORKING_HOLDER = """
import ctypes, os, sys, time
from pathlib import Path
from omnibench.store.leases import lease
from omnibench.store.workspaces import Workspace
workspace = Workspace(Path(sys.argv[1]).parent.parent / "tmp")
with lease(Path(sys.argv[1])):
    if (ctypes.PyDLL(None).fork() if sys.argv[2] == "below" else os.fork()) == 0:
        os.write(1, b"child\\n")
        time.sleep(600)
    os.write(1, b"held\\n")
    time.sleep(600)
"""


@contextmanager
def forking_holder(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lease, and has a child that lives on until the end."""
    command = [sys.executable, "-c", FORKING_HOLDER, str(path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as holder:
        try:
            assert holder.stdout is not None
            assert sorted([holder.stdout.readline(), holder.stdout.readline()]) == ["child\n", "held\n"]
            yield holder
        finally:
            with suppress(ProcessLookupError):
                os.killpg(holder.pid, signal.SIGKILL)


@pytest.mark.parametrize("how", ["by Python", "below"])
def test_children_of_a_dead_holder_hold_nothing(path: Path, how: str) -> None:
    """A child has no lock of its parent's, or one that counts for nothing: the lease is free, and so is the workspace."""
    with forking_holder(path, how) as holder:
        assert is_held(path) == f"process {holder.pid} on {os.uname().nodename}"
        holder.kill()
        holder.wait()
        assert is_held(path) is None
        waited: list[str] = []
        with lease(path, waited.append) as held:
            held.check()
            assert is_held(path) == f"process {os.getpid()} on {os.uname().nodename}"
        assert waited == [], "nobody who lives was waited for"
        assert is_held(path) is None
        workspace = Workspace(path.parent.parent / "tmp")
        assert len(list(workspace.directory.parent.iterdir())) == 1
        workspace.remove()


def test_only_one_of_many_takes_over_what_is_left_behind(path: Path) -> None:
    """Whoever waits for a lock that a dead process has left locked gets it one after the other."""
    with forking_holder(path, "below") as holder:
        holder.kill()
        holder.wait()
        inside, most = [0], [0]

        def take() -> None:
            with lease(path) as held:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                held.check()
                inside[0] -= 1

        takers = [threading.Thread(target=take) for _ in range(4)]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join(180)
        assert not any(taker.is_alive() for taker in takers)
        assert most == [1]


def test_a_forked_child_publishes_nothing(path: Path) -> None:
    """It has its parent's memory, and with it a lease, but neither holds it nor frees it."""
    with lease(path) as held:
        child = os.fork()
        if child == 0:
            try:
                held.check()
            except StoreError as error:
                os._exit(7 if "was forked from process" in str(error) else 1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        held.check()
        assert is_held(path) is not None


def test_a_workspace_is_gone_afterwards(tmp_path: Path) -> None:
    """It exists while it is used, for its owner's eyes only, and removing it twice is no error."""
    workspace = Workspace(tmp_path / "tmp")
    (workspace.directory / "file").write_text("x")
    assert workspace.directory.stat().st_mode & 0o777 == 0o700
    workspace.remove()
    workspace.remove()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_workspace_that_cannot_be_emptied_keeps_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While others still write below it, it stays one that whoever comes later removes; without a lock it would look half-made."""
    workspace = Workspace(tmp_path)
    guest = workspace.directory / "guest"
    guest.mkdir()
    (guest / "0").touch()
    unlink, n_written = os.unlink, iter(range(1, 1000))

    def unlink_beside_a_writer(path: Any, **options: Any) -> None:
        unlink(path, **options)
        (guest / f"{next(n_written)}").touch()

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink_beside_a_writer)
        remove_workspace(workspace.directory)
    assert list(guest.iterdir())
    assert workspace.lock.exists()
    remove_workspace(workspace.directory)
    assert not workspace.directory.exists()


def test_workspaces_of_dead_processes_are_removed_and_others_are_not(tmp_path: Path) -> None:
    """What kill -9 left behind is swept by the next one; living ones and other people's files stay."""
    code = """
import os, signal, sys
from pathlib import Path
from omnibench.store.workspaces import Workspace
workspace = Workspace(Path(sys.argv[1]))
(workspace.directory / "model").write_bytes(b"x" * 1000)
if sys.argv[2] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
sys.stdin.read()
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path), "die"], check=False)
    (dead,) = tmp_path.iterdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "work.mine").mkdir()
    command = [sys.executable, "-c", code, str(tmp_path), "live"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout is not None
        assert living.stdout.readline() == "ready\n"
        (lives,) = tmp_path.glob(f"work.{living.pid}.*")
        workspace = Workspace(tmp_path)
        assert not dead.exists()
        assert (lives / "model").exists()
        assert {"mine", "work.mine"} <= {one.name for one in tmp_path.iterdir()}
        workspace.remove()
        living.kill()
