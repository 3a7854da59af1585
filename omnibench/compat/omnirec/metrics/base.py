"""What a metric of one's own has to have."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.compat.omnirec.settings import root_logger

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class MetricResult:
    """What a metric returns.

    Attributes:
        name: The metric's name in tables.
        result: A number, or a number for each k.
    """

    name: str
    result: float | dict[int, float]


class Metric(ABC):
    """A metric of predictions against the test part."""

    @property
    def logger(self) -> logging.Logger:
        """The logger of metrics."""
        return root_logger.getChild("data")

    @abstractmethod
    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> MetricResult:
        """Return the metric.

        Args:
            predictions: Columns user, item, score and rank (from 1), or user, item and rating.
            test: Columns user and item, and rating where there is one.
        """
