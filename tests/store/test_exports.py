"""progress.json and results.json: what the records say, readable, replaced atomically."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.store import CheckpointStore
from omnibench.store.exports import Exports, Results, _writing, progress
from omnibench.store.item_records import pending_item
from omnibench.store.states import RecordsInMemory, Sighting, StateSource

pytestmark = pytest.mark.usefixtures("made_up_records")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


def record(item: str, phase: str, **facts: Any) -> dict[str, Any]:
    return {
        "item": item,
        "phase": phase,
        "fit_key": f"key of {item}",
        "dataset": "D-1",
        "algorithm": item,
        "parameters": {"k": 3},
        "fold": 0,
        "finished": "2026-01-01T00:00:00Z",
        **facts,
    }


RECORDS: dict[str, dict[str, Any]] = {
    "data/d": {"name": "D"},
    "fit/key of A": record("A", "Fit"),
    "predict/a": record("A", "Predict"),
    "eval/a": record("A", "Eval"),
    "item/key of A": record(
        "A", "Done", status="done", metrics={"NDCG@10": {"value": 0.25, "key": "e"}, "RMSE": {"value": 0.5, "key": "f"}}
    ),
    "fit/key of B": record("B", "Fit", status="done", metrics={"HR@10": {"value": 1.0, "key": "g"}}),
    "item/key of C": record("C", "Fit", status="failed", metrics={}, error={"message": "no \udcff memory"}),
    "fit/key of D": record("D", "Fit"),
    "predict/d": record("D", "Predict"),
}


def test_progress_says_how_far_every_item_is() -> None:
    """Done, failed with its message, or interrupted and in which phase it goes on."""
    items = progress(RecordsInMemory(RECORDS), {})
    assert list(items) == ["A", "B", "C", "D"]
    assert [item["status"] for item in items.values()] == ["done", "interrupted", "failed", "interrupted"]
    assert [item["phase"] for item in items.values()] == ["Done", "Predict", "Fit", "Eval"]
    assert items["C"]["error"] == "no \udcff memory"
    assert items["A"]["fit_key"] == "key of A"


def test_progress_says_who_is_where() -> None:
    """Where a worker is, living or dead, an item counts as interrupted; a process that computes it is named."""
    records = {f"item/{name}": pending_item({"item": name, "fit_key": name}) for name in ("E", "F", "G")}
    seen = {"E": Sighting("Predict", alive=True), "F": Sighting("starting LensKit for Fit", alive=False)}
    items = progress(RecordsInMemory(records), seen, lambda item: "process 1 on host" if item["item"] == "E" else None)
    states = [(item["status"], item["phase"], item.get("computed_by")) for item in items.values()]
    assert states == [
        ("interrupted", "Predict", "process 1 on host"),
        ("interrupted", "Fit", None),
        ("pending", None, None),
    ]


def results(records: StateSource) -> list[dict[str, Any]]:
    """Return the rows of the items that are done."""
    gathered = Results()
    progress(records, {}, note_done=gathered.add)
    return gathered.rows()


def test_results_have_a_row_per_metric_of_what_is_done() -> None:
    """Metric and k apart, as data; failed and incomplete items have none, nor has one whose Fit says that it is done."""
    rows = results(RecordsInMemory(RECORDS))
    assert [(row["metric"], row["k"], row["value"]) for row in rows] == [("NDCG", 10, 0.25), ("RMSE", None, 0.5)]
    assert rows[0]["parameters"] == {"k": 3}


def test_a_refresh_writes_both_files_from_the_records(store: CheckpointStore) -> None:
    """What a guest printed may hold half a character; the files are valid JSON all the same."""
    with store.lease("a") as lease:
        store.commit(lease, RECORDS)
    Exports(store).refresh(immediately=True)
    items = json.loads((store.root / "progress.json").read_text(encoding="utf-8"))
    rows = json.loads((store.root / "results.json").read_text(encoding="utf-8"))
    assert items["items"] == progress(RecordsInMemory(RECORDS), {})
    assert rows["results"] == results(RecordsInMemory(RECORDS))
    assert items["revision"] == rows["revision"] == store.read(lambda reader: reader.revision)


def test_files_are_not_rewritten_for_every_item(store: CheckpointStore) -> None:
    """In a store of more than 100 items a second refresh right after the first does nothing, unless it must."""
    labels = {"fit_key": "key", "dataset": "D-1", "algorithm": "A", "parameters": {}, "fold": 0}
    with store.lease("a") as lease:
        store.commit(lease, {f"item/{number}": pending_item({"item": f"{number}", **labels}) for number in range(101)})
    exports = Exports(store)
    exports.refresh()
    (store.root / "progress.json").write_text("mine")
    exports.refresh()
    assert (store.root / "progress.json").read_text() == "mine"
    exports.refresh(immediately=True)
    assert (store.root / "progress.json").read_text() != "mine"


def test_results_that_came_while_the_files_were_young_are_written_with_the_next_progress(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item ends just after its last phase has been written down, and the next Fit takes an hour: both files say so soon."""
    later = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later, time=lambda: time.time() + later)
    monkeypatch.setattr("omnibench.store.exports.time", SimpleNamespace(**vars(clock), thread_time=lambda: later))
    exports = Exports(store)
    exports.refresh()
    exports._next, exports._pause = clock.monotonic() + 5.0, 5.0
    with store.lease("a") as lease:
        store.commit(lease, RECORDS)
    exports.refresh()
    assert (exports.is_behind, exports.refresh_progress()) == (True, False)
    later = 6.0
    assert (exports.refresh_progress(), exports.is_behind) == (True, False)
    rows = json.loads((store.root / "results.json").read_text(encoding="utf-8"))["results"]
    assert rows == results(RecordsInMemory(RECORDS))
    assert len(json.loads((store.root / "progress.json").read_text(encoding="utf-8"))["items"]) == 4
    assert exports._next - clock.monotonic() == pytest.approx(0.0, abs=0.1), (
        "milliseconds of a small store cost no second"
    )


def test_no_item_is_done_in_one_file_whose_results_the_other_lacks(store: CheckpointStore) -> None:
    """Another process may have brought it to its end, or this one a moment ago: progress is never written alone then."""
    exports = Exports(store)
    exports.refresh()
    with store.lease("a") as lease:
        store.commit(lease, RECORDS)
    exports._next = exports._pause = 0.0
    assert exports.refresh_progress()
    rows = json.loads((store.root / "results.json").read_text(encoding="utf-8"))["results"]
    assert rows == results(RecordsInMemory(RECORDS)) != []
    (store.root / "results.json").unlink()
    exports._next = exports._pause = 0.0
    assert exports.refresh_progress()
    assert not (store.root / "results.json").exists(), "nothing has ended since"


def test_progress_alone_makes_no_results(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written again and again while items are computed: the rows of all that are done would be made and thrown away."""
    exports = Exports(store)
    with store.lease("a") as lease:
        store.commit(lease, RECORDS)
    exports.refresh(immediately=True)
    made: list[object] = []
    monkeypatch.setattr(Results, "add", lambda _, record: made.append(record))
    exports._next = exports._pause = 0.0
    assert exports.refresh_progress()
    assert not made


def test_a_reader_never_sees_half_a_file(store: CheckpointStore) -> None:
    """Replacing is atomic: who has the old file open keeps reading it."""
    store.replace_text("progress.json", "old " * 1000)
    with (store.root / "progress.json").open(encoding="utf-8") as reader:
        store.replace_text("progress.json", "new")
        assert reader.read() == "old " * 1000
    assert (store.root / "progress.json").read_text(encoding="utf-8") == "new"


def test_exports_are_never_read_back(store: CheckpointStore) -> None:
    """A damaged or edited file changes nothing that the store knows."""
    with store.lease("a") as lease:
        store.commit(lease, RECORDS)
    (store.root / "progress.json").write_text("{")
    again = CheckpointStore(store.root)
    assert set(again.snapshot()) == set(RECORDS)
    again.close()


def test_files_are_json_for_everybody(store: CheckpointStore) -> None:
    """An infinite hyperparameter is a text there, for JSON has no such number; whole numbers keep every digit."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    parameters = {"limit": float("inf"), "steps": [float("nan"), 1.5], "big": 2**70 + 1}
    metrics = {"NDCG@5": {"value": 0.1 + 0.2}}
    done = record("D-1/A", "Done", status="done", parameters=parameters, metrics=metrics)
    store.records.commit({"item/a": done})
    assert Exports(store).refresh(immediately=True) == ""
    rows = json.loads((store.root / "results.json").read_text(), parse_constant=refuse)["results"]
    assert [row["parameters"] for row in rows] == [{"limit": "inf", "steps": ["nan", 1.5], "big": 2**70 + 1}]
    assert rows[0]["value"] == 0.1 + 0.2


def test_threads_that_meet_at_an_export_write_it_once(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the thousand threads of a cluster, each would otherwise write down a hundred thousand items, one after the other."""
    labels = {"fit_key": "key", "dataset": "D-1", "algorithm": "A", "parameters": {}, "fold": 0}
    with store.lease("a") as lease:
        store.commit(lease, {f"item/{number}": pending_item({"item": f"{number}", **labels}) for number in range(101)})
    exports, written, replace = Exports(store), list[str](), store.replace_text

    def counted(name: str, text: str) -> None:
        written.append(name)
        replace(name, text)

    monkeypatch.setattr(store, "replace_text", counted)
    threads = [threading.Thread(target=exports.refresh_progress) for _ in range(20)]
    with _writing:
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    exports.refresh()
    assert written == ["progress.json"]


def test_what_another_process_has_just_written_is_not_written_again(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers of a run share what the copies of a large store cost; a file that is old, or gone, is written."""
    monkeypatch.setattr("omnibench.store.exports._FEW_ITEMS", -1)
    exports, written, replace = Exports(store), list[str](), store.replace_text
    exports.refresh()

    def noted(name: str, text: str) -> None:
        written.append(name)
        replace(name, text)

    monkeypatch.setattr(store, "replace_text", noted)
    exports._pause = 1000.0
    exports._next = 0.0
    exports.refresh()
    assert (written, exports.due) == ([], False)
    exports._next = 0.0
    assert (exports.refresh_progress(), written) == (False, [])
    (store.root / "results.json").unlink()
    exports._next = 0.0
    exports.refresh()
    assert sorted(written) == ["progress.json", "results.json"]
