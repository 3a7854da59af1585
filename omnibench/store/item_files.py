"""Files of items: which an item has made, and which item has made a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.schema import EXPORTED_PREDICTIONS, Record, RecordType, artifacts_of
from omnibench.store.snapshot_files import outside_files


def files_of_item(root: Path, records: Mapping[str, Record], fit_key: str) -> list[Path]:
    """Return the files of an item: those that records name, snapshots' too, then the readable copies of its predictions.

    Args:
        root: The store's directory.
        records: All of its records, by key.
        fit_key: The item's key.
    """
    own = [
        record for key, record in records.items() if record.get("fit_key") == fit_key and not RecordType.OLD.has(key)
    ]
    paths = dict.fromkeys(artifact["path"] for record in own for artifact in artifacts_of(record))
    directories = dict.fromkeys(record["directory"] for record in own if record.get("directory"))
    copies = [root / directory / name for directory in directories for name in EXPORTED_PREDICTIONS]
    outside = [file for record in own for file in outside_files(record)]
    return [*(root / path for path in paths), *outside, *(copy for copy in copies if copy.is_file())]


def item_of_file(root: Path, records: Iterable[tuple[str, Record]], file: Path) -> str:
    """Return the name of the item that has made a file.

    Args:
        root: The store's directory.
        records: All of its records, with their keys.
        file: The file, as an absolute path.

    Raises:
        StoreError: It belongs to a dataset, or no record names it.
    """
    for key, record in records:
        is_copy = file.name in EXPORTED_PREDICTIONS and file.parent == root / (record.get("directory") or "-")
        is_named = any(root / artifact["path"] == file for artifact in artifacts_of(record))
        if is_copy or is_named or file in outside_files(record):
            if RecordType.DATA.has(key):
                raise StoreError(f"{str(file)!r} belongs to the dataset {record['name']}, not to one item.")
            return str(record["item"])
    raise StoreError(f"no item's record names {str(file)!r}.")
