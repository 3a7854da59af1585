"""A guest that runs out of files, processes or threads: the item's failure only if it has taken as many as others get in all."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.runners.shortage import judged, open_files

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
