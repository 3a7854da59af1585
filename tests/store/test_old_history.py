"""What runs leave beside their results: gc removes what is old and nothing refers to, while nobody uses the store."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.stored import compute

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, logbook, manifests, text_logs
from omnibench.store.gc import collect
from omnibench.store.reading import read_all

pytestmark = pytest.mark.usefixtures("made_up_records")

OLD, NEW = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def worker(run: str, *, ended: str | None = OLD, item: str | None = None, beat: str = OLD) -> dict[str, Any]:
    """A worker's record."""
    facts = {"id": f"{run}.main", "run": run, "pid": 1, "host": "host", "started": beat, "heartbeat": beat}
    phase = "Fit" if item else None
    return {**facts, "item": item, "phase": phase, "completed": 0, "ended": ended, "lock": "tmp/work/.lock"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a done item of run ``made``, and what other runs have left; nobody has it open."""
    store = CheckpointStore(tmp_path / "checkpoints")
    key = compute(store, "a")
    compute(store, "a")
    item = store.records.get(f"item/{key}")
    assert item is not None
    runs = {name: {"id": name, "started": OLD, "ended": OLD} for name in ("made", "idle", "killed", "cut", "named")}
    store.register(
        {
            **{f"run/{name}": record for name, record in runs.items()},
            "run/new": {"id": "new", "started": NEW, "ended": None},
            "worker/made.main": worker("made"),
            "worker/idle.main": worker("idle"),
            "worker/killed.main": worker("killed", ended=None, item="D/a"),
            "worker/cut.main": worker("cut", ended=None, item="D/b"),
            "worker/new.main": worker("new", ended=None, beat=NEW),
            "item/" + "b" * 64: {
                **item,
                "item": "D/b",
                "fit_key": "b" * 64,
                "status": "pending",
                "worker": None,
                "run": "named",
            },
            f"item/{key}": {},
        }
    )
    with store.lease(key) as lease:
        store.commit(lease, {f"item/{key}": {**item, "worker": "made.main", "run": "made"}})
    for run in ("made", "idle"):
        log = logbook.LogBook(store.root / logbook.NAME, run, "worker")
        log.add(logging.INFO, "omnibench", run)
        log.flush()
    store.close()
    return store.root


def test_what_nothing_refers_to_goes_when_it_is_old(root: Path) -> None:
    """Runs and workers of results stay, as do those that are new and those that tell where an item was interrupted."""
    before = read_all(root / "store")
    found = collect(root, history_older_than=86400)
    assert found.records == ["run/idle", "run/killed", "worker/idle.main", "worker/killed.main"]
    after = read_all(root / "store")
    assert after == {key: record for key, record in before.items() if key not in found.records}
    assert {"run/made", "run/cut", "run/named", "run/new"} <= set(after)
    assert set(manifests.read(root)) == {"run/made", "run/cut", "run/named", "run/new"}
    assert {path.name for path in (root / "leases").glob("*.lock")} == {"store.lock", "opening.lock"}
    again = collect(root, history_older_than=86400)
    assert (again.records, str(again.history)) == ([], "")


def test_log_entries_of_other_runs_go_when_they_are_old(root: Path) -> None:
    """Those of runs that have a record stay, whatever their age."""
    assert collect(root, history_older_than=86400).history.entries == 0
    assert collect(root, history_older_than=-1).history.entries == 1
    assert [entry.message for entry in logbook.entries(root, "made", "omnibench")] == ["made"]


def test_a_dry_run_only_tells(root: Path) -> None:
    """It finds the same, and leaves everything as it is."""
    before, manifest = read_all(root / "store"), (root / "records.jsonl").read_bytes()
    told = collect(root, history_older_than=86400, dry_run=True)
    assert (read_all(root / "store"), (root / "records.jsonl").read_bytes()) == (before, manifest)
    assert collect(root, history_older_than=86400).records == told.records
    assert told.history.locks > 0


def test_manifests_lose_their_old_lines_and_hold_the_same(root: Path) -> None:
    """What a lost database would be rebuilt from is what it was; torn lines and earlier states are gone."""
    (item,) = root.glob("D-*/Algorithm-aaaaaaaa")
    with (item / "records.jsonl").open("ab") as file:
        file.write(b"fit/torn\t" + b"x" * 500)
    records, size = manifests.read(item), (item / "records.jsonl").stat().st_size
    history = collect(root, history_older_than=86400).history
    assert history.manifests >= 1
    assert manifests.read(item) == records
    assert (item / "records.jsonl").stat().st_size < size - 500


def test_nothing_goes_while_anybody_uses_the_store(root: Path) -> None:
    """A run that lives keeps its records, locks and log entries: gc refuses."""
    store = CheckpointStore(root)
    with pytest.raises(StoreError, match="is in use"):
        collect(root, history_older_than=0)
    store.close()
    assert "worker/idle.main" in read_all(root / "store")


def test_out_log_begins_anew_when_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part before is kept, and no more."""
    monkeypatch.setattr(text_logs, "MOST_BYTES", 100)
    path = tmp_path / "out.log"
    for number in range(50):
        text_logs.append(tmp_path, path.name, f"line {number:03}\n".encode())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.log", "out.log.1"]
    text = (tmp_path / "out.log.1").read_text() + path.read_text()
    assert text == "".join(f"line {number:03}\n" for number in range(50 - len(text.splitlines()), 50))
    assert len(text) <= 220


def test_processes_that_print_at_once_lose_no_part_of_a_log(tmp_path: Path) -> None:
    """Only one of them renames a log that is full: the part before is a whole one."""
    code = """
import sys
from pathlib import Path
from omnibench.store import text_logs
text_logs.MOST_BYTES = 3000
for number in range(300):
    text_logs.append(Path(sys.argv[1]), "out.log", b"x" * 99 + b"\\n")
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert (tmp_path / "out.log.1").stat().st_size >= 3000
    assert set((tmp_path / "out.log.1").read_bytes().splitlines()) == {b"x" * 99}
