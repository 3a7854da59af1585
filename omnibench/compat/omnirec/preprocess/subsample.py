"""Random samples."""

from __future__ import annotations

from omnibench.compat.omnirec.data_variants import RawData
from omnibench.compat.omnirec.preprocess.base import BuiltIn
from omnibench.data.preprocess import Subsample as NativeSubsample
from omnibench.data.step import Step


class Subsample(BuiltIn[RawData, RawData]):
    """Keep a random sample of the interactions.

    Args:
        sample_size: An int is a number, a float from 0 to 1 a fraction.
    """

    def __init__(self, sample_size: float) -> None:
        super().__init__()
        self.sample_size = sample_size

    def steps(self) -> tuple[Step, ...]:
        return (NativeSubsample(self.sample_size),)
