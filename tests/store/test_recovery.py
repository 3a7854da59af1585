"""Recovery: whatever happens to the database, what its files still prove is there again, and nothing else."""

from __future__ import annotations

import errno
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import diskcache
import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, artifacts, manifests, recovery
from omnibench.store.damage import DamagedStoreError, is_damage
from omnibench.store.formats import FORMAT
from omnibench.store.reading import read, read_all
from omnibench.store.records import Records
from omnibench.store.recovery import rebuild
from omnibench.store.schema import Record, artifacts_of

pytestmark = pytest.mark.usefixtures("made_up_records")

DATA = sha256(b"data").hexdigest()


def compute(store: CheckpointStore, name: str, phases: str = "fit predict eval", status: str = "done") -> str:
    """Record an item as an attempt does, with files, up to a phase; return its key."""
    key = sha256(name.encode()).hexdigest()
    base = store.claim(store.claim(store.root, "D", DATA), name, key) / "fold_0"
    store.make_directory(base)
    labels = {"item": name, "fit_key": key, "directory": base.relative_to(store.root).as_posix()}

    def file(file_name: str) -> Any:
        with store.temporary() as scratch:
            (scratch / "file").write_bytes(f"{name} {file_name}".encode() * 50)
            return store.publish(scratch / "file", base / file_name)

    with store.lease(key) as lease:
        if "fit" in phases:
            store.commit(lease, {f"fit/{key}": {**labels, "model": file("model.bin")}})
        if "predict" in phases:
            store.commit(lease, {f"predict/p-{name}": {**labels, "predictions": file("predictions-00000000.npy")}})
        records: dict[str, Record] = {}
        if "eval" in phases:
            records[f"eval/e-{name}"] = {**labels, "per_user": file("per_user-00000000.npy"), "value": 0.25}
        metrics = {"NDCG@10": {"value": 0.25, "key": f"e-{name}"}} if status == "done" else {}
        end = {"status": status, "predict_key": f"p-{name}", "generation": 0, "metrics": metrics}
        store.commit(lease, {**records, f"item/{key}": {**labels, **end}})
    return key


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a dataset, items in every state, and one that was forgotten; nobody has it open."""
    store = CheckpointStore(tmp_path / "checkpoints")
    with store.temporary() as scratch, store.lease("data") as lease:
        (scratch / "d").mkdir()
        (scratch / "d" / "user.npy").write_bytes(b"users")
        directory = store.claim(store.root / "datasets", "D", DATA)
        files = store.publish_directory(scratch / "d", directory)
        place = directory.relative_to(store.root).as_posix()
        store.commit(lease, {f"data/{DATA}": {"name": "D", "directory": place, "files": files}})
    for name in ("A", "B"):
        compute(store, name)
    compute(store, "C", "fit", "interrupted")
    compute(store, "F", "", "failed")
    gone = compute(store, "G")
    with store.lease(gone) as lease:
        store.commit(lease, {}, {key: record for key, record in store.snapshot().items() if record.get("item") == "G"})
    store.close()
    return store.root


def repaired(root: Path) -> tuple[dict[str, Record], list[str]]:
    """Open a store, rebuild it, and return its records and what was said."""
    told: list[str] = []
    store = CheckpointStore(root, notify=told.append)
    try:
        told.append(str(rebuild(store.records, root)))
        found = store.snapshot()
        unequal = [key for key, record in found.items() if store.records.get(key) != record]
        assert not unequal, f"get and snapshot disagree about {', '.join(unequal)}"
        return found, told
    finally:
        store.close()


def remove(database: Path) -> None:
    database.unlink()


def remove_all(database: Path) -> None:
    shutil.rmtree(database.parent)


def empty(database: Path) -> None:
    database.write_bytes(b"")


def cut(database: Path) -> None:
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2 + 7])


def zero(database: Path) -> None:
    database.write_bytes(b"\0" * database.stat().st_size)


def drop_the_table(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE Cache")


def drop_the_settings(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE Settings")


@pytest.mark.parametrize("change", [remove, remove_all, empty, cut, zero, drop_the_table, drop_the_settings])
def test_a_lost_database_is_rebuilt(change: Callable[[Path], object], root: Path) -> None:
    """Every record is equal to what it was; what was forgotten stays forgotten."""
    before = read_all(root / "store")
    assert len(before) == 12
    change(root / "store" / "cache.db")
    assert repaired(root)[0] == before
    assert repaired(root) == (before, ["0 records of 0 items were rebuilt from the manifests"])


def test_a_database_that_breaks_while_it_is_open_is_rebuilt(root: Path) -> None:
    """A database that breaks is rebuilt by the next snapshot; processes with the old one open use the new one."""
    one, other = CheckpointStore(root), CheckpointStore(root)
    before = one.snapshot()
    one.records.checkpoint()
    (root / "store" / "cache.db").write_bytes(b"not a database " * 1000)
    assert other.snapshot() == before
    compute(one, "N")
    assert {record["item"] for record in other.snapshot().values() if "item" in record} == set("ABCFN")
    one.close()
    other.close()


def test_a_damaged_database_is_kept_and_said(root: Path) -> None:
    """One sentence says what was damaged, where it is now, and what was rebuilt; the log goes with it."""
    (root / "store" / "cache.db").write_bytes(b"not a database " * 100)
    (root / "store" / "cache.db-wal").write_bytes(b"stale")
    found, told = repaired(root)
    (aside,) = root.glob("store.damaged-*")
    assert {file.name for file in aside.iterdir()} >= {"cache.db", "cache.db-wal"}
    assert f"were set aside as {aside.name}, and {len(found)} records of 4 items were rebuilt" in told[0]


def test_bytes_flipped_all_over_the_database_lose_nothing(root: Path, tmp_path: Path) -> None:
    """Noticed by SQLite or not: the records are those of before, never others, and reading by key says the same."""
    before = read_all(root / "store")
    size = (root / "store" / "cache.db").stat().st_size
    places = {*range(0, 100, 11), *random.Random(7).sample(range(100, size), 40)}
    wrong = []
    for place in sorted(places):
        copy = tmp_path / f"copy-{place}"
        shutil.copytree(root, copy)
        with (copy / "store" / "cache.db").open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << place % 8]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged record is said, too
            try:
                found = repaired(copy)[0]
            except (StoreError, sqlite3.Error, AssertionError) as error:
                wrong.append(f"{place}: {type(error).__name__}: {error}")
            else:
                differs = [key for key in {*found, *before} if found.get(key) != before.get(key)]
                wrong += [f"{place}: {', '.join(differs)}"] * bool(differs)
        shutil.rmtree(copy)
    assert wrong == []


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"x" * path.stat().st_size)])
def test_records_of_missing_or_changed_files_stay_away(change: Callable[[Path], object], root: Path) -> None:
    """A done item that lost a phase is interrupted, so that nobody reads its numbers as results."""
    before = read_all(root / "store")
    roles = {"fit": "model", "predict": "predictions", "eval": "per_user"}
    for prefix, role in roles.items():
        copy = root.with_name(f"without-{prefix}")
        shutil.copytree(root, copy)
        ((key, record),) = [
            (key, one) for key, one in before.items() if key.startswith(f"{prefix}/") and one["item"] == "A"
        ]
        change(copy / record[role]["path"])
        (copy / "store" / "cache.db").unlink()
        found, told = repaired(copy)
        item = f"item/{record['fit_key']}"
        expected = {**before, item: {**before[item], "status": "interrupted", "metrics": {}}}
        del expected[key]
        assert found == expected, prefix
        assert told[-1].endswith("; 1 more name files that are missing or damaged")


def test_a_file_of_a_dataset_counts_as_well(root: Path) -> None:
    """The dataset is prepared again; items do not need it to be done."""
    (root / read_all(root / "store")[f"data/{DATA}"]["files"][0]["path"]).write_bytes(b"other")
    (root / "store" / "cache.db").unlink()
    found, _ = repaired(root)
    assert f"data/{DATA}" not in found
    assert len(found) == 11


def test_what_is_recorded_is_not_overwritten(root: Path) -> None:
    """The database is the truth, a manifest is what is left when it is lost."""
    store = CheckpointStore(root)
    key = next(key for key in store.snapshot() if key.startswith("eval/"))
    store.records.commit({key: {"value": 3.0}})
    assert rebuild(store.records, root).records == 0
    assert store.records.get(key) == {"value": 3.0}
    store.close()


def test_a_manifest_of_elsewhere_is_not_read(root: Path, tmp_path: Path) -> None:
    """A link in the store that leads out of it brings in no records."""
    (tmp_path / "outside" / "A").mkdir(parents=True)
    manifests.append(tmp_path / "outside" / "A", tmp_path, {"fit/x": {"fit_key": "x", "status": "pending"}})
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "D-x" / "A-x").mkdir(parents=True)
    (root / "D-x" / "A-x" / manifests.NAME).symlink_to(tmp_path / "outside" / "A" / manifests.NAME)
    assert "fit/x" not in repaired(root)[0]


def errors_of_a_sound_database(directory: Path) -> dict[str, Exception]:
    """Meet errors that a database has nothing to do with, in real SQLite."""
    place = directory / "cache.db"
    found: dict[str, Exception] = {}

    def meet(name: str, query: str, how: str = "mode=rw", before: str = "", target: Path = place) -> None:
        with (
            closing(sqlite3.connect(f"{target.as_uri()}?{how}", uri=True, timeout=0, isolation_level=None)) as one,
            closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as other,
        ):
            if name == "locked":
                other.execute("BEGIN IMMEDIATE")
            one.execute(before or "SELECT 1")
            try:
                one.execute(query)
            except (sqlite3.Error, MemoryError) as error:
                found[name] = error

    write = "INSERT INTO Settings VALUES ('x', hex(randomblob(100000)))"
    meet("locked", "BEGIN IMMEDIATE")
    meet("read-only", write, "mode=ro")
    meet("full", write, before="PRAGMA max_page_count = 1")
    try:
        sqlite3.connect(f"{(directory / 'nowhere' / 'cache.db').as_uri()}?mode=rw", uri=True)
    except sqlite3.Error as error:
        found["out of reach"] = error
    return found


def test_only_damage_is_damage(root: Path) -> None:
    """Locked, read-only, no room, out of reach, no memory: a sound database is not set aside for that."""
    found = errors_of_a_sound_database(root / "store")
    assert set(found) == {"locked", "read-only", "full", "out of reach"}
    found |= {"no room": OSError(errno.ENOSPC, "no space"), "no memory": MemoryError()}  # sqlite3 raises it for NOMEM
    assert {name: is_damage(error) for name, error in found.items()} == dict.fromkeys(found, False)
    for content in (b"not a database " * 100, (root / "store" / "cache.db").read_bytes()[:5000]):
        (root / "store" / "cache.db").write_bytes(content)
        with pytest.raises(DamagedStoreError):
            read_all(root / "store")


def test_a_locked_database_is_not_set_aside(root: Path) -> None:
    """Whoever has it for himself has a sound one: that is an error with a reason, after a while."""
    with closing(sqlite3.connect(root / "store" / "cache.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked") as refused:
            CheckpointStore(root, patience=0.1)
        assert not isinstance(refused.value, DamagedStoreError)
    assert list(root.glob("*.damaged-*")) == []
    assert len(read_all(root / "store")) == 12


def test_a_full_disk_is_an_error_and_no_damage(root: Path) -> None:
    """What was recorded stays readable, and the next commit that finds room goes through."""
    with closing(Records(root / "store")) as records:
        before = records.all()
        records._cache._con.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreError, match=r"cannot be written .*full") as refused:
            records.commit({"fit/x": {"text": "x" * 100_000}})
        assert not isinstance(refused.value, DamagedStoreError)
        assert records.all() == before
        records._cache._con.execute("PRAGMA max_page_count = 100000")
        records.commit({"fit/x": {}})
        assert records.all() == {**before, "fit/x": {}}


def test_a_database_that_became_read_only_is_an_error_and_no_wait(root: Path) -> None:
    """If the database becomes read-only, as on a remounted disk, a commit fails instead of trying for ever."""
    code = f"""
from pathlib import Path
from omnibench.store.records import Records
records = Records(Path({str(root / "store")!r}))
records._cache._con.execute("PRAGMA query_only = 1")
records.commit({{"fit/x": {{}}}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False)
    assert "StoreError: the checkpoint records" in done.stderr
    assert "DamagedStoreError" not in done.stderr


# Format 1: records without checksums, no manifests.


@pytest.fixture
def old(root: Path) -> dict[str, Record]:
    """Make the store one of format 1; return its records."""
    records = read_all(root / "store")
    for key, record in records.items():
        if "fit_key" in record:
            del record["directory"]
            for name in ("generation", "predict_key"):
                record.pop(name, None)
        if key.startswith("fit/"):
            record["identity"] = ["fit/1", {"data": DATA}]
    shutil.rmtree(root / "store")
    for manifest in root.rglob(manifests.NAME):
        manifest.unlink()
    with closing(diskcache.Cache(str(root / "store"), eviction_policy="none", cull_limit=0, size_limit=2**62)) as cache:
        for key, record in records.items():
            cache.set(key, json.dumps(record))
    (root / "STORE.json").write_text('{"format": 1}')
    return records


def assert_migrated(root: Path, old: dict[str, Record]) -> None:
    """Assert that every record is there with what it said, that it is sealed, and that the old ones are kept."""
    found = read_all(root / "store")
    assert {key: {name: found[key][name] for name in record} for key, record in old.items()} == old
    assert found.keys() == old.keys()
    assert read(root / "store", lambda reader: reader.version) == FORMAT
    assert json.loads((root / "STORE.json").read_text()) == {"format": FORMAT}
    with closing(sqlite3.connect(root / "store.format-1.db")) as backup:
        texts = dict(backup.execute("SELECT key, value FROM Cache WHERE raw = 1").fetchall())
    assert {key: json.loads(text) for key, text in texts.items()} == old


def test_a_store_of_format_1_is_migrated(root: Path, old: dict[str, Record]) -> None:
    """Records are what they were and more, a copy of the old ones is kept, manifests are there, and it is said."""
    told: list[str] = []
    CheckpointStore(root, notify=told.append).close()
    assert_migrated(root, old)
    assert told == [f"{root} was of store format 1 and is now of 2; a copy of its records is store.format-1.db."]
    found = read_all(root / "store")
    done = next(one for key, one in found.items() if key.startswith("item/") and one["item"] == "A")
    assert (done["generation"], done["predict_key"], done["identity"]) == (0, "p-A", ["fit/1", {"data": DATA}])
    (root / "store" / "cache.db").unlink()
    with_files = {key: record for key, record in found.items() if "directory" in record or artifacts_of(record)}
    assert repaired(root)[0] == with_files


@pytest.mark.parametrize("where", ["backup", "upgrade", "manifests", "commit", "marker"])
def test_a_migration_that_is_interrupted_is_done_by_the_next(
    where: str, root: Path, old: dict[str, Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stops, nothing is lost, also not the copy of the old records."""
    owner, name = {
        "backup": (artifacts, "publish"),
        "upgrade": (recovery, "upgraded"),
        "manifests": (manifests, "append"),
        "commit": (Records, "commit"),
        "marker": (recovery, "_write_marker"),
    }[where]

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(owner, name, stop)
        with pytest.raises(KeyboardInterrupt):
            CheckpointStore(root)
    if where == "marker":
        assert {key: record["item"] for key, record in read_all(root / "store").items() if "item" in record}
    else:
        assert read_all(root / "store") == old
    CheckpointStore(root).close()
    assert_migrated(root, old)


def test_a_damaged_record_of_format_1_does_not_stop_the_migration(root: Path, old: dict[str, Record]) -> None:
    """It is set aside when somebody asks for it, as ever."""
    key = next(iter(old))
    with closing(sqlite3.connect(root / "store" / "cache.db")) as connection, connection:
        connection.execute("UPDATE Cache SET value = '{' WHERE key = ?", (key,))
    CheckpointStore(root).close()
    assert read_all(root / "store").keys() == old.keys() - {key}


@pytest.mark.usefixtures("old")
def test_a_damaged_database_of_format_1_is_set_aside(root: Path) -> None:
    """There are no manifests to rebuild it from, and a run goes on all the same."""
    (root / "store" / "cache.db").write_bytes(b"not a database " * 100)
    assert repaired(root)[0] == {}
    assert len(list(root.glob("store.damaged-*"))) == 1
