"""Run a recipe once, and write the arrays that every process memory-maps.

A prepared dataset is a directory: ``user.npy item.npy [rating.npy] [timestamp.npy]`` (canonical rows),
``indptr.npy`` (first row of each user), ``users.json items.json`` (the user's ids by code), ``fold_k/``
with ``train.npy validation.npy test.npy`` (and ``given.npy`` where the split folds in; the parts' own columns, see
``guest.parts.save_columns``), ``features/`` with what is known about users and items (see ``guest.features``), and
``manifest.json``. The manifest is what ``guest.folds.Fold`` reads, in the guests and
here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data import ids
from omnibench.data.cold import cold_counts
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.features.arrays import write_features
from omnibench.data.interactions import Interactions
from omnibench.data.leakage import leak_counts, repeats_pairs
from omnibench.data.parts import Parts, fold_in_rows
from omnibench.guest.folds import save_array
from omnibench.guest.parts import save_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

FORMAT = "prepared/2"
"""Parts of ``prepared/1`` were row numbers, so every process gathered the rows into memory of its own."""


def prepare(dataset: RecSysDataSet, directory: Path) -> dict[str, Any]:
    """Write a dataset's arrays into an empty directory and return the manifest.

    Args:
        dataset: A dataset with a split.
        directory: Where to write; publishing it is the caller's business.

    Raises:
        DataError: The recipe is impossible for these interactions.
    """
    rows = dataset.interactions()
    folds = dataset.parts(rows)
    test_digests: list[str] = []
    cold: list[dict[str, int]] = []
    leakage: list[dict[str, int]] = []
    folds_in = dataset.split is not None and dataset.split.folds_in
    columns: dict[str, npt.NDArray[Any]] = {"user": rows.user, "item": rows.item}
    if dataset.has_ratings and rows.rating is not None:
        columns["rating"] = rows.rating
    if rows.timestamp is not None:
        columns["timestamp"] = rows.timestamp
    for name, column in columns.items():
        save_array(directory / f"{name}.npy", column)
    counts = np.bincount(rows.user, minlength=len(rows.user_ids))
    save_array(directory / "indptr.npy", np.concatenate([[0], np.cumsum(counts)]))
    _write_ids(directory / "users.json", rows.user_ids)
    _write_ids(directory / "items.json", rows.item_ids)
    features: dict[str, dict[str, Any]] = {}
    for subject, own_ids in (("items", rows.item_ids), ("users", rows.user_ids)):
        if subject in dataset.features:
            folder = directory / "features" / subject
            features[subject] = write_features(folder, dataset.features[subject].read(), own_ids, dataset.name)
    for number, parts in enumerate(folds):
        fold = directory / f"fold_{number}"
        fold.mkdir(mode=0o700)
        for name, part in parts._asdict().items():
            save_columns(fold / f"{name}.npy", columns, part)
        if folds_in:
            save_columns(fold / "given.npy", columns, fold_in_rows(len(rows), parts))
        test_digests.append(_test_digest(rows, columns, parts))
        if not folds_in:  # where test users are unknown by design
            cold.append(cold_counts(rows, parts))
        leakage.append(leak_counts(rows, parts))
    # With the validation part joined to training, what a published split has in both would be there twice.
    overlaps = rows.parts is not None and repeats_pairs(rows)
    manifest = {
        "format": FORMAT,
        "key": dataset.key,
        "identity": dataset.identity,
        "name": dataset.name,
        "feedback": dataset.feedback,
        "columns": list(columns),
        "interactions": len(rows),
        "users": len(rows.user_ids),
        "items": len(rows.item_ids),
        "test": test_digests,
        "given": folds_in,
        **({"features": features} if features else {}),
        **({"repeats": True} if dataset.keeps_repeats or overlaps else {}),
        **({"cold": {"ranked": dataset.feedback == "implicit", "folds": cold}} if cold else {}),
        "leakage": {"folds": leakage},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def _test_digest(rows: Interactions, columns: dict[str, npt.NDArray[Any]], parts: Parts) -> str:
    """Return the digest of what an evaluation depends on: the test pairs and ratings of a fold."""
    content = hashlib.sha256()
    for name in ("user", "item", "rating"):
        if name in columns:
            content.update(np.ascontiguousarray(columns[name][parts.test]).tobytes())
    content.update(np.array([len(rows.user_ids), len(rows.item_ids)]).tobytes())
    return content.hexdigest()


def _write_ids(path: Path, values: Sequence[Hashable]) -> None:
    encoded = [ids.encode(value, path.stem) for value in values]
    path.write_text(json.dumps(encoded, ensure_ascii=False), encoding="utf-8")


def read_ids(directory: Path, which: str) -> list[Hashable]:
    """Return the user's ids by code.

    Args:
        directory: A prepared dataset.
        which: ``users`` or ``items``.
    """
    return [ids.decode(value) for value in json.loads((directory / f"{which}.json").read_text(encoding="utf-8"))]
