"""`omnibench verify`: every damage of a store is found, and after a repair the next run computes exactly what is missing."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from faults import plant
from faults.damage import flip

from omnibench import Coordinator, open_store
from omnibench.commands.main import main
from omnibench.store.schema import RecordType

Command = Callable[..., str]
Damage = Callable[[Path], object]

ITEM = "Popular-70b4f2e0/fold_0"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the plant's four items are done."""
    root = tmp_path_factory.mktemp("verify") / "checkpoints"
    plant.Errand(root, root.parent / "work")()
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in the directory where the command looks when nobody says otherwise."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIREC_CHECKPOINT_DIR", raising=False)
    return Path(shutil.copytree(made, tmp_path / "checkpoints"))


@pytest.fixture
def omnibench(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command, expect how it ends, and return what it said."""

    def run(*arguments: str, ends: int = 0) -> str:
        capsys.readouterr()
        assert main(arguments) == ends
        return capsys.readouterr().out

    return run


def only(root: Path, pattern: str) -> Path:
    """Return a file of one item, or of the store."""
    return min(root.glob(pattern))


def change(path: Path) -> None:
    """Make a bit in the middle of a file another."""
    flip(path, path.stat().st_size // 2)


def changed(pattern: str) -> Damage:
    """A bit of a file is another."""
    return lambda root: change(only(root, pattern))


def lost(pattern: str) -> Damage:
    """A file is gone."""
    return lambda root: only(root, pattern).unlink()


def linked(pattern: str) -> Damage:
    """A file has become a link to its like elsewhere, which anybody may change."""

    def damage(root: Path) -> None:
        path = only(root, pattern)
        path.symlink_to(path.rename(root.parent / f"elsewhere{path.suffix}"))

    return damage


def record(record_type: RecordType) -> Damage:
    """A bit of a record is another: of the item whose files the others damage."""

    def damage(root: Path) -> None:
        fit_key = open_store(root).find(ITEM)["fit_key"]
        keys = [key for key, entry in open_store(root).records().items() if entry.get("fit_key") == fit_key]
        key = min(key for key in keys if record_type.has(key))
        with closing(sqlite3.connect(root / "store" / "cache.db")) as connection, connection:
            connection.execute("UPDATE Cache SET value = replace(value, 'tiny', 'tidy') WHERE key = ?", (key,))

    return damage


def without_manifest(damage: Damage) -> Damage:
    """The manifest that a record could be put back from is gone, too."""

    def both(root: Path) -> None:
        damage(root)
        only(root, f"tiny*/{ITEM}/records.jsonl").unlink()

    return both


def broken_database(root: Path) -> None:
    """Pages of the database are overwritten."""
    database = root / "store" / "cache.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(database.read_bytes())
    content[4096:12288] = b"\x07" * 8192
    database.write_bytes(content)
    for log in root.glob("store/cache.db-*"):
        log.unlink()


NONE: list[str] = []
DAMAGES: dict[str, tuple[Damage, str, list[str]]] = {
    "predictions": (changed(f"tiny*/{ITEM}/predictions-*.npy"), "predictions", ["predict"]),
    "lost predictions": (lost(f"tiny*/{ITEM}/predictions-*.npy"), "predictions", ["predict"]),
    "values per user": (changed(f"tiny*/{ITEM}/per_user-*.parquet"), "values per user", NONE),
    "lost values per user": (lost(f"tiny*/{ITEM}/per_user-*.parquet"), "values per user", NONE),
    "linked predictions": (linked(f"tiny*/{ITEM}/predictions-*.npy"), "predictions", ["predict"]),
    "linked values per user": (linked(f"tiny*/{ITEM}/per_user-*.parquet"), "values per user", NONE),
    "linked model": (linked(f"tiny*/{ITEM}/model.*"), "model", NONE),
    "linked part of a dataset": (linked("datasets/*/item.npy"), "dataset", NONE),
    "linked readable predictions": (linked(f"tiny*/{ITEM}/predictions.json"), "readable copy", NONE),
    "model": (changed(f"tiny*/{ITEM}/model.*"), "model", NONE),
    "dataset": (changed("datasets/*/fold_0/parts.npy"), "dataset", NONE),
    "lost part of a dataset": (lost("datasets/*/item.npy"), "dataset", NONE),
    "manifest": (changed(f"tiny*/{ITEM}/records.jsonl"), "manifest", NONE),
    "lost manifest": (lost("datasets/*/records.jsonl"), "manifest", NONE),
    "readable predictions": (changed(f"tiny*/{ITEM}/predictions.json"), "readable copy", NONE),
    "lost readable predictions": (lost(f"tiny*/{ITEM}/predictions.json"), "readable copy", NONE),
    "results.json": (changed("results.json"), "readable copy", NONE),
    "lost progress.json": (lost("progress.json"), "readable copy", NONE),
    "record of an item": (record(RecordType.ITEM), "record", NONE),
    "record of an evaluation": (record(RecordType.EVAL), "record", NONE),
    "record of predictions": (record(RecordType.PREDICT), "record", NONE),
    "record of an item and its manifest": (without_manifest(record(RecordType.ITEM)), "record", NONE),
    "record of an evaluation and its manifest": (without_manifest(record(RecordType.EVAL)), "record", NONE),
    "record of predictions and their manifest": (without_manifest(record(RecordType.PREDICT)), "record", ["predict"]),
    "database": (broken_database, "database", NONE),
}


def test_a_sound_store_is_said_to_be_so(root: Path, omnibench: Command) -> None:
    """What was looked at is counted; nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if "store" not in path.parts}
    said = omnibench("verify")
    assert "4 items, " in said
    assert said.rstrip().endswith("all as recorded")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if "store" not in path.parts} == before
    assert json.loads(omnibench("verify", "--json"))["damages"] == []


SAMPLE = {"predictions", "lost values per user", "manifest", "results.json", "database"}
"""What the everyday suite tries; the others are a sweep of faults."""


@pytest.mark.parametrize(
    ("damage", "part", "computed"),
    [
        pytest.param(*case, id=name, marks=() if name in SAMPLE else pytest.mark.faults)
        for name, case in DAMAGES.items()
    ],
)
def test_what_is_damaged_is_found_repaired_and_computed_again(
    root: Path, omnibench: Command, damage: Damage, part: str, computed: list[str]
) -> None:
    """Found with exit status 1; repaired with 0; the next run computes that alone, and everything is as it was."""
    reference = plant.Errand(root, root.parent / "none")()
    damage(root)
    said = omnibench("verify", ends=1)
    assert part in said
    assert "`omnibench verify --repair`" in said
    assert omnibench("verify", ends=1) == said, "looking has changed something"
    said = omnibench("verify", "--repair")
    assert "repaired" in said
    assert "is missing: set aside" not in said
    assert "all as recorded" in omnibench("verify")
    work = root.parent / "again"
    assert plant.as_text(plant.Errand(root, work)()) == plant.as_text(reference)
    assert [operation for operation, _ in plant.executed(work)] == computed
    assert "all as recorded" in omnibench("verify")
    assert open_store(root).summary()["completed"] == 4


def test_a_dataset_that_was_set_aside_is_prepared_when_it_is_needed(root: Path, omnibench: Command) -> None:
    """Items that are done do without it, and that their copies could not be compared is said; another metric needs it."""
    change(only(root, "datasets/*/fold_0/parts.npy"))
    assert "prepared again when a run needs it" in omnibench("verify", "--repair")
    plant.Errand(root, root.parent / "cached")()
    assert "the readable predictions of 4 items were not compared" in omnibench("verify")
    assert not list(root.glob("datasets/*/fold_0/parts.npy"))
    work = root.parent / "again"
    plant.Errand(root, work, metrics=plant.ONE_MORE)()
    assert plant.executed(work) == []
    assert list(root.glob("datasets/*/fold_0/parts.npy"))
    assert omnibench("verify").rstrip().endswith("all as recorded")


def test_whoever_reads_a_damaged_file_says_so_with_the_next_step(root: Path, omnibench: Command) -> None:
    """The Python API and `omnibench show`; following the advice leads to success."""
    file = only(root, f"tiny*/{ITEM}/predictions-*.npy")
    change(file)
    with pytest.warns(UserWarning, match=r"predictions-.*npy differs from its record; `omnibench verify .*--repair`"):
        assert file in open_store(root).files(ITEM)
    assert [damage.name for damage in open_store(root).verify(ITEM)] == [file.relative_to(root).as_posix()]
    said = omnibench("show", ITEM)
    assert "npy  (differs from its record)" in said
    (advice,) = re.findall(r"`omnibench ([^`]+)`", said)
    assert "repaired" in omnibench(*shlex.split(advice))
    plant.Errand(root, root.parent / "again")()
    assert file in open_store(root).files(ITEM)


def test_how_far_it_is_is_shown_on_a_terminal(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line that is gone at the end; nothing of it goes into a pipe."""
    assert main(["verify", "--store", str(root)]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["verify", "--store", str(root)]) == 0
    shown = capsys.readouterr().err
    assert "100 % of" in shown
    assert shown.rpartition("\r")[2] == ""


def test_one_item_is_verified_alone(root: Path, omnibench: Command) -> None:
    """Others, and what belongs to none, are neither looked at nor repaired."""
    change(only(root, f"tiny*/{ITEM}/predictions-*.npy"))
    (root / "results.json").unlink()
    assert "1 item, " in omnibench("verify", "Popular/fold_1")
    said = omnibench("verify", "Popular/fold_0", ends=1)
    assert "1 damaged" in said
    omnibench("verify", "Popular/fold_1", "--repair")
    assert omnibench("verify", "Popular/fold_0", ends=1) == said
    assert "repaired" in omnibench("verify", "Popular/fold_0", "--repair")


def test_an_item_that_is_being_computed_is_left_alone(root: Path, omnibench: Command) -> None:
    """It is said, and the exit status says that something is left."""
    change(only(root, f"tiny*/{ITEM}/predictions-*.npy"))
    before = open_store(root).records()
    with Coordinator(root, environments="current", threads=1, notify=lambda _: None) as coordinator:
        with coordinator.store.lease(open_store(root).find(ITEM)["fit_key"]):
            said = omnibench("verify", "--repair", ends=1)
        assert "1 of 1 damaged and not repaired; some items are being computed right now" in said
        assert {key: value for key, value in open_store(root).records().items() if key in before} == before
    assert "repaired" in omnibench("verify", "--repair")
