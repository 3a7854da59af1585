"""A store with made-up items and snapshots of their Fits, as runs leave them, without anything computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omnibench.store import CheckpointStore
from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.item_records import pending_item
from omnibench.store.schema import Record
from omnibench.store.snapshots import FOLDER, key_of, publish, snapshot_record

DATA = "d" * 64


def labels_of(letter: str, **members: Any) -> ItemLabels:
    """The labels of an item whose fit key is a letter, repeated."""
    configuration = ["configuration/1", {"runner": "Own", "algorithm": "Deep", "parameters": {"n": letter}, "seed": 42}]
    return ItemLabels(
        item=f"D-dddddddd/Deep-{letter * 8}",
        fit_key=letter * 64,
        dataset="D-dddddddd",
        algorithm=f"Deep-{letter * 8}",
        parameters={"n": letter},
        fold=None,
        identity=["fit/1", {"data": DATA, "fold": None, "configuration": configuration}],
        data_key=DATA,
        **members,
    )


def begin(store: CheckpointStore, letter: str, **members: Any) -> str:
    """Record an item that was planned and not begun; return its name."""
    labels = labels_of(letter, **members)
    with store.lease(labels.fit_key) as lease:
        store.commit(lease, {f"item/{labels.fit_key}": pending_item(labels.item_members)})
    return labels.item


def directory_of(store: CheckpointStore, letter: str) -> Path:
    """Return the directory of an item, which is made when needed."""
    return store.claim(store.claim(store.root, "D", DATA), "Deep", letter * 64)


def attempt(seconds: float, first: int, last: int, worker: str = "w1", **members: Any) -> Record:
    """Return an attempt at a Fit as records keep it."""
    costs = {"seconds": seconds, "cpu_seconds": seconds, "peak_rss": 2**20, "gpu_peak": None}
    return {**costs, "from": first, "to": last, "run": "r", "worker": worker, **members}


def take(
    store: CheckpointStore,
    letter: str,
    name: str,
    iteration: int,
    *,
    outside: Path | None = None,
    generation: int = 0,
    number: int | None = None,
    **members: Any,
) -> Record:
    """Publish and record a snapshot of an item's Fit; return its record.

    Args:
        store: The store.
        letter: The item's.
        name: The snapshot's name.
        iteration: The epochs until then, of 50.
        outside: The directory of snapshots outside of the store, where it lies there.
        generation: How often the item was reset.
        number: Its number; the iteration by default.
        members: What else its record has.
    """
    labels, home = labels_of(letter), directory_of(store, letter)
    place = home / f"generation_{generation}" if generation else home
    facts: dict[str, Any] = {"iteration": iteration, "iterations": 50, "unit": "epoch", "within": False, "missing": []}
    facts |= {
        "reason": "interval",
        "seconds": 0.25,
        "series": [[1, {"loss": 0.5}]],
        "missing": members.pop("missing", []),
    }
    with store.temporary() as scratch:
        partial = (scratch if outside is None else outside) / f"{name}.partial"
        (partial / "parts").mkdir(parents=True)
        (partial / "parts" / "network.bin").write_bytes(f"{letter} {name}".encode() * 1000)
        (partial / "snapshot.json").write_text(json.dumps(facts))
        final = (place / FOLDER if outside is None else outside / labels.item) / name
        files = publish(store, partial, final, f"{labels.fit_key}/{name}")
    origin = Origin("r", "w1", home.relative_to(store.root).as_posix())
    attempts = members.pop("attempts", [attempt(10.0 * iteration, 0, iteration)])
    number = iteration if number is None else number
    record = snapshot_record(labels, origin, labels.fit_key, name, number, facts, attempts, files, outside and final)
    with store.lease(labels.fit_key) as lease:
        store.commit(lease, {key_of(record): {**record, **members}})
    return record


def fit(store: CheckpointStore, letter: str, **members: Any) -> None:
    """Record that an item's Fit has ended."""
    labels, home = labels_of(letter), directory_of(store, letter)
    origin = Origin("r", "w2", home.relative_to(store.root).as_posix())
    with store.temporary() as scratch, store.lease(labels.fit_key) as lease:
        (scratch / "model").write_bytes(b"model")
        model = store.publish(scratch / "model", home / "model.bin")
        costs = {"seconds": 500.0, "cpu_seconds": 500.0, "peak_rss": 2**21, "gpu_peak": None, "python_peak": None}
        of_guest = {"start_seconds": 0.0, "threads": 1, "effective": {}, "version": "1"}
        facts = {**labels.common_members, **origin.members("Fit"), **costs, **of_guest, "identity": labels.identity}
        store.commit(lease, {f"fit/{labels.fit_key}": {**facts, "model": model, **members}})


def search(store: CheckpointStore, letter: str, trials: dict[str, str]) -> str:
    """Record the search of a tuned item; return the item's name.

    Args:
        store: The store.
        letter: The item's.
        trials: The status of each trial, by the letter of what it fits.
    """
    key = "5" * 64
    name = begin(store, letter, search=key)
    tried = {"search": key, "metric": "NDCG@10", "parameters": {}, "value": 0.5}
    setting: Record = {
        "algorithm": "Deep",
        "dataset": "D-dddddddd",
        "fold": None,
        "space": {},
        "tuning": {},
        "item": name,
    }
    records: dict[str, Record] = {f"search/{key}": {"search": key, "metric": "NDCG@10", **setting}}
    for number, (trial, status) in enumerate(trials.items()):
        facts = {"number": number, "status": status, "fit_key": trial * 64}
        records[f"trial/{key}/{number:06d}"] = {**tried, **facts}
    store.records.commit(records)
    return name
