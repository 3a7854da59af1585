"""Searches in a store, recorded by the real builders, without anything computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnibench.store import CheckpointStore
from omnibench.store.builders import ItemLabels, Origin, eval_record, fit_record, predict_record
from omnibench.store.item_records import done_item, item_metric, pending_item
from omnibench.store.schema import COSTS, GUEST_MEMBERS, Record, TrialStatus
from omnibench.store.trials import best_of, chosen_trial, score_record, search_record, trial_key, trial_record
from omnibench.tuning.budget import Tuning
from omnibench.tuning.distributions import Choice, Log
from omnibench.tuning.space import Space

DATA = "d" * 64
METRIC = "NDCG@10"
SPACE = Space.of({"l2": Log(1.0, 1e4), "solver": Choice(["als", "sgd"])}).identity
TUNING = Tuning(METRIC, trials=30).identity


def labels_of(store: CheckpointStore, name: str, *, search: str, fold: int | None = None) -> tuple[ItemLabels, Origin]:
    """Return the labels of a tuned item, and an origin in its directory, which is made."""
    key = name * 64
    base = store.claim(store.claim(store.root, "D", DATA), "RecPack.EASE", key)
    base = base if fold is None else base / f"fold_{fold}"
    store.make_directory(base)
    directory = base.relative_to(store.root).as_posix()
    identity = [
        "fit/1",
        {"data": DATA, "fold": fold, "configuration": ["c/1", {"runner": "r", "algorithm": "EASE", "parameters": {}}]},
    ]
    labels = ItemLabels(
        item=directory,
        fit_key=key,
        dataset=f"D-{DATA[:8]}",
        algorithm=f"RecPack.EASE-{key[:8] if fold is None else 'e' * 8}",  # folds share a configuration
        parameters={},
        fold=fold,
        identity=identity,
        data_key=DATA,
        dataset_label="D",
        search=search,
    )
    return labels, Origin("run", "worker", directory)


def search_of(labels: ItemLabels, origin: Origin, **members: Any) -> Record:
    """Return the record of the search of an item, with some members otherwise than by default."""
    facts: dict[str, Any] = {
        "item": labels.item,
        "algorithm": labels.algorithm,
        "dataset": labels.dataset,
        "dataset_label": "D",
        "label": "RecPack.EASE (tuned)",
        "fold": labels.fold,
        "data_key": DATA,
        "metric": METRIC,
        "higher_is_better": True,
        "space": SPACE,
        "fixed": {},
        "tuning": TUNING,
        "per_fold": True,
    }
    return search_record(labels.search, origin, **{**facts, **members})


def begin(store: CheckpointStore, name: str, search: str, *, fold: int | None = None, **members: Any) -> ItemLabels:
    """Record a pending item and its search; return the item's labels.

    Args:
        store: The store.
        name: A letter, of which the item's key consists.
        search: The search's key.
        fold: The item's fold.
        members: What its record has otherwise than by default.
    """
    labels, origin = labels_of(store, name, search=search, fold=fold)
    with store.lease(labels.fit_key) as lease:
        store.commit(
            lease,
            {
                f"search/{search}": search_of(labels, origin, **members),
                f"item/{labels.fit_key}": pending_item(labels.item_members),
            },
        )
    return labels


def judge(
    store: CheckpointStore,
    labels: ItemLabels,
    number: int,
    parameters: dict[str, Any],
    value: float | None,
    *,
    status: TrialStatus = TrialStatus.DONE,
    fit_key: str = "",
    keep: bool = False,
    **members: Any,
) -> Record:
    """Record a trial of a search, with the score of a finished one; return its record.

    Args:
        store: The store.
        labels: The tuned item.
        number: The trial's number.
        parameters: What was proposed.
        value: Its value on the validation part.
        status: Where it stands.
        fit_key: Its fit key; one of its own by default.
        keep: Whether its model is kept.
        members: What ``trial_record`` is given beside.
    """
    origin = Origin(
        "run", "worker", labels_of(store, labels.fit_key[0], search=labels.search, fold=labels.fold)[1].directory
    )
    fit_key = fit_key or f"{number:x}".rjust(8, "0") + labels.fit_key[8:]
    facts: dict[str, Any] = {"phases": {"Fit": 1.0, "Predict": 0.25, "Eval": 0.25}, **members}
    trial = trial_record(
        labels.search,
        number,
        origin,
        parameters,
        status=status,
        fit_key=fit_key,
        metric=METRIC,
        value=value,
        **facts,
    )
    records = {trial_key(labels.search, number): trial}
    if value is not None:
        score = score_record(origin, fit_key, METRIC, value, phases=facts["phases"])
        records[f"score/{fit_key[::-1]}"] = score
    if keep:
        records[f"fit/{fit_key}"] = model_of(store, labels, fit_key)
    with store.lease(fit_key) as lease:
        store.commit(lease, records)
    return trial


def model_of(store: CheckpointStore, labels: ItemLabels, fit_key: str, *, of_item: bool = False) -> Record:
    """Publish the model of a trial, and return its record."""
    base = store.claim(store.claim(store.root, "D", DATA), "RecPack.EASE", fit_key)
    with store.temporary() as scratch:
        (scratch / "model").write_bytes(fit_key.encode())
        artifact = store.publish(scratch / "model", base / "model.pkl")
    answer = {**dict.fromkeys((*COSTS, *GUEST_MEMBERS), 1), "effective": {}, "version": "1"}
    own = ItemLabels("D/trial", fit_key, labels.dataset, f"RecPack.EASE-{fit_key[:8]}", {}, None, labels.identity, DATA)
    origin = Origin("run", "worker", base.relative_to(store.root).as_posix())
    return fit_record(own, origin, answer, artifact, search="" if of_item else labels.search)


def finish(
    store: CheckpointStore, labels: ItemLabels, trials: Sequence[Record], *, edges: Sequence[Any] = (), **choice: Any
) -> Record:
    """Record that a tuned item is done, with the best of some trials; return its record."""
    origin = labels_of(store, labels.fit_key[0], search=labels.search, fold=labels.fold)[1]
    best = best_of(trials, higher_is_better=True)
    assert best is not None
    facts: dict[str, Any] = {"budget": {"trials": 30, "seconds": None}, "override": False, **choice}
    answer = {**dict.fromkeys((*COSTS, *GUEST_MEMBERS), 1), "rows": 1}
    with store.temporary() as scratch:
        described = []
        for name in ("predictions-0123abcd.npy", "per_user-0123abcd.npy"):
            (scratch / name).write_bytes(name.encode())
            described.append(store.publish(scratch / name, store.root / labels.item / name))
    predictions, per_user = described
    values = {"value": 0.5, "stderr": None, "interval": None, "users": 3, "place": None}
    parts = {
        f"predict/p{labels.fit_key}": predict_record(labels, origin, answer, predictions),
        f"eval/e{labels.fit_key}": eval_record(labels, origin, METRIC, per_user, values, answer),
    }
    chosen = chosen_trial(best, trials, parameters=best["parameters"], edges=edges, **facts)
    item = done_item(
        labels,
        origin,
        {},
        metrics={METRIC: item_metric(0.5, f"e{labels.fit_key}", "m")},
        predict_key=f"p{labels.fit_key}",
        list_length=10,
        predicted="p",
        test="t",
        chosen=chosen,
    )
    with store.lease(labels.fit_key) as lease:
        store.commit(lease, {**parts, f"item/{labels.fit_key}": item})
    return item
