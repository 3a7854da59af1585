"""Files whose rows and folds are made by column are those that are made item by item, to the last byte."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from omnibench.report import frames, plain_blocks, rows
from omnibench.report.export import export_results
from omnibench.store import phase_facts
from omnibench.store.schema import RecordType

SUFFIXES = ("csv", "json", "parquet")


def exported(store: Path, directory: Path, **options: object) -> dict[str, bytes]:
    directory.mkdir()
    files = [directory / f"r.{suffix}" for suffix in SUFFIXES]
    export_results(store, *files, notify=lambda _: None, **options)  # type: ignore[arg-type]
    return {file.suffix: file.read_bytes() for file in files}


@pytest.fixture
def store(measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a store that counts as a large one, of which blocks are small."""
    monkeypatch.setattr(phase_facts, "_MANY", 0)
    monkeypatch.setattr(rows, "ROWS_AT_HAND", 7)
    monkeypatch.setattr(frames, "RESULTS_AT_HAND", 3)
    return Path(shutil.copytree(measured_store, tmp_path / "store"))


def assert_alike(
    store: Path, directory: Path, monkeypatch: pytest.MonkeyPatch, **options: object
) -> tuple[dict[str, bytes], list[bool]]:
    """Assert that both ways have the same files; return them, and which blocks were made by column."""
    made: list[bool] = []

    def counted(*arguments: object) -> object:
        facts = plain_blocks.plain_facts_of(*arguments)  # type: ignore[arg-type]
        made.append(facts is not None)
        return facts

    for module in (rows, frames):
        monkeypatch.setattr(module, "plain_facts_of", counted)
    by_column = exported(store, directory / "by column", **options)
    for module in (rows, frames):
        monkeypatch.setattr(module, "plain_facts_of", lambda *_: None)
    assert by_column == exported(store, directory / "by item", **options)
    return by_column, made


def test_files_are_the_same_both_ways(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All metrics, and one of them alone."""
    _, made = assert_alike(store, tmp_path, monkeypatch)
    assert made
    assert all(made)
    (tmp_path / "one").mkdir()
    _, made = assert_alike(store, tmp_path / "one", monkeypatch, metrics=["NDCG@10"])
    assert all(made)


def test_a_damaged_evaluation_is_missing_both_ways(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its block is made item by item: one changed byte of its text, wherever it stands, is noticed."""
    whole, _ = assert_alike(store, tmp_path, monkeypatch)
    first, behind = RecordType.EVAL.bounds
    with closing(sqlite3.connect(store / "store" / "cache.db")) as connection, connection:
        (key,) = connection.execute("SELECT min(key) FROM Cache WHERE key >= ? AND key < ?", (first, behind)).fetchone()
        changed = connection.execute(
            """UPDATE Cache SET value = replace(value, '"place": {', '"Place": {') WHERE key = ?""", (key,)
        )
        assert changed.rowcount == 1
    (tmp_path / "damaged").mkdir()
    damaged, made = assert_alike(store, tmp_path / "damaged", monkeypatch)
    assert True in made
    assert False in made
    assert damaged != whole
