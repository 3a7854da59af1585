"""What users choose of documents; apart from what makes these, which takes a tenth of a second to import."""

from __future__ import annotations

from dataclasses import dataclass

from omnibench.statistics.paired import DEFAULT_TEST

DEFAULT_LIMIT = 100
"""Default number of configurations of a dataset that documents show."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of the user: what documents show, and how it is tested.

    Attributes:
        sort: The column by whose mean configurations are sorted, best first; as they come without one.
        limit: How many configurations of a dataset are shown, the best ones.
        alpha: The level of each column's tests.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        show_all: The option that shows more, for messages.
    """

    sort: str = ""
    limit: int | None = DEFAULT_LIMIT
    alpha: float = 0.05
    test: str = DEFAULT_TEST
    show_all: str = ""
