"""Costs of an item as columns beside its metrics: read from the records of its phases, never recomputed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.arguments import checked_arguments
from omnibench.metrics.base import Metric

MIB = 1 << 20
PhaseRecord = Mapping[str, Any] | None


@checked_arguments
class CostMetric(Metric):
    """A cost of an item's phases. It is not part of any key, and is never tested for significance."""

    kind = "cost"
    higher_is_better = False

    @property
    def labels(self) -> list[str]:
        return [self.name]

    @property
    def is_mean(self) -> bool:
        return False

    def read(self, fit: PhaseRecord, predict: PhaseRecord) -> float | None:
        """Return the cost, or None where it was not measured.

        Args:
            fit: The record of the item's Fit, or None.
            predict: The record of its Predict, or None.
        """
        raise NotImplementedError


class FitTime(CostMetric):
    """Wall seconds of Fit, without the start of the framework's process."""

    def read(self, fit: PhaseRecord, predict: PhaseRecord) -> float | None:
        return _number(fit, "seconds")


class PredictTime(CostMetric):
    """Wall seconds of Predict, for all users with test items; without the start of the framework's process."""

    def read(self, fit: PhaseRecord, predict: PhaseRecord) -> float | None:
        return _number(predict, "seconds")


class PeakMemory(CostMetric):
    """Largest resident set of the framework's process in Fit and Predict, in MiB."""

    def read(self, fit: PhaseRecord, predict: PhaseRecord) -> float | None:
        peaks = [peak for record in (fit, predict) if (peak := _number(record, "peak_rss")) is not None]
        return max(peaks) / MIB if peaks else None


def _number(record: PhaseRecord, name: str) -> float | None:
    value = record.get(name) if record else None
    return None if value is None else float(value)
