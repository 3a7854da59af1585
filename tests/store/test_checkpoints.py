"""The checkpoint store: one directory, its format, its names, and how its parts hang together."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore
from omnibench.store.formats import FORMAT

pytestmark = pytest.mark.usefixtures("made_up_records")

KEY = "a3f8e2c1" + "0" * 56
CLASHING = "a3f8e2c1" + "1" * 56


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "deep" / "checkpoints")
    yield opened
    opened.close()


def test_a_store_is_made_where_there_is_none(store: CheckpointStore) -> None:
    """The directory and what is in it are for the user's eyes only; the format is written down."""
    assert json.loads((store.root / "STORE.json").read_text()) == {"format": FORMAT}
    with store.lease("a"):
        for place in (store.root, *store.root.rglob("*")):
            if place.is_dir():
                assert stat.S_IMODE(place.stat().st_mode) == 0o700, place


def test_a_relative_directory_is_made_absolute_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that changes the directory later does not move the store."""
    monkeypatch.chdir(tmp_path)
    store = CheckpointStore("checkpoints")
    monkeypatch.chdir("/")
    assert store.root == tmp_path / "checkpoints"
    store.close()


def test_a_store_opens_again_with_its_records(store: CheckpointStore) -> None:
    """What was committed is there for the next process, with the token of its lease."""
    with store.lease("a") as lease:
        store.commit(lease, {"fit/a": {"n": 1}})
    again = CheckpointStore(store.root)
    assert again.snapshot() == {"fit/a": {"n": 1, "token": lease.token}}
    assert again.records.get("fit/a") == store.records.get("fit/a")
    again.close()


def test_a_newer_format_is_refused(store: CheckpointStore) -> None:
    """The error says which, and what to do; nothing is left open or written."""
    (store.root / "STORE.json").write_text(json.dumps({"format": FORMAT + 1}))
    before = sorted(store.root.rglob("*"))
    with pytest.raises(StoreError, match=rf"newer omnibench \(store format {FORMAT + 1};.*Upgrade omnibench"):
        CheckpointStore(store.root)
    assert sorted(store.root.rglob("*")) == before


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"format": null}', '{"format": "new"}', "\udcff", '{"format": Infinity}']
)
def test_a_damaged_format_is_set_aside_and_written_anew(store: CheckpointStore, content: str) -> None:
    """One broken file does not lock the results away: the database notes its format, too."""
    with store.lease("a") as lease:
        store.commit(lease, {"fit/a": {"n": 1}})
    (store.root / "STORE.json").write_text(content, errors="surrogateescape")
    told: list[str] = []
    again = CheckpointStore(store.root, notify=told.append)
    assert again.snapshot().keys() == {"fit/a"}
    again.close()
    assert json.loads((store.root / "STORE.json").read_text()) == {"format": FORMAT}
    (aside,) = store.root.glob("STORE.json.damaged-*")
    assert aside.read_text(errors="surrogateescape") == content
    (sentence,) = told
    assert sentence.endswith(f"STORE.json was damaged; it was set aside as {aside.name} and written anew (format 2).")


def test_a_newer_database_is_refused_even_when_its_format_file_is_damaged(store: CheckpointStore) -> None:
    """What cannot be read for certain is not migrated backwards."""
    store.close()
    with closing(sqlite3.connect(store.root / "store" / "cache.db")) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    (store.root / "STORE.json").write_text("{")
    with pytest.raises(StoreError, match="newer omnibench"):
        CheckpointStore(store.root)


def test_a_damaged_database_is_set_aside_and_rebuilt(tmp_path: Path) -> None:
    """A damaged database is set aside with its log, a message says so, and the manifests' records are there again."""
    store = CheckpointStore(tmp_path)
    place = store.claim(store.claim(store.root, "D", KEY), "A", KEY).relative_to(tmp_path).as_posix()
    with store.lease("a") as lease:
        store.commit(lease, {"fit/a": {"fit_key": "a", "directory": place}})
    before = store.snapshot()
    store.records.close()
    for name in ("cache.db", "cache.db-wal", "cache.db-shm"):
        (tmp_path / "store" / name).write_bytes(b"not a database " * 100)
    told: list[str] = []
    again = CheckpointStore(tmp_path, notify=told.append)
    assert again.snapshot() == before
    (aside,) = tmp_path.glob("store.damaged-*")
    assert {file.name for file in aside.iterdir()} == {"cache.db", "cache.db-wal", "cache.db-shm"}
    assert (aside / "cache.db").read_bytes().startswith(b"not a database")
    (sentence,) = told
    assert (
        f"damaged (file is not a database); they were set aside as {aside.name}, and 1 records of 1 items" in sentence
    )
    again.close()


def test_a_flipped_bit_that_leaves_no_text_does_not_lock_the_store(store: CheckpointStore) -> None:
    """Bytes that are no UTF-8 cost their own record, like any other damage, and none of the others."""
    store.records.commit({"fit/a": {}, "fit/b": {"n": 2}})
    with closing(sqlite3.connect(store.root / "store" / "cache.db")) as connection, connection:
        connection.execute("UPDATE Cache SET value = CAST(X'7BFF7D' AS TEXT) WHERE key = 'fit/a'")
    again = CheckpointStore(store.root)
    assert again.snapshot() == {"fit/b": {"n": 2}}
    again.close()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A place below a file, or a file itself, is no checkpoint directory; the error says the way out."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "checkpoints"):
        with pytest.raises(
            StoreError,
            match=rf"{place}' cannot be a checkpoint directory, because .*file' is no directory.*--omnirec-checkpoint-dir",
        ):
            CheckpointStore(place)


def test_the_same_thing_gets_the_same_directory(store: CheckpointStore) -> None:
    """A key gets the same directory again, also after the store was closed, and from another process."""
    first = store.claim(store.root, "MovieLens100K", KEY)
    assert first.name == "MovieLens100K-a3f8e2c1"
    code = f"""
from omnibench.store import CheckpointStore, artifacts
store = CheckpointStore({str(store.root)!r})
print(store.claim(store.root, "MovieLens100K", {KEY!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(first) == str(store.claim(store.root, "MovieLens100K", KEY))


def test_keys_that_begin_alike_get_longer_names(store: CheckpointStore) -> None:
    """As in git: the first keeps the short name, the second gets as many digits as it needs."""
    assert store.claim(store.root, "D", KEY).name == "D-a3f8e2c1"
    assert store.claim(store.root, "D", CLASHING).name == "D-a3f8e2c11111"
    assert store.claim(store.root, "D", KEY).name == "D-a3f8e2c1"
    assert store.claim(store.root, "D", CLASHING).name == "D-a3f8e2c11111"
    nearly, still_nearer = KEY[:-1] + "1", KEY[:-1] + "2"
    assert store.claim(store.root, "D", nearly).name == "D-a3f8e2c10000"
    assert store.claim(store.root, "D", still_nearer).name == "D-a3f8e2c100000000"


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("a/b", "a_b"),
        ("../../etc", ".._.._etc"),
        ("..", ".."),
        ("", ""),
        ("my data: 100%", "my_data__100_"),
        ("Käse", "Käse"),
        ("x\0y\n", "x_y_"),
        ("日" * 200, "日" * 50),
    ],
)
def test_any_name_makes_a_directory_of_the_store(name: str, directory: str, store: CheckpointStore) -> None:
    """What a file name cannot hold is replaced, and what is too long is cut; none leads elsewhere."""
    claimed = store.claim(store.root, name, KEY)
    assert claimed.name == f"{directory}-a3f8e2c1"
    assert claimed.parent == store.root
    assert claimed.is_dir()


def test_no_directory_is_claimed_outside_of_the_store(store: CheckpointStore) -> None:
    """No directory outside of the store is claimed, neither by dots nor over a link."""
    (store.root / "link").symlink_to(store.root.parent)
    for parent in (store.root / "..", store.root / "link", store.root.parent):
        with pytest.raises(StoreError, match=r"outside of the checkpoint directory|is a link"):
            store.claim(parent, "D", KEY)


def test_a_commit_needs_a_valid_lease(store: CheckpointStore) -> None:
    """A result computed under a lease that was lost is not published."""
    with store.lease("a") as lost:
        pass
    with store.lease("a"), pytest.raises(StoreError, match="lost to another process"):
        store.commit(lost, {"fit/a": {}})
    assert store.snapshot() == {}


def test_who_holds_a_lease_can_be_asked(store: CheckpointStore) -> None:
    """Without taking it, and without making a file for a key that nobody ever leased."""
    assert store.holder("a") is None
    assert not (store.root / "leases" / "a.lock").exists()
    with store.lease("a"):
        assert store.holder("a") == f"process {os.getpid()} on {os.uname().nodename}"


def test_a_usable_artifact_is_found_and_a_damaged_one_said_aloud(store: CheckpointStore) -> None:
    """Damage is a warning that names the file, its new name, and what happens next."""
    with store.temporary() as scratch:
        (scratch / "model").write_bytes(b"content")
        artifact = store.publish(scratch / "model", store.root / "D" / "model.bin")
    assert store.usable(artifact) == store.root / "D" / "model.bin"
    (store.root / "D" / "model.bin").write_bytes(b"c0ntent")
    with pytest.warns(UserWarning, match=r"D/model.bin differs .* set aside as model.bin.damaged-.*computed again"):
        assert store.usable(artifact) is None
    with pytest.warns(UserWarning, match=r"D/model.bin is missing; it is computed again"):
        assert store.usable(artifact) is None


def test_a_directory_is_published_whole_and_replaces_what_lies_there(store: CheckpointStore) -> None:
    """Every file is described; what lay there is gone, what was mapped from it stays readable."""
    final = store.claim(store.root / "datasets", "D", KEY)
    for content in (b"first", b"second"):
        with store.temporary() as scratch:
            (scratch / "d" / "fold_0").mkdir(parents=True)
            (scratch / "d" / "user.npy").write_bytes(content)
            (scratch / "d" / "fold_0" / "train.npy").write_bytes(content)
            described = store.publish_directory(scratch / "d", final)
        assert [file["path"] for file in described] == [f"datasets/{final.name}/{name}" for name in (
            "fold_0/train.npy", "user.npy"
        )]  # fmt: skip
        assert all(store.usable(file) for file in described)
        assert (final / "user.npy").read_bytes() == content
    with store.temporary() as scratch, pytest.raises(StoreError, match="outside"):
        store.publish_directory(scratch, store.root / ".." / "elsewhere")


def test_temporary_files_are_gone_afterwards(store: CheckpointStore, tmp_path: Path) -> None:
    """On the store's own file system, and removed on errors, too; closing the store removes the rest."""
    with suppress(ZeroDivisionError), store.temporary() as scratch:
        (scratch / "file").write_text("x")
        _ = 1 / 0
    assert not scratch.exists()
    inside, outside = store.scratch(), store.scratch(tmp_path / "elsewhere")
    assert inside.is_relative_to(store.root)
    assert outside.parent == tmp_path / "elsewhere"
    store.close()
    assert list((store.root / "tmp").iterdir()) == []
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_a_killed_process_left_is_swept(store: CheckpointStore) -> None:
    """Half-written models of a run that was killed do not pile up; those of a living one stay."""
    code = f"""
import os, signal
from omnibench.store import CheckpointStore, artifacts
store = CheckpointStore({str(store.root)!r})
with store.temporary() as scratch:
    (scratch / "model").write_bytes(b"x" * 1000)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    with store.temporary() as mine:
        left = list((store.root / "tmp").rglob("model"))
        assert len(left) == 1
        CheckpointStore(store.root).close()
        assert not left[0].exists()
        assert mine.exists()


def test_a_temporary_directory_that_cannot_be_made_is_named(store: CheckpointStore, tmp_path: Path) -> None:
    """tmp_dir below a file is a store error with the place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/below' for temporary files cannot be written .*--omnirec-tmp-dir"):
        store.scratch(tmp_path / "file" / "below")


def test_logs_are_appended_over_all_runs(store: CheckpointStore) -> None:
    """Bytes as they came, for the user's eyes only; two writers do not tear each other's lines."""
    store.append_log("out", b"one\n")
    code = f"""
import sys
from omnibench.store import CheckpointStore, artifacts
store = CheckpointStore({str(store.root)!r})
for number in range(200):
    store.append_log("out", (sys.argv[1] * 300 + "\\n").encode())
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, letter]) for letter in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    store.append_log("out", b"\xff\n")
    lines = (store.root / "out.log").read_bytes().splitlines()
    assert (lines[0], lines[-1], len(lines)) == (b"one", b"\xff", 402)
    assert set(lines[1:-1]) == {b"a" * 300, b"b" * 300}
    assert stat.S_IMODE((store.root / "out.log").stat().st_mode) == 0o600
