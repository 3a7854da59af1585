"""`omnibench snapshots`, and what status, show and why say of the newest snapshot of an item."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.snapshotted import attempt, begin, fit, labels_of, take

from omnibench import open_store
from omnibench.commands.completion import _snapshot_names
from omnibench.commands.main import main
from omnibench.store import CheckpointStore
from omnibench.store.schema import Record
from omnibench.store.snapshots import folder_of

Command = Callable[..., str]

KEY = "a" * 64
NAMES = ("first", "second", "third")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CheckpointStore]:
    """A store with an item that was killed inside of its Fit, after its third snapshot, and one that has not begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIREC_CHECKPOINT_DIR", raising=False)
    opened = CheckpointStore(tmp_path / "checkpoints")
    begin(opened, "a")
    begin(opened, "b")
    for number, name in enumerate(NAMES, 1):
        take(opened, "a", name, 10 * number)
    yield opened
    opened.close()


@pytest.fixture
def omnibench(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command, expect how it ends, and return what it said, with ages and sizes taken out."""

    def run(*arguments: str, ends: int = 0) -> str:
        assert main(arguments) == ends
        out, err = capsys.readouterr()
        assert bool(err) == (ends == 2), err
        return re.sub(r"\b\d+ (?:s|min|h|days) ago, [\d.]+ kB", "AGE AND SIZE", err or out)

    return run


@pytest.mark.usefixtures("store")
def test_snapshots_are_listed_by_item(omnibench: Command) -> None:
    """Oldest first: what each is of, how old and how large; the last says where the next attempt goes on."""
    assert omnibench("snapshots").splitlines() == [
        "D-dddddddd/Deep(n=a): interrupted",
        "  first  after epoch 10 of 50, AGE AND SIZE",
        "  second  after epoch 20 of 50, AGE AND SIZE",
        "  third  after epoch 30 of 50, AGE AND SIZE, resumes at epoch 31 of 50",
    ]


def test_snapshots_of_items_that_have_none(store: CheckpointStore, omnibench: Command) -> None:
    """That is said, with what a Fit does by default; an item that is not there is an error."""
    said = omnibench("snapshots", "Deep(n='b')")
    assert said.startswith(f"{store.root}: no snapshots of 1 item (by default, a Fit of more than 5 minutes has one")
    assert "there is no such item" in omnibench("snapshots", "Shallow", ends=2)


def test_snapshots_for_programs(store: CheckpointStore, omnibench: Command) -> None:
    """As JSON, one object per snapshot with the columns of `Store.snapshots()`."""
    rows = json.loads(omnibench("snapshots", "Deep", "--json"))["snapshots"]
    frame = open_store(store.root).snapshots()
    assert [row["name"] for row in rows] == list(NAMES) == [*frame["name"]]
    assert [row["resumes"] for row in rows] == [False, False, True]
    assert [*rows[0]] == [*frame.columns]
    record = store.records.get(f"snapshot/{KEY}/first")
    assert record is not None
    assert rows[0]["folder"] == folder_of(record, Path()).as_posix()


def test_a_moment_is_told_as_it_is(store: CheckpointStore, omnibench: Command) -> None:
    """Before the first epoch, behind the last, of nobody knows how many, and without a part."""
    for name, iteration, members in (
        ("begin", 0, {"number": 40}),
        ("end", 50, {}),
        ("open", 60, {"iterations": None, "unit": "step", "missing": ["optimizer", "data loader"]}),
    ):
        take(store, "a", name, iteration, **members)
    begun, ended, unlimited = omnibench("snapshots").splitlines()[4:]
    assert begun == "  begin  after epoch 0 of 50, AGE AND SIZE"
    assert ended.startswith("  end  after epoch 50 of 50, ")
    assert unlimited == "  open  after step 60, AGE AND SIZE, without optimizer, data loader, resumes at step 61"
    omnibench("snapshots", "Deep(n='a')", "--restore", "end")
    assert omnibench("snapshots").splitlines()[-2].endswith("resumes after epoch 50 of 50")


def test_an_older_snapshot_is_restored_and_nothing_removed(store: CheckpointStore, omnibench: Command) -> None:
    """Newer ones are passed over, and count again when one of them is restored; progress.json says so at once."""
    said = omnibench("snapshots", "Deep(n='a')", "--restore", "first")
    assert said.splitlines() == [
        "The next attempt at D-dddddddd/Deep(n=a) resumes at epoch 11 of 50, from first.",
        "2 newer snapshots are passed over, and stay: second, third",
    ]
    assert omnibench("snapshots").splitlines()[1:] == [
        "  first  after epoch 10 of 50, AGE AND SIZE, resumes at epoch 11 of 50",
        "  second  after epoch 20 of 50, AGE AND SIZE, passed over",
        "  third  after epoch 30 of 50, AGE AND SIZE, passed over",
    ]
    written = json.loads((store.root / "progress.json").read_text())["items"][labels_of("a").item]
    assert written["snapshot"]["name"] == "first"
    assert all(folder_of(record, store.root).is_dir() for record in snapshots_in(store))
    omnibench("snapshots", "Deep(n='a')", "--restore", "second")
    assert [record["name"] for record in snapshots_in(store) if record.get("passed_over")] == ["third"]
    omnibench("snapshots", "Deep(n='a')", "--restore", "third")
    resumes = open_store(store.root).snapshots().set_index("name")["resumes"]
    assert resumes.to_dict() == {"first": False, "second": False, "third": True}


def snapshots_in(store: CheckpointStore) -> list[Record]:
    return [record for key, record in store.snapshot().items() if key.startswith("snapshot/")]


def test_restoring_refuses_and_says_what_to_do(store: CheckpointStore, omnibench: Command) -> None:
    """No item, an unknown name, an item without snapshots, a damaged one; nothing is changed."""
    before = store.snapshot()
    assert "omnibench snapshots ITEM --restore SNAPSHOT" in omnibench("snapshots", "--restore", "first", ends=2)
    said = omnibench("snapshots", "Deep(n='a')", "--restore", "frist", ends=2)
    assert "D/Deep(n=a) has no snapshot 'frist'; did you mean 'first'? `omnibench snapshots D-" in said
    assert "has no snapshots" in omnibench("snapshots", "Deep(n='b')", "--restore", "first", ends=2)
    (folder_of(snapshots_in(store)[0], store.root) / "snapshot.json").write_text("changed")
    said = omnibench("snapshots", "Deep(n='a')", "--restore", "first", ends=2)
    assert "the snapshot first of D/Deep(n=a) is damaged" in said
    assert store.snapshot() == before


def test_an_item_that_runs_is_left_alone(store: CheckpointStore, omnibench: Command) -> None:
    """Its Fit would not hear of it; who computes it is named."""
    with store.lease(KEY):
        said = omnibench("snapshots", "Deep(n='a')", "--restore", "first", ends=2)
    assert "is being computed right now (" in said
    assert len([record for record in snapshots_in(store) if record.get("passed_over")]) == 0


def test_a_fit_that_is_recorded_goes_on_from_nothing(store: CheckpointStore, omnibench: Command) -> None:
    """The advice leads to an item that is fitted again."""
    fit(store, "a")
    said = omnibench("snapshots", "Deep(n='a')", "--restore", "first", ends=2)
    assert "the Fit of D/Deep(n=a) is recorded, so nothing goes on from its snapshots." in said
    command = re.search(r"`omnibench (.*)` has the next run fit it again, from the beginning", said)
    assert command is not None
    omnibench(*command[1].split())
    assert open_store(store.root).items()[labels_of("a").item]["status"] == "pending"


def test_status_says_where_items_go_on(store: CheckpointStore, omnibench: Command) -> None:
    """Behind what it says already; of an item that runs, what its newest snapshot is of."""
    (line,) = (line for line in omnibench("status").splitlines() if "interrupted  aaaaaaaa" in line)
    assert (
        line
        == "  interrupted  aaaaaaaa  D-dddddddd/Deep(n=a)  (in Fit; resumes at epoch 31 of 50, snapshot AGE AND SIZE)"
    )
    with store.lease(KEY):
        (line,) = (line for line in omnibench("status").splitlines() if "running      aaaaaaaa" in line)
    assert line.endswith("; snapshot after epoch 30 of 50, AGE AND SIZE)")
    newest = json.loads(omnibench("status", "--json"))["snapshots"][labels_of("a").item]
    assert (newest["name"], newest["iteration"], newest["iterations"], newest["unit"]) == ("third", 30, 50, "epoch")
    assert newest["bytes"] == open_store(store.root).snapshots()["size"].iloc[-1]
    assert "disk: snapshots 22.5 kB, " in omnibench("status").splitlines()[1]


def test_status_of_what_failed_says_where_it_goes_on(store: CheckpointStore, omnibench: Command) -> None:
    """The next run tries it again, and loses nothing that a snapshot has."""
    item = store.records.get(f"item/{KEY}")
    error = {"phase": "Fit", "message": "MemoryError", "details": ""}
    assert item is not None
    store.records.commit({f"item/{KEY}": {**item, "status": "failed", "phase": "Fit", "error": error}})
    (line,) = (line for line in omnibench("status").splitlines() if "aaaaaaaa" in line)
    assert line.endswith("(Fit: MemoryError; resumes at epoch 31 of 50, snapshot AGE AND SIZE)")


def test_show_lists_snapshots_and_attempts(store: CheckpointStore, omnibench: Command) -> None:
    """Of an interrupted item those until the snapshot that it goes on from; why says where that is."""
    take(store, "a", "fourth", 37, attempts=[attempt(95.0, 0, 30), attempt(20.0, 30, 37, "w2")])
    text = omnibench("show", "Deep(n='a')")
    assert text.splitlines()[0].endswith("(in Fit; resumes at epoch 38 of 50, snapshot AGE AND SIZE)")
    expected = """\
  Fit              until the snapshot that it goes on from:
    attempt 1      95.000 s wall, 95.000 s CPU, peak 1 MiB; iterations from 0 to 30
    attempt 2      20.000 s wall, 20.000 s CPU, peak 1 MiB; iterations from 30 to 37
"""
    assert expected in text
    lines = text.splitlines()
    position = lines.index("  snapshot         fourth  after epoch 37 of 50, AGE AND SIZE, resumes at epoch 38 of 50")
    assert lines[position + 1].strip().endswith("/snapshots/fourth")
    assert not any("network.bin" in line for line in lines)
    facts = json.loads(omnibench("show", "Deep(n='a')", "--json"))["facts"]
    assert [part["to"] for part in facts["attempts"]] == [30, 37]
    assert [row["name"] for row in facts["snapshots"]] == [*NAMES, "fourth"]
    assert "Its next Fit resumes at epoch 38 of 50, from the snapshot fourth." in omnibench("why", "Deep(n='a')")


def test_show_lists_the_attempts_of_a_fit(store: CheckpointStore, omnibench: Command) -> None:
    """Below the time of all of them together; one that was stopped is told of there only."""
    fit(store, "a", attempts=[attempt(95.0, 0, 30), attempt(405.0, 30, 50, "w2")])
    item = store.records.get(f"item/{KEY}")
    assert item is not None
    stopped = {
        "phase": "Fit",
        "status": "interrupted",
        "seconds": 97.5,
        "run": "r",
        "worker": "w1",
        "start_seconds": 0.0,
    }
    store.records.commit({f"item/{KEY}": {**item, "attempts": [{**stopped, "finished": "2026-01-01T00:00:00Z"}]}})
    text = omnibench("show", "Deep(n='a')")
    assert re.search(
        r"  Fit              500\.000 s wall, 500\.000 s CPU, peak 2 MiB  \S+\n    attempt 1      95\.000 s wall", text
    )
    assert "    attempt 2      405.000 s wall, 405.000 s CPU, peak 1 MiB; iterations from 30 to 50\n" in text
    assert len([line for line in text.splitlines() if line.startswith("  Fit ")]) == 1


def test_show_says_which_snapshot_is_damaged(store: CheckpointStore, omnibench: Command) -> None:
    """With the command that repairs it."""
    (folder_of(snapshots_in(store)[-1], store.root) / "snapshot.json").write_text("changed")
    lines = omnibench("show", "Deep(n='a')").splitlines()
    assert [line.endswith("  (damaged)") for line in lines if line.startswith("  snapshot ")].count(True) == 1
    assert any(line.startswith("  damaged: `omnibench verify ") for line in lines)


def test_gc_takes_snapshots_of_recorded_fits_where_asked(store: CheckpointStore, omnibench: Command) -> None:
    """`gc --snapshots` removes those that were to stay; `gc` leaves them alone."""
    fit(store, "a")
    store.close()
    assert "removed 0 records and 0 files" in omnibench("gc")
    assert "removed 3 records and 3 files" in omnibench("gc", "--snapshots")
    assert "no snapshots" in omnibench("snapshots")


def test_show_has_the_newest_of_many(store: CheckpointStore, omnibench: Command) -> None:
    """And says how many others there are, and which command lists them."""
    for number in range(4, 14):
        take(store, "a", f"number {number}", number, number=100 + number)
    lines = [line for line in omnibench("show", "Deep(n='a')").splitlines() if line.startswith("  snapshot")]
    assert lines[0] == "  snapshots        3 earlier ones; `omnibench snapshots 'Deep(n='\"'\"'a'\"'\"')'` lists them"
    assert [line.split()[2] for line in lines[1:]] == [str(number) for number in range(4, 14)]


def test_a_shell_completes_the_names_of_snapshots(store: CheckpointStore) -> None:
    """Of all items; where there is no store, none."""
    offered = {
        prefix: _snapshot_names(prefix, argparse.Namespace(store=str(directory)))
        for prefix, directory in (("", store.root), ("th", store.root), ("f", store.root.parent))
    }
    assert offered == {"": ["first", "second", "third"], "th": ["third"], "f": []}
