"""A store whose items and datasets are made up: records with files, as runs leave them, without anything computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibench.store import CheckpointStore, recovery
from omnibench.store.artifacts import is_intact
from omnibench.store.reading import read_all
from omnibench.store.schema import Record, artifacts_of

DATA = "d" * 64
PREPARED: Record = {
    "name": "D",
    "identity": ["data/1", {"source": ["table", "e" * 64], "steps": [], "seed": 42}],
    "test": ["test"],
    **dict.fromkeys(("users", "items", "interactions"), 1),
}
"""What the record of a prepared dataset has beside its files."""


def compute(store: CheckpointStore, name: str, fold: int | None = None) -> str:
    """Record a done item with its files, as an attempt does; return its key."""
    key = name * 64
    base = store.claim(store.claim(store.root, "D", DATA), "Algorithm", key)
    base = base if fold is None else base / f"fold_{fold}"
    store.make_directory(base)
    item = store.records.get(f"item/{key}") or {"generation": 0}
    place = base / f"generation_{item['generation']}" if item["generation"] else base
    labels: Record = {"item": f"D/{name}", "fit_key": key, "directory": base.relative_to(store.root).as_posix()}
    labels |= {"dataset": "D", "algorithm": f"Algorithm-{key[:8]}", "parameters": {}, "fold": fold, "data_key": DATA}

    def file(file_name: str, where: Path) -> Any:
        with store.temporary() as scratch:
            (scratch / "file").write_bytes(f"{name} {file_name} {item['generation']}".encode())
            return store.publish(scratch / "file", where / file_name)

    file("predictions.parquet", base)  # the export, which no record names
    with store.lease(key) as lease:
        records: dict[str, Record] = {
            f"fit/{key}": {**labels, "model": file("model.bin", place)},
            f"predict/p{name}": {**labels, "predictions": file("predictions-0123abcd.npy", place)},
            f"eval/e{name}": {**labels, "value": 0.5, "per_user": file("per_user-0123abcd.npy", place)},
            f"item/{key}": {**labels, **item, "status": "done", "metrics": {}, "predict_key": f"p{name}"}
            | {"finished": "2026-01-01T00:00:00Z"},
        }
        store.commit(lease, records)
    return key


def prepare(store: CheckpointStore, name: str) -> None:
    with store.temporary() as scratch, store.lease(f"data-{name}") as lease:
        (scratch / "d").mkdir()
        (scratch / "d" / ".key").write_text(name * 64)
        (scratch / "d" / "user.npy").write_bytes(b"users")
        directory = store.claim(store.root / "datasets", "D", name * 64)
        files = store.publish_directory(scratch / "d", directory)
        place = directory.relative_to(store.root).as_posix()
        store.commit(lease, {f"data/{name * 64}": {**PREPARED, "directory": place, "files": files}})


def files(root: Path) -> set[str]:
    """Every file of a store that is not the database's or a lock."""
    outside = ("store/", "leases/", "tmp/")
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() or path.is_symlink())
    return {name for name in found if not name.startswith(outside)}


def assert_sound(root: Path) -> None:
    """Assert that every record's files are there and right, and that a lost database would be rebuilt like it."""
    known = read_all(root / "store")
    assert all(is_intact(artifact, root) for record in known.values() for artifact in artifacts_of(record))
    (root / "store").rename(root / "moved")
    store = CheckpointStore(root)
    recovery.rebuild(store.records, root)
    rebuilt = store.snapshot()
    store.close()
    assert rebuilt == {key: record for key, record in known.items() if record.get("directory")}
