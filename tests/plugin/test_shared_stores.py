"""Runs on stores of other users, and on stores that a group shares."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
from support.projects import Project

from omnibench.commands.main import main


def be_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own nothing of what is there."""
    uid = os.getuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: uid)


def test_another_users_store(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One error before anything is computed; read-only it serves what is there, and commands that only look work."""
    assert project.first_run().ret == 0
    be_another_user(monkeypatch)
    for arguments in ((), ("--omnirec-reset",), ("-n1",)):
        refused = project.run(*arguments)
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines(["*belongs to *, and you are *: nothing is written there.*--omnirec-shared*"])
    served = project.run("--omnirec-readonly")
    served.stdout.fnmatch_lines(["*2 cached*"])
    assert project.run("--omnirec-plan").ret == 0
    assert main(["status"]) == 0
    assert main(["reset", "Popular"]) == 2
    assert "nothing is written there" in capsys.readouterr().err
    assert project.count_fits() == 2


def test_models_of_others_are_fitted_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shared store, where other lists need a model; `models` loads them. What needs no model is served in any case."""
    monkeypatch.setenv("OMNIREC_SHARED", "yes")
    assert project.run().ret == 0
    be_another_user(monkeypatch)
    assert project.run("--omnirec-shared").ret == 0
    project.bench(metrics="NDCG(30)")
    longer = project.run()
    longer.stdout.fnmatch_lines(["*and loading a model runs what is in it: it is fitted again.*", "*2 passed*"])
    assert project.count_fits() == 4
    project.bench(metrics="NDCG(40)")
    assert project.run("--omnirec-shared=models").ret == 0
    assert project.count_fits() == 4


def test_a_bare_option_does_not_take_the_path_that_follows(project: Project) -> None:
    """`pytest --omnirec-shared benchmarks`; another word is refused, and an ini file may say true."""
    assert project.run("--omnirec-shared", "bench_tiny.py").ret == 0
    assert stat.S_IMODE((project.pytester.path / "checkpoints" / "store").stat().st_mode) & stat.S_ISGID
    wrong = project.run("--omnirec-shared=everybody")
    wrong.stderr.fnmatch_lines(["*--omnirec-shared is 'everybody'; choose from no, yes, models."])


def test_a_group_can_read_every_file(project: Project) -> None:
    """As far as the umask says: a marker of the format that only its writer can read locks all others out."""
    before = os.umask(0o002)
    try:
        assert project.run("--omnirec-shared").ret == 0
    finally:
        os.umask(before)
    files = [path for path in (project.pytester.path / "checkpoints").rglob("*") if path.is_file()]
    assert [path.name for path in files if not path.stat().st_mode & stat.S_IRGRP] == []
    assert {"STORE.json", "cache.db", "manifest.json"} <= {path.name for path in files}


def test_a_cached_run_opens_the_store_to_the_group(project: Project) -> None:
    """Also where there is nothing to compute: others wait for it."""
    assert project.first_run().ret == 0
    store = project.pytester.path / "checkpoints" / "store"
    assert stat.S_IMODE(store.stat().st_mode) & 0o070 == 0
    before = os.umask(0o002)
    try:
        project.run("--omnirec-shared").stdout.fnmatch_lines(["*checkpoints is shared with its group *", "*2 cached*"])
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.stat().st_mode) & 0o070 == 0o070


def test_a_run_that_keeps_nothing_trusts_no_name(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With workers too: the controller makes a directory of its own and tells them, and nothing is left of it."""
    (tmp_path / f"omnibench-{os.getuid()}").mkdir(mode=0o777)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert project.run_process("--omnirec-resume=never", "-n2").ret == 0
    assert not any((tmp_path / f"omnibench-{os.getuid()}").iterdir())
    assert not list(tmp_path.glob("omnibench-*.*"))
    assert project.count_fits() == 2
