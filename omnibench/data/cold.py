"""Cold users and items: those of a test part that are unknown in training, so that nothing was learned of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.data.interactions import Interactions
from omnibench.data.parts import Parts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


def cold_counts(rows: Interactions, parts: Parts) -> dict[str, int]:
    """Count the users and items of a test part, and those of them that are unknown in training.

    Args:
        rows: All interactions.
        parts: The parts of a fold.

    Returns:
        ``cold_users, test_users, cold_items, test_items``.
    """
    counts: dict[str, int] = {}
    for noun, codes, size in (("users", rows.user, len(rows.user_ids)), ("items", rows.item, len(rows.item_ids))):
        tested, trained = _occurring(codes[parts.test], size), _occurring(codes[parts.train], size)
        counts[f"cold_{noun}"] = int(np.count_nonzero(tested & ~trained))
        counts[f"test_{noun}"] = int(np.count_nonzero(tested))
    return counts


def _occurring(codes: npt.NDArray[np.integer[Any]], size: int) -> npt.NDArray[np.bool_]:
    occurring = np.zeros(size, dtype=bool)
    occurring[codes] = True
    return occurring


def cold_sentence(
    cold: Mapping[str, Any] | None, counted: Collection[int] | None = None, *, unknown_ranked: bool = False
) -> str:
    """Return how many test users and items are unknown in training, and what that means; nothing where all are known.

    Args:
        cold: What a prepared dataset's manifest says, ``ranked`` (whether lists are judged) and ``folds`` (the counts
            of each); None of one that was prepared before it did, or whose test users are unknown by design.
        counted: The numbers of the folds that count; all by default.
        unknown_ranked: Whether items unknown in training are ranked, so that they can be recommended.
    """
    if not cold:
        return ""
    folds: Sequence[Mapping[str, int]] = [
        fold for number, fold in enumerate(cold["folds"]) if counted is None or number in counted
    ]
    totals = {
        name: sum(fold[name] for fold in folds) for name in ("cold_users", "test_users", "cold_items", "test_items")
    }
    together = f" ({len(folds)} folds together)" if len(folds) > 1 else ""
    consequences = ("count 0", "" if unknown_ranked else "cannot be recommended") if cold["ranked"] else ("", "")
    clauses = []
    for noun, consequence in zip(("users", "items"), consequences, strict=True):
        number = totals[f"cold_{noun}"]
        if number:
            verb = "is" if number == 1 else "are"
            ending = f" and {'counts 0' if number == 1 and noun == 'users' else consequence}" if consequence else ""
            clauses.append(
                f"{number:,} of {totals[f'test_{noun}']:,} test {noun}{together} {verb} unknown in training{ending}"
            )
    return ", and ".join(clauses)
