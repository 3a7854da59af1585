"""The coordinator: what a run refuses before any Fit, which items it computes, and how they end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.markers import starts_guests
from support.scripted_items import DATA, METRICS, interactions, item_of, plan_of

from omnibench import (
    HR,
    NDCG,
    RMSE,
    Coordinator,
    Evaluator,
    ExperimentPlan,
    ItemsFailedError,
    MakeImplicit,
    Policy,
    UserCrossValidation,
    UserHoldout,
    from_file,
    from_frame,
    run_omnirec,
)
from omnibench.engine.items import Item
from omnibench.engine.records import opening_records
from omnibench.engine.run import CACHED, SKIPPED, Outcome, recorded_outcome
from omnibench.engine.survey import State
from omnibench.errors import DataError, EvaluationError, OmnibenchError, PhaseError, PlanError, StoreError
from omnibench.runners.environments import Environments
from omnibench.runners.gateway import GUEST_MARK, Guest
from omnibench.runners.pool import GuestPool, Guests
from omnibench.store.reading import read_all
from omnibench.store.schema import RecordType

Open = Callable[..., Coordinator]


@pytest.fixture
def lines() -> list[str]:
    """What coordinators tell."""
    return []


@pytest.fixture(scope="module")
@starts_guests
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestPool]:
    """Guest processes that the coordinators of several tests share, because each start takes a second."""
    pool = GuestPool(Environments(), tmp_path_factory.mktemp("guests"), 1, lambda *_: None, lambda _: None)
    yield pool
    pool.close()


@pytest.fixture
def open_coordinator(tmp_path: Path, lines: list[str], guests: GuestPool) -> Iterator[Open]:
    """Open coordinators with shared guests on one store; they are closed at the end."""
    opened: list[tuple[Coordinator, Guests]] = []

    def open_another(**policy: Any) -> Coordinator:
        root = tmp_path / "checkpoints"
        coordinator = Coordinator(root, threads=1, notify=lines.append, policy=Policy(**policy))
        opened.append((coordinator, coordinator.guests))
        coordinator.workbench.guests = guests
        return coordinator

    yield open_another
    for coordinator, own_guests in opened:
        coordinator.workbench.guests = own_guests  # which are the ones that it closes
        coordinator.close()


@pytest.fixture
def coordinator(open_coordinator: Open) -> Coordinator:
    """A coordinator with shared guests."""
    return open_coordinator()


@pytest.fixture
@starts_guests
def whole_coordinator(tmp_path: Path, lines: list[str]) -> Iterator[Coordinator]:
    """A coordinator as scripts have it, with guests of its own."""
    with Coordinator(tmp_path / "checkpoints", threads=1, notify=lines.append) as opened:
        yield opened


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The file that tells the algorithm of a test what to do."""
    return tmp_path / "script"


def records(coordinator: Coordinator, record_type: RecordType) -> dict[str, dict[str, Any]]:
    """Return the records of a type, by key."""
    return {key: entry for key, entry in coordinator.store.snapshot().items() if record_type.has(key)}


def fits(coordinator: Coordinator) -> int:
    return len(records(coordinator, RecordType.FIT))


@pytest.mark.parametrize(("keep", "kept"), [("auto", True), ("all", True), ("best", True), ("none", False)])
def test_a_script_says_which_models_are_kept(open_coordinator: Open, script: Path, keep: str, kept: bool) -> None:
    """The policy says it; the item is done either way, and longer lists come from the model or from another fit."""
    coordinator = open_coordinator(keep_models=keep)
    first = coordinator.run(DATA, plan_of(script), Evaluator(NDCG(5))).results
    fit_keys = [result.fit_key for result in first]
    models = [coordinator.store.root / fit["model"]["path"] for fit in records(coordinator, RecordType.FIT).values()]
    assert [path.exists() for path in models] == [kept] * len(fit_keys)
    assert coordinator.run(DATA, plan_of(script), Evaluator(NDCG(5))).results == first
    finished = {key: fit["worker"] for key, fit in records(coordinator, RecordType.FIT).items()}
    again = open_coordinator(keep_models=keep)
    longer = again.run(DATA, plan_of(script), Evaluator(NDCG([5, 30]))).results
    assert [result.metrics["NDCG@5"] for result in longer] == [result.metrics["NDCG@5"] for result in first]
    unchanged = {key: fit["worker"] for key, fit in records(again, RecordType.FIT).items()} == finished
    assert unchanged is kept


def test_a_run_computes_everything_once(tmp_path: Path, whole_coordinator: Coordinator, lines: list[str]) -> None:
    """Every configuration and fold; the results are those of the records, and the next run computes nothing."""
    data = from_frame(interactions(), "tiny").pipe(MakeImplicit(2), UserCrossValidation(2))
    plan = plan_of(tmp_path / "first", tmp_path / "second")
    evaluator = whole_coordinator.run(data, plan, Evaluator(NDCG(5)))
    assert [result.fold for result in evaluator.results] == [0, 1, 0, 1]
    assert fits(whole_coordinator) == 4
    items = records(whole_coordinator, RecordType.ITEM)
    for result in evaluator.results:
        recorded = items[RecordType.ITEM.key(result.fit_key)]["metrics"]
        assert result.metrics == {label: metric["value"] for label, metric in recorded.items()}
    root = whole_coordinator.store.root
    assert lines[0] == f"4 items: 0 done, 0 failed, 4 pending ({root})"
    assert [line.partition(" ")[0] for line in lines[1:]] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    whole_coordinator.close()
    lines.clear()
    with Coordinator(root, threads=1, notify=lines.append) as second:
        cached = second.run(data, plan, Evaluator(NDCG(5)))
        assert not second.guests.is_alive(item_of(tmp_path / "first").experiment.configuration.runner)
    assert cached.results == evaluator.results
    assert lines == [f"4 items: 4 done, 0 failed, 0 pending ({root})"]
    runs = [entry for key, entry in read_all(root / "store").items() if RecordType.RUN.has(key)]
    assert len(runs) == 1, "a run that has nothing to compute is not recorded"
    assert (runs[0]["items"], runs[0]["pending"]) == (4, 4)
    assert runs[0]["ended"] >= runs[0]["started"]


def test_the_exports_are_written_at_the_end(whole_coordinator: Coordinator, script: Path) -> None:
    """The exports are written at the end, and the log has what the guest printed, with its item."""
    item = item_of(script)
    whole_coordinator.run(DATA, plan_of(script), Evaluator(*METRICS))
    root = whole_coordinator.store.root
    assert item.experiment.name in (root / "progress.json").read_text()
    assert item.experiment.algorithm_name in (root / "results.json").read_text()
    whole_coordinator.close()
    printed = (root / "out.log").read_text().splitlines()
    (fitting,) = (line for line in printed if " fitting on " in line)
    assert fitting.startswith(f"[{item.experiment.name}] fitting on ")


def test_plans_and_data_that_do_not_go_together_are_refused(coordinator: Coordinator, script: Path) -> None:
    """Plans and data that do not go together are refused before anything is computed or recorded."""
    plan, raw = plan_of(script), from_frame(interactions(), "tiny")
    explicit = raw.pipe(UserHoldout(0, 0.3))
    refusals: list[tuple[type[OmnibenchError], str, Any, Any, Any]] = [
        (DataError, "there is no dataset", [], plan, Evaluator(*METRICS)),
        (DataError, "without a split", raw.pipe(MakeImplicit(2)), plan, Evaluator(*METRICS)),
        (PlanError, "is empty", DATA, ExperimentPlan(), Evaluator(*METRICS)),
        (PlanError, "give an ExperimentPlan", DATA, "plan", Evaluator(*METRICS)),
        (EvaluationError, "has no metric", DATA, plan, Evaluator()),
        (
            PlanError,
            "predicts no ratings, .* keeps the ratings for those that rank",
            explicit,
            plan,
            Evaluator(*METRICS),
        ),
        (EvaluationError, "RMSE judges predicted ratings", DATA, plan, Evaluator(RMSE())),
        (PlanError, "predicts no ratings", explicit, plan, Evaluator(RMSE())),
    ]
    for error, message, data, refused, evaluator in refusals:
        with pytest.raises(error, match=message):
            coordinator.run(data, refused, evaluator)
    assert records(coordinator, RecordType.ITEM) == records(coordinator, RecordType.RUN) == {}


def test_an_impossible_dataset_is_refused_before_any_fit(coordinator: Coordinator, script: Path) -> None:
    """Although it is the second of two, and the first could be fitted on."""
    frame = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "rating": 1})
    empty = from_frame(frame, "empty").pipe(MakeImplicit(3), UserHoldout(0, 0.5))
    with pytest.raises(DataError, match=r"MakeImplicit\(3\) leaves no interaction"):
        coordinator.run([DATA, empty], plan_of(script), Evaluator(*METRICS))
    assert fits(coordinator) == 0
    assert records(coordinator, RecordType.ITEM) == {}


def test_a_file_that_is_gone_is_refused_by_name(coordinator: Coordinator, script: Path, tmp_path: Path) -> None:
    """A dataset whose file cannot be loaded is refused by name, and nothing is computed."""
    path = tmp_path / "data.csv"
    path.write_text("user,item\n1,1\n")
    data = from_file(path).pipe(UserHoldout(0, 0.3))
    _ = data.key
    path.unlink()
    with pytest.raises(OmnibenchError, match=r"data\.csv"):
        coordinator.run(data, plan_of(script), Evaluator(*METRICS))
    assert fits(coordinator) == 0


def test_failures_are_told_after_all_others_are_done(tmp_path: Path, coordinator: Coordinator) -> None:
    """Failures are raised after all other items are done, with the results of those and the error of each failure."""
    scripts = [tmp_path / name for name in ("fails", "works", "fails_too")]
    scripts[0].write_text("fit raise")
    scripts[2].write_text("recommend raise")
    with pytest.raises(ItemsFailedError) as caught:
        coordinator.run(DATA, plan_of(*scripts), Evaluator(*METRICS))
    names = [item_of(script).experiment.name for script in scripts]
    assert str(caught.value).startswith(f"2 of 3 items failed, the first is {names[0]}: Fit failed: RuntimeError: told")
    assert list(caught.value.failures) == [names[0], names[2]]
    assert caught.value.failures[names[2]].phase == "Predict"
    assert [result.fit_key for result in caught.value.evaluator.results] == [item_of(scripts[1]).experiment.fit_key]


def outcome_under(open_coordinator: Open, item: Item, **policy: Any) -> Outcome:
    """Run an item under a policy."""
    return open_coordinator(**policy).run_item(item)


def test_items_that_failed_are_retried_skipped_or_replayed(open_coordinator: Open, script: Path) -> None:
    """The policy decides whether failed items are retried, skipped or replayed; only a retry computes anything."""
    item = item_of(script)
    script.write_text("fit raise")
    assert outcome_under(open_coordinator, item).status == "failed"
    script.unlink()
    skipped = outcome_under(open_coordinator, item, failed="skip")
    assert (skipped.status, skipped.seconds, skipped.replayed) == (SKIPPED, {}, False)
    replayed = outcome_under(open_coordinator, item, failed="replay")
    assert (replayed.status, replayed.seconds, replayed.replayed) == ("failed", {}, True)
    for outcome in (skipped, replayed):
        assert outcome.error is not None
        assert (outcome.error.phase, outcome.error.message) == ("Fit", "RuntimeError: told to fail in fit")
        assert "Traceback" in outcome.error.details
        assert outcome.result.metrics == {}
    retried = outcome_under(open_coordinator, item)
    assert (retried.status, list(retried.seconds)) == ("done", ["Fit", "Predict", "Eval"])
    for failed in ("skip", "replay", "retry"):  # it is done, whatever the policy says of failures
        cached = outcome_under(open_coordinator, item, failed=failed)
        assert (cached.status, cached.result) == (CACHED, retried.result)


def test_an_item_that_keeps_dying_is_not_tried_again(open_coordinator: Open, script: Path) -> None:
    """After as many deaths in a row as the policy allows; a larger number tries once more."""
    item = item_of(script)
    script.write_text("fit die")
    coordinator = open_coordinator(max_attempts=2)
    tried = [coordinator.run_item(item) for _ in range(3)]
    assert [bool(outcome.seconds) for outcome in tried] == [True, True, False]
    assert [outcome.replayed for outcome in tried] == [False, False, True]
    error = tried[-1].error
    assert error is not None
    assert error.died
    assert error.message.startswith(
        "its process died 2 times in a row, so it is not tried again; --omnirec-max-attempts=3"
    )
    assert "SIGSEGV" in error.message
    script.unlink()
    assert outcome_under(open_coordinator, item, max_attempts=2).replayed
    assert outcome_under(open_coordinator, item, max_attempts=3).status == "done"


FAILURE = {"phase": "Fit", "message": "no memory", "details": "traceback"}


@pytest.mark.parametrize(
    ("state", "policy", "status"),
    [
        (State(), Policy(failed="skip"), None),
        (State(error=FAILURE), Policy(), None),
        (State(error=FAILURE, deaths=2), Policy(), None),
        (State(error=FAILURE, deaths=3), Policy(), "failed"),
        (State(error=FAILURE, deaths=3), Policy(failed="skip"), "skipped"),
        (State(error=FAILURE), Policy(failed="replay"), "failed"),
        (State({}), Policy(failed="replay"), "cached"),
    ],
)
def test_what_is_recorded_decides_what_is_tried(state: State, policy: Policy, status: str | None, script: Path) -> None:
    """Three deaths in a row are the default; metrics that are all undefined are metrics, too."""
    outcome = recorded_outcome(item_of(script).experiment, state, policy)
    assert (outcome and outcome.status) == status


def test_a_run_that_has_to_resume_needs_something_to_resume(open_coordinator: Open, script: Path) -> None:
    """Anything that was computed or tried will do, also under other metrics; a plan that was only recorded will not."""
    require = open_coordinator(resume="require")
    with pytest.raises(OmnibenchError, match="there is nothing to resume"):
        require.run(DATA, plan_of(script), Evaluator(*METRICS))
    item = item_of(script)
    require.begin([item.experiment], [State()])
    with pytest.raises(OmnibenchError, match="there is nothing to resume"):
        require.run(DATA, plan_of(script), Evaluator(*METRICS))
    assert fits(require) == 0
    open_coordinator().run_item(item)
    assert len(require.run(DATA, plan_of(script), Evaluator(HR(3))).results) == 1


def test_a_fresh_run_computes_anew_and_keeps_the_old(open_coordinator: Open, script: Path) -> None:
    """A fresh run computes anew in a generation of its own and keeps the old one."""
    first = open_coordinator().run(DATA, plan_of(script), Evaluator(NDCG(5)))
    fresh = open_coordinator(resume="fresh")
    recomputed = fresh.run(DATA, plan_of(script), Evaluator(NDCG(5)))
    assert recomputed.results == first.results
    (item,) = records(fresh, RecordType.ITEM).values()
    assert item["generation"] == 1
    (model,) = records(fresh, RecordType.FIT).values()
    assert "/generation_1/" in model["model"]["path"]
    old = records(fresh, RecordType.OLD)
    assert {key.split("/")[2] for key in old} == {"item", "fit", "predict", "eval"}
    assert all(entry["kept"] for entry in old.values())


@pytest.mark.guests
def test_a_run_that_keeps_nothing_leaves_nothing(tmp_path: Path, script: Path) -> None:
    """A run that keeps nothing leaves no file anywhere, and ignores the store that is there."""
    root = tmp_path / "checkpoints"
    with Coordinator(root, threads=1, notify=lambda _: None, policy=Policy(resume="never")) as coordinator:
        elsewhere = coordinator.store.root
        assert root not in elsewhere.parents
        coordinator.run(DATA, plan_of(script), Evaluator(*METRICS))
        assert fits(coordinator) == 1
    assert not root.exists()
    assert not elsewhere.exists()


@pytest.mark.guests
def test_scripts_and_coordinators_share_keys_and_store(tmp_path: Path, script: Path, lines: list[str]) -> None:
    """What one computed, the other finds."""
    first = run_omnirec(DATA, plan_of(script), Evaluator(NDCG(5)), tmp_path / "checkpoints")
    with Coordinator(tmp_path / "checkpoints", notify=lines.append) as coordinator:
        second = coordinator.run(DATA, plan_of(script), Evaluator(NDCG(5)))
    assert lines[0].startswith("1 item: 1 done")
    assert second.results == first.results


HOLD = """
import sys
from pathlib import Path
from omnibench.store.leases import lease

with lease(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_elsewhere(coordinator: Coordinator, item: Item) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the lease of an item until it is told a line."""
    lock = coordinator.store.root / "leases" / f"{item.experiment.fit_key}.lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def release(holder: subprocess.Popen[str]) -> None:
    assert holder.stdin is not None
    holder.stdin.write("\n")
    holder.stdin.flush()


def test_an_item_that_another_process_computes_is_waited_for(
    open_coordinator: Open, lines: list[str], script: Path
) -> None:
    """An item that another process computes is waited for, and computed if that process ends without a result."""
    item, coordinator = item_of(script), open_coordinator()
    with held_elsewhere(coordinator, item) as holder:
        wait = lines.append

        def tell(line: str) -> None:
            wait(line)
            release(holder)

        coordinator._user_notify = tell
        outcome = coordinator.run_item(item)
    assert lines == [
        f"{item.experiment.label}: waiting for process {holder.pid} on {os.uname().nodename}, which computes it"
    ]
    assert outcome.status == "done"


def test_an_item_that_another_process_finishes_is_not_computed_again(
    open_coordinator: Open, lines: list[str], script: Path
) -> None:
    """Whoever waited finds it done when it gets the lease."""
    item, finisher = item_of(script), open_coordinator()
    expected = finisher.run_item(item)
    done = finisher.store.records.get(item.record_key)
    assert done is not None
    evaluations = records(finisher, RecordType.EVAL)
    finisher.store.records.commit({}, [item.record_key, *evaluations])  # as it was before it had finished
    coordinator = open_coordinator()
    with held_elsewhere(coordinator, item) as holder:

        def finish(_: str) -> None:
            finisher.store.records.commit({item.record_key: done, **evaluations})
            release(holder)

        coordinator._user_notify = finish
        outcome = coordinator.run_item(item)
    assert (outcome.status, outcome.result, outcome.seconds) == (CACHED, expected.result, {})
    assert lines == []


def test_a_death_is_not_noted_while_somebody_computes_the_item(coordinator: Coordinator, script: Path) -> None:
    """Another worker has taken it over already; afterwards it is noted, and counts."""
    item = item_of(script)
    with held_elsewhere(coordinator, item) as holder:
        with pytest.raises(StoreError, match=f"process {holder.pid} .*computes it"):
            coordinator.note_death(item.experiment, "worker gw1 was killed")
        assert coordinator.store.records.get(item.record_key) is None
    coordinator.note_death(item.experiment, "worker gw1 was killed")
    recorded = coordinator.store.records.get(item.record_key)
    assert recorded is not None
    assert (recorded["status"], recorded["deaths"]) == ("failed", 1)


def test_items_that_somebody_computes_are_not_reset(coordinator: Coordinator, lines: list[str], script: Path) -> None:
    """Items that somebody computes are not reset, and a message names them."""
    item = item_of(script)
    coordinator.run_item(item)
    with held_elsewhere(coordinator, item):
        reset = coordinator.reset([item.experiment])
    assert (reset.items, reset.busy) == ((), (item.experiment.fit_key,))
    assert lines == [f"{item.experiment.name}: computed by another process right now, so not reset"]
    assert coordinator.run_item(item).status == CACHED


def test_a_store_that_cannot_be_used_ends_the_run(coordinator: Coordinator, script: Path) -> None:
    """A store that cannot be used ends the run with what to do; it is no failure of the item."""
    item = item_of(script)
    coordinator.run_item(item)
    directory = coordinator.store.root / item.experiment.dataset_name / item.experiment.algorithm_name
    coordinator.reset([item.experiment])
    (directory / "generation_1").write_text("a file where a directory has to be")
    with pytest.raises(StoreError, match=r"cannot be used .*make them readable and writable, and run again") as caught:
        coordinator.run_item(item)
    assert isinstance(caught.value.__cause__, OSError)
    assert coordinator.workbench.current == ""


def test_the_beginning_of_a_run_records_what_it_plans(coordinator: Coordinator, script: Path) -> None:
    """The run, the recipe of its data, and the items that have no record yet, as pending; others stay as they are."""
    recorded, new = item_of(script), item_of(script.with_name("another"))
    coordinator.run_item(recorded)
    before = coordinator.store.records.get(recorded.record_key)
    planned, states = [recorded.experiment, new.experiment], [State({}, recorded=True), State()]
    opening = opening_records(coordinator.run_id, planned, states, coordinator.policy, script.parent)
    assert [key for key in opening if RecordType.ITEM.has(key)] == [new.record_key]
    coordinator.begin(planned, states)
    (run,) = records(coordinator, RecordType.RUN).values()
    assert (run["id"], run["items"], run["pending"], run["ended"]) == (coordinator.run_id, 2, 1, None)
    assert run["policy"]["failed"] == "retry"
    assert coordinator.store.records.get(recorded.record_key) == before
    pending = coordinator.store.records.get(new.record_key)
    assert pending is not None
    assert (pending["status"], pending["phase"], pending["metrics"]) == ("pending", None, {})
    assert pending["identity"] == new.experiment.recorded_identity
    assert RecordType.RECIPE.key(DATA.key) in records(coordinator, RecordType.RECIPE)
    coordinator.close()
    closed = read_all(coordinator.store.root / "store")
    assert closed[RecordType.RUN.key(coordinator.run_id)]["ended"] is not None


def test_a_guest_may_not_run_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script without a guard would run itself while a guest imports a class from it."""
    monkeypatch.setenv(GUEST_MARK, "1")
    with pytest.raises(OmnibenchError, match='Put the run below `if __name__ == "__main__":`'):
        Coordinator(tmp_path / "checkpoints")
    assert not (tmp_path / "checkpoints").exists()


def test_a_coordinator_can_be_closed_twice(whole_coordinator: Coordinator, lines: list[str], script: Path) -> None:
    """Nothing is said about it, and no process is left."""
    whole_coordinator.run_item(item_of(script))
    guest = whole_coordinator.guests.get(item_of(script).experiment.configuration.runner)
    whole_coordinator.close()
    whole_coordinator.close()
    assert isinstance(guest, Guest)
    assert not guest.alive
    assert lines == []


def test_errors_of_earlier_runs_are_as_they_were_recorded() -> None:
    """Phase, message and details."""
    error = PhaseError.recorded(FAILURE)
    assert (str(error), error.details) == ("Fit failed: no memory", "traceback")
