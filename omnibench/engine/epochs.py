"""What the host does after each epoch of a Fit: measure it where the framework does not, and judge whether it goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.experiment.outputs import Outputs
from omnibench.guest.epochs import VALUE

Judge = Callable[[int, float], bool]
"""Returns whether to end a Fit, of the number of an epoch (counted from 1) and its value on the validation part."""


@dataclass(frozen=True, slots=True)
class EpochMetric:
    """How the host measures the epochs of a Fit on the validation part.

    Attributes:
        label: What the metric is called, as ``NDCG@10``. A framework that calculates just that is not asked for lists.
        list_length: Recommendations per user.
        outputs: What it is calculated from.
        measure: Returns its value for a file of predictions that are judged by the validation part.
        epochs: The epochs that are measured, counted from 1; None for each. Predicting for all validation users may take
            longer than an epoch (LensKit on MovieLens-100K: 1 s after each 0.2 s), so a pruner that looks at few epochs
            has only those measured.
    """

    label: str
    list_length: int
    outputs: Outputs
    measure: Callable[[Path], float]
    epochs: frozenset[int] | None = None


def answering(
    judge: Judge | None, metric: EpochMetric | None, on_progress: Callable[[dict[str, Any]], None]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what answers a guest that asks after an epoch: the value that was measured, and whether to stop.

    Args:
        judge: Decides; nobody is asked after the last epoch, and of a value that cannot be compared.
        metric: What is measured where a guest sends predictions.
        on_progress: Told of the epoch, with its value.
    """

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        progress = dict(question["progress"])
        if "predictions" in question:
            assert metric is not None, "only then a guest is asked for predictions"
            progress[VALUE] = float(metric.measure(Path(question["predictions"])))
        on_progress(progress)
        epoch, value = progress["epoch"], progress[VALUE]
        is_last = epoch == progress.get("epochs")
        stop = judge is not None and math.isfinite(value) and not is_last and judge(epoch, value)
        return {"value": value, "stop": bool(stop)}

    return answer
