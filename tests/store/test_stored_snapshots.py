"""Snapshots as a store knows them: states, views, sizes, files, resets, deletion, gc, verification, rebuilding."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.snapshotted import attempt, begin, directory_of, fit, search, take

from omnibench import open_store
from omnibench.errors import StoreError
from omnibench.guest.snapshots import MANIFEST
from omnibench.sizes import size_text
from omnibench.store import CheckpointStore, recovery
from omnibench.store.artifacts import is_intact
from omnibench.store.deletion import delete
from omnibench.store.exports import Exports
from omnibench.store.gc import collect
from omnibench.store.generations import reset
from omnibench.store.repair import repair
from omnibench.store.sizes import sizes_text
from omnibench.store.snapshot_files import OWNER, PARTIAL, leaving, remove_folder
from omnibench.store.snapshots import folder_of, key_of, publish, usable
from omnibench.store.verification import Part, verify_store

ITEM = "D-dddddddd/Deep-aaaaaaaa"
KEY = "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory for snapshots that lies outside of the store."""
    directory = tmp_path / "fast disk"
    directory.mkdir()
    return directory


def closed(store: CheckpointStore) -> Path:
    """Close a store for those who need it to themselves."""
    store.close()
    return store.root


def test_snapshots_of_a_shared_store_are_gone_on_from(tmp_path: Path, outside: Path) -> None:
    """By whoever has made them: the group may read them, and nobody else may write what is loaded."""
    before = os.umask(0o002)
    try:
        with closing(CheckpointStore(tmp_path / "shared", shared="yes")) as store:
            for directory in (None, outside):
                record = take(store, "a", f"night_{directory is None}", 10, outside=directory)
                folder = usable(store, record)
                assert folder is not None
                modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
                assert not any(mode & 0o022 for mode in modes)
    finally:
        os.umask(before)


@pytest.mark.parametrize("is_outside", [False, True])
def test_a_snapshot_with_a_file_that_nobody_has_recorded_is_set_aside(
    store: CheckpointStore, outside: Path, *, is_outside: bool
) -> None:
    """A guest loads what lies in the folder, so only what was recorded may lie there."""
    record = take(store, "a", "night_001", 10, outside=outside if is_outside else None)
    folder = folder_of(record, store.root)
    (folder / "parts" / "state.pkl").write_bytes(b"somebody's")
    with pytest.warns(UserWarning, match="differs from its record and was set aside as night_001.damaged-"):
        assert usable(store, record) is None
    assert not folder.exists()


def test_nothing_is_set_aside_behind_a_link(store: CheckpointStore, tmp_path: Path) -> None:
    """A store that comes from anybody does not have a directory of the user's renamed."""
    record = take(store, "a", "night_001", 10)
    parent = folder_of(record, store.root).parent
    elsewhere = tmp_path / "photos"
    parent.rename(elsewhere)
    parent.symlink_to(elsewhere)
    with pytest.warns(UserWarning, match="is a link or reached through one"):
        assert usable(store, record) is None
    assert (elsewhere / "night_001").is_dir()


def test_an_item_with_a_snapshot_was_begun(store: CheckpointStore) -> None:
    """Killed inside of its first Fit, its own record still says that it is pending: nobody had time to write more."""
    begin(store, "a")
    begin(store, "b")
    take(store, "a", "first", 3)
    assert Exports(store).refresh(immediately=True) == ""
    states = {name: (item["status"], item["phase"]) for name, item in open_store(store.root).items().items()}
    assert states == {
        ITEM: ("interrupted", "Fit"),
        "D-dddddddd/Deep-bbbbbbbb": ("pending", None),
    }
    written = json.loads((store.root / "progress.json").read_text())["items"]
    assert {name: (item["status"], item["phase"]) for name, item in written.items()} == states
    with closing(sqlite3.connect(store.root / "store" / "cache.db")) as connection:
        rows = connection.execute("SELECT item, status, phase FROM items ORDER BY item").fetchall()
    assert {name: (status, phase) for name, status, phase in rows} == states


def test_progress_says_what_the_next_attempt_goes_on_from(store: CheckpointStore) -> None:
    """The newest that was not passed over; none for what has its model."""
    for letter in "abc":
        begin(store, letter)
    take(store, "a", "old", 3)
    newest = take(store, "a", "new", 7)
    take(store, "a", "newer", 9, passed_over="2026-01-01T00:00:00Z")
    take(store, "b", "kept", 50)
    fit(store, "b")
    Exports(store).refresh(immediately=True)
    items = json.loads((store.root / "progress.json").read_text())["items"]
    assert items[ITEM]["snapshot"] == {
        "name": "new",
        "iteration": 7,
        "iterations": 50,
        "unit": "epoch",
        "within": False,
        "made": newest["finished"],
        "bytes": newest["size"],
    }
    assert [name for name, item in items.items() if "snapshot" in item] == [ITEM]


def test_views_list_snapshots_attempts_and_files(store: CheckpointStore, outside: Path) -> None:
    """In SQL: where each snapshot lies, what it is of, and its files, those outside of the store by their full paths."""
    begin(store, "a")
    inner = take(store, "a", "in", 3)
    outer = take(store, "a", "out", 5, outside=outside)
    fit(store, "a", attempts=[attempt(30.0, 0, 3), attempt(20.0, 3, 5, "w2")])
    opened = open_store(store.root)
    rows = opened.sql("SELECT name, number, iteration, iterations, size, reason, folder FROM snapshots ORDER BY number")
    assert rows.to_dict("records") == [
        {
            **{member: record[member] for member in ("name", "number", "iteration", "iterations", "size", "reason")},
            "folder": folder,
        }
        for record, folder in (
            (inner, folder_of(inner, Path()).as_posix()),
            (outer, str(outside / ITEM / "out")),
        )
    ]
    paths = set(opened.sql("SELECT path FROM files WHERE phase = 'Fit'")["path"])
    expected = {file["path"] for file in inner["files"]} | {
        str(outside / ITEM / "out" / name) for name in (MANIFEST, OWNER, "parts/network.bin")
    }
    assert paths == expected | {f"{inner['directory']}/model.bin"}
    attempts = opened.sql("SELECT attempt, seconds, worker, from_iteration, to_iteration FROM attempts")
    assert attempts.values.tolist() == [[1, 30.0, "w1", 0, 3], [2, 20.0, "w2", 3, 5]]


def test_the_time_of_a_continued_attempt_counts_once(store: CheckpointStore) -> None:
    """A Fit's seconds are those of all attempts; one that it went on from has no row of its own."""
    name = begin(store, "a")
    fit(store, "a", attempts=[attempt(30.0, 0, 3, "w1"), attempt(470.0, 3, 50, "w2")])
    item = store.records.get(f"item/{KEY}")
    assert item is not None
    stopped = {"phase": "Fit", "status": "interrupted", "run": "r", "finished": None, "start_seconds": 0.0}
    attempts = [
        {**stopped, "worker": "w1", "seconds": 34.0, "cpu_seconds": 31.0},
        {**stopped, "worker": "w0", "seconds": 9.0, "cpu_seconds": None},
    ]
    store.records.commit({f"item/{KEY}": {**item, "attempts": attempts}})
    opened = open_store(store.root)
    expected = {("done", 500.0, 500.0), ("interrupted", 9.0, None)}
    phases = opened.phases().astype(object).where(lambda frame: frame.notna(), None)
    assert set(phases[["status", "seconds", "cpu_seconds"]].itertuples(index=False, name=None)) == expected
    rows = opened.sql("SELECT status, seconds, cpu_seconds FROM phases").astype(object)
    assert set(rows.where(rows.notna(), None).itertuples(index=False, name=None)) == expected
    assert opened.summary()["elapsed"] == 509.0
    assert opened.describe(name)["attempts"][0]["to"] == 3


def test_sizes_count_snapshots(store: CheckpointStore) -> None:
    """As a part of their own, and with their items; earlier generations with those as well."""
    begin(store, "a")
    first, second = take(store, "a", "first", 3), take(store, "a", "second", 5, generation=2)
    sizes = open_store(store.root).sizes()
    assert sizes.parts["snapshots"] == sizes.items[first["directory"]]["snapshots"] == first["size"] + second["size"]


def test_sizes_count_snapshots_that_lie_elsewhere(store: CheckpointStore, outside: Path) -> None:
    """They fill a disk as well, so people are told which."""
    begin(store, "a")
    inner, outer = take(store, "a", "in", 3), take(store, "a", "out", 5, outside=outside)
    sizes = open_store(store.root).sizes()
    assert sizes.outside == {str(outside): outer["size"]}
    assert sizes.parts["snapshots"] == sizes.items[inner["directory"]]["snapshots"] == inner["size"] + outer["size"]
    assert sizes_text(sizes).endswith(f"; {size_text(outer['size'])} of it in {outside}")


def test_files_lead_to_their_item_and_back(store: CheckpointStore, outside: Path) -> None:
    """Those of snapshots are the item's, wherever they lie."""
    name = begin(store, "a")
    inner, _ = take(store, "a", "in", 3), take(store, "a", "out", 5, outside=outside)
    opened = open_store(store.root)
    files = opened.files(name)
    assert {folder_of(inner, store.root) / MANIFEST, outside / ITEM / "out" / "parts" / "network.bin"} <= set(files)
    assert {opened.item_of(file) for file in files} == {name}


@pytest.mark.parametrize("scope", ["all", "Fit", "incomplete"])
def test_what_is_reset_goes_on_from_no_snapshot(store: CheckpointStore, scope: str) -> None:
    """A reset from Fit on puts snapshots aside with their files; the next gc removes them."""
    name = begin(store, "a")
    record = take(store, "a", "first", 3)
    assert reset(store, [KEY], scope).items == (KEY,)
    opened = open_store(store.root)
    assert opened.items()[name]["status"] == "pending"
    assert len(opened.snapshots()) == 0
    assert (folder_of(record, store.root) / MANIFEST).exists()
    assert len(collect(closed(store)).files) == 1
    assert not folder_of(record, store.root).parent.exists()


def test_a_reset_behind_the_fit_keeps_snapshots(store: CheckpointStore) -> None:
    """They belong to the Fit, which stays."""
    begin(store, "a")
    take(store, "a", "first", 3)
    fit(store, "a")
    reset(store, [KEY], "Predict")
    assert len(open_store(store.root).snapshots()) == 1


def test_gc_leaves_alone_what_is_recorded(store: CheckpointStore, outside: Path) -> None:
    """Also the snapshots that were to stay when their Fit was recorded."""
    begin(store, "a")
    take(store, "a", "in", 3)
    take(store, "a", "out", 5, outside=outside)
    fit(store, "a")
    assert collect(closed(store)).files == []
    assert len(open_store(store.root).snapshots()) == 2


def test_gc_removes_snapshots_of_recorded_fits_where_asked(store: CheckpointStore, outside: Path) -> None:
    """Inside and outside of the store; those of Fits that have not ended stay."""
    begin(store, "a")
    begin(store, "b")
    first, second = take(store, "a", "in", 3), take(store, "a", "out", 5, outside=outside)
    kept = take(store, "b", "in", 3)
    fit(store, "a")
    root = closed(store)
    would = collect(root, snapshots=True, dry_run=True)
    assert folder_of(first, root).exists()
    collected = collect(root, snapshots=True)
    assert (collected.size, collected.records) == (would.size, would.records)
    assert collected.size == first["size"] + second["size"]
    assert not folder_of(first, root).parent.exists()
    assert not folder_of(second, root).exists()
    assert [*open_store(root).snapshots()["item"]] == [kept["item"]]
    assert collect(root, snapshots=True).files == []


def test_gc_removes_a_folder_that_nobody_has_recorded(store: CheckpointStore) -> None:
    """A kill between publishing and recording leaves one; a user's own folder beside it is none."""
    begin(store, "a")
    record = take(store, "a", "first", 3)
    folder = folder_of(record, store.root)
    shutil.copytree(folder, folder.with_name("second"))
    (folder.with_name("mine")).mkdir()
    (folder.with_name("mine") / "notes.txt").write_text("mine")
    assert collect(closed(store)).files == [folder.with_name("second")]
    assert {path.name for path in folder.parent.iterdir()} == {"first", "mine"}


def test_gc_removes_what_a_kill_has_left_outside_of_the_store(store: CheckpointStore, outside: Path) -> None:
    """A folder that was being forgotten, or was not recorded yet, and what a dead process has written aside; no damage."""
    begin(store, "a")
    kept, gone = (take(store, "a", name, number, outside=outside) for number, name in enumerate(("kept", "gone")))
    with store.lease(KEY) as lease:
        store.commit(lease, leaving([gone]), {key_of(gone): gone})
    (folder_of(gone, store.root) / "parts" / "network.bin").unlink()
    aside = outside / f"{PARTIAL}99999999.abcdefgh"
    aside.mkdir()
    (aside / ".lock").touch()
    (outside / ".partial.of-somebody-else").mkdir()
    assert verify_store(store.root, {KEY}).damages == []
    (closed(store) / "store" / "cache.db").unlink()
    records, _ = recovery.open_records(store.root)
    recovery.rebuild(records, store.root)
    records.close()
    assert aside in collect(store.root).files
    assert sorted(path.name for path in outside.iterdir()) == [".partial.of-somebody-else", ITEM.partition("/")[0]]
    assert list((outside / ITEM).iterdir()) == [folder_of(kept, store.root)]


def test_estimates_do_not_take_snapshots_for_fits(store: CheckpointStore) -> None:
    """A snapshot of a Fit that was reset took a quarter of a second, which no Fit of the algorithm ever did."""
    begin(store, "a")
    take(store, "a", "first", 3)
    fit(store, "a")
    reset(store, [KEY])
    assert [
        seconds for _, _, phase, seconds, _ in store.read(lambda reader: list(reader.costs())) if phase == "Fit"
    ] == [500.0]


def test_what_a_killed_removal_has_left_is_told_to_be_a_snapshot(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign of a snapshot goes last, so that gc removes the rest."""
    begin(store, "a")
    record = take(store, "a", "first", 3)
    folder = folder_of(record, store.root)

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", dies)
    with pytest.raises(KeyboardInterrupt):
        remove_folder(folder)
    monkeypatch.undo()
    assert [path.name for path in folder.iterdir()] == [MANIFEST]
    store.records.commit({}, [f"snapshot/{KEY}/first"])
    assert collect(closed(store)).files == [folder]


def test_deletion_takes_snapshots_along(store: CheckpointStore, outside: Path) -> None:
    """Those in the store and outside, earlier generations' too, and the directories that had nothing else."""
    begin(store, "a")
    other = begin(store, "b")
    records = [take(store, "a", "in", 3), take(store, "a", "old", 2, generation=1)]
    records.append(take(store, "a", "out", 5, outside=outside))
    kept = take(store, "b", "in", 3)
    would = delete(store, [KEY], dry_run=True)
    deleted = delete(store, [KEY])
    assert deleted.size == would.size > sum(record["size"] for record in records)
    assert not any(folder_of(record, store.root).exists() for record in records)
    assert list(outside.iterdir()) == []
    assert {path.name for path in directory_of(store, "a").iterdir()} == {".key"}
    assert [*open_store(store.root).snapshots()["item"]] == [other]
    assert folder_of(kept, store.root).exists()


def test_a_record_that_names_a_strange_folder_has_nothing_removed(store: CheckpointStore, tmp_path: Path) -> None:
    """A store may come from anybody: outside of it, only what says that it is that snapshot is read or removed."""
    begin(store, "a")
    outside = tmp_path / "home"
    outside.mkdir()
    record = take(store, "a", "out", 5, outside=outside)
    folder = folder_of(record, store.root)
    (folder / OWNER).write_text("something else")
    (folder / "mine.txt").write_text("mine")
    assert [damage.part for damage in open_store(store.root).verify()][:1] == [Part.SNAPSHOT]
    fit(store, "a")
    root = closed(store)
    collect(root, snapshots=True)
    assert {path.name for path in folder.iterdir()} == {MANIFEST, OWNER, "parts", "mine.txt"}


@pytest.mark.parametrize("lies_outside", [False, True])
def test_a_damaged_snapshot_is_found_and_set_aside(
    store: CheckpointStore, outside: Path, *, lies_outside: bool
) -> None:
    """With all that is left of it; the one before is what the next attempt goes on from."""
    name = begin(store, "a")
    take(store, "a", "first", 3)
    newest = take(store, "a", "second", 5, outside=outside if lies_outside else None)
    folder = folder_of(newest, store.root)
    (folder / "parts" / "network.bin").write_bytes(b"changed")
    for fit_keys in (None, {KEY}):
        damages = verify_store(store.root, fit_keys).damages
        assert [damage.part for damage in damages if damage.part is not Part.COPY] == [Part.SNAPSHOT]
    assert repair(store, damages) == []
    assert [path.name.partition(".damaged-")[0] for path in folder.parent.glob("*.damaged-*")] == ["second"]
    rows = open_store(store.root).snapshots(name)
    assert rows[["name", "resumes"]].values.tolist() == [["first", True]]
    assert open_store(store.root).verify() == []


@pytest.mark.parametrize("is_outside", [False, True])
def test_what_a_class_has_linked_is_copied(
    store: CheckpointStore, outside: Path, tmp_path: Path, *, is_outside: bool
) -> None:
    """Whoever writes into the other file of a link, in the snapshot before or in a class's own folder, damages no snapshot."""
    mine, partial = tmp_path / "mine", outside / "partial"
    (mine / "shards").mkdir(parents=True)
    files = [mine / "weights", mine / "shards" / "first"]
    for file in files:
        file.write_text("good")
    partial.mkdir()
    (partial / MANIFEST).write_text("{}")
    (partial / "hard").hardlink_to(mine / "weights")
    (partial / "soft").symlink_to(mine / "weights")
    (partial / "folder").symlink_to(mine / "shards")
    final = (outside if is_outside else store.root / "D" / "snapshots") / "name"
    published = {file["path"].removeprefix("D/snapshots/name/"): file for file in publish(store, partial, final, "key")}
    for file in files:
        with file.open("r+b") as opened:
            opened.write(b"evil")
    root = final if is_outside else store.root
    assert published.keys() - {OWNER} == {MANIFEST, "hard", "soft", "folder/first"}
    assert all(is_intact(file, root) for file in published.values())
    assert [(final / name).read_text() for name in ("hard", "soft", "folder/first")] == ["good"] * 3


def test_a_damaged_record_of_a_snapshot_is_told_with_its_item(store: CheckpointStore) -> None:
    """Nothing of it can be read but its key, which says whose it is."""
    begin(store, "a")
    begin(store, "b")
    take(store, "a", "first", 3)
    with closing(sqlite3.connect(store.root / "store" / "cache.db", isolation_level=None)) as connection:
        connection.execute(
            f"UPDATE Cache SET value = replace(value, 'epoch', 'iteration') WHERE key = 'snapshot/{KEY}/first'"
        )
    for fit_key, number in ((KEY, 1), ("b" * 64, 0)):
        assert len(verify_store(store.root, {fit_key}).damages) == number


def test_snapshots_are_rebuilt_from_manifests(store: CheckpointStore, outside: Path) -> None:
    """As far as their files are intact, wherever they lie."""
    begin(store, "a")
    take(store, "a", "in", 3)
    take(store, "a", "out", 5, outside=outside)
    damaged = take(store, "a", "bad", 6, outside=outside)
    (folder_of(damaged, store.root) / MANIFEST).write_text("{}")
    before = store.snapshot()
    store.close()
    shutil.rmtree(store.root / "store")
    opened = CheckpointStore(store.root)
    rebuilt = recovery.rebuild(opened.records, store.root)
    assert rebuilt.lost == 1
    names = {f"snapshot/{KEY}/{name}" for name in ("in", "out")}
    assert {key: record for key, record in opened.snapshot().items() if key.startswith("snapshot/")} == {
        key: before[key] for key in names
    }
    opened.close()


def test_runs_of_earlier_attempts_are_kept(store: CheckpointStore) -> None:
    """The record of a Fit says which process has made which part of it: gc leaves the records of their runs."""
    begin(store, "a")
    started = "2020-01-01T00:00:00Z"
    runs: dict[str, Any] = {
        f"run/{name}": {
            "id": name,
            "started": started,
            "ended": started,
            "host": None,
            "user": None,
            "versions": {},
            "git": None,
        }
        for name in ("first", "second", "stray")
    }
    store.records.commit(runs)
    fit(store, "a", run="second", attempts=[attempt(1.0, 0, 1, run="first"), attempt(1.0, 1, 2, run="second")])
    assert collect(closed(store), history_older_than=0.0).records == ["run/stray"]


def test_a_search_goes_on_from_the_snapshot_of_its_open_trial(store: CheckpointStore) -> None:
    """It belongs to the tuned item, with the number of its trial; what a finished trial has left is only listed."""
    name = search(store, "a", {"b": "done", "c": "proposed"})
    take(store, "b", "left", 50)
    newest = take(store, "c", "newest", 7)
    opened = open_store(store.root)
    rows = opened.snapshots(name)[["trial", "name", "resumes"]]
    assert rows.values.tolist() == [[0, "left", False], [1, "newest", True]]
    Exports(store).refresh(immediately=True)
    (item,) = json.loads((store.root / "progress.json").read_text())["items"].values()
    assert (item["phase"], item["snapshot"]["name"]) == ("Tune", "newest")
    assert opened.restore(name, "newest").snapshot["fit_key"] == newest["fit_key"]


def test_a_snapshot_of_what_a_search_no_longer_chooses_is_not_gone_on_from(store: CheckpointStore) -> None:
    """Neither does a run go on from it: its search has found something better since."""
    name = search(store, "a", {"b": "done", "c": "done"})
    take(store, "a", "newest", 7, requested="c" * 64)
    opened = open_store(store.root)
    assert not opened.snapshots(name)["resumes"].any()
    with pytest.raises(StoreError, match="its search does not choose any more"):
        opened.restore(name, "newest")
    take(store, "a", "of_both_parts", 8, requested="e" * 64)
    assert [*opened.snapshots(name)["resumes"]] == [False, True]


def test_snapshots_of_trials_go_with_their_search(store: CheckpointStore) -> None:
    """Reset, deleted, or collected once the trial has ended, though there may be no record of its Fit."""
    name = search(store, "a", {"b": "done", "c": "proposed"})
    left, newest = take(store, "b", "left", 50), take(store, "c", "newest", 7)
    root = closed(store)
    assert collect(root).files == []
    assert collect(root, snapshots=True).files == [folder_of(left, root)]
    assert [*open_store(root).snapshots(name)["name"]] == ["newest"]
    open_store(root).reset([name], "Tune")
    assert len(open_store(root).snapshots()) == 0
    assert folder_of(newest, root) in collect(root).files
    assert not folder_of(newest, root).exists()


def test_deletion_takes_snapshots_of_trials_along(store: CheckpointStore) -> None:
    """Nobody else needs them."""
    search(store, "a", {"b": "done", "c": "proposed"})
    records = [take(store, "b", "left", 50), take(store, "c", "newest", 7)]
    delete(store, [KEY])
    assert not any(folder_of(record, store.root).exists() for record in records)
    assert [key for key in store.snapshot() if key.startswith(("snapshot/", "trial/", "search/"))] == []
