"""Whether an adapter's predictions are those of its framework's own script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnibench.guest.folds import RATING_DTYPE


def disagreement(ours: Path, own: Path) -> str:
    """Say in what the adapter's predictions are not the pipeline's, or return nothing.

    Args:
        ours: The adapter's ratings, or its lists of all items.
        own: The pipeline's ratings, or its lists of 20 items with scores.
    """
    if not own.exists():
        return own.with_suffix(".npy.error").read_text(encoding="utf-8")
    mine, theirs = np.load(ours), np.load(own)
    if len(mine) != len(theirs):
        return f"{len(mine)} users, not {len(theirs)}"
    if mine.dtype == RATING_DTYPE:
        same = mine["rating"] == theirs.astype(mine["rating"].dtype)
        return "" if same.all() else f"{int((~same).sum())} of {len(same)} ratings differ"
    differing = [row["user"] for row, other in zip(mine, theirs, strict=True) if not _same_list(row, other)]
    return f"the lists of {len(differing)} of {len(mine)} users differ" if differing else ""


def _same_list(mine: np.void, theirs: npt.NDArray[Any]) -> bool:
    """Whether two lists have the same items and scores up to ties, within which each side may order as it likes.

    Scores that differ by their rounding alone are tied: it differs with the sizes of batches, and with the processor.

    The scores are compared, too: else an adapter to which everything is one tie would agree with everybody.
    """
    score = dict(zip(mine["item"].tolist(), mine["score"].tolist(), strict=True))
    best = [score[item] for item in mine["item"][: len(theirs)].tolist() if item >= 0]
    items, scores = (theirs[name][theirs["item"] >= 0] for name in ("item", "score"))
    ordered = [score.get(item, np.nan) for item in items.tolist()]
    if len(np.unique(items)) < len(items) or len(ordered) != len(best):
        return False
    if not np.allclose(ordered, best, rtol=1e-5, atol=1e-6):
        return False
    return np.allclose(best, scores, rtol=1e-4, atol=1e-6)  # batches of other sizes round otherwise
