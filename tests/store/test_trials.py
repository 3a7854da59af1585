"""Records of tuning: searches, trials, scores, and the choice that an item's record keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import tuned
from support.stored import assert_sound, compute, files

from omnibench.errors import PhaseError
from omnibench.store import CheckpointStore
from omnibench.store.builders import Origin
from omnibench.store.deletion import delete
from omnibench.store.done_text import DoneText, MetricText, alike_seed_in
from omnibench.store.gc import collect
from omnibench.store.generations import Reset, reset
from omnibench.store.item_records import done_item, failed_item, item_metric
from omnibench.store.queries import open_store
from omnibench.store.reading import read_all
from omnibench.store.schema import Phase, Record, RecordType, Status, TrialStatus
from omnibench.store.trials import best_of, finished_trials, open_trials, searches_of, trial_record, trials_of
from omnibench.store.verification import Damage, Part, verify_store
from omnibench.store.views import select

S, OTHER = "c" * 64, "5" * 64
ORIGIN = Origin("run", "worker", None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    """An empty store."""
    opened = CheckpointStore(tmp_path / "store")
    yield opened
    opened.close()


def damages(store: CheckpointStore) -> list[Damage]:
    """Return what is damaged, beside the readable copies, which nobody has written here."""
    return [damage for damage in verify_store(store.root).damages if damage.part is not Part.COPY]


def keys(store: CheckpointStore, *types: RecordType) -> list[str]:
    return [key for key in sorted(store.snapshot()) if RecordType.of(key) in types]


def a_search(store: CheckpointStore, name: str = "a", search: str = S, **members: Any) -> tuple[Any, list[Record]]:
    """Record a search with three trials, of which the second is the best and has kept its model."""
    labels = tuned.begin(store, name, search, **members)
    trials = [
        tuned.judge(store, labels, 0, {}, 0.1),
        tuned.judge(store, labels, 1, {"l2": 10.0}, 0.3, keep=True),
        tuned.judge(store, labels, 2, {"l2": 1.0}, None, status=TrialStatus.FAILED),
    ]
    return labels, trials


def test_trials_are_read_in_the_order_of_their_numbers(store: CheckpointStore) -> None:
    """Trials of a search, and of no other, come by number, whenever and by whomever they were finished."""
    labels, other = tuned.begin(store, "a", S), tuned.begin(store, "b", OTHER)
    for number in (11, 2, 0, 1000, 100):
        tuned.judge(store, labels, number, {"l2": float(number)}, 0.1)
    tuned.judge(store, other, 5, {}, None, status=TrialStatus.PROPOSED)
    trials = store.read(lambda reader: trials_of(reader, S))
    assert [trial["number"] for trial in trials] == [0, 2, 11, 100, 1000]
    assert finished_trials(trials) == trials
    assert open_trials(trials) == []
    by_search = store.read(lambda reader: {record["search"]: trials for record, trials in searches_of(reader)})
    assert by_search.keys() == {S, OTHER}
    assert by_search[S] == trials
    assert [trial["number"] for trial in open_trials(by_search[OTHER])] == [5]


def test_the_best_is_the_first_of_the_best_values() -> None:
    """Failed, pruned and proposed trials are never the best, ties go to the lowest number, either direction counts."""

    def trial(number: int, value: float | None, status: TrialStatus = TrialStatus.DONE) -> Record:
        return trial_record(S, number, ORIGIN, {}, status=status, fit_key="f" * 64, metric="RMSE", value=value)

    pruned = trial(9, 5.0, TrialStatus.PRUNED)
    trials = [pruned, trial(3, 0.5), trial(1, 0.5), trial(0, 0.25), trial(2, None, TrialStatus.FAILED)]
    assert best_of(trials, higher_is_better=True) == trials[2]
    assert best_of(trials, higher_is_better=False) == trials[3]
    assert best_of([pruned], higher_is_better=True) is None
    assert best_of([], higher_is_better=True) is None


def test_a_value_that_is_no_number_can_be_recorded() -> None:
    """A diverging fit reports NaN after an epoch: its history has nothing there, so that the record is no damage."""
    trial = trial_record(
        S,
        0,
        ORIGIN,
        {},
        status=TrialStatus.PRUNED,
        fit_key="f" * 64,
        metric="NDCG@10",
        history=[(1, 0.5), (2, math.nan), (3, math.inf)],
        phases={"Fit": 2.0},
    )
    assert trial["history"] == [[1, 0.5], [2, None], [3, None]]
    assert trial["seconds"] == 2.0


AWKWARD = {
    "status": "done",
    "metrics": {"NDCG@10": {"value": 9.0, "key": "9" * 64, "metric": "m"}},
    'q"': '"status": "done", "metrics": {',
}


@pytest.mark.parametrize("as_seed", [None, 3])
@pytest.mark.parametrize("attempts", [False, True])
def test_the_numbers_of_a_tuned_item_are_found_in_its_text(
    store: CheckpointStore, *, attempts: bool, as_seed: int | None
) -> None:
    """The choice stands before what the text search looks for, whatever hyperparameters are called and hold."""
    labels, trials = a_search(store)
    item = tuned.finish(store, labels, [{**trials[1], "parameters": AWKWARD}, trials[0]])
    assert item["chosen"]["parameters"] == AWKWARD
    assert (item["chosen"]["trials"], item["chosen"]["failed"], item["chosen"]["number"]) == (2, 0, 1)
    error = PhaseError("Eval", "no memory")
    again = done_item(
        labels,
        ORIGIN,
        failed_item(labels, ORIGIN, item, predict_key="p", error=error, costs={}) if attempts else {},
        metrics={"NDCG@10": item_metric(0.25, "e" * 64, "m"), "chosen": item_metric(0.5, "f" * 64, "c")},
        predict_key="p",
        list_length=10,
        predicted="lists",
        test="t",
        as_seed=as_seed,
        chosen=item["chosen"],
    )
    if attempts:  # a later attempt that fails moves members
        again = failed_item(labels, ORIGIN, again, predict_key="p", error=error, costs={}, missing={"HR@1": "HR"})
    text = json.dumps({**again, "token": "7" * 32})
    wanted = DoneText.of("lists", "t", [MetricText("NDCG@10", "m"), MetricText("chosen", "c")])
    assert wanted.metrics_in(text) == {"NDCG@10": 0.25, "chosen": 0.5}
    assert alike_seed_in(text) == as_seed
    assert json.loads(text)["chosen"]["parameters"] == AWKWARD


def test_models_of_trials_are_no_items(store: CheckpointStore, tmp_path: Path) -> None:
    """Status, views and summaries show the tuned item alone, interrupted in Tune once its search has begun."""
    labels, trials = a_search(store)
    opened = open_store(tmp_path / "store")
    items = opened.items()
    assert {name: (item["status"], item["phase"]) for name, item in items.items()} == {
        labels.item: (Status.INTERRUPTED, Phase.TUNE)
    }
    assert select(store.snapshot().items(), "SELECT item, status, phase FROM items", ())[1] == [
        (labels.item, "interrupted", "Tune")
    ]
    tuned.finish(store, labels, trials)
    assert select(store.snapshot().items(), "SELECT item, status, phase FROM items", ())[1] == [
        (labels.item, "done", "Done")
    ]
    assert opened.summary()["total"] == 1


def test_a_search_survives_its_database(store: CheckpointStore, tmp_path: Path) -> None:
    """Search, trials, scores and choice stand in the manifest beside the item's files."""
    labels, trials = a_search(store)
    tuned.finish(store, labels, trials)
    store.close()
    assert_sound(tmp_path / "store")


def test_a_search_that_is_registered_stands_in_the_manifest(store: CheckpointStore) -> None:
    """Whoever begins a search holds no lease of the item, and yet it survives the database."""
    labels, origin = tuned.labels_of(store, "a", search=S)
    search = tuned.search_of(labels, origin)
    for _ in range(2):
        store.register({f"search/{S}": search})
    assert damages(store) == []
    root = store.root
    store.close()
    assert_sound(root)


def test_deleting_a_tuned_item_deletes_its_search(store: CheckpointStore) -> None:
    """With the trials, their models and scores; an equal item of a Grid and another search stay whole."""
    labels, _ = a_search(store)
    a_search(store, "b", OTHER)
    alike = compute(store, "e")
    tuned.judge(store, labels, 3, {"l2": 5.0}, 0.2, fit_key=alike)
    before = store.snapshot()
    preview = delete(store, [labels.fit_key], dry_run=True)
    assert store.snapshot() == before
    deleted = delete(store, [labels.fit_key])
    assert deleted == preview
    assert deleted.items == [labels.fit_key]
    left = store.snapshot()
    assert {key for key, record in before.items() if key not in left} == {
        key
        for key, record in before.items()
        if record.get("search") == S or (key.startswith("score/") and record["fit_key"][8:] == labels.fit_key[8:])
    }
    assert f"fit/{alike}" in left
    assert not (store.root / labels.item / "manifest.jsonl").exists()


def test_deleting_an_item_leaves_a_trial_of_its_configuration(store: CheckpointStore) -> None:
    """A trial belongs to its search: without it that would propose and compute it again."""
    labels, _ = a_search(store)
    alike = compute(store, "e")
    tuned.judge(store, labels, 3, {"l2": 5.0}, 0.2, fit_key=alike)
    delete(store, [alike])
    assert len(keys(store, RecordType.TRIAL)) == 4
    assert f"fit/{alike}" not in store.snapshot()


def test_a_search_stays_while_another_fold_uses_it(store: CheckpointStore) -> None:
    """With per_fold=False the folds share one: it goes with the last of them, and stays in its manifest until then."""
    first = tuned.begin(store, "a", S, fold=0, per_fold=False)
    second = tuned.begin(store, "b", S, fold=1, per_fold=False)
    with store.lease(first.fit_key) as lease:  # the second has recorded it in its own directory
        search = {
            **store.snapshot()[f"search/{S}"],
            "directory": tuned.labels_of(store, "a", search=S, fold=0)[1].directory,
        }
        store.commit(lease, {f"search/{S}": search})
    tuned.judge(store, first, 0, {}, 0.5)
    delete(store, [first.fit_key])
    assert keys(store, RecordType.SEARCH, RecordType.TRIAL) == [f"search/{S}", f"trial/{S}/000000"]
    assert damages(store) == []
    delete(store, [second.fit_key])
    assert keys(store, *RecordType) == []


def test_a_search_without_an_item_is_garbage(store: CheckpointStore) -> None:
    """`omnibench gc` removes it with its trials, models and scores, and scores that nobody can take over."""
    labels, trials = a_search(store)
    tuned.finish(store, labels, trials)
    a_search(store, "b", OTHER)
    root = store.root
    with store.lease("b" * 64) as lease:
        store.commit(lease, {}, {f"item/{'b' * 64}": store.snapshot()[f"item/{'b' * 64}"]})
    kept = {key: record for key, record in store.snapshot().items() if "b" * 50 not in key and OTHER not in key}
    kept = {key: record for key, record in kept.items() if "b" * 50 not in record.get("fit_key", "")}
    store.close()
    assert collect(root, dry_run=True).records
    garbage = collect(root)
    assert len(garbage.records) == 1 + 3 + 2 + 1
    assert read_all(root / "store") == kept
    assert collect(root).records == []
    assert all("b" * 8 not in name for name in files(root))


@pytest.mark.parametrize("planned", [False, True])
def test_gc_leaves_a_search_that_a_kill_has_cut_short(store: CheckpointStore, *, planned: bool) -> None:
    """Its item is recorded as pending, but its trials are worth hours: neither it nor its item was never begun."""
    a_search(store)
    tuned.begin(store, "b", OTHER)
    before, root = store.snapshot(), store.root
    store.close()
    assert collect(root, planned=planned).records == []
    assert read_all(root / "store") == before


@pytest.mark.parametrize("scope", ["all", "Tune"])
@pytest.mark.parametrize("done", [False, True])
def test_a_reset_takes_the_search_along(store: CheckpointStore, scope: str, *, done: bool) -> None:
    """The trials go on as an old generation, those of an earlier reset too, and the item is pending with its search."""
    for generation in (1, 2):
        labels, trials = a_search(store)
        if generation == 2:  # what the engine records of an item keeps the number
            item = store.snapshot()[f"item/{labels.fit_key}"]
            with store.lease(labels.fit_key) as lease:
                store.commit(lease, {f"item/{labels.fit_key}": {**item, "generation": 1}})
        elif done:
            tuned.finish(store, labels, trials)
        model = store.root / store.snapshot()[f"fit/{trials[1]['fit_key']}"]["model"]["path"]
        assert model.exists()
        assert reset(store, [labels.fit_key], scope, keep=True) == Reset((labels.fit_key,), ())
        left = store.snapshot()
        assert [key for key in left if not key.startswith("old/")] == [f"item/{labels.fit_key}"]
        assert left[f"item/{labels.fit_key}"]["search"] == S
        assert "chosen" not in left[f"item/{labels.fit_key}"]
        assert sum("/trial/" in key for key in left) == 3 * generation
        assert sum("/score/" in key for key in left) == 2 * generation
        assert not model.exists()
        assert damages(store) == []
    assert reset(store, [labels.fit_key], scope) == Reset((), ())
    root = store.root
    store.close()
    assert collect(root).records == []
    assert len(collect(root, kept=True).records) >= 2 * (1 + 3 + 2 + 1)
    assert list(read_all(root / "store")) == [f"item/{labels.fit_key}"]


@pytest.mark.parametrize("scope", ["Fit", "Predict", "Eval"])
def test_a_reset_of_later_phases_keeps_the_trials(store: CheckpointStore, scope: str) -> None:
    """They are what the choice is made of; from Fit on the chosen model is fitted anew."""
    labels, trials = a_search(store)
    tuned.finish(store, labels, trials)
    with store.lease(labels.fit_key) as lease:
        evaluation = {**labels.common_members, "label": "NDCG@10", "value": 0.5}
        store.commit(lease, {"eval/e": evaluation})
    assert reset(store, [labels.fit_key], scope).items == (labels.fit_key,)
    assert len(keys(store, RecordType.TRIAL)) == 3
    assert len(keys(store, RecordType.SEARCH)) == 1
    assert len(keys(store, RecordType.FIT)) == (scope != "Fit")


@pytest.mark.parametrize(("phase", "kept"), [("Tune", 0), ("Predict", 3)])
def test_a_reset_of_failures_keeps_a_search_that_has_not_failed(store: CheckpointStore, phase: str, kept: int) -> None:
    """All trials failed: the search begins anew. The test's predictions failed: they are made again, of the same choice."""
    labels, _ = a_search(store)
    item = failed_item(labels, ORIGIN, {}, predict_key="p", error=PhaseError(phase, "x"), costs={})
    with store.lease(labels.fit_key) as lease:
        store.commit(lease, {f"item/{labels.fit_key}": item})
    assert reset(store, [labels.fit_key], "failed").items == (labels.fit_key,)
    assert len(keys(store, RecordType.TRIAL)) == kept
    assert store.snapshot()[f"item/{labels.fit_key}"]["status"] == Status.PENDING


def test_a_reset_leaves_what_others_use(store: CheckpointStore) -> None:
    """The model of a trial that is an item's as well, or a trial's of another search, and a model that is being made."""
    labels, _ = a_search(store)
    alike = compute(store, "e")
    tuned.judge(store, labels, 3, {"l2": 5.0}, 0.2, fit_key=alike)
    reset(store, [labels.fit_key])
    assert f"fit/{alike}" in store.snapshot()
    assert (store.root / store.snapshot()[f"fit/{alike}"]["model"]["path"]).exists()
