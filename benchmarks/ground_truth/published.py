"""Numbers that others got."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A number that somebody else got.

    Attributes:
        value: The number.
        tolerance: How far from it ours may be.
        source: Who published it where, or what computes it.
    """

    value: float
    tolerance: float
    source: str

    def check(self, what: str, ours: float) -> None:
        """Fail when ours is too far away."""
        assert abs(ours - self.value) <= self.tolerance, (
            f"{what} is {ours:.4f}, but {self.value:.4f} within {self.tolerance} by {self.source}"
        )
