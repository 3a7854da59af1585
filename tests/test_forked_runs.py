"""Runs of pytest, and workers, that tests fork from an interpreter with their imports find what those find that are started."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import forked_runs
from support.forked_guests import CAN_FORK, ForkedProcess
from support.forked_runs import PLAIN, forked_pytest
from support.projects import Project
from support.runs import guests_of, nobody_left, parent_of, started, wait_until

from omnibench import open_store

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="clone is a system call of Linux")

NOTED = """
import json, os, signal, sqlite3, sys, threading
from pathlib import Path
import pytest

def streams():
    for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        yield stream.fileno(), stream.encoding, stream.errors, stream.isatty()

def pytest_configure(config):
    name = os.environ.get("PYTEST_XDIST_WORKER", "main")
    main = sys.modules["__main__"]
    Path(f"noted-{name}.json").write_text(json.dumps({
        "arguments": sys.argv, "path": sys.path, "flags": [sys.flags.optimize, sys.flags.dev_mode, sys.flags.isolated],
        "directory": os.getcwd(), "environment": dict(os.environ), "is leader": os.getsid(0) == os.getpid(),
        "visible": sorted(Path("/proc/self/environ").read_bytes().rstrip(b"\\0").decode().split("\\0")),
        "parent": os.getppid(), "main": [main.__name__, str(getattr(main, "__file__", None))],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "interrupt": str(signal.getsignal(signal.SIGINT)),
        "ignored": [line for line in open("/proc/self/status") if line.startswith("SigIgn")], "umask": os.umask(0o22),
        "limits": open("/proc/self/limits").read(), "threads": threading.active_count(), "streams": list(streams()),
        "descriptors": len(os.listdir("/proc/self/fd")), "processors": sorted(os.sched_getaffinity(0)),
        "support": sorted(module for module in sys.modules if module.partition(".")[0] == "support"),
        "syncs": type(os.fsync).__name__, "code": sys.dont_write_bytecode, "plugins": sorted(name for name, _ in config.pluginmanager.list_name_plugin()),
    }, default=str))
"""


def noted(project: Project, name: str) -> dict[str, Any]:
    """What a process of the last run has noted, without what differs from run to run."""
    found: dict[str, Any] = json.loads((project.pytester.path / f"noted-{name}.json").read_text())
    return found


def steady(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out numbers of runs and processes, what stands in the path again, and what readline sets behind Python's back."""
    found = {
        **found,
        "is forked": found["syncs"] == "function",
        "syncs": "",
        "plugins": [name for name in found["plugins"] if not name.isdecimal()],
    }
    found["descriptors"] -= found.pop("is forked")  # the socket of its interpreter
    found["arguments"] = [word for word in found["arguments"] if not word.startswith("--basetemp")]
    found["path"] = list(dict.fromkeys(found["path"]))
    for name in ("environment", "visible"):
        words = [f"{key}={value}" for key, value in found[name].items()] if name == "environment" else found[name]
        varying = ("COLUMNS=", "LINES=", "PYTEST_XDIST_TESTRUNUID=")
        found[name] = sorted(word for word in words if not word.startswith(varying))
    return found


@pytest.fixture
def both_ways(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Run pytest forked and started; return what processes of each have noted."""
    project.pytester.makeconftest(NOTED)
    monkeypatch.setenv("SOMETHING_NEW", "of this test")

    def run(*arguments: str, name: str = "main") -> list[dict[str, Any]]:
        forked = project.run_process("--omnirec-resume=never", *arguments)
        first = noted(project, name)
        with monkeypatch.context() as patch:
            patch.setattr("support.forked_runs.CAN_FORK", False)
            begun = project.run_process("--omnirec-resume=never", *arguments)
        assert forked.parseoutcomes() == begun.parseoutcomes() == {"passed": 2}
        return [first, noted(project, name)]

    return run


def test_a_run_finds_what_a_started_one_finds(both_ways: Callable[..., list[dict[str, Any]]]) -> None:
    """Arguments, paths, variables (also those that others see), signals, limits, streams, plugins and its parent."""
    forked, begun = map(steady, both_ways())
    assert forked["parent"] == os.getpid()
    assert forked["support"] == []
    assert "SOMETHING_NEW=of this test" in forked["visible"]
    assert forked == begun


def test_a_worker_finds_what_a_started_one_finds(both_ways: Callable[..., list[dict[str, Any]]]) -> None:
    """The same of a worker of xdist, whether its run was forked or not."""
    forked, begun = map(steady, both_ways("-n", "1", name="gw0"))
    assert forked["parent"] != begun["parent"]
    assert {**forked, "parent": 0} == {**begun, "parent": 0}


@pytest.mark.parametrize("environment", [None, "/of/the/user"], ids=["not activated", "activated"])
def test_a_run_forks_its_workers_and_guests_which_are_its_own(
    project: Project, monkeypatch: pytest.MonkeyPatch, environment: str | None
) -> None:
    """They have it, or its worker, for a parent, and nobody is left of them when it is killed; in tox's environments too."""
    if environment is None:
        monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    else:
        monkeypatch.setenv("VIRTUAL_ENV", environment)  # which a guest is not given
    project.bench_gated()
    with started(project, "-n", "1") as run:
        wait_until(lambda: bool(project.count_fits("begin-")))
        usual, here = forked_runs._USUAL, {"PYTHONHASHSEED": "0", **forked_runs._at_the_start(os.environ)}
        assert isinstance(run, ForkedProcess), f"a test has left other variables: {usual.items() ^ here.items()}"
        (guest,) = guests_of(project)
        worker = parent_of(parent_of(guest))
        assert parent_of(worker) == run.pid
        for pid in (guest, worker, run.pid):  # whoever is forked has the command line of the interpreter
            assert b"preloaded.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
        os.kill(run.pid, signal.SIGKILL)
        wait_until(lambda: nobody_left(project))
        assert run.wait(60) == -signal.SIGKILL


def test_a_run_computes_what_a_started_one_computes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics, and the digests of predictions."""
    stores = {}
    for can_fork in (True, False):
        monkeypatch.setattr("support.forked_runs.CAN_FORK", can_fork)
        name = f"checkpoints-{can_fork}"
        project.run_process("-n", "1", f"--omnirec-checkpoint-dir={name}").assert_outcomes(passed=2)
        records = open_store(project.pytester.path / name).records()
        stores[can_fork] = [
            {
                key: record.get("metrics") or record["predictions"]["sha256"]
                for key, record in records.items()
                if key.startswith(("item/", "predict/"))
            }
        ]
    assert stores[True] == stores[False]


@pytest.mark.syncs
def test_a_run_of_a_test_of_syncs_waits_for_the_disk(project: Project) -> None:
    """What tests of syncs look at is there in the runs that they fork as well."""
    project.pytester.makeconftest(NOTED)
    project.run_process("--collect-only")
    assert noted(project, "main")["syncs"] == "builtin_function_or_method"


@pytest.mark.parametrize(
    ("name", "value"), [("PYTHONWARNINGS", "error"), ("PYTHONHASHSEED", "7"), ("OMNIREC_DATA_PATH", "elsewhere")]
)
def test_what_a_fork_cannot_be_given_is_started(project: Project, name: str, value: str) -> None:
    """Variables that an interpreter or a module reads when it begins; and runs that rewrite asserts."""
    project.run_process("--version")
    with (project.pytester.path / "printed").open("w") as printed:
        assert forked_pytest([PLAIN, "--version"], {**os.environ, name: value}, printed, printed) is None
        assert forked_pytest(["--version"], dict(os.environ), printed, printed) is None
