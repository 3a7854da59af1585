"""What docs/algorithms.md says that omnibench does otherwise than the frameworks' own pipelines."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "algorithms.md"
_HEADER = "| algorithms | omnibench | the framework | reason |"


@dataclass(frozen=True)
class Difference:
    """A row of one of the page's two tables.

    Attributes:
        algorithms: Full names, or ``Framework.*``.
        text: What omnibench does, e.g. ``valid_metric="NDCG@10"``, or in words.
        is_needed: Whether lists differ without it; else it is a setting that changes nothing.
        without_ratings: Whether it holds for data without ratings only.
        reason: Why.
    """

    algorithms: tuple[str, ...]
    text: str
    is_needed: bool
    without_ratings: bool
    reason: str

    @property
    def setting(self) -> dict[str, Any]:
        """The hyperparameter with its value, or nothing where it is no hyperparameter."""
        name, equals, value = self.text.partition("=")
        return {name: ast.literal_eval(value)} if equals else {}

    def applies(self, algorithm: str, *, has_ratings: bool) -> bool:
        """Whether it is about an algorithm, given by its full name."""
        named = any(fnmatchcase(algorithm, pattern) for pattern in self.algorithms)
        return named and not (self.without_ratings and has_ratings)


def documented_differences() -> list[Difference]:
    """Read both tables of the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line == _HEADER]
    assert len(starts) == 2, f"{PAGE.name} has to have two tables with the header {_HEADER!r}"
    differences = []
    for start, is_needed in zip(starts, (True, False), strict=True):
        for line in lines[start + 2 :]:
            if not line.startswith("|"):
                break
            algorithms, ours, _, reason = (cell.strip() for cell in line.strip("|").split("|"))
            names, texts = (tuple(re.findall("`([^`]+)`", cell)) for cell in (algorithms, ours))
            differences.append(Difference(names, texts[0], is_needed, "without ratings" in ours, reason))
    return differences
