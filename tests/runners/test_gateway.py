"""Guests: their prints, their death, their threads."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.markers import starts_guests
from support.runs import wait_until

from omnibench.errors import GuestError
from omnibench.guest.supervisor import descendants
from omnibench.runners import silence
from omnibench.runners.gateway import Guest
from omnibench.runners.info import RunnerInfo
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a guest has no supervisor")

CLASSES = """
import ctypes, os, signal, sys, time

class Talks:
    def fit(self, train):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        print("x" * 3_000_000)
        os.write(2, b"below python\\n")
    def recommend(self, users, k): ...

class Exits:
    def fit(self, train): sys.exit("I have had enough")
    def recommend(self, users, k): ...

class Leaves:
    def fit(self, train): os._exit(3)
    def recommend(self, users, k): ...

class Variables:
    def fit(self, train): print(sorted(name for name in os.environ if name.startswith(("PYTHON", "PYTEST"))))
    def recommend(self, users, k): ...

class Forks:
    def __init__(self, signal=0): self.signal = signal
    def fit(self, train):
        for new_session in (False, True):
            child = os.fork()
            if child == 0:
                if new_session:
                    os.setsid()
                    if os.fork() != 0: os._exit(0)
                print("child", os.getpid(), flush=True)
                time.sleep(600)
            if new_session:
                os.waitpid(child, 0)
        if ctypes.PyDLL(None).fork() == 0:
            time.sleep(600)
        time.sleep(0.5)
        if self.signal:
            os.kill(os.getpid(), self.signal)
            time.sleep(60)
    def recommend(self, users, k): ...

class Returns:
    def fit(self, train):
        if os.fork() == 0: sys.exit("a child that nobody waits for")
        os.wait()
    def recommend(self, users, k): ...

class Wastes:
    def fit(self, train):
        blocks = [bytes(2000) for _ in range(150_000)]
        blocks.append(blocks)
        self.above = bytes(2000)
    def recommend(self, users, k): ...

class Ends:
    def __init__(self, signal): self.signal = signal
    def fit(self, train):
        print("last words", file=sys.stderr)
        os.kill(os.getpid(), self.signal)
        time.sleep(60)
    def recommend(self, users, k): ...
"""


class Host:
    """A guest for a user's classes, and what it printed."""

    def __init__(self, tmp_path: Path) -> None:
        self.printed: dict[str, bytes] = {"out": b"", "err": b""}
        self.directory = tmp_path
        (tmp_path / "classes.py").write_text(CLASSES)
        (tmp_path / "guest").mkdir()
        self.guest = Guest(
            get_runner("Own"), Path(sys.executable), tmp_path / "guest", tmp_path, 1, thread_variables(1), self.log
        )

    def log(self, stream: str, lines: bytes) -> None:
        """Keep what the guest prints."""
        self.printed[stream] += lines

    def fit(
        self,
        name: str,
        timeout: float | None = None,
        silences: list[tuple[float, bool]] | None = None,
        **parameters: object,
    ) -> dict[str, object]:
        """Ask the guest to fit a class on a tiny prepared dataset."""
        import json

        import pandas as pd

        from omnibench import UserHoldout, from_frame
        from omnibench.data.prepare import prepare

        data = self.directory / "data"
        if not data.exists():
            data.mkdir()
            frame = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3]})
            prepare(from_frame(frame).pipe(UserHoldout(0, 1)), data)
        locator = {"module": "classes", "file": str(self.directory / "classes.py"), "name": name, "path": sys.path}
        output = self.directory / f"model-{time.monotonic_ns()}"
        output.mkdir()
        return self.guest.ask(
            {
                "op": "fit",
                "algorithm": json.dumps(locator),
                "parameters": parameters,
                "seed": 1,
                "device": "cpu",
                "threads": 1,
                "dataset": str(data),
                "fold": 0,
                "fit_key": "k",
                "output": str(output),
            },
            timeout=timeout,
            on_silence=lambda *silence: None if silences is None else silences.append(silence),
        )


@pytest.fixture
@starts_guests
def host(tmp_path: Path) -> Iterator[Host]:
    """A running guest."""
    made = Host(tmp_path)
    yield made
    made.guest.close()


def test_everything_printed_reaches_the_log(host: Host) -> None:
    """Prints, large outputs and writes below Python arrive completely, and disturb nothing."""
    assert host.fit("Talks")["file"] == "model.pkl"
    host.guest.close()
    assert host.printed["out"].startswith(b"to stdout\n")
    assert host.printed["out"].count(b"x") >= 3_000_000
    assert host.printed["err"] == b"to stderr\nbelow python\n"


def test_system_exit_is_a_failure_and_the_guest_lives_on(host: Host) -> None:
    """An algorithm that calls sys.exit fails with that message; the guest answers the next request."""
    with pytest.raises(GuestError, match="SystemExit: I have had enough"):
        host.fit("Exits")
    assert host.guest.alive
    assert host.fit("Talks")["file"] == "model.pkl"


@only_linux
def test_memory_goes_back_after_a_request(host: Host) -> None:
    """What a fit has left behind is the system's again while the guest waits for the next request, garbage and freed heap."""
    peak = host.fit("Wastes")["peak_rss"]
    assert isinstance(peak, int)
    status = Path(f"/proc/{host.guest.pid}/statm")
    wait_until(lambda: int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") < peak - 250_000_000)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_death_is_named_by_its_signal(host: Host, number: signal.Signals) -> None:
    """A guest killed by a signal raises with the signal's name and the last lines of its stderr."""
    with pytest.raises(GuestError, match=f"was killed by {number.name}") as caught:
        host.fit("Ends", signal=int(number))
    assert "last words" in caught.value.details
    assert not host.guest.alive


def test_a_sigkill_says_how_much_memory_there_was(host: Host) -> None:
    """Nobody tells a process who has killed it: what it had and what is here let a reader judge."""
    with pytest.raises(GuestError) as caught:
        host.fit("Ends", signal=int(signal.SIGKILL))
    words = (
        r"by the kernel for want of memory or by somebody; it had at least \d+\.\d MB of the \d+\.\d GB that are here$"
    )
    assert re.search(words, str(caught.value))


def family_of(host: Host) -> list[int]:
    """What a guest and its supervisor have below them."""
    return descendants(host.guest._process.pid)


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@only_linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_death_of_a_guest_with_children_is_no_secret(host: Host, number: signal.Signals) -> None:
    """Children that keep its pipes open, in whatever session, end with it: nothing is waited for."""
    with pytest.raises(GuestError, match=f"was killed by {number.name}"):
        host.fit("Forks", signal=int(number))
    children = [int(line.split()[1]) for line in host.printed["out"].decode().splitlines()]
    assert len(children) == 2
    assert not any(map(lives, children))


@only_linux
def test_closing_a_guest_ends_what_it_has_started(host: Host) -> None:
    """Forked below Python or by it, in a session of its own or not."""
    host.fit("Forks")
    family = family_of(host)
    assert len(family) == 4
    host.guest.close()
    assert not any(map(lives, family))


@only_linux
def test_the_time_limit_ends_a_stopped_guest(host: Host) -> None:
    """SIGSTOP suspends no time limit, and nobody is left stopped."""
    with pytest.raises(GuestError, match=r"took more than 1 s \(--omnirec-timeout\)"):
        host.fit("Forks", timeout=1, signal=int(signal.SIGSTOP))
    assert not host.guest.alive
    assert not lives(host.guest.pid)


@only_linux
def test_a_guest_whose_supervisor_was_killed_ends(host: Host) -> None:
    """Nobody can supervise any more, so nothing is computed any more."""
    supervisor = host.guest._process.pid
    assert supervisor != host.guest.pid
    os.kill(supervisor, signal.SIGKILL)
    with pytest.raises(GuestError, match="was killed by SIGKILL"):
        host.fit("Talks")
    host.guest.close()
    wait_until(lambda: not lives(host.guest.pid))  # the kernel ends it, and somebody has to reap it


def test_a_child_that_goes_the_way_of_its_parent_disturbs_nothing(host: Host) -> None:
    """A class forks and forgets os._exit(): the child's answer reaches nobody, the parent's counts."""
    assert host.fit("Returns")["file"] == "model.pkl"
    assert host.fit("Talks")["file"] == "model.pkl"


@only_linux
def test_silence_is_measured(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that neither says nor does anything is called silent, with whether it is stopped; who works is not."""
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(silence, "_LOOK_SECONDS", 0.5)
    waited: list[tuple[float, bool]] = []
    with pytest.raises(GuestError, match="took more than 3 s"):
        host.fit("Ends", timeout=3, silences=waited, signal=int(signal.SIGSTOP))
    assert waited[-1][0] >= 0.5
    assert waited[-1][1]


def test_a_process_that_leaves_says_nothing_of_pipes(host: Host) -> None:
    """What the machinery between host and guest thinks of an end is not the user's business."""
    with pytest.raises(GuestError, match="ended with exit status 3") as caught:
        host.fit("Leaves")
    assert caught.value.details == ""


@pytest.mark.guests
def test_a_users_class_keeps_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class may start processes of its own, which find modules by PYTHONPATH as the user's other programs do."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    host = Host(tmp_path)
    host.fit("Variables")
    host.guest.close()
    assert "'PYTHONPATH'" in host.printed["out"].decode()
    assert "'PYTHONHOME'" not in host.printed["out"].decode()


@pytest.mark.guests
@pytest.mark.parametrize(
    "framework",
    [
        "Implicit",
        "Surprise",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("LensKit", "RecBole", "RecPack", "Cornac", "RecTools")
        ),
    ],
)
def test_frameworks_do_not_see_what_is_meant_for_the_users_python(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With warnings as errors in the user's shell each framework starts, and says what it offers."""
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("MPLBACKEND", "module://of_the_notebook")
    runner, python = get_runner(framework), environment_python(framework)
    with Guest(runner, python, tmp_path, tmp_path, 1, thread_variables(1), lambda *_: None) as guest:
        answer = guest.ask({"op": "catalogue"})
    assert answer["algorithms"] == _without_measured(runner)


def _without_measured(runner: RunnerInfo) -> dict[str, dict[str, Any]]:
    """The catalogue of a framework as it says itself, without what was measured of it."""
    assert runner.measured_file is not None
    measured = json.loads(runner.measured_file.read_text(encoding="utf-8"))["algorithms"]
    return {
        name: {member: value for member, value in facts.items() if member not in measured[name]}
        for name, facts in runner.catalogue["algorithms"].items()
    }


def test_ctrl_c_is_the_hosts_business(host: Host) -> None:
    """SIGINT, which reaches the whole process group, does not end a guest."""
    os.kill(host.guest.pid, signal.SIGINT)
    assert host.fit("Talks")["file"] == "model.pkl"


def test_closing_leaves_no_process(host: Host) -> None:
    """A closed guest is gone, and closing twice does no harm."""
    host.guest.close()
    host.guest.close()
    assert not host.guest.alive


def test_threads_are_told_to_every_numeric_library() -> None:
    """The variables that libraries read when they are imported carry the number of threads."""
    variables = thread_variables(3)
    assert {value for name, value in variables.items() if name.endswith("_THREADS")} == {"3"}
    assert variables["OMP_DYNAMIC"] == variables["MKL_DYNAMIC"] == "FALSE", "they take no fewer of a busy machine"
    assert {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"} <= set(variables)
