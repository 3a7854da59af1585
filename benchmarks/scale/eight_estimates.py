"""What algorithms would cost at sizes at which they were not run: extrapolated, and the reason why they were not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from omnibench.data.data_size import DataSize
from omnibench.runners.registry import get_runner
from omnibench.runners.requirements import formula_of, required

MEMORY = 24e9
"""Bytes of the machine that the numbers are of."""

_EXTRAPOLATED = (
    "~: not run, but extrapolated by the growth between the two largest sizes that were. "
    "A run had six minutes of a machine that others used, too, those of generating and preparing the data included."
)

FORMULAS = {
    "Pop": ("LensKit", "PopScorer", {}),
    "ItemKNN": ("RecPack", "ItemKNN", {"K": 100}),
    "EASE": ("RecPack", "EASE", {}),
    "ImplicitMF": ("LensKit", "ImplicitMFScorer", {"embedding_size": 64}),
    "BPR": ("RecBole", "BPR", {}),
    "LightGCN": ("RecBole", "LightGCN", {}),
    "SVD": ("RecPack", "SVD", {"num_components": 64}),
}
"""Whose memory the formulas of frameworks estimate: framework, algorithm and hyperparameters."""


def estimated(sizes: Sequence[Mapping[str, Any]], rows: int, name: str, way: str) -> dict[str, float]:
    """Return the CPU seconds of the steps of an algorithm at a size, by how they grew between the two largest that were run.

    Args:
        sizes: What was measured, the smallest size first.
        rows: The size.
        name: The algorithm.
        way: Whether with omnibench or bare.

    Returns:
        The seconds of each step that was measured at two sizes.
    """
    points = [
        (size["rows"], size["algorithms"][name][way]["seconds"])
        for size in sizes
        if size["rows"] < rows and way in size["algorithms"].get(name, {})
    ][-2:]
    if len(points) < 2:
        return {}
    (small_rows, small), (large_rows, large) = points
    further = math.log(rows / large_rows) / math.log(large_rows / small_rows)
    return {
        step: seconds * (seconds / small[step]) ** further
        for step, seconds in large.items()
        if seconds > 0 and small.get(step, 0) > 0
    }


def needed_memory(name: str, size: Mapping[str, Any]) -> float | None:
    """Return how many bytes a Fit is estimated to need; None of a class of the user's own.

    Args:
        name: The algorithm.
        size: The size of the data.
    """
    if name not in FORMULAS:
        return None
    framework, algorithm, parameters = FORMULAS[name]
    counts = DataSize(size["users"], size["items"], size["rows"])
    return float(required(formula_of(get_runner(framework), algorithm), counts, parameters).size)


def reasons(size: Mapping[str, Any], missing: Sequence[str]) -> str:
    """Return why algorithms were not run at a size; nothing where all were.

    Args:
        size: The size.
        missing: The algorithms that were not run, with omnibench or bare.
    """
    if not missing:
        return ""
    memory = {name: needed_memory(name, size) or 0.0 for name in missing}
    too_large = [
        f"{name} needs about {needed / 1e9:,.0f} GB of memory, and {MEMORY / 1e9:.0f} were there."
        for name, needed in memory.items()
        if needed > MEMORY
    ]
    return " ".join([_EXTRAPOLATED, *too_large])
