"""The readable copies of the records say of which revision they are, and are brought up to date when they are behind."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from omnibench.store import CheckpointStore
from omnibench.store.copies import NAMES, are_current, is_current, with_header
from omnibench.store.exports import Exports, refresh_copies
from omnibench.store.item_records import pending_item
from omnibench.store.recovery import recover
from omnibench.store.schema import Record

pytestmark = pytest.mark.usefixtures("made_up_records")

LABELS = {"fit_key": "key", "dataset": "D-1", "algorithm": "A", "parameters": {}, "fold": 0}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


def item(name: str) -> dict[str, Record]:
    return {f"item/{name}": pending_item({"item": name, **LABELS})}


def revision(store: CheckpointStore) -> str:
    return store.read(lambda reader: reader.revision)


def test_what_the_copies_are_made_of_is_counted(store: CheckpointStore) -> None:
    """Items, fits and predictions, written, replaced or removed, by whomever; runs, workers and plans are not."""
    revisions = [revision(store)]
    changes: list[dict[str, Record]] = [item("A"), item("A"), {"fit/a": {}}, {"predict/a": {}}]
    for records in changes:
        store.records.commit(records)
        revisions.append(revision(store))
    store.records.commit({}, ["item/A"])
    revisions.append(revision(store))
    assert len(set(revisions)) == len(revisions)
    store.records.commit({"run/a": {}, "worker/a": {}, "plan/a": {}, "itemise/a": {}, "data/a": {}, "eval/a": {}})
    assert revision(store) == revisions[-1]
    with closing(sqlite3.connect(store.root / "store" / "cache.db")) as connection, connection:
        connection.execute("DELETE FROM Cache WHERE key = 'fit/a'")
    assert revision(store) != revisions[-1]


def test_another_database_never_has_the_same_revision(store: CheckpointStore) -> None:
    """One that was rebuilt begins to count anew, and a copy of before is not taken for current."""
    Exports(store).refresh(immediately=True)
    store.records.close()
    store.records, _ = recover(store.root, ValueError("broken"))
    assert not are_current(store.root, revision(store))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "one letter": lambda path: path.write_bytes(path.read_bytes().replace(b'"A"', b'"B"')),
    "of an earlier version": lambda path: path.write_bytes(b'{"items": {}}'),
    "another revision": lambda path: path.write_bytes(path.read_bytes().replace(b'"revision": "', b'"revision": "0')),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_copy_that_is_not_what_was_written_is_written_again(
    store: CheckpointStore, damage: Callable[[Path], object]
) -> None:
    """Whatever has happened to it; one that is current is left alone."""
    store.records.commit(item("A"))
    assert refresh_copies(store.root) == ""
    before = {name: (store.root / name).read_bytes() for name in NAMES}
    damage(store.root / "progress.json")
    assert is_current(store.root / "results.json", revision(store))
    assert not is_current(store.root / "progress.json", revision(store))
    assert refresh_copies(store.root) == ""
    assert {name: (store.root / name).read_bytes() for name in NAMES} == before
    times = [(store.root / name).stat().st_mtime_ns for name in NAMES]
    refresh_copies(store.root)
    assert [(store.root / name).stat().st_mtime_ns for name in NAMES] == times


def test_a_copy_is_json(tmp_path: Path) -> None:
    """With its header as members, and half a character in it."""
    file = tmp_path / "progress.json"
    file.write_bytes(with_header("a-1", '{"items": {"x": "\udcff"}}').encode("utf-8", "backslashreplace"))
    assert json.loads(file.read_text(encoding="utf-8"))["items"] == {"x": "\udcff"}
    assert is_current(file, "a-1")
    assert not is_current(file, "")


def test_copies_of_another_process_are_not_left_behind(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a run: who has read earlier may write later, and is overwritten."""
    store.records.commit(item("A"))
    Exports(store).refresh(immediately=True)
    earlier = (store.root / "results.json").read_text(encoding="utf-8")
    store.records.commit(item("B"))
    replace, others = store.replace_text, [earlier]

    def replace_text(name: str, text: str) -> None:
        replace(name, others.pop() if others and name == "results.json" else text)

    monkeypatch.setattr(store, "replace_text", replace_text)
    Exports(store).refresh(immediately=True)
    assert are_current(store.root, revision(store))
