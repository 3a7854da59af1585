"""The shape of counts: a number, one per part, or one per fold and part."""

from __future__ import annotations

from typing import TypeAlias

CountSummary: TypeAlias = int | dict[str, int] | dict[int, dict[str, int]]
"""The count of raw data; of split data by part; of folded data by fold and part."""
