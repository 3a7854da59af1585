"""What algorithms would cost at sizes at which they were not run: extrapolated, and the reason why they were not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from omnibench.data.data_size import DataSize
from omnibench.runners.registry import get_runner
from omnibench.runners.requirements import formula_of, required

WAYS = ("omnibench", "bare")
_FIT = "fit"

MEMORY = 24e9
"""Bytes of the machine that the numbers are of."""

SECONDS = 2700.0
"""What most runs had, of a machine that others used, too."""

_EXTRAPOLATED = (
    "~: not run, but extrapolated by the growth between the two largest sizes that were; a Fit by that of the other way where that "
    "was run at larger sizes, since the work is the framework's."
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
    estimates = {
        step: seconds * (seconds / small[step]) ** further
        for step, seconds in large.items()
        if seconds > 0 and small.get(step, 0) > 0
    }
    other = WAYS[way == WAYS[0]]
    fits = {  # by size, in the other way
        size["rows"]: size["algorithms"][name][other]["seconds"][_FIT]
        for size in sizes
        if other in size["algorithms"].get(name, {})
    }
    if rows not in fits and max(fits, default=0) > large_rows:
        fits[rows] = estimated(sizes, rows, name, other).get(_FIT, 0.0)
    if _FIT in estimates and fits.get(rows) and large_rows in fits:
        estimates[_FIT] = large[_FIT] * fits[rows] / fits[large_rows]
    return estimates


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


def reasons(size: Mapping[str, Any], missing: Mapping[tuple[str, str], float]) -> str:
    """Return why algorithms were not run at a size; nothing where all were.

    Args:
        size: The size.
        missing: The estimated CPU seconds of the algorithms that were not run, by name and way; 0 where there is no estimate.
    """
    if not missing:
        return ""
    memory = {name: needed_memory(name, size) or 0.0 for name, _ in missing}
    too_large = [name for name in memory if memory[name] > MEMORY]
    too_long = [key for key, seconds in missing.items() if seconds > SECONDS and key[0] not in too_large]
    others = [key for key in missing if key not in too_long and key[0] not in too_large]
    sentences = [_EXTRAPOLATED]
    if too_long:
        sentences.append(f"More than the {SECONDS / 60:.0f} minutes that most runs had: {_listed(too_long)}.")
    if others:
        sentences.append(f"Not run, though it may fit into them: {_listed(others)}.")
    sentences += [
        f"{name} needs about {memory[name] / 1e9:,.0f} GB of memory, and {MEMORY / 1e9:.0f} were there."
        for name in too_large
    ]
    return " ".join(sentences)


def _listed(keys: Sequence[tuple[str, str]]) -> str:
    """Return algorithms with the ways in which they were not run, e.g. ``Pop (bare), LightGCN (omnibench, bare)``."""
    ways: dict[str, list[str]] = {}
    for name, way in keys:
        ways.setdefault(name, []).append(way)
    return ", ".join(f"{name} ({', '.join(names)})" for name, names in ways.items())
