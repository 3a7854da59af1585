"""From ratings to implicit feedback."""

from __future__ import annotations

from omnibench.compat.omnirec.data_variants import RawData
from omnibench.compat.omnirec.preprocess.base import BuiltIn
from omnibench.compat.omnirec.preprocess.validation import RequiredColumn, ValidationRule
from omnibench.compat.omnirec.recipes import MakeImplicitByFraction
from omnibench.data.preprocess import MakeImplicit as NativeMakeImplicit
from omnibench.data.step import Step


class MakeImplicit(BuiltIn[RawData, RawData]):
    """Keep interactions rated at least the threshold, and drop the ratings.

    Args:
        threshold: An int is a rating; a float from 0 to 1 a fraction of the highest rating, as OmniRec counts it.
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def steps(self) -> tuple[Step, ...]:
        by_fraction = isinstance(self.threshold, float)
        return (MakeImplicitByFraction(self.threshold) if by_fraction else NativeMakeImplicit(self.threshold),)

    def validation_rules(self) -> list[ValidationRule]:
        return [
            ValidationRule(
                RequiredColumn("rating"),
                message="MakeImplicit needs ratings, but there are none: the feedback is implicit already. Apply steps "
                "that need ratings before it, and it only once.",
            )
        ]
