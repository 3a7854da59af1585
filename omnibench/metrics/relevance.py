"""Relevance and gains: what a test interaction's rating says about it, where a metric asks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from omnibench.errors import EvaluationError
from omnibench.metrics.base import Values

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Gains: TypeAlias = Literal["rating", "exponential"]
"""How a rating becomes a gain: as it is, or as 2**rating - 1."""

GAINS = ("rating", "exponential")
_LARGEST_EXPONENT = 900
"""The highest rating of which a sum of exponential gains is a float64, whose largest is 2**1024."""


class Relevance(NamedTuple):
    """Which interactions of the test part are relevant.

    Attributes:
        least: The lowest relevant rating; None for any.
        positive: Whether ratings have to be above 0, as they are gains.
    """

    least: int | float | None = None
    positive: bool = False

    def of(self, rating: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Return whether interactions of some ratings are relevant; both of shape (m,)."""
        is_relevant = np.ones(len(rating), dtype=bool)
        if self.least is not None:
            is_relevant &= rating >= np.float32(self.least)
        if self.positive:
            is_relevant &= rating > 0
        return is_relevant


EVERYTHING = Relevance()
"""Every interaction of the test part is relevant."""


def checked_threshold(rating: Any, name: str) -> int | float | None:
    """Check a threshold of relevance, and return it; a whole number as an int, so that 4 and 4.0 are one.

    Args:
        rating: The rating, or None for no threshold.
        name: The metric or evaluator, for the message.

    Raises:
        EvaluationError: It is no rating.
    """
    rating = rating.item() if hasattr(rating, "dtype") and hasattr(rating, "item") else rating
    if rating is None:
        return None
    if isinstance(rating, bool) or not isinstance(rating, int | float) or not math.isfinite(rating):
        raise EvaluationError(
            f"{name}: relevant is {rating!r}; give the lowest rating that counts as relevant, e.g. relevant=4."
        )
    return int(rating) if float(rating).is_integer() else rating


def checked_gains(gains: Any, name: str) -> Gains | None:
    """Check how a rating becomes a gain, and return it.

    Raises:
        EvaluationError: There is no such choice.
    """
    if gains not in (None, *GAINS):
        raise EvaluationError(
            f"{name}: gains is {gains!r}; give 'rating' (the rating is the gain) or 'exponential' (2**rating - 1), or "
            "leave it out for gains of 1."
        )
    choice: Gains | None = gains
    return choice


def gains_of(rating: npt.NDArray[np.float32], gains: Gains) -> Values:
    """Return the gain of each rating above 0, both of shape (m,).

    Raises:
        EvaluationError: A rating is too large an exponent, as counts of plays may be.
    """
    exact = rating.astype(np.float64)
    if gains == "exponential" and len(exact) and exact.max() > _LARGEST_EXPONENT:
        raise EvaluationError(
            f"gains='exponential' is 2**rating - 1, which no float holds for ratings up to {exact.max():g}; give "
            "gains='rating', or scale the ratings in a step of yours."
        )
    return exact if gains == "rating" else np.exp2(exact) - 1
