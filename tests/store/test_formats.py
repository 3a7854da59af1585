"""A store of a newer format is refused by everything: runs, commands, scripts; before anything is read or changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import commands
from support.projects import Project

from omnibench import Coordinator, compare_with_baseline, export_results, open_store, write_baseline
from omnibench.commands.main import main
from omnibench.comparison.configurations import measured
from omnibench.store.formats import FORMAT, NewerStoreError
from omnibench.store.reading import read_all

NEWER = FORMAT + 1
MESSAGE = rf"newer omnibench \(store format {NEWER};.*reads up to {FORMAT}.*Upgrade omnibench"


def by_marker(root: Path) -> None:
    """Note the newer format as STORE.json does."""
    (root / "STORE.json").write_text(json.dumps({"format": NEWER}))


def by_database(root: Path) -> None:
    """Note the newer format as the database does, which is all there is when STORE.json is lost."""
    with closing(sqlite3.connect(root / "store" / "cache.db")) as connection:
        connection.execute(f"PRAGMA user_version = {NEWER}")


MARKS = pytest.mark.parametrize("mark", [by_marker, by_database])


@pytest.fixture
def newer(measured_store: Path, tmp_path: Path) -> Path:
    """A store whose marker says that a newer omnibench has made it."""
    root = Path(shutil.copytree(measured_store, tmp_path / "newer"))
    by_marker(root)
    return root


def content_of(root: Path) -> dict[Path, bytes]:
    """Return every file; without what SQLite's readers make beside the database."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.name.endswith("-shm")}


@pytest.mark.parametrize(
    ("name", "arguments"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_refuses(
    newer: Path, name: str, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2 and one sentence with both formats and the way out; nothing is written. New commands are covered."""
    monkeypatch.chdir(newer.parent)
    before = content_of(newer.parent)
    assert main([name, *arguments, "--store", str(newer)]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "made by a newer omnibench" in err
    assert f"store format {NEWER}" in err
    assert err.count("\n") == 1
    assert content_of(newer.parent) == before


@MARKS
def test_scripts_are_refused(measured_store: Path, tmp_path: Path, mark: object) -> None:
    """The store's questions, statistics, exports, baselines and runs refuse, whichever of the two notes says it."""
    root = Path(shutil.copytree(measured_store, tmp_path / "newer"))
    baseline = write_baseline(root, tmp_path / "baseline.parquet")
    assert callable(mark)
    mark(root)
    before = content_of(root)
    looks = (
        lambda: open_store(root).records(),
        lambda: open_store(root).sql("SELECT 1"),
        lambda: open_store(root).find("x"),
        lambda: measured(root),
        lambda: export_results(root, tmp_path / "results.csv"),
        lambda: compare_with_baseline(root, baseline),
        lambda: write_baseline(root, tmp_path / "other.parquet"),
        lambda: read_all(root / "store"),
        lambda: Coordinator(root, notify=lambda _: None),
    )
    for look in looks:
        with pytest.raises(NewerStoreError, match=MESSAGE):
            look()
    assert not (tmp_path / "results.csv").exists()
    if mark is by_marker:
        assert content_of(root) == before


def test_an_impossible_number_in_the_database_is_no_format(measured_store: Path, tmp_path: Path) -> None:
    """One flipped bit of its header does not lock everything away: STORE.json says what it is."""
    root = Path(shutil.copytree(measured_store, tmp_path / "flipped"))
    with closing(sqlite3.connect(root / "store" / "cache.db")) as connection:
        connection.execute("PRAGMA user_version = 65538")
    assert open_store(root).completed
    with Coordinator(root, notify=lambda _: None) as coordinator:
        assert coordinator.store.snapshot()


@MARKS
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--omnirec-readonly",),
        ("--omnirec-plan",),
        ("-n", "2"),
        ("--omnirec-reset=failed",),
        ("--omnirec-resume=require",),
    ],
    ids=" ".join,
)
def test_a_run_is_refused_before_anything_runs(project: Project, mark: object, arguments: tuple[str, ...]) -> None:
    """A run that only looks, has all cached, or has workers ends with status 4; nothing is served or fitted."""
    project.bench(body="raise SystemError('it runs')")
    project.first_run()
    fits = project.count_fits()
    assert callable(mark)
    mark(project.pytester.path / "checkpoints")
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *was made by a newer omnibench (store format {NEWER}; *Upgrade omnibench*"])
    output = result.stdout.str()
    assert "Evaluation Results" not in output
    assert "it runs" not in output
    assert "cached" not in output
    assert project.count_fits() == fits
