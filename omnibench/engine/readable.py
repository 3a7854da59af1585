"""The readable copies of predictions: whether each says what its predictions do, and writing one again.

No record names them, so each is compared with what would be written now.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from omnibench.engine.exported_predictions import export_predictions, exported_predictions
from omnibench.store.artifacts import resolve
from omnibench.store.beneath import has_link
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.leases import free_leases, is_held
from omnibench.store.schema import DROPPED, EXPORTED_PREDICTIONS, Record, RecordType
from omnibench.store.stored_records import of_type
from omnibench.store.verification import MISSING, Damage, Part, trouble_of

_COPIED = ("fit_key", "dataset", "directory", "predictions")
"""Members of the records of predictions that say what is copied, and where."""


def stale_copies(
    root: Path,
    records: Mapping[str, Record],
    fit_keys: Collection[str] | None = None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
    skipped: list[str] | None = None,
) -> Iterator[Damage]:
    """Yield the readable copies that are missing or say something else than the predictions of their items.

    Items whose predictions or dataset are damaged are left out, and so are those that somebody computes right now.

    Args:
        root: The store's directory.
        records: All of its records.
        fit_keys: The items to look at; all by default.
        on_progress: Called with the items that were looked at and those that are to be.
        skipped: Gets the keys of the items whose datasets are not there, so that nothing can be compared.
    """
    predictions, datasets = _predictions_of(records, fit_keys), _datasets_of(root, records)
    for number, (fit_key, of_item) in enumerate(predictions.items(), 1):
        on_progress(number, len(predictions))
        dataset = datasets.get(of_item[0]["dataset"])
        sound = [record for record in of_item if not trouble_of(record["predictions"], root)]
        if dataset is None and skipped is not None:
            skipped.append(fit_key)
        if dataset is None or len(sound) < len(of_item) or is_held(root / "leases" / f"{fit_key}.lock"):
            continue
        directory = root / str(of_item[0]["directory"])
        paths = [directory / name for name in EXPORTED_PREDICTIONS]
        copies = [path for path in paths if path.is_file() and not has_link(root, path.relative_to(root))]
        keys = tuple(RecordType.FIT.key(fit_key) for _ in of_item[:1])
        if not copies:
            name = paths[0].relative_to(root).as_posix()
            yield Damage(Part.COPY, name, MISSING, keys, fit_key)
        elif not any(_is_copied(root, dataset, record, copies) for record in sound):
            name = copies[0].relative_to(root).as_posix()
            yield Damage(Part.COPY, name, "says something else than the predictions", keys, fit_key)


def write_copies_again(store: CheckpointStore, damages: Collection[Damage]) -> list[Damage]:
    """Write the readable copies of predictions again.

    Args:
        store: The store.
        damages: What ``stale_copies`` has said.

    Returns:
        Those of items that somebody computes right now, which were left alone.

    Raises:
        StoreError: The store cannot be written.
    """
    busy: list[str] = []
    records = store.snapshot()
    predictions_of, datasets = _predictions_of(records, None), _datasets_of(store.root, records)
    for damage in damages:
        with free_leases(store.lease, [damage.fit_key], busy) as leases, store.temporary() as scratch:
            for record in predictions_of.get(damage.fit_key, [])[:1] if leases else ():
                dataset, predictions = datasets.get(record["dataset"]), resolve(record["predictions"], store.root)
                if dataset is not None and predictions is not None:
                    for copy in export_predictions(dataset, predictions, scratch):
                        store.publish(copy, store.root / str(record["directory"]) / copy.name)
    return [damage for damage in damages if damage.fit_key in busy]


def _predictions_of(records: Mapping[str, Record], fit_keys: Collection[str] | None) -> dict[str, list[Record]]:
    """Return the records of predictions by item, those of the longest lists first: these are what is copied."""
    by_item: dict[str, list[Record]] = {}
    for _, record in of_type(records, RecordType.PREDICT):
        if record.get("directory") and (not fit_keys or record["fit_key"] in fit_keys):
            brief = {name: record[name] for name in _COPIED if name in record}  # of all items they are many
            by_item.setdefault(record["fit_key"], []).append(brief)
    return {
        key: sorted(of_item, key=lambda record: -int(record["predictions"]["size"])) for key, of_item in by_item.items()
    }


def _datasets_of(root: Path, records: Mapping[str, Record]) -> dict[str, Path]:
    """Return the directories of the prepared datasets that are whole, by name."""
    data = (record for _, record in of_type(records, RecordType.DATA) if not record.get(DROPPED))
    directories = (
        root / record["directory"]
        for record in data
        if all((path := resolve(file, root)) is not None and path.is_file() for file in record["files"])
    )
    return {directory.name: directory for directory in directories}


def _is_copied(root: Path, dataset: Path, predict: Record, copies: Collection[Path]) -> bool:
    """Whether copies are those of some predictions."""
    path = resolve(predict["predictions"], root)
    if path is None:
        return False
    expected = exported_predictions(dataset, path)
    by_name = {copy.name: copy for copy in copies}
    return by_name.keys() >= expected.keys() and all(
        _says_the_same(content, by_name[name]) for name, content in expected.items()
    )


def _says_the_same(expected: bytes, copy: Path) -> bool:
    """Whether a file holds the same columns as another one, whichever versions of libraries wrote them.

    Args:
        expected: The content of the other one.
        copy: The file.
    """
    content = copy.read_bytes()
    if expected == content:
        return True
    try:
        if copy.suffix == ".json":
            return bool(json.loads(expected) == json.loads(content))
        import pyarrow.parquet as pq

        return bool(pq.read_table(io.BytesIO(expected)).equals(pq.read_table(io.BytesIO(content))))
    except (OSError, ValueError):  # pyarrow's errors are of these
        return False
