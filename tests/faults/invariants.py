"""What must hold whatever happened: of a store on disk, and of two runs of which the first was disturbed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from faults.children import Ended
from faults.plant import as_text, wrong_numbers
from omnibench import open_store
from omnibench.errors import OmnibenchError
from omnibench.store.artifacts import sha256_of
from omnibench.store.reading import read_all
from omnibench.store.schema import Record

Files = Mapping[str, str]
"""sha256 by path, relative to the store's directory."""
Phase = tuple[str, str]
"""``fit`` or ``predict``, and the fit key of the item."""

_LOOSE = ("tmp", "store", "leases", "requests", "logs", "sessions", "workers")
"""Directories of the store that hold no artifacts."""


def files_of(root: Path) -> dict[str, str]:
    """Return every artifact and export that lies at its final name, records or none."""
    digests = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        # store.damaged-... and the like are what was set aside; logs and manifests grow while a run lasts.
        loose = relative.parts[0].partition(".")[0] in _LOOSE or ".damaged-" in relative.as_posix()
        if path.is_file() and not loose and path.suffix in (".npy", ".parquet", ".pkl", ".json", ".key", ""):
            digests[relative.as_posix()] = sha256_of(path)
    return digests


def artifacts_of(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every artifact that a record names, at any depth; a model that was dropped is none."""
    if isinstance(value, dict):
        if "dropped" in value:
            value = {name: part for name, part in value.items() if name != "model"}
        if {"path", "size", "sha256"} <= value.keys():
            yield value
        else:
            for part in value.values():
                yield from artifacts_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from artifacts_of(part)


def records_of(root: Path) -> dict[str, Record]:
    """Read all records as a reader does, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_all(root / "store")


def is_intact(artifact: Mapping[str, Any], root: Path) -> bool:
    """Whether a file is what a record says; an opinion of the harness's own."""
    path = root / artifact["path"]
    size, sha256 = int(artifact["size"]), str(artifact["sha256"])
    return path.is_file() and path.stat().st_size == size and sha256_of(path) == sha256


def damaged_artifacts(root: Path, records: Mapping[str, Record]) -> set[str]:
    """Return the paths that records name and that are missing or different."""
    named = (artifact for record in records.values() for artifact in artifacts_of(record))
    return {str(artifact["path"]) for artifact in named if not is_intact(artifact, root)}


def committed(root: Path) -> set[Phase]:
    """Return the phases whose record is there and whose artifacts are intact."""
    phases = set()
    for key, record in records_of(root).items():
        operation = key.partition("/")[0]
        if (
            operation in ("fit", "predict")
            and "dropped" not in record
            and all(is_intact(artifact, root) for artifact in artifacts_of(record))
        ):
            phases.add((operation, str(record["fit_key"])))
    return phases


def broken_store(root: Path, before: Files, finished: Files, already: set[str]) -> list[str]:
    """Return what is wrong with a store that nobody has open.

    Args:
        root: The store.
        before: Its files before the run.
        finished: Its files after an undisturbed run.
        already: Artifacts that were damaged from the start.
    """
    try:
        records = records_of(root)
    except Exception as error:  # whatever it is, it must not be
        return [f"I0 the records cannot be read: {type(error).__name__}: {error}"]
    violations = [f"I1 a record names {path}, which is not so" for path in damaged_artifacts(root, records) - already]
    for path, sha256 in files_of(root).items():
        # Exports differ in their moments; what a run makes under another name has nothing to be compared with.
        expected = {files[path] for files in (before, finished) if path in files}
        is_recorded = expected and path not in ("progress.json", "results.json", "STORE.json")
        if sha256 not in expected if is_recorded else not _is_whole(root / path):
            violations.append(f"I5 {path} is torn")
    return violations


def _is_whole(path: Path) -> bool:
    try:
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".parquet":
            parquet.read_table(path)
    except (ValueError, OSError, EOFError):  # pyarrow's ArrowInvalid is a ValueError
        return False
    return True


def broken_end(
    root: Path, ended: Ended, reference: Mapping[str, Any], results: Mapping[str, str] | None = None
) -> list[str]:
    """Return what is wrong with an undisturbed run after a disturbed one.

    Args:
        root: The store.
        ended: How the run ended.
        reference: What it is to come to.
        results: What results.json is to say, see ``exported``; by default what the run itself says.
    """
    if ended.outcome is None or ended.hung:
        message = "I0 the store does not open" if "StoreError" in str(ended.error.get("type")) else "I2 no table"
        return [f"{message}: {ended}"]
    violations = [f"I2 {wrong}" for wrong in wrong_numbers(ended.outcome, reference)]
    if not violations and as_text(ended.outcome) != as_text(reference):
        violations.append(f"I2 the table is another: failed {ended.outcome['failed']}\n{ended.outcome['table']}")
    if exported(root) != (exported_values(reference) if results is None else results):
        violations.append("I2 results.json has other numbers")
    left = sorted(path.name for path in (root / "tmp").glob("*") if path.is_dir())
    if left:
        violations.append(f"I4 left under tmp: {left}")
    return violations


def broken_agreement(root: Path) -> list[str]:
    """Return what is damaged, or contradicts itself, in a store whose last run came to its end undisturbed."""
    store = open_store(root)
    violations = [f"I7 {damage.name} {damage.trouble}" for damage in store.verify()]
    done = set(store.completed)
    exported_items = json.loads((root / "progress.json").read_text(encoding="utf-8"))["items"]
    answers = {
        "results": set(store.results()["item"]),
        "sql": set(store.sql("SELECT item FROM items WHERE status = 'done'")["item"]),
        "progress.json": {name for name, item in exported_items.items() if item["status"] == "done"},
    }
    return violations + [f"I7 {name} has {found ^ done}" for name, found in answers.items() if found != done]


def broken_failure(ended: Ended, reference: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the end of a run in which an operation failed."""
    if ended.hung:
        return ["I6 it hangs"]
    if ended.outcome is None:
        return [] if ended.error.get("expected") else [f"I6 the wrong kind of error: {ended}\n{ended.error}"]
    violations = [f"I2 {wrong}" for wrong in wrong_numbers(ended.outcome, reference)]
    if not ended.outcome["failed"] and as_text(ended.outcome) != as_text(reference):
        violations.append(f"I6 nothing failed, but the table is another:\n{ended.outcome['table']}")
    return violations


def broken_work(
    first: list[Phase], second: list[Phase], alone: list[Phase], done: set[Phase], spare: int = 1
) -> list[str]:
    """Return what was executed in vain.

    Args:
        first: What the disturbed run began.
        second: What the run after it began.
        alone: What an undisturbed run begins.
        done: What was committed in between.
        spare: How many of each phase may have been in flight.
    """
    violations = [
        f"I3 {operation} of {key[:8]} again, which was committed"
        for operation, key in second
        if (operation, key) in done
    ]
    for operation in ("fit", "predict"):
        needed = sum(name == operation for name, _ in alone)
        took = sum(name == operation for name, _ in (*first, *second))
        if took > needed + spare:
            violations.append(f"I3 {operation} was executed {took} times instead of {needed} (+ {spare})")
    return violations


def exported(root: Path) -> dict[str, str]:
    """Return the values of results.json by dataset, algorithm, fold and label."""
    rows = json.loads((root / "results.json").read_text(encoding="utf-8"))["results"]
    return {
        f"{row['dataset']}/{row['algorithm']}/{row['fold']} {row['metric']}@{row['k']}": repr(row["value"])
        for row in rows
    }


def exported_values(reference: Mapping[str, Any]) -> dict[str, str]:
    """Return the reference's values in the same form."""
    return {f"{name} {label}": value for name, row in reference["values"].items() for label, value in row.items()}


def opens(root: Path) -> str:
    """Return why a store cannot be opened for writing, or nothing."""
    from omnibench.store import CheckpointStore

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            CheckpointStore(root).close()
    except OmnibenchError as error:
        return str(error)
    return ""
