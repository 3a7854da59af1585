"""What a snapshot of a big model costs: seconds, bytes against those of the training data, and memory of the guest.

python costs.py [FRAMEWORK.ALGORITHM ...]

The budgets are 1 % of a Fit's time at the default interval, no copy of the training data, and 1.3 times the memory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from resumed_fits import job, run_jobs

import omnibench
from omnibench.data.prepare import prepare

USERS, ITEMS, EACH = 4000, 20_000, 50
"""The size of the data set: users, items, and interactions of each user."""

INTERVAL = 300
"""Seconds between two snapshots by default."""

ALGORITHMS = ("RecBole.MultiVAE", "RecBole.LightGCN", "RecBole.LINE", "RecBole.SGL")


def popular_items() -> omnibench.RecSysDataSet:
    """Return what users have drawn from many items, a few of which are popular."""
    rng = np.random.default_rng(3)
    item = np.array([rng.choice(ITEMS // 2, EACH, replace=False) for _ in range(USERS)]) + rng.integers(
        0, ITEMS // 2, size=(USERS, 1)
    )
    user = np.repeat(np.arange(USERS), EACH)
    return omnibench.from_frame(pd.DataFrame({"user": user, "item": item.ravel()}), "big")


def main(names: list[str]) -> None:
    """Print a row for each algorithm, of snapshots between two epochs and between two batches."""
    print("| Algorithm | bytes | of the training data | seconds | of the interval | memory |")
    print("| :-- | --: | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "data").mkdir()
        prepare(popular_items().pipe(omnibench.UserHoldout(0, 0.2)), work / "data")
        data = int(USERS * EACH * 0.8) * 8
        for name in names:
            framework, _, algorithm = name.partition(".")
            settings = {"epochs": 2, "train_batch_size": 2048}
            planned = {**job(algorithm, settings, work / "data", work / name, take=[2, 3], kill=4), "predict": None}
            (answer,) = run_jobs(framework, [planned], work / f"run-{name}", 1)
            for snapshot in answer["snapshots"]:
                share = snapshot["seconds"] / INTERVAL
                cells = [
                    name,
                    f"{snapshot['bytes']:,}",
                    f"{data:,}",
                    f"{snapshot['seconds']:.2f}",
                    f"{share:.2%}",
                    f"{snapshot['memory']:.2f}",
                ]
                print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1:] or list(ALGORITHMS))
