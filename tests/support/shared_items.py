"""Finished items that are made up, with sound keys: for stores that are merged, published and pulled."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.guest.folds import recommendation_dtype
from omnibench.keys import digest, recorded_text, sha256
from omnibench.store import CheckpointStore, recovery
from omnibench.store.artifacts import is_intact
from omnibench.store.reading import read_all
from omnibench.store.schema import Record, artifacts_of
from support.stored import DATA, PREPARED

RUN: Record = {
    "id": "20260101T000000Z-0123abcd",
    "started": "2026-01-01T00:00:00Z",
    "ended": "2026-01-01T00:01:00Z",
    "items": 1,
    "pending": 1,
    "policy": {"grace": 10},
    "host": "workstation",
    "user": "ann",
    "platform": "Linux",
    "cwd": "/home/ann/shop",
    "command": ["pytest"],
    "cores": 2,
    "versions": {"omnibench": "0.1.0"},
    "git": {"commit": "c" * 40, "dirty": False},
}


def identity_of(name: str) -> Any:
    """What the key of an item is the digest of."""
    members = {"algorithm": name, "parameters": {}, "runner": "Own", "seed": 42, "version": ""}
    return ["fit/1", {"configuration": ["configuration/1", members], "data": DATA, "fold": 0}]


def key_of(name: str) -> str:
    """The fit key of an item."""
    return sha256(recorded_text(identity_of(name)))


def lists(content: int) -> bytes:
    """A file of predictions: two items of each of three users."""
    rows = np.zeros(3, dtype=recommendation_dtype(2))
    rows["user"] = np.arange(3)
    rows["item"] = [content % 7, content % 7 + 1]
    rows["score"] = [content + 1.0, content + 0.5]
    return _as_file(rows)


def values(mean: float, key: str) -> bytes:
    """A file of values per user as earlier versions have written it: three users of a mean, which the key makes its own."""
    apart = int(key[:6], 16) / 2**40
    return _as_file(np.array([[mean - apart, mean, mean + apart]]))


def _as_file(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


def record_item(
    store: CheckpointStore,
    name: str,
    *,
    metrics: Mapping[str, float],
    predictions: int = 1,
    run: Mapping[str, Any] = RUN,
    model: bytes = b"a model",
) -> str:
    """Record a finished item with its files as an attempt does, or add metrics to one; return its key."""
    key = key_of(name)
    configuration = identity_of(name)[1]["configuration"]
    store.register({f"run/{run['id']}": dict(run)})
    if store.records.get(f"data/{DATA}") is None:
        with store.lease(f"data-{DATA}") as lease:
            place = store.claim(store.root / "datasets", "D", DATA).relative_to(store.root).as_posix()
            store.commit(lease, {f"data/{DATA}": {**PREPARED, "users": 3, "items": 8, "directory": place, "files": []}})
    base = store.claim(store.claim(store.root, "D", DATA), name, sha256(recorded_text(configuration))) / "fold_0"
    store.make_directory(base)
    previous = store.records.get(f"item/{key}") or {"generation": 0, "metrics": {}}
    home = base / f"generation_{previous['generation']}" if previous["generation"] else base
    labels: Record = {"item": f"D-{DATA[:8]}/{name}-{digest(name)[:8]}/fold_0", "fit_key": key}
    labels |= {"dataset": f"D-{DATA[:8]}", "algorithm": f"{name}-{digest(name)[:8]}", "parameters": {}, "fold": 0}
    labels |= {
        "run": run["id"],
        "finished": "2026-01-01T00:00:00Z",
        "directory": base.relative_to(store.root).as_posix(),
    }

    def file(file_name: str, content: bytes) -> Any:
        with store.temporary() as scratch:
            (scratch / "file").write_bytes(content)
            return store.publish(scratch / "file", home / file_name)

    predict_key = digest(["predict", key])
    of_predictions = file(f"predictions-{predict_key[:8]}.npy", lists(predictions))
    records: dict[str, Record] = {
        f"fit/{key}": {**labels, "identity": identity_of(name), "model": file("model.pkl", model), "seconds": 1.0},
        f"predict/{predict_key}": {**labels, "predictions": of_predictions, "rows": 3, "seconds": 1.0},
    }
    of_item = {}
    for label, value in metrics.items():
        eval_key = digest(["eval", key, of_predictions["sha256"], label])
        per_user = file(f"per_user-{eval_key[:8]}.npy", values(value, eval_key))
        records[f"eval/{eval_key}"] = {**labels, "label": label, "value": value, "per_user": per_user, "row": 0}
        of_item[label] = {"value": value, "key": eval_key}
    records[f"item/{key}"] = {
        **labels,
        "identity": identity_of(name),
        "data_key": DATA,
        "status": "done",
        "metrics": {**previous["metrics"], **of_item},
        "error": None,
        "exported": 2,
        "generation": previous["generation"],
        "predict_key": predict_key,
        "failures": 0,
        "deaths": 0,
        "predicted": '["unseen",2]',
        "test": "test",
    }
    with store.lease(key) as lease:
        store.commit(lease, records)
    return key


def assert_sound(root: Path) -> None:
    """Assert that all files are as recorded, and that a lost database would be rebuilt with all that items need."""
    recorded = read_all(root / "store")
    assert all(is_intact(artifact, root) for record in recorded.values() for artifact in artifacts_of(record))
    (root / "store").rename(root / "moved")
    with closing(CheckpointStore(root)) as store:
        recovery.rebuild(store.records, root)
        rebuilt = store.snapshot()
    assert rebuilt == recorded


def substance(store: CheckpointStore) -> dict[str, Any]:
    """What a store says of its items, without where its files lie, who has computed it and when it came here."""
    told: dict[str, Any] = {}
    for key, record in store.snapshot().items():
        if key.startswith("item/"):
            told[key] = record["status"], {label: metric["value"] for label, metric in record["metrics"].items()}
        elif key.startswith("predict/"):
            told[key] = record["predictions"]["sha256"]
        elif key.startswith("eval/"):
            told[key] = record["value"]
    return told
