"""Whoever asks how an item stands gets the same answer: progress.json, the command, Python and SQL."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from faults import plant
from faults.children import KILLED, Child
from hypothesis import given
from hypothesis import strategies as st

from omnibench import open_store
from omnibench.commands.main import main
from omnibench.engine.coordinator import Coordinator
from omnibench.errors import GuestError
from omnibench.experiment.evaluator import Evaluator
from omnibench.metrics import HR, NDCG
from omnibench.store import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.item_records import pending_item
from omnibench.store.reading import read_all
from omnibench.store.schema import WORKED, ItemState, Record, RecordType, Status, finished_phases, status_of
from omnibench.store.states import RecordsInMemory, item_states, sightings
from omnibench.store.views import select
from omnibench.tables.names import recorded_names

Answers = dict[str, tuple[str, str | None]]
"""Status and phase by the item's name."""

NAMES = [item.name for item in plant.items()]
PATIENCE = 60


class Guest(plant.InProcessGuest):
    """A guest that meets something before it answers."""

    meets: Callable[[str, str], None] = staticmethod(lambda *_: None)

    def ask(self, request: Any, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Answer, if it comes to that."""
        self.meets(request["op"], request["fit_key"])
        return super().ask(request, *arguments, **more)


class PausingHR(HR):
    """A metric that meets something before it is computed."""

    meets: Callable[[], None] = staticmethod(lambda: None)

    def per_user(self, *arguments: Any) -> Any:
        """Compute, if it comes to that."""
        self.meets()
        return super().per_user(*arguments)


def compute(root: Path, meets: Callable[[str, str], None], metrics: Any = plant.METRICS) -> None:
    """Take all four items through the real engine."""
    with Coordinator(root, environments="current", threads=1, notify=lambda _: None) as coordinator:
        guests: Any = plant.InProcessGuests(plant.Work(root.with_name("work")))
        guests._guest = Guest(plant.Work(root.with_name("work")))
        guests._guest.meets = meets
        coordinator.workbench.guests = guests
        coordinator.run(plant.dataset(), plant.plan(), Evaluator(*metrics))


def computes_until(root: Path, phase: str, reaches: Callable[[], None]) -> Callable[[], dict[str, Any]]:
    """Return what a child does that computes all four items, and what it does when the second comes to a phase."""
    second = plant.items()[1]

    def meets(operation: str, fit_key: str) -> None:
        if fit_key == second.fit_key and operation == phase.lower():
            reaches()

    evaluated = []

    def evaluates() -> None:
        evaluated.append(phase)
        if phase == "Eval" and len(evaluated) == 2:
            reaches()

    def action() -> dict[str, Any]:
        PausingHR.meets = staticmethod(evaluates)
        compute(root, meets, (NDCG(10), PausingHR(10)))
        return {}

    return action


def stop_in(root: Path, phase: str) -> Callable[[], dict[str, Any]]:
    """Return what a child does that stops itself when the second item has come to a phase, as its worker says."""
    second = plant.items()[1]

    def is_there(record: Record) -> bool:
        return bool((record["item"], record["phase"]) == (second.name, phase))

    def stop() -> None:
        deadline = time.monotonic() + PATIENCE
        while not any(
            is_there(record) for key, record in read_all(root / "store").items() if key.startswith("worker/")
        ):
            assert time.monotonic() < deadline, "the worker says where it is"
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGSTOP)

    return computes_until(root, phase, stop)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def exported(root: Path) -> Answers:
    """What progress.json says after an export of this process, which is not the one that computes."""
    store = CheckpointStore(root)
    try:
        assert Exports(store).refresh(immediately=True) == ""
    finally:
        store.close()
    return written(root)


def written(root: Path) -> Answers:
    """What progress.json says."""
    items = json.loads((root / "progress.json").read_text(encoding="utf-8"))["items"]
    return {name: (item["status"], item["phase"]) for name, item in items.items()}


def computed_by(root: Path) -> dict[str, str]:
    """Who computes items, as progress.json says."""
    items = json.loads((root / "progress.json").read_text(encoding="utf-8"))["items"]
    return {name: item["computed_by"] for name, item in items.items() if "computed_by" in item}


def asked(root: Path) -> Answers:
    """What Python says."""
    return {name: (item["status"], item["phase"]) for name, item in open_store(root).items().items()}


def selected(root: Path) -> Answers:
    """What SQL says over the database alone, without omnibench."""
    with closing(sqlite3.connect(f"{(root / 'store' / 'cache.db').as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT item, status, phase FROM items").fetchall()
    return {item: (status, phase) for item, status, phase in rows}


def selected_now(root: Path) -> Answers:
    """What SQL says over the records as of now."""
    rows = open_store(root).sql("SELECT item, status, coalesce(phase, '') AS phase FROM items").to_dict("records")
    return {row["item"]: (row["status"], row["phase"] or None) for row in rows}


def commanded(root: Path, capsys: pytest.CaptureFixture[str]) -> Answers:
    """What ``omnibench status`` says: statuses as JSON; for people also where an item was stopped."""
    assert main(["status", "--json", "--store", str(root)]) == 0
    statuses = json.loads(capsys.readouterr().out)["items"]
    assert main(["status", "--all", "--store", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    stopped = [re.fullmatch(r"  interrupted  [0-9a-f]{8}  (\S+)  \(in (\w+)\)(?:  \(.+\))?", line) for line in lines]
    items = open_store(root).items()
    names = recorded_names(items.values())
    called = {names.recorded_item(item): name for name, item in items.items()}
    phases = {called[match[1]]: match[2] for match in stopped if match}
    assert phases.keys() == {name for name, status in statuses.items() if status == "interrupted"}
    return {name: (status, phases.get(name)) for name, status in statuses.items()}


def without_phases(answers: Answers) -> Answers:
    """What the command can say of these answers."""
    return {name: (status, phase if status == "interrupted" else None) for name, (status, phase) in answers.items()}


@pytest.mark.parametrize("phase", ["Fit", "Predict", "Eval"])
def test_everybody_sees_a_run_and_its_kill(phase: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While an item is computed it is running in its phase; after SIGKILL it was interrupted there.

    What lies there to be read without a look at the locks, progress.json and the view of the bare database, says so
    before.
    """
    root = tmp_path / "checkpoints"
    child = Child(stop_in(root, phase), tmp_path / "log")
    try:
        deadline = time.monotonic() + PATIENCE
        while not is_stopped(child.pid):
            assert child.poll() is None, "it does not end"
            assert time.monotonic() < deadline, "it comes to the phase"
            time.sleep(0.02)
        expected: Answers = {
            NAMES[0]: ("done", "Done"),
            NAMES[1]: ("running", phase),
            NAMES[2]: ("pending", None),
            NAMES[3]: ("pending", None),
        }
        assert asked(root) == selected_now(root) == expected
        assert commanded(root, capsys) == without_phases(expected)
        interrupted = {**expected, NAMES[1]: ("interrupted", phase)}
        assert exported(root) == selected(root) == interrupted
        assert f"process {child.pid} on" in computed_by(root)[NAMES[1]]
    finally:
        child.send(signal.SIGKILL)
    assert child.wait().status == KILLED
    assert written(root) == exported(root) == asked(root) == selected(root) == selected_now(root) == interrupted
    assert commanded(root, capsys) == without_phases(interrupted)
    assert computed_by(root) == {}


def test_progress_is_written_while_an_item_is_computed(tmp_path: Path) -> None:
    """progress.json is written while an item is computed, not only when one has ended."""
    root = tmp_path / "checkpoints"

    def meets(operation: str, fit_key: str) -> None:
        deadline = time.monotonic() + PATIENCE
        phase = {"fit": "Fit", "predict": "Predict"}[operation]
        name = next(item.name for item in plant.items() if item.fit_key == fit_key)
        while not (root / "progress.json").exists() or written(root)[name] != ("interrupted", phase):
            assert time.monotonic() < deadline, "progress.json says so"
            time.sleep(0.02)

    compute(root, meets)
    assert set(written(root).values()) == {("done", "Done")}


@pytest.mark.parametrize("phase", ["Predict", "Eval"])
def test_progress_is_right_as_a_kill_leaves_it(phase: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is killed a moment after a phase has begun leaves copies that agree with everybody else."""
    root = tmp_path / "checkpoints"

    def kill() -> None:
        deadline = time.monotonic() + PATIENCE
        while written(root)[NAMES[1]] != ("interrupted", phase) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGKILL)

    assert Child(computes_until(root, phase, kill), tmp_path / "log").wait().status == KILLED
    expected: Answers = {
        NAMES[0]: ("done", "Done"),
        NAMES[1]: ("interrupted", phase),
        NAMES[2]: ("pending", None),
        NAMES[3]: ("pending", None),
    }
    assert written(root) == asked(root) == selected(root) == selected_now(root) == expected
    assert commanded(root, capsys) == without_phases(expected)
    rows = json.loads((root / "results.json").read_text())["results"]
    assert sorted(row["value"] for row in rows) == sorted(open_store(root).results()["value"])


@pytest.fixture
def ended(tmp_path: Path) -> Path:
    """A store with an item that is done, one that failed, one that Ctrl-C stopped and one that was never begun."""
    fit_keys = [item.fit_key for item in plant.items()]

    def meets(operation: str, fit_key: str) -> None:
        if (operation, fit_key) == ("fit", fit_keys[1]):
            raise GuestError("out of order")
        if (operation, fit_key) == ("predict", fit_keys[2]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(tmp_path / "checkpoints", meets)
    return tmp_path / "checkpoints"


def test_everybody_agrees_on_every_end(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Done, failed, interrupted by a signal, and pending."""
    expected: Answers = {
        NAMES[0]: ("done", "Done"),
        NAMES[1]: ("failed", "Fit"),
        NAMES[2]: ("interrupted", "Predict"),
        NAMES[3]: ("pending", None),
    }
    assert written(ended) == exported(ended) == asked(ended) == selected(ended) == selected_now(ended) == expected
    assert commanded(ended, capsys) == without_phases(expected)


def test_everybody_agrees_on_items_without_a_record_of_their_own(ended: Path) -> None:
    """It may be damaged; phases that are recorded tell of it all the same."""
    fit_key = plant.items()[2].fit_key
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = CheckpointStore(ended)
        with store.lease(fit_key) as lease:
            store.commit(lease, {}, {RecordType.ITEM.key(fit_key): {}})
        store.close()
    assert asked(ended)[NAMES[2]] == ("interrupted", "Predict")
    assert exported(ended) == asked(ended) == selected(ended) == selected_now(ended)


@pytest.mark.parametrize(
    "change",
    ["replace(value, '\"fold\": ', '\"fold\":  ')", 'replace(value, \'{"item"\', \'{"status": "done", "item"\')'],
)
def test_everybody_agrees_on_a_damaged_record_that_seems_to_be_of_a_done_item(ended: Path, change: str) -> None:
    """Its phases count, as of an item without a record: that it says it is done is worth nothing."""
    names = NAMES[:1] if "fold" in change else NAMES[:4]
    with closing(sqlite3.connect(ended / "store" / "cache.db", isolation_level=None)) as connection:
        for item in plant.items():
            if item.name in names:
                key = RecordType.ITEM.key(item.fit_key)
                connection.execute(f"UPDATE Cache SET value = {change} WHERE key = ?", (key,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = asked(ended)
        assert expected[NAMES[0]] == ("interrupted", "Eval")
        assert exported(ended) == expected


phases = st.sampled_from([*(phase.value for phase in WORKED), "starting LensKit for Fit"])
stopped = st.sampled_from([phase.value for phase in WORKED])
marks = st.fixed_dictionaries(
    {
        "status": st.sampled_from([status.value for status in Status if status is not Status.RUNNING] + [None]),
        "phase": stopped,
        "length": st.sampled_from([10, 20]),
        "fitted": st.booleans(),
        "predicted": st.sets(st.sampled_from([10, 20])),
        "workers": st.lists(st.tuples(phases, st.booleans()), max_size=2),
    }
)
"""What the records say of an item."""


def records_of(name: str, facts: dict[str, Any]) -> dict[str, Record]:
    """Records of an item, as far as its status depends on them."""
    labels = {"item": name, "fit_key": name}
    item = pending_item(labels)
    if facts["status"] != "pending":
        phase = "Done" if facts["status"] == "done" else facts["phase"]
        item |= {"status": facts["status"], "phase": phase, "predict_key": f"{name}-{facts['length']}"}
    records = {} if facts["status"] is None else {f"item/{name}": item}
    records |= {f"fit/{name}": labels} if facts["fitted"] else {}
    if (
        facts["fitted"] or facts["status"] is not None
    ):  # of items whose own record and model are damaged SQL knows nothing
        records |= {f"predict/{name}-{length}": labels for length in facts["predicted"]}
    for number, (phase, ended) in enumerate(facts["workers"]):
        worker = {"item": name, "phase": phase, "ended": "then" if ended else None, "lock": "tmp/gone"}
        records[f"worker/{name}.{number}"] = worker
    return records


class WithoutPhases(RecordsInMemory):
    """Records of which all items seem to be done, as a reader finds some whose records are damaged."""

    def phases_of_others(self) -> tuple[list[tuple[str, Record]], set[str]]:
        """Return no phases."""
        names = {key.partition("/")[2] for key, _ in self.records("item/")}
        return [
            (key, record)
            for prefix in ("fit/", "predict/")
            for key, record in self.records(prefix)
            if record["fit_key"] not in names
        ], names


@given(st.lists(marks, min_size=1, max_size=4))
def test_phases_that_were_not_looked_at_count_where_an_item_is_not_done(items: list[dict[str, Any]]) -> None:
    """A reader passes over the phases of items that seem to be done; what else they are is found all the same."""
    records = {
        key: record for number, facts in enumerate(items) for key, record in records_of(f"item {number}", facts).items()
    }

    def answers(source: RecordsInMemory) -> Answers:
        states = item_states(source, {}, lambda _: False)
        return {recorded.record["item"]: (recorded.state.status.value, recorded.state.phase) for recorded in states}

    assert answers(WithoutPhases(records)) == answers(RecordsInMemory(records))


@given(st.lists(marks, min_size=1, max_size=4))
def test_sql_has_the_same_answer_for_all_records(items: list[dict[str, Any]]) -> None:
    """The SQL view says what ``status_of`` says, whatever is recorded."""
    records: dict[str, Record] = {}
    for number, facts in enumerate(items):
        records |= records_of(f"item {number}", facts)
    workers = [record for key, record in records.items() if key.startswith("worker/")]
    answers = {
        recorded_state.record["item"]: (recorded_state.state.status.value, recorded_state.state.phase)
        for recorded_state in item_states(
            RecordsInMemory(records), sightings(Path("/nowhere"), workers), lambda _: False
        )
    }
    _, rows = select(records.items(), "SELECT item, status, phase FROM items", ())
    assert {item: (status, phase) for item, status, phase in rows} == answers
    assert len(rows) == len(answers)


def state(item: Record | None, *keys: str, **more: Any) -> tuple[str, str | None]:
    status, phase = status_of(item, finished_phases(item, keys), **more)
    return status.value, phase


def test_the_phase_is_the_one_to_go_on_with() -> None:
    """Behind what is finished, or later when somebody was seen there; lists of another length are not finished."""
    pending = pending_item({"item": "A", "fit_key": "a"})
    assert state(None) == state(pending) == ("pending", None)
    assert state(pending, "fit/a") == ("interrupted", "Predict")
    assert state(pending, "fit/a", "predict/p") == ("interrupted", "Eval")
    assert state(pending, "fit/a", last_seen="Prepare") == ("interrupted", "Predict")
    assert state(pending, last_seen="Prepare") == ("interrupted", "Prepare")
    assert state(pending, last_seen="starting RecPack for Fit") == ("interrupted", "Fit")
    longer = {**pending, "status": "interrupted", "phase": "Predict", "predict_key": "longer"}
    assert state(longer, "fit/a", "predict/p") == ("interrupted", "Predict")
    assert state(longer, "fit/a", "predict/longer") == ("interrupted", "Eval")
    rebuilt = {**pending, "status": "interrupted", "phase": "Done", "predict_key": "p"}
    assert state(rebuilt, "fit/a") == ("interrupted", "Predict")


def test_who_computes_an_item_is_asked_first() -> None:
    """A failure or an interruption of earlier is over while somebody tries again; what is done stays done."""
    failed = {**pending_item({"item": "A", "fit_key": "a"}), "status": "failed", "phase": "Eval", "predict_key": "p"}
    assert state(failed, "fit/a", last_seen="Fit") == ("failed", "Eval")
    assert state(failed, "fit/a", last_seen="Predict", running=True) == ("running", "Predict")
    assert state({**failed, "status": "done"}, "fit/a", running=True) == ("done", "Done")
    assert state(None, running=True) == ("running", "Fit")
    assert status_of(None, ()) == ItemState(Status.PENDING, None)
