"""What a run that a job is to hold notes by itself: before there is a job, and without waiting for others."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.projects import Project

from omnibench.store import CheckpointStore
from omnibench.store.reading import read
from omnibench.store.schema import RecordType

WHERE = "--omnirec-cluster=slurm", "--omnirec-detach"


@pytest.fixture
def checkpoints(project: Project) -> Path:
    """The store of a project with two items."""
    project.bench()
    return project.pytester.path / "checkpoints"


def answer_of_sbatch(monkeypatch: pytest.MonkeyPatch, directory: Path, script: str) -> None:
    """Have ``sbatch`` do what a script says: what SLURM does with a job is none of this module's business."""
    command = directory / "sbatch"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_what_is_to_be_run_is_noted_first(
    project: Project, checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Items and their plan are in the store before SLURM has the job, so that nothing comes between it and the line that names it."""
    answer_of_sbatch(monkeypatch, tmp_path, "echo full >&2; exit 1")
    refused = project.run(*WHERE)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*SLURM does not take the job of the run: full*"])
    keys = read(checkpoints / "store", lambda reader: [key for key, _ in reader.records()])
    kinds = [RecordType.of(key) for key in keys]
    assert kinds.count(RecordType.ITEM) == 2
    assert RecordType.PLAN in kinds


def test_a_locked_store_is_not_waited_for(
    project: Project, checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Somebody else writes for long: the job is submitted, which waits in this process's stead."""
    CheckpointStore(checkpoints).close()
    answer_of_sbatch(monkeypatch, tmp_path, "echo 42")
    with closing(sqlite3.connect(checkpoints / "store" / "cache.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        submitted = project.run(*WHERE)
    assert submitted.ret == pytest.ExitCode.OK
    assert "omnibench: job 42 holds the run." in submitted.stdout.str()


def test_a_job_that_cannot_be_noted(
    project: Project, checkpoints: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is there all the same, so the error names it."""
    CheckpointStore(checkpoints).close()
    (checkpoints / "store" / "detached.json").mkdir()
    answer_of_sbatch(monkeypatch, tmp_path, "echo 42")
    submitted = project.run(*WHERE)
    assert submitted.ret == pytest.ExitCode.USAGE_ERROR
    submitted.stderr.fnmatch_lines(["*job 42 holds the run, which cannot be noted in *"])


def test_a_run_that_keeps_nothing_is_held_by_no_job(project: Project, checkpoints: Path) -> None:
    """There would be no store in which its output could lie."""
    refused = project.run(*WHERE, "--omnirec-resume=never")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*--omnirec-resume=never keeps none.*"])
    assert not checkpoints.exists()
