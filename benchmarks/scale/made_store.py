"""Makes a store of many items in a minute: a few are computed, all others are recorded like them.

    python benchmarks/scale/made_store.py DIRECTORY --items 100000

What is recorded is sealed and of the form of real records, with keys and configurations of its own for each item; of every two
hundred items one has failed. The files of the copies are those of the computed ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "harness"))

from project import FOLDS, write_project

from omnibench import ExperimentPlan
from omnibench.engine.script import run_omnirec
from omnibench.store import CheckpointStore
from omnibench.store.reading import read_all
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.sealing import seal

FAILED_EACH = 200
ERROR = {"phase": "Fit", "message": "ValueError: no users", "details": "Traceback\nValueError: no users"}
COLUMNS = "key, raw, store_time, access_time, access_count, size, mode, value"


def make(directory: Path, items: int) -> Path:
    """Make a store of so many items, a multiple of the folds; return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    write_project(directory, FOLDS)
    before = Path.cwd()
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    try:
        from plan import Popularity, data, evaluator  # type: ignore[import-not-found]

        plan = ExperimentPlan()
        plan.add_algorithm(Popularity, {"power": 0})
        run_omnirec(data, plan, evaluator)
    finally:
        os.chdir(before)
        sys.path.remove(str(directory))
    root = directory / "checkpoints"
    records = read_all(root / "store")
    models = [record for key, record in records.items() if RecordType.ITEM.has(key)]
    with closing(sqlite3.connect(root / "store" / "cache.db")) as connection, connection:
        connection.executemany(
            f"INSERT INTO Cache ({COLUMNS}) VALUES (?, 1, ?, ?, 0, 0, 1, ?)",  # noqa: S608 - of constants
            ((key, now := time.time(), now, text) for key, text in copies(records, models, items)),
        )
    store = CheckpointStore(root)  # whoever opens it for writing brings the rest up to date: plan, indexes
    plans = {key: record for key, record in records.items() if RecordType.PLAN.has(key)}
    fit_keys = [model["fit_key"] for model in models] + [key_of("fit", number) for number in range(len(models), items)]
    store.records.commit({key: {**record, "items": sorted(fit_keys)} for key, record in plans.items()})
    store.close()
    return root


def key_of(phase: str, number: int, label: str = "") -> str:
    """Return the key of a phase of an item."""
    return hashlib.sha256(f"{phase} {number} {label}".encode()).hexdigest()


def copies(records: dict[str, Record], models: list[Record], items: int) -> Iterator[tuple[str, str]]:
    """Yield key and text of the records of all items that are not computed."""
    for number in range(len(models), items):
        model = models[number % len(models)]
        fit_key, predict_key = key_of("fit", number), key_of("predict", number)
        algorithm = f"Popularity-{key_of('configuration', number // FOLDS)[:8]}"
        name = f"{model['dataset']}/{algorithm}/fold_{model['fold']}"
        parameters = {"power": number // FOLDS}
        labels = {"item": name, "fit_key": fit_key, "algorithm": algorithm, "parameters": parameters}
        identity = {"identity": with_parameters(model["identity"], parameters)}
        item = {**model, **labels, **identity, "predict_key": predict_key}
        if number % FAILED_EACH == len(models):  # the first that is not computed: small stores have one, too
            item |= {"status": Status.FAILED.value, "phase": "Fit", "metrics": {}, "error": ERROR, "failures": 1}
            yield sealed(RecordType.ITEM.key(fit_key), item)
            continue
        metrics = {}
        for label, metric in model["metrics"].items():
            key = key_of("eval", number, label)
            metrics[label] = {**metric, "key": key, "value": metric["value"] * (1 - number / items / 2)}
            batch = {"batch": f"{name}/per_user.parquet"}
            yield sealed(RecordType.EVAL.key(key), {**records[RecordType.EVAL.key(metric["key"])], **labels, **batch})
        fit, predict = (
            records[RecordType.FIT.key(model["fit_key"])],
            records[RecordType.PREDICT.key(model["predict_key"])],
        )
        yield sealed(RecordType.FIT.key(fit_key), {**fit, **labels, **identity})
        yield sealed(RecordType.PREDICT.key(predict_key), {**predict, **labels})
        yield sealed(RecordType.ITEM.key(fit_key), {**item, "metrics": metrics})


def with_parameters(identity: list[Any], parameters: dict[str, Any]) -> list[Any]:
    """Return an item's identity with other hyperparameters."""
    copy: list[Any] = json.loads(json.dumps(identity))
    copy[1]["configuration"][1]["parameters"] = parameters
    return copy


def sealed(key: str, record: Record) -> tuple[str, str]:
    """Return a record as the database keeps it."""
    return key, seal(key, record)


def main() -> None:
    """Make a store and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--items", type=int, default=10_000)
    arguments = parser.parse_args()
    print(make(arguments.directory.absolute(), arguments.items))


if __name__ == "__main__":
    main()
