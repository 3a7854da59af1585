"""Leakage: what a model has learned that was not known yet when its test interactions happened, or that is tested itself.

A split by one moment for everybody has none. Others train on interactions of some users that are later than test
interactions of others, so that a model knows, for instance, what becomes popular.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.cold import cold_sentence
from omnibench.data.interactions import Interactions
from omnibench.data.parts import Parts
from omnibench.data.stretches import superseded

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


_NEVER_RANKED = " and cannot be recommended"


def leak_counts(rows: Interactions, parts: Parts) -> dict[str, int]:
    """Count the test interactions, and those of them that lie before the end of the training data.

    Args:
        rows: All interactions.
        parts: The parts of a fold.

    Returns:
        ``test_interactions``; ``before_training_end``, those that are earlier than the latest training interaction, where there
        are timestamps; ``seen_pairs``, those whose pair of user and item is in training or validation as well, of a published
        split.
    """
    counts = {"test_interactions": len(parts.test)}
    if rows.timestamp is not None and len(parts.train):
        end = rows.timestamp[parts.train].max()
        counts["before_training_end"] = int(np.count_nonzero(rows.timestamp[parts.test] < end))
    # Other splits put each pair into one part, unless its repeats are to be recommended, and positions repeat what was before them.
    if rows.parts is not None and rows.session_ids is None:
        counts["seen_pairs"] = _seen_pairs(rows, parts) if repeats_pairs(rows) else 0
    return counts


def _seen_pairs(rows: Interactions, parts: Parts) -> int:
    pairs = rows.user.astype(np.int64) * len(rows.item_ids) + rows.item
    seen = np.concatenate([pairs[parts.train], pairs[parts.validation]])
    return int(np.count_nonzero(np.isin(pairs[parts.test], seen)))


def repeats_pairs(rows: Interactions) -> bool:
    """Return whether a pair of user and item is there several times, e.g. in several parts of a published split.

    Args:
        rows: All interactions, in canonical order.
    """
    return len(superseded(rows.user, rows.item)) > 0


class SplitCounts(NamedTuple):
    """What a prepared dataset counts of its folds, as its manifest says it; None where it was prepared before it did.

    Attributes:
        cold: The test users and items unknown in training; see ``cold.cold_sentence``.
        leakage: ``folds``, with the counts of each; see ``leak_counts``.
    """

    cold: Mapping[str, Any] | None = None
    leakage: Mapping[str, Any] | None = None


NOTHING_COUNTED = SplitCounts()
"""Of a dataset that was prepared before anything was counted, or that is not there any more."""


def read_split_counts(directory: Path, recorded: Mapping[str, Any]) -> SplitCounts:
    """Return what is counted of a prepared dataset's folds: by its record, else by its manifest, if that is still there.

    Args:
        directory: The dataset's directory; that of items that were taken over was never there.
        recorded: The record of the dataset; those of earlier releases say nothing of it.
    """
    if "leakage" in recorded:
        return SplitCounts(recorded.get("cold"), recorded["leakage"])
    try:
        manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
        return SplitCounts(manifest.get("cold"), manifest.get("leakage"))
    except (OSError, ValueError):
        return NOTHING_COUNTED


def leak_sentence(
    leakage: Mapping[str, Any] | None, counted: Collection[int] | None = None, *, seen_ranked: bool = True
) -> str:
    """Return how many test interactions leak; nothing where none does, or where that was not counted.

    Args:
        leakage: What a prepared dataset's manifest says.
        counted: The numbers of the folds that count; all by default.
        seen_ranked: Whether items that a user has seen can be recommended, or no lists are judged.
    """
    folds: Sequence[Mapping[str, int]] = [
        fold for number, fold in enumerate((leakage or {}).get("folds", ())) if counted is None or number in counted
    ]
    tested = sum(fold["test_interactions"] for fold in folds)
    together = f" ({len(folds)} folds together)" if len(folds) > 1 else ""
    clauses = []
    for name, (verb, verbs), predicate in (
        ("before_training_end", ("lies", "lie"), "before the end of the training data"),
        ("seen_pairs", ("is", "are"), f"in training or validation as well{'' if seen_ranked else _NEVER_RANKED}"),
    ):
        number = sum(fold.get(name, 0) for fold in folds)
        if number:
            clauses.append(
                f"{number:,} of {tested:,} test interactions{together} {verb if number == 1 else verbs} {predicate}"
            )
    return ", and ".join(clauses)


def split_sentence(
    counts: SplitCounts,
    counted: Collection[int] | None = None,
    *,
    unknown_ranked: bool = False,
    seen_ranked: bool = False,
) -> str:
    """Return what is worth knowing of a split in one sentence: who and what is cold, and what leaks; often nothing.

    Args:
        counts: What a prepared dataset counts.
        counted: The numbers of the folds that count; all by default.
        unknown_ranked: Whether items unknown in training are ranked, so that they can be recommended.
        seen_ranked: Whether items that a user has seen are.
    """
    is_ranked = counts.cold is not None and counts.cold["ranked"]
    clauses = (
        cold_sentence(counts.cold, counted, unknown_ranked=unknown_ranked),
        leak_sentence(counts.leakage, counted, seen_ranked=seen_ranked or not is_ranked),
    )
    return "; ".join(clause for clause in clauses if clause)
