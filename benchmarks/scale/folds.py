"""What five folds take on disk, and what writing, opening and reading them costs: ``python benchmarks/scale/folds.py``.

    python benchmarks/scale/folds.py [--interactions 20000000]

Seeded power-law interactions with text ids, at a sixteenth, a quarter and all of the size, go through UserCrossValidation(5,
validation_size=0.1) into a prepared dataset as it is now (rows that folds share), as it was (copies of the rows for each
fold, beside the columns; ids as JSON), and into the files of a plain numpy script (a column each, and the part of each row in
each fold). Written includes the sha256 of all files, which a store records. Each reading runs in a fork of its own, three
times, of which the least counts: CPU seconds of the reading alone, and by how much the process' memory has grown by then (all
of it, and what it does not share). The exponent is that of the growth from the smallest to the largest: 1 grows as the
data, 0 not at all.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "data"))
from splits import generate

from omnibench import CorePruning, UserCrossValidation, from_frame
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.guest.folds import Fold
from omnibench.guest.parts import save_columns

SHARED, COPIES, PLAIN = "shared rows", "copies (before)", "plain numpy"
FORMS = (SHARED, COPIES, PLAIN)
PROCESSES = 3


def text_frame(n: int) -> pd.DataFrame:
    """Return about n interactions with text ids and timestamps."""
    columns = generate(n, 1)
    categorical: Any = pd.Categorical  # whose stubs take neither arrays of codes nor of texts
    for name in ("user", "item"):
        codes = columns[name]
        ids = np.array([f"{name}-{code:09}" for code in range(int(codes.max()) + 1)], dtype=object)
        columns[name] = categorical.from_codes(codes, ids)
    return pd.DataFrame(columns)[["user", "item", "timestamp"]]


def write_copies(dataset: RecSysDataSet, directory: Path) -> None:
    """Write a dataset as omnibench did until now."""
    rows = dataset.interactions()
    assert rows.timestamp is not None
    columns: dict[str, Any] = {"user": rows.user, "item": rows.item, "timestamp": rows.timestamp}
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", column)
    np.save(directory / "indptr.npy", np.concatenate([[0], np.cumsum(np.bincount(rows.user))]))
    for name, own_ids in (("users", rows.user_ids), ("items", rows.item_ids)):
        (directory / f"{name}.json").write_text(json.dumps(list(own_ids)), encoding="utf-8")
    for number, parts in enumerate(dataset.parts(rows)):
        (directory / f"fold_{number}").mkdir()
        for name, part in parts._asdict().items():
            save_columns(directory / f"fold_{number}" / f"{name}.npy", columns, part)
    sizes = {"users": len(rows.user_ids), "items": len(rows.item_ids), "interactions": len(rows)}
    manifest = {**sizes, "feedback": "implicit", "columns": list(columns)}
    (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def write_plain(dataset: RecSysDataSet, directory: Path) -> None:
    """Write a dataset as a script would that has nothing but numpy."""
    rows = dataset.interactions()
    assert rows.timestamp is not None
    for name, column in (("user", rows.user), ("item", rows.item), ("timestamp", rows.timestamp)):
        np.save(directory / f"{name}.npy", column)
    for name, own_ids in (("users", rows.user_ids), ("items", rows.item_ids)):
        np.save(directory / f"{name}.npy", np.array(own_ids))
    for number, parts in enumerate(dataset.parts(rows)):
        part_of = np.zeros(len(rows), dtype=np.uint8)
        part_of[parts.validation], part_of[parts.test] = 1, 2
        np.save(directory / f"parts_{number}.npy", part_of)


WRITERS: dict[str, Callable[[RecSysDataSet, Path], object]] = {
    SHARED: prepare, COPIES: write_copies, PLAIN: write_plain
}  # fmt: skip


def open_fold(directory: Path) -> list[Any]:
    """Open the parts of a fold without reading a column."""
    fold = Fold(directory, 0)
    return [fold, fold.train, fold.validation, fold.test]


def read_train(directory: Path) -> list[Any]:
    """Read all columns of the training part."""
    fold = Fold(directory, 0)
    return [fold, int(fold.train.user.sum()), int(fold.train.item.sum()), int(np.asarray(fold.train.timestamp).sum())]


def read_test(directory: Path) -> list[Any]:
    """Read the test pairs, and who has some."""
    fold = Fold(directory, 0)
    return [fold, len(fold.users), int(fold.test.user.sum()), int(fold.test.item.sum())]


def read_user(directory: Path) -> list[Any]:
    """Read what a user has seen."""
    fold = Fold(directory, 0)
    return [fold.seen(fold.n_users // 2)]


def read_users(directory: Path) -> list[Any]:
    """Read what each user has seen, one after the other."""
    fold = Fold(directory, 0)
    return [sum(len(fold.seen(user)) for user in range(fold.n_users))]


def read_id(directory: Path) -> list[Any]:
    """Open the ids, and read one of them."""
    return [read_ids(directory, name)[7] for name in ("users", "items")]


def plain_train(directory: Path) -> list[Any]:
    """Read all columns of the training part as a script would."""
    is_train = np.load(directory / "parts_0.npy") == 0
    columns = [np.load(directory / f"{name}.npy")[is_train] for name in ("user", "item", "timestamp")]
    return [columns, *(int(column.sum()) for column in columns)]


def plain_test(directory: Path) -> list[Any]:
    """Read the test pairs, and who has some, as a script would."""
    is_test = np.load(directory / "parts_0.npy") == 2
    user, item = (np.load(directory / f"{name}.npy")[is_test] for name in ("user", "item"))
    return [user, item, len(np.unique(user)), int(user.sum()), int(item.sum())]


def plain_users(directory: Path) -> list[Any]:
    """Read what all users have seen, as a script would."""
    is_seen = np.load(directory / "parts_0.npy") < 2
    user, item = (np.load(directory / f"{name}.npy")[is_seen] for name in ("user", "item"))
    return [item, sum(len(items) for items in np.split(item, np.flatnonzero(np.diff(user)) + 1))]


def plain_id(directory: Path) -> list[Any]:
    """Open the ids, and read one of them."""
    return [np.load(directory / f"{name}.npy", mmap_mode="r")[7] for name in ("users", "items")]


READINGS: dict[str, tuple[Callable[[Path], list[Any]], Callable[[Path], list[Any]] | None]] = {
    "open a fold": (open_fold, None),
    "one user": (read_user, None),
    "all users": (read_users, plain_users),
    "training columns": (read_train, plain_train),
    "test pairs": (read_test, plain_test),
    "one id": (read_id, plain_id),
}
"""What is read, and how plain numpy does."""


def memory() -> tuple[int, int]:
    """Return the resident bytes of this process, and those that no file backs."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return kib["Rss"] * 1024, kib["Anonymous"] * 1024


def look(read: Callable[[Path], list[Any]], directory: Path) -> dict[str, float]:
    """Read in a fork of this process; return what that took."""
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        ctypes.CDLL(None).malloc_trim(0)  # else arrays lie in what the parent has freed, and seem to take no memory
        before = memory()
        worked = time.process_time()
        results = read(directory)
        cpu = time.process_time() - worked
        grown = [now - then for now, then in zip(memory(), before, strict=True)]
        os.write(sender, json.dumps({"cpu": cpu, "rss": grown[0], "own": grown[1], "results": len(results)}).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(sender)
    with open(receiver, "rb") as file:
        cost: dict[str, float] = json.load(file)
    return cost


def least(read: Callable[[Path], list[Any]], directory: Path) -> dict[str, float]:
    """Return the least that a reading takes in some processes."""
    costs = [look(read, directory) for _ in range(PROCESSES)]
    return {name: min(cost[name] for cost in costs) for name in costs[0]}


def main() -> None:
    """Write, read, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=20_000_000)
    options = parser.parse_args()
    cells: dict[tuple[str, str], list[tuple[float, str]]] = {}
    sizes = []
    for n in (options.interactions // divisor for divisor in (16, 4, 1)):
        frame = text_frame(n)
        sizes.append(len(frame))
        dataset = from_frame(frame, "folds").pipe(CorePruning(5), UserCrossValidation(5, validation_size=0.1))
        print(f"{len(frame):,} rows, key {dataset.key[:8]}", flush=True)
        del frame
        for form in FORMS:
            with tempfile.TemporaryDirectory() as name:
                directory = Path(name)
                started = time.process_time()
                WRITERS[form](dataset, directory)
                files = [file for file in directory.rglob("*") if file.is_file()]
                for file in files:
                    with file.open("rb") as content:
                        hashlib.file_digest(content, "sha256")
                cpu, size = time.process_time() - started, sum(file.stat().st_size for file in files)
                cells.setdefault(("on disk", form), []).append((size, f"{size / 1e6:,.1f} MB"))
                cells.setdefault(("written", form), []).append((cpu, f"{cpu:.2f} s"))
                for reading, (ours, plain) in READINGS.items():
                    read = plain if form == PLAIN else ours
                    if read is not None:
                        cost = least(read, directory)
                        text = f"{cost['cpu'] * 1e3:.1f} ms {cost['rss'] / 1e6:.0f} ({cost['own'] / 1e6:.0f}) MB"
                        cells.setdefault((reading, form), []).append((cost["cpu"], text))
    print(f"{'':34}" + "".join(f"{size:>16,} rows    " for size in sizes) + "exponent")
    for row in ("on disk", "written", *READINGS):
        for form in FORMS:
            if (row, form) in cells:
                pairs = cells[row, form]
                exponent = math.log(pairs[-1][0] / pairs[0][0]) / math.log(sizes[-1] / sizes[0])
                print(f"{row:17}{form:17}" + "".join(f"{text:>25}" for _, text in pairs) + f"{exponent:9.2f}")


if __name__ == "__main__":
    main()
