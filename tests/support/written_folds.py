"""Prepared datasets of one fold, written without omnibench from pairs of codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


def write_fold(
    root: Path, users: int, items: int, parts: Mapping[str, Sequence[tuple[int, int]]], *, is_rated: bool = False
) -> None:
    """Write a dataset with one fold; the timestamps are the numbers of the rows.

    Args:
        root: An empty directory.
        users: How many users there are.
        items: How many items there are.
        parts: The pairs of user and item of ``train``, ``validation`` and ``test``.
        is_rated: Whether each pair has a rating, from half a star to five, and the feedback is explicit.
    """
    rows = sorted((user, item, part) for part, pairs in parts.items() for user, item in pairs)
    np.save(root / "user.npy", np.array([user for user, *_ in rows], dtype=np.int32))
    np.save(root / "item.npy", np.array([item for _, item, _ in rows], dtype=np.int32))
    np.save(root / "timestamp.npy", np.arange(len(rows), dtype=np.int64))
    columns = ["user", "item", "timestamp"]
    if is_rated:
        np.save(root / "rating.npy", np.random.default_rng(4).integers(1, 11, len(rows)).astype(np.float32) / 2)
        columns.append("rating")
    feedback = "explicit" if is_rated else "implicit"
    manifest = {"users": users, "items": items, "feedback": feedback, "columns": columns}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (root / "fold_0").mkdir()
    for name in ("train", "validation", "test"):
        np.save(root / "fold_0" / f"{name}.npy", np.flatnonzero([part == name for *_, part in rows]))
