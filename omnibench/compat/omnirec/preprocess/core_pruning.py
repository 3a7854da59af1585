"""Pruning to users and items with enough interactions."""

from __future__ import annotations

from omnibench.compat.omnirec.data_variants import RawData
from omnibench.compat.omnirec.preprocess.base import BuiltIn
from omnibench.data.preprocess import CorePruning as NativeCorePruning
from omnibench.data.step import Step


class CorePruning(BuiltIn[RawData, RawData]):
    """Drop users and items with too few interactions, until every one has enough.

    Args:
        core: The smallest number of interactions.
    """

    def __init__(self, core: int) -> None:
        super().__init__()
        self.core = core

    def steps(self) -> tuple[Step, ...]:
        return (NativeCorePruning(self.core),)
