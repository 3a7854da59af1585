"""A guest that runs out of files, processes or threads: the item's failure only if it has taken as many as others get in all."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest
from support.projects import Project

from omnibench import open_store, proc
from omnibench.runners.shortage import judged, killed, open_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much a process has open")

TOO_MANY = "OSError: [Errno 24] Too many open files"

LEAKING = """
class Leaking:
    kept = []  # stays taken, whatever becomes of the instance: the next item needs a process of its own

    def fit(self, train):
        while True:
            self.kept.append(open("/dev/null"))

    def recommend(self, users, k):
        return {}
"""


def test_whose_the_files_are() -> None:
    """Few are left by the limit or by earlier items: not this one's failure. Hundreds of its own: its failure."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert open_files(os.getpid()) >= 3
    text, short = judged(TOO_MANY, "", os.getpid(), soft - 40)
    assert short
    assert text.startswith(
        f"{TOO_MANY} (a process may have {soft} files open at once (RLIMIT_NOFILE), and had {soft - 40} "
    )
    text, short = judged(TOO_MANY, "", os.getpid(), soft - 1000)
    assert not short
    assert "close what is not needed any more of the 1000 that this has opened itself" in text
    assert judged("ValueError: no", "", os.getpid(), 5) == ("ValueError: no", False)


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(
    ("limit", "status", "message"), [(64, "interrupted", "LimitReachedError"), (1024, "failed", "Fit failed")]
)
def test_a_guest_without_files(limit: int, status: str, message: str, project: Project) -> None:
    """Under a small limit, the item is given up with the limit's name; under a usual one, a leak is its failure."""
    project.bench("from own_leaking import Leaking\nplan.add_algorithm(Leaking)")
    (project.pytester.path / "own_leaking.py").write_text(LEAKING)
    result = project.pytester.run("sh", "-c", f"ulimit -n {limit}; exec {sys.executable} -m pytest")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*{message}*a process may have {limit} files open at once (RLIMIT_NOFILE)*"])
    items = open_store(Path(project.pytester.path, "checkpoints")).items()
    assert {str(item["status"]) for item in items.values()} == {status}


@pytest.mark.parametrize("version", [1, 2])
def test_who_has_killed_a_guest(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel counts those that it has ended, by control group and by machine: of the group it is certain."""
    groups = tmp_path / "memory" if version == 1 else tmp_path
    (groups / "job").mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("4:memory:/job\n0::/\n" if version == 1 else "0::/job\n")
    monkeypatch.setattr(proc, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(proc, "CONTROL_GROUPS", tmp_path)
    names = ("limit_in_bytes", "usage_in_bytes", "oom_control") if version == 1 else ("max", "current", "events")
    limit, usage, events = (groups / "job" / f"memory.{name}" for name in names)
    limit.write_text(f"{2 * 10**9}\n")
    usage.write_text(f"{10**9}\n")

    def count(of_group: int, of_machine: int) -> None:
        events.write_text(f"oom_kill_disable 0\nunder_oom 0\noom_kill {of_group}\n")
        (tmp_path / "proc/vmstat").write_text(f"nr_free_pages 1\noom_kill {of_machine}\n")

    count(1, 5)
    before = proc.oom_kills()
    assert killed(0, before) == "by the kernel for want of memory or by somebody"
    words = "; it had at least 1.5 GB of the 2.0 GB that are here"
    assert killed(1_500_000_000, before) == f"by the kernel for want of memory or by somebody{words}"
    count(1, 6)
    assert killed(1_500_000_000, before).startswith("most likely by the kernel for want of memory, ")
    count(2, 6)
    certain = killed(1_500_000_000, before)
    assert certain.startswith("by the kernel for want of memory (the control group ")
    assert f"may use 1,907 MiB of memory ({limit.name})" in certain
    assert certain.endswith(words)
