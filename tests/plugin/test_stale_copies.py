"""progress.json and results.json of a run that finds everything done: it compares them with the records."""

from __future__ import annotations

from pathlib import Path

from support.projects import Project

from omnibench.store.copies import NAMES


def copies(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in NAMES if (root / name).exists()}


def test_copies_that_are_behind_or_gone_come_back(project: Project) -> None:
    """A run was killed behind its last commit, or somebody removed and edited them: the next cached run refreshes them."""
    project.bench()
    project.first_run()
    root = project.pytester.path / "checkpoints"
    current = copies(root)
    (root / "results.json").unlink()
    (root / "progress.json").write_bytes(current["progress.json"].replace(b'"done"', b'"d0ne"'))
    assert project.run().parseoutcomes() == {"cached": 2}
    assert copies(root) == current
    times = [(root / name).stat().st_mtime_ns for name in NAMES]
    assert project.run().parseoutcomes() == {"cached": 2}
    assert [(root / name).stat().st_mtime_ns for name in NAMES] == times


def test_a_run_that_may_not_write_leaves_them(project: Project) -> None:
    """A read-only run says what is recorded, and writes nothing."""
    project.bench()
    project.first_run()
    root = project.pytester.path / "checkpoints"
    (root / "results.json").unlink()
    assert project.run("--omnirec-readonly").parseoutcomes() == {"cached": 2}
    assert not (root / "results.json").exists()
