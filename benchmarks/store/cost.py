"""What the store adds to an item: ``python benchmarks/store/cost.py``.

The same phases of the same algorithm run twice, side by side and alternating: bare (Fit, Predict and Eval into plain
files that nobody syncs or records) and through the store (lease, published files, records, manifests, heartbeat).
The difference is what an item pays for being durable, told as a share of a phase that computes for one second.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omnibench import NDCG, Coordinator, Evaluator, ExperimentPlan, Grid, UserHoldout, from_frame
from omnibench.engine import evaluation, exported_predictions, phases
from omnibench.engine.items import Item
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments

ITEMS = 60


class Nothing:
    """Recommends the same items to everybody, at once."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def fit(self, train: Any) -> None:
        self.items = sorted(set(train["item"]))

    def recommend(self, users: Any, k: int) -> dict[Any, Any]:
        return dict.fromkeys(users, self.items[:k])


def bare(coordinator: Coordinator, item: Experiment, evaluator: Evaluator, dataset: Path, scratch: Path) -> float:
    """Run the phases of an item into plain files; return the seconds that took."""
    started = time.perf_counter()
    directory = scratch / item.fit_key
    directory.mkdir()
    guest = coordinator.guests.get(item.configuration.runner)
    model = phases.fit(guest, item, dataset, directory)["file"]
    lists = directory / "predictions.npy"
    phases.predict(guest, item, dataset, directory / model, evaluator.list_length, lists)
    exported_predictions.export_predictions(dataset, lists, directory)
    found = evaluation.evaluate(dataset, item.fold, lists, evaluator.columns)
    np.save(directory / "per_user.npy", found.per_user)
    return time.perf_counter() - started


def stored(coordinator: Coordinator, item: Experiment, evaluator: Evaluator) -> float:
    """Bring an item to Done; return the seconds that took."""
    started = time.perf_counter()
    outcome = coordinator.run_item(Item.of(item, evaluator))
    assert outcome.status == "done"
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    generator = np.random.default_rng(1)
    frame = pd.DataFrame({"user": generator.integers(0, 200, 4000), "item": generator.integers(0, 300, 4000)})
    dataset = from_frame(frame.drop_duplicates(), "random").pipe(UserHoldout())
    plan = ExperimentPlan("cost")
    plan.add_algorithm(Nothing, {"number": Grid(list(range(2 * ITEMS)))})
    evaluator = Evaluator(NDCG([5, 10]))
    here = Path(__file__).parent
    with (
        tempfile.TemporaryDirectory(dir=here, prefix=".cost-") as scratch,  # on the disk that holds real checkpoints
        Coordinator(Path(scratch) / "checkpoints", notify=lambda _: None) as coordinator,
    ):
        found = experiments(dataset, plan, evaluator.metrics, versions=coordinator.environments.version, seeds=[1])
        place = coordinator.workbench.datasets.get(dataset)  # prepared beforehand for both
        plain = Path(scratch) / "plain"
        plain.mkdir()
        without, through = [], []
        for one, other in zip(found[::2], found[1::2], strict=True):
            without.append(bare(coordinator, one, evaluator, place, plain))
            through.append(stored(coordinator, other, evaluator))
        skipped = ITEMS // 6  # the first ones start the guest and warm the disk
        without, through = without[skipped:], through[skipped:]
    low, high = statistics.median(without), statistics.median(through)
    print(f"{len(through)} items each: {low * 1e3:.1f} ms bare, {high * 1e3:.1f} ms through the store (medians)")
    print(f"the store adds {(high - low) * 1e3:.1f} ms to an item: {(high - low):.1%} of a phase of one second")


if __name__ == "__main__":
    main()
