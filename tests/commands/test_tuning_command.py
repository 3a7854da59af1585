"""`omnibench tuning`, and what status, show, progress.json and `Store.trials()` say of searches."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from support import tuned
from support.stored import compute

from omnibench.commands.main import main
from omnibench.errors import PhaseError
from omnibench.store import CheckpointStore
from omnibench.store.builders import ItemLabels
from omnibench.store.deletion import delete
from omnibench.store.exports import Exports
from omnibench.store.item_records import failed_item, pending_item
from omnibench.store.queries import open_store
from omnibench.store.schema import Record, TrialStatus
from omnibench.store.views import select
from omnibench.tuning.budget import Tuning
from omnibench.tuning.distributions import Log
from omnibench.tuning.space import Space

DONE, OPEN, EMPTY = "1" * 64, "2" * 64, "3" * 64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a search that is done, one that was cut short, and one without a trial."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", DONE, fold=0, fixed={"alpha": 2})
    trials = [
        tuned.judge(store, labels, 0, {}, 0.1),
        tuned.judge(store, labels, 1, {"l2": 9995.5, "solver": "als"}, 0.3, epochs=7),
        tuned.judge(store, labels, 2, {"l2": 2.0, "solver": "als"}, 0.2, reused=True),
        tuned.judge(
            store,
            labels,
            3,
            {"l2": 3.0, "solver": "sgd"},
            None,
            status=TrialStatus.PRUNED,
            phases={"Fit": 0.5},
            history=[(1, 0.01), (2, math.nan)],
            pruned={"epoch": 2, "value": 0.01, "reason": "below the median"},
        ),
        tuned.judge(
            store,
            labels,
            4,
            {"l2": 4.0, "solver": "sgd"},
            None,
            status=TrialStatus.FAILED,
            phases={"Fit": 0.25},
            error={"phase": "Fit", "message": "MemoryError: too much\nmore of it", "details": "Traceback"},
        ),
    ]
    tuned.finish(
        store,
        labels,
        trials,
        edges=[["l2", 9995.5, "high"]],
        budget={"trials": 5, "seconds": None},
    )
    short = tuned.begin(store, "b", OPEN, fold=1, per_fold=False)
    tuned.judge(store, short, 0, {}, 0.25)
    tuned.judge(store, short, 1, {"l2": 1.5, "solver": "als"}, None, status=TrialStatus.PROPOSED)
    tuned.begin(store, "c", EMPTY, fold=2)
    Exports(store).refresh(immediately=True)
    store.close()
    return tmp_path / "store"


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(words) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.err


def test_without_an_item_there_is_a_line_per_search(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """State, trials of how many, the best value with its hyperparameters, seconds; and what a reader has to know."""
    output = run(capsys, "tuning", "--store", str(root)).splitlines()
    assert output[0].endswith("3 tuned items")
    lines = [" ".join(line.split()) for line in output[1:]]
    assert lines == [
        "done D/RecPack.EASE (tuned)/fold_0 5 of 30 trials (1 pruned, 1 failed) NDCG@10 0.3000 5.2 s l2=9996, solver=als",
        "l2 = 9996 lies at the upper edge of its range: widen it",
        "the search space has no more than 5 points, for a budget of 30 trials",
        "interrupted D/RecPack.EASE (tuned)/fold_1 1 of 30 trials NDCG@10 0.2500 1.5 s the defaults",
        "the search was not brought to its end: 1 of 30 trials",
        "tuned on the first fold for all: test interactions of the other folds took part in the choice",
        "interrupted D/RecPack.EASE (tuned)/fold_2 0 of 30 trials",
    ]


def test_an_item_has_its_trials_by_value(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With space, budget and sampler in words, where the seconds went, why trials were pruned or have failed."""
    output = run(capsys, "tuning", "fold_0", "--store", str(root), status=2)
    assert "fold_0" in output
    output = run(capsys, "tuning", "RecPack.EASE/fold_0", "--store", str(root))
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for line in (
        "search space l2: log 1 to 10000",
        "solver: als or sgd",
        "in all trials alpha=2",
        "budget 30 trials",
        "proposed by tpe in rounds of 4, no pruner",
        "judged by NDCG@10 on the validation part of fold 0",
        "tried 5 of 30 trials (1 pruned, 1 failed); 1 of them taken over from earlier ones, which took 1.5 s",
        "spent 5.2 s: Fit 3.8 s, Predict 0.8 s, Eval 0.8 s; pruned trials 10%, failed trials 5%",
        "chosen trial 1: l2=9996, solver=als, NDCG@10 0.300000 (the defaults, trial 0: 0.100000)",
        "note l2 = 9996 lies at the upper edge of its range: widen it",
    ):
        assert line in lines
    assert lines[lines.index("trials by value") + 1 :] == [
        "* 1 0.300000 l2=9996, solver=als 1.50 s epoch 7",
        "2 0.200000 l2=2, solver=als 1.50 s taken over",
        "0 0.100000 the defaults 1.50 s",
        "3 pruned l2=3, solver=sgd 0.50 s in epoch 2 with 0.0100: below the median",
        "4 failed l2=4, solver=sgd 0.25 s in Fit: MemoryError: too much",
    ]


def test_json_is_for_programs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that the lines say, as data; the trials themselves only of named items."""
    facts = json.loads(run(capsys, "tuning", "--json", "--store", str(root)))
    assert [each["state"] for each in facts] == ["done", "interrupted", "interrupted"]
    assert facts[0]["counts"] == {"finished": 5, "proposed": 0, "done": 3, "failed": 1, "pruned": 1, "reused": 1}
    assert facts[0]["seconds"]["all"] == 5.25
    assert facts[0]["edges"] == [["l2", 9995.5, "high"]]
    assert facts[1]["per_fold"] is False
    assert facts[2]["best"] is None
    assert "trials" not in facts[0]
    (whole,) = json.loads(run(capsys, "tuning", "RecPack.EASE/fold_1", "--json", "--store", str(root)))
    assert [trial["status"] for trial in whole["trials"]] == ["done", "proposed"]


def test_json_has_no_infinity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hyperparameter that is infinite is a text, so that every program can read the rest."""
    store = CheckpointStore(tmp_path / "store")
    tuned.judge(store, tuned.begin(store, "a", DONE), 0, {"age": math.inf}, 0.5)
    store.close()
    output = run(capsys, "tuning", "RecPack.EASE", "--json", "--store", str(tmp_path / "store"))
    (facts,) = json.loads(output, parse_constant=pytest.fail)
    assert facts["best"]["parameters"] == {"age": "Infinity"}


def test_an_item_that_is_not_tuned_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be done about it is said; a store without tuned items says how to get one."""
    store = CheckpointStore(tmp_path / "plain")
    compute(store, "a")
    store.close()
    plain = str(tmp_path / "plain")
    assert "is tuned; `plan.tune(" in run(capsys, "tuning", "Algorithm", "--store", plain, status=2)
    assert "plan.tune(algorithm, space)" in run(capsys, "tuning", "--store", plain)
    assert json.loads(run(capsys, "tuning", "--json", "--store", plain)) == []


def test_a_space_that_nobody_can_read_is_shown_as_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A later omnibench, or anybody, has recorded it: trials and values are shown all the same."""
    store = CheckpointStore(tmp_path / "store")
    strange: tuple[Any, ...] = ({"parameters": 3}, [1], {"parameters": {"l2": [{"type": "fractal"}]}, "constants": {}})
    for number, space in enumerate(strange):
        name = "abc"[number]
        labels = tuned.begin(store, name, f"{number}" * 64, space=space, tuning={"proposing": number})
        tuned.judge(store, labels, 0, {}, 0.25)
    store.close()
    root = str(tmp_path / "store")
    for command in (["tuning"], ["tuning", "RecPack.EASE"], ["tuning", "--json"], ["status"], ["show", "a" * 8]):
        output = run(capsys, *command, "--store", root)
        assert "0.25" in output or command == ["show", "a" * 8]
    assert "search space     unknown" in run(capsys, "tuning", "RecPack.EASE", "--store", root)


@pytest.mark.parametrize("payload", ["\x1b]0;EVIL\x07", "EVIL\n999 GOOD", "\u202eEVIL"])
def test_texts_of_trials_are_not_obeyed(payload: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names and values of hyperparameters, messages, reasons and labels of metrics may be anybody's."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", DONE, metric=payload, dataset_label=payload)
    tuned.judge(store, labels, 0, {payload: payload}, 0.1, epochs=3)
    tuned.judge(
        store,
        labels,
        1,
        {"l2": payload},
        None,
        status=TrialStatus.FAILED,
        error={"phase": payload, "message": payload, "details": payload},
    )
    pruned = {"epoch": 1, "value": 0.5, "reason": payload}
    tuned.judge(store, labels, 2, {}, None, status=TrialStatus.PRUNED, pruned=pruned)
    store.close()
    for command in (["tuning"], ["tuning", "RecPack.EASE"], ["status"], ["show", "a" * 8], ["why", "a" * 8]):
        output = run(capsys, *command, "--store", str(tmp_path / "store"))
        assert not re.search("[\x1b\x07\u202e]|^999", output, re.MULTILINE)


def test_status_show_and_progress_say_how_far_a_search_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A search that was cut short says its trials of how many and the best value; a done item what was chosen."""
    status = run(capsys, "status", "--store", str(root))
    assert "fold_1  (in Tune: trial 1 of 30, best so far NDCG@10 0.2500)" in status
    shown = run(capsys, "show", "RecPack.EASE/fold_0", "--store", str(root))
    assert "tuned            l2=9996, solver=als: trial 1, NDCG@10 0.3000 on validation data" in shown
    assert (
        "Tune             3.750 s in the trials, beside the Fit, peak unknown" in shown
    )  # without what was taken over
    progress = json.loads((root / "progress.json").read_text())["items"]
    search = {name.rpartition("/")[2]: item.get("trials") for name, item in progress.items()}
    assert search["fold_0"] is None
    assert search["fold_1"] == {"finished": 1, "of": 30, "metric": "NDCG@10", "best": 0.25}
    described = open_store(root).describe("RecPack.EASE/fold_0")
    assert described["tuning"]["chosen"]["number"] == 1
    assert described["title"] == "D/RecPack.EASE (tuned)/fold_0"


def test_trials_are_a_frame(root: Path) -> None:
    """A row per trial with its hyperparameters as a dictionary and in columns, its costs, and why it came to nothing."""
    frame = open_store(root).trials()
    assert len(frame) == 7
    first = frame[frame["search"] == DONE]
    assert first["status"].tolist() == ["done", "done", "done", "pruned", "failed"]
    assert first["chosen"].tolist() == [False, True, False, False, False]
    assert first["reused"].tolist() == [False, False, True, False, False]
    assert first["parameters"].tolist()[1] == {"l2": 9995.5, "solver": "als"}
    assert first["parameters.l2"].tolist()[1:] == [9995.5, 2.0, 3.0, 4.0]
    assert first["parameters.l2"].isna().tolist()[0]
    assert first["reason"].tolist()[3:] == ["below the median", "MemoryError: too much\nmore of it"]
    assert first["pruned_epoch"].tolist()[3] == 2
    assert first["fit_seconds"].sum() == 3.75
    assert frame["fold"].tolist() == [0] * 5 + [1] * 2


def test_programs_get_the_bounds_of_a_space(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Words are for people; the identity makes the space again."""
    facts = json.loads(run(capsys, "tuning", "--json", "--store", str(root)))
    space = Space.from_identity(facts[0]["space_identity"])
    assert dict(space.plain) == facts[0]["space"]
    assert space.identity == tuned.SPACE


def test_every_item_that_shares_a_search_has_its_trials(tmp_path: Path) -> None:
    """Three budgets over one search: rows per item and a choice per item, in the frame and in SQL; after one is deleted, too."""
    store = CheckpointStore(tmp_path / "store")
    first = tuned.begin(store, "a", DONE)
    trials: list[Record] = [tuned.judge(store, first, number, {"l2": 1.0 + number}, number / 10) for number in range(4)]
    error = {"phase": "Fit", "message": "no memory", "details": ""}
    trials.append(tuned.judge(store, first, 4, {}, None, status=TrialStatus.FAILED, error=error))
    tuned.finish(store, first, trials[:3], budget={"trials": 3, "seconds": None})
    for name, budget in (("b", 5), ("c", 2)):
        tuned.finish(store, tuned.begin(store, name, DONE), trials[:budget], budget={"trials": budget, "seconds": None})
    tuned.begin(store, "d", DONE)  # its plan allows 30
    opened = open_store(tmp_path / "store")
    names = [store.snapshot()[f"item/{name * 64}"]["item"] for name in "abcd"]

    def rows() -> list[tuple[str, list[int], list[int]]]:
        frame = opened.trials()
        sql = opened.sql("SELECT * FROM trials ORDER BY item IS NULL, item, number")
        columns = [
            "dataset",
            "algorithm",
            "search",
            "number",
            "status",
            "value",
            "fit_seconds",
            "pruned_value",
            "reason",
        ]
        assert frame[columns].astype("object").where(frame[columns].notna(), None).to_dict("list") == sql[
            columns
        ].astype("object").where(sql[columns].notna(), None).to_dict("list")
        assert frame["chosen"].tolist() == sql["chosen"].astype(bool).tolist()
        assert set(sql.columns) == {name for name in frame.columns if not name.startswith("parameters.")}
        return [
            (
                str(item),
                own["number"].tolist(),
                own["number"][own["chosen"].astype(bool)].tolist(),
            )
            for item, own in frame.groupby(frame["item"].fillna("nobody"), sort=False)
        ]

    assert rows() == [
        (names[0], [0, 1, 2], [2]),
        (names[1], [0, 1, 2, 3, 4], [3]),
        (names[2], [0, 1], [1]),
        (names[3], [0, 1, 2, 3, 4], []),
    ]
    delete(store, ["b" * 64, "d" * 64])
    assert rows() == [(names[0], [0, 1, 2], [2]), (names[2], [0, 1], [1]), ("nobody", [3, 4], [])]
    store.close()


def test_a_store_without_searches_has_an_empty_frame(tmp_path: Path) -> None:
    """With the same columns, so that scripts need not ask."""
    CheckpointStore(tmp_path / "store").close()
    frame = open_store(tmp_path / "store").trials()
    assert len(frame) == 0
    assert {"item", "number", "value", "parameters", "seconds"} <= set(frame.columns)


def test_items_that_share_a_search_count_their_own_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Raising trials=2 to 4 makes another item with the same search: the first one still has two trials."""
    store = CheckpointStore(tmp_path / "store")
    first = tuned.begin(store, "a", DONE)
    trials: list[Record] = [tuned.judge(store, first, number, {"l2": 1.0 + number}, number / 10) for number in range(4)]
    tuned.finish(store, first, trials[:2], budget={"trials": 2, "seconds": None})
    second = tuned.begin(store, "b", DONE)
    tuned.finish(store, second, trials, budget={"trials": 4, "seconds": None})
    store.close()
    facts = json.loads(run(capsys, "tuning", "--json", "--store", str(tmp_path / "store")))
    assert sorted((each["counts"]["finished"], each["best"]["number"]) for each in facts) == [(2, 1), (4, 3)]


def test_an_item_that_shares_a_search_has_not_begun_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With per_fold=False the first fold's item is at work; the others are pending, and say that one choice is for all."""
    store = CheckpointStore(tmp_path / "store")
    first = tuned.begin(store, "a", DONE, fold=0, per_fold=False)
    tuned.judge(store, first, 0, {}, 0.5)
    labels, _ = tuned.labels_of(store, "b", search=DONE, fold=1)
    with store.lease(labels.fit_key) as lease:
        store.commit(lease, {f"item/{labels.fit_key}": pending_item(labels.item_members)})
    statement = "SELECT item, status, phase FROM items ORDER BY item"
    rows = select(store.snapshot().items(), statement, ())[1]
    assert rows == [(first.item, "interrupted", "Tune"), (labels.item, "pending", None)]
    store.close()
    items = open_store(tmp_path / "store").items()
    assert [(item["status"], item["phase"]) for item in items.values()] == [("interrupted", "Tune"), ("pending", None)]
    output = run(capsys, "tuning", "--store", str(tmp_path / "store"))
    assert output.count("test interactions of the other folds took part") == 1  # of the first fold none did
    assert output.count("was not brought to its end") == 1


def test_a_failed_search_has_cost_its_trials_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for Tune, which says that it failed: the seconds of the attempt are those of its trials."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", DONE)
    failed: dict[str, Any] = {"status": TrialStatus.FAILED, "phases": {"Fit": 0.125}}
    error = {"phase": "Fit", "message": "no memory", "details": ""}
    tuned.judge(store, labels, 0, {}, None, error=error, **failed)
    costs = {"seconds": 0.25, "cpu_seconds": None, "peak_rss": None}
    origin = tuned.labels_of(store, "a", search=DONE)[1]
    item = failed_item(labels, origin, {}, predict_key="p", error=PhaseError("Tune", "all failed"), costs=costs)
    with store.lease(labels.fit_key) as lease:
        store.commit(lease, {f"item/{labels.fit_key}": item})
    store.close()
    shown = run(capsys, "show", "RecPack.EASE", "--store", str(tmp_path / "store"))
    (line,) = [line.split() for line in shown.splitlines() if line.startswith("  Tune ")]
    assert " ".join(line[:7]) == "Tune 0.125 s in all trials together,"
    assert line[-1] == "failed"
    assert "; 0.12 s computed in all" in run(capsys, "status", "--store", str(tmp_path / "store"))


def test_delete_says_what_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it lists adds up: files of a search that another item shares stay, and are not counted."""
    store = CheckpointStore(tmp_path / "store")
    first = tuned.begin(store, "a", DONE)
    trials = [tuned.judge(store, first, number, {"l2": 1.0}, 0.5, keep=number == 0) for number in range(20)]
    items = [tuned.finish(store, tuned.begin(store, name, DONE), trials, budget={}) for name in "abc"]
    store.close()
    root = str(tmp_path / "store")

    def sizes(*texts: str) -> tuple[list[float], float]:
        lines = run(capsys, "delete", *texts, "--dry-run", "--store", root).splitlines()
        units = {"bytes": 1, "kB": 1000}
        listed = [float(line.split()[-2]) * units[line.split()[-1]] for line in lines[:-1]]
        match = re.search(r"\(([\d.]+) (\w+)\)", lines[-1])
        assert match is not None
        return listed, float(match[1]) * units[match[2]]

    for texts in (["*"], [items[0]["fit_key"]], [items[1]["fit_key"], items[2]["fit_key"]]):
        listed, total = sizes(*texts)
        assert sum(listed) == pytest.approx(total, abs=200)
    alone, together = sizes(items[0]["fit_key"])[1], sizes("*")[1]
    assert alone < together / 3  # the trials stay


def test_a_worker_that_waits_for_a_search_is_in_tune(tmp_path: Path) -> None:
    """It says that it starts a framework; records and SQL agree on what that is."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", DONE)
    worker = {
        "id": "w",
        "run": "r",
        "pid": 1,
        "host": "h",
        "started": "2026-01-01T00:00:00Z",
        "heartbeat": "2026-01-01T00:00:00Z",
        "item": labels.item,
        "ended": None,
        "lock": "tmp/work.17.0123abcd/.lock",
    }
    for said, phase in (
        ("starting RecPack for Tune", "Tune"),
        ("starting RecPack for Fit", "Fit"),
        ("Predict", "Predict"),
    ):
        store.records.commit({"worker/w": {**worker, "phase": said}})
        (item,) = open_store(tmp_path / "store").items().values()
        assert item["phase"] == phase
        assert select(store.snapshot().items(), "SELECT phase FROM items", ())[1] == [(phase,)]
    store.close()


def ask(store: CheckpointStore, labels: ItemLabels, tuning: Tuning) -> None:
    """Have the identity of an item ask for a tuning."""
    configuration = {**labels.identity[1]["configuration"][1], "search": {"tuning": tuning.identity}}
    identity = [labels.identity[0], {**labels.identity[1], "configuration": ["c/1", configuration]}]
    with store.lease(labels.fit_key) as lease:
        item = store.snapshot()[f"item/{labels.fit_key}"]
        store.commit(lease, {f"item/{labels.fit_key}": {**item, "identity": identity}})


def test_why_says_that_budgets_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two items of one search: what their keys differ in is named down to the number of trials."""
    store = CheckpointStore(tmp_path / "store")
    for name, trials in (("a", 30), ("b", 60)):
        ask(store, tuned.begin(store, name, DONE), Tuning("NDCG@10", trials=trials))
    store.close()
    output = run(capsys, "why", "a" * 8, "b" * 8, "--store", str(tmp_path / "store"))
    assert "  search.tuning.budget.trials  30 -> 60" in output


def test_the_budget_of_an_item_is_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A search that was begun with fewer trials is shown with those that the item asks for."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", DONE, space=Space.of({"l2": Log(1, 9)}).identity)
    ask(store, labels, Tuning("NDCG@10", trials=60, sampler="random", parallel=3))
    tuned.judge(store, labels, 0, {}, 0.5)
    store.close()
    output = run(capsys, "tuning", "RecPack.EASE", "--store", str(tmp_path / "store"))
    assert "1 of 60 trials" in output
    assert "random, no pruner" in output


def test_why_says_that_an_interrupted_search_goes_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a search that was cut short there is nothing to explain: it says how far it is, and that it goes on."""
    output = run(capsys, "why", "D/RecPack.EASE (tuned)/fold_1", "--store", str(root))
    assert "The next run goes on with its search: 1 of 30 trials known." in output
    assert "nearest item" not in output


def test_a_pruner_that_no_trial_has_told_epochs_is_said_to_have_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader who sees a pruner would think that trials were ended early."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", DONE, space=Space.of({"l2": Log(1, 9)}).identity)
    ask(store, labels, Tuning("NDCG@10", trials=60, pruner="halving"))
    tuned.judge(store, labels, 0, {}, 0.5)
    output = run(capsys, "tuning", "RecPack.EASE", "--store", str(tmp_path / "store"))
    assert "tpe in rounds of 4, halving (no epochs to prune)" in output
    tuned.judge(store, labels, 1, {"l2": 2}, 0.5, history=[[1, 0.5]])
    store.close()
    assert "rounds of 4, halving\n" in run(capsys, "tuning", "RecPack.EASE", "--store", str(tmp_path / "store"))


def test_sql_knows_whose_trials_they_are(root: Path) -> None:
    """The view has what ``Store.trials()`` has: the item, what was chosen, seconds of phases, why a trial was pruned."""
    store = open_store(root)
    frame = store.trials()
    rows = store.sql("SELECT * FROM trials ORDER BY item, number")
    assert set(rows.columns) == {name for name in frame.columns if not name.startswith("parameters.")}
    assert rows["item"].notna().all()
    assert list(zip(rows["fold"], rows["number"], rows["chosen"], strict=True)) == [
        *((0, number, int(number == 1)) for number in range(5)),
        *((1, number, 0) for number in range(2)),
    ]
    assert rows["reason"][3:5].tolist() == ["below the median", "MemoryError: too much\nmore of it"]
    assert rows["pruned_value"][3] == 0.01
    assert rows["fit_seconds"][3] == 0.5


def test_sql_gives_each_item_the_trials_that_its_budget_pays_for(tmp_path: Path) -> None:
    """Two items of a search have rows of their own; trials that no item needs any more stand there without one."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", DONE, fold=0)
    trials = [tuned.judge(store, labels, number, {"l2": 1.0 + number}, 0.1 * number) for number in range(3)]
    tuned.finish(store, labels, trials[:2], edges=[], budget={"trials": 2, "seconds": None})
    tuned.judge(store, tuned.begin(store, "b", OPEN, fold=1), 0, {}, 0.1)
    records = store.snapshot()
    store.close()
    item = records[f"item/{labels.fit_key}"]
    larger = {**item, "item": "larger", "fit_key": "f" * 64, "chosen": {**item["chosen"], "number": 2, "trials": 3}}
    kept = {key: record for key, record in records.items() if not (key.startswith("item/") and record["fold"] == 1)}
    statement = "SELECT item, number, chosen FROM trials ORDER BY item, number"
    assert select({**kept, f"item/{'f' * 64}": larger}.items(), statement, ())[1] == [
        (None, 0, 0),
        *((labels.item, number, int(number == 1)) for number in range(2)),
        *(("larger", number, int(number == 2)) for number in range(3)),
    ]
