"""Fits that the kernel ends because they take more memory than there is, in a real control group."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.projects import Project

_GROUPS = Path("/sys/fs/cgroup/memory")

HUNGRY = """
import os, time
from pathlib import Path
from own_algorithms import Popular

class Hungry(Popular):
    def __init__(self, mebibytes=0, tag=0):
        self.mebibytes, self.tag = mebibytes, tag

    def fit(self, train):
        Path(os.environ["COUNT_FITS_IN"], f"begin-{self.tag}-{time.time_ns()}").touch()
        while len(list(Path(os.environ["COUNT_FITS_IN"]).glob("begin-*"))) < 3:
            time.sleep(0.05)
        taken = []
        for _ in range(self.mebibytes // 20):
            taken.append(bytearray(b"x") * (20 * 2**20))
            time.sleep(0.04)
        super().fit(train)
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of version 1 whose processes may have 2.4 GiB together."""
    path = _GROUPS / f"omnibench-{uuid.uuid4().hex[:8]}"
    try:
        path.mkdir()
        (path / "memory.limit_in_bytes").write_text(str(2400 * 2**20))
    except OSError as error:
        pytest.skip(f"no control group for memory can be made here ({error})")
    yield path
    path.rmdir()


@pytest.mark.slow
def test_fits_that_are_too_much_together(project: Project, group: Path) -> None:
    """Three Fits that nobody knows begin side by side, and the kernel ends one: it waits for twice as much, and all pass."""
    project.pytester.makepyfile(hungry=HUNGRY)
    project.bench("from hungry import Hungry\nplan.add_algorithm(Hungry, {'mebibytes': 700, 'tag': Grid([0, 1, 2])})")
    script = project.pytester.path / "in_group.sh"
    script.write_text(f'echo $$ > {group}/cgroup.procs && exec "$@"\n')
    run = project.pytester.run(
        "sh", str(script), sys.executable, "-m", "pytest", "-n3", "-k", "fold_0"
    )  # fmt: skip
    run.assert_outcomes(passed=3)
    words = " ".join(run.stdout.str().split())
    assert "its Fit was killed for want of memory; it is tried once more with" in words
    assert project.count_fits("begin-") > 3
