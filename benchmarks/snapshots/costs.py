"""What a snapshot of a big model costs: seconds, bytes against those of the training data, and memory of the guest.

python costs.py [FRAMEWORK.ALGORITHM ...]

The budgets are 1 % of a Fit's time at the default interval, no copy of the training data, and 1.3 times the memory.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from resumed_fits import iterative, job, run_jobs, tastes

import omnibench
from omnibench.data.prepare import prepare
from omnibench.guest.folds import Fold
from omnibench.guest.snapshots import MANIFEST
from omnibench.store import CheckpointStore
from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.snapshots import FOLDER, key_of, publish, snapshot_record

USERS, ITEMS, EACH = 4000, 20_000, 50
"""The size of the big data set: users, items, and interactions of each user."""

INTERVAL = 300
"""Seconds between two snapshots by default."""

ALGORITHMS = (
    "RecBole.BPR",
    "RecBole.MultiVAE",
    "RecBole.LightGCN",
    "LensKit.FlexMFImplicitScorer",
    "LensKit.ImplicitMFScorer",
    "RecPack.MultVAE",
    "RecPack.BPRMF",
)

BIG = {
    "RecBole": {"epochs": 2, "train_batch_size": 2048},
    "LensKit": {"epochs": 3},
    "RecPack": {"max_epochs": 2, "batch_size": 500},
}
"""Hyperparameters for the big data, by framework."""


def popular_items() -> omnibench.RecSysDataSet:
    """Return what users have drawn from many items, a few of which are popular."""
    rng = np.random.default_rng(3)
    item = np.array([rng.choice(ITEMS // 2, EACH, replace=False) for _ in range(USERS)]) + rng.integers(
        0, ITEMS // 2, size=(USERS, 1)
    )
    user = np.repeat(np.arange(USERS), EACH)
    return omnibench.from_frame(pd.DataFrame({"user": user, "item": item.ravel()}), "big")


def publishing(snapshot: Path, work: Path) -> tuple[float, float]:
    """Publish and record a snapshot in a new store, as a host does while the guest waits; return the seconds, and those of the CPU.

    Args:
        snapshot: The folder that a guest has written.
        work: A directory on the same disk.
    """
    labels = ItemLabels(
        item="big/Deep",
        fit_key="f" * 64,
        dataset="big",
        algorithm="Deep",
        parameters={},
        fold=None,
        identity=["fit/1", {}],
        data_key="d" * 64,
    )
    store = CheckpointStore(work / "store")
    try:
        home = store.claim(store.claim(store.root, "big", "d" * 64), "Deep", "f" * 64)
        with store.temporary() as scratch, store.lease(labels.fit_key) as lease:
            shutil.copytree(snapshot, scratch / "snapshot")  # whose pages are as new to the disk as those of a guest
            manifest = json.loads((snapshot / MANIFEST).read_text(encoding="utf-8"))
            began, began_cpu = time.perf_counter(), time.process_time()
            identity = f"{labels.fit_key}/first"
            files = publish(store, scratch / "snapshot", home / FOLDER / "first", identity)
            origin = Origin("run", "worker", home.relative_to(store.root).as_posix())
            record = snapshot_record(labels, origin, labels.fit_key, "first", 1, manifest, [], files, None)
            store.commit(lease, {key_of(record): record})
            return time.perf_counter() - began, time.process_time() - began_cpu
    finally:
        store.close()
        shutil.rmtree(store.root)


def main(names: list[str]) -> None:
    """Print a row for each algorithm and data set, of the snapshot between two epochs and that between two batches.

    ``seconds`` are those of the clock: what the guest writes, and the host syncs, hashes and records; ``CPU`` are those of the
    processor, of both. On a machine with a lot else to do the clock says how much that is.
    """
    columns = ["algorithm", "data", "bytes", "of the training data", "written in s", "published in s", "CPU s"]
    columns += ["of the interval by the clock", "by the CPU", "memory"]
    print(f"| {' | '.join(columns)} |")
    print("| :-- | :-- | --: | --: | --: | --: | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for data, dataset in {"big": popular_items(), "small": tastes()}.items():
            (work / data).mkdir()
            prepare(dataset.pipe(omnibench.UserHoldout(0, 0.2)), work / data)
            interactions = 8 * len(Fold(work / data, 0).train.user)
            for name in names:
                framework, _, algorithm = name.partition(".")
                settings = iterative(framework)[algorithm] if data == "small" else BIG[framework]
                directory = work / f"{data}-{name}"
                planned = job(algorithm, settings, work / data, directory, take=[2, 3], kill=4)
                (answer,) = run_jobs(framework, [{**planned, "predict": None}], work / f"run-{data}-{name}", 1)
                for snapshot in answer["snapshots"]:
                    seconds, cpu = publishing(Path(snapshot["directory"]), work)
                    cells = [
                        name,
                        data,
                        f"{snapshot['bytes']:,}",
                        f"{interactions:,}",
                        f"{snapshot['seconds']:.2f}",
                        f"{seconds:.2f}",
                        f"{snapshot['cpu'] + cpu:.2f}",
                        f"{(snapshot['seconds'] + seconds) / INTERVAL:.2%}",
                        f"{(snapshot['cpu'] + cpu) / INTERVAL:.2%}",
                        f"{snapshot['memory']:.2f}",
                    ]
                    print("| " + " | ".join(cells) + " |", flush=True)
                shutil.rmtree(directory)


if __name__ == "__main__":
    main(sys.argv[1:] or list(ALGORITHMS))
