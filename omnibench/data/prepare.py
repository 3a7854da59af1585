"""Run a recipe once, and write the arrays that every process memory-maps.

A prepared dataset is a directory with ``fold_k/`` for each fold, the user's ids by code (see ``data.stored_ids``),
``features/`` with what is known about users and items (see ``guest.features``), and ``manifest.json``. The manifest is what
``guest.folds.Fold`` reads, in the guests and here. Where users are positions of sessions, it counts these, ``sizes`` what there
was before, and the sessions of the positions are stored as the users' ids are.

A single split has each row once, in ``fold_0/train.npy validation.npy test.npy`` (and ``given.npy`` where it folds in), with
the parts' own columns (see ``guest.parts.save_columns``). Several folds would have each row several times: they share
``item.npy [rating.npy] [timestamp.npy]`` (canonical rows) and ``indptr.npy`` (first row of each user), and have a byte for
each row in ``fold_k/parts.npy`` (see ``guest.shared_rows``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.cold import cold_counts
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.features.arrays import write_features
from omnibench.data.interactions import Interactions
from omnibench.data.leakage import leak_counts, repeats_pairs
from omnibench.data.parts import Parts
from omnibench.data.positions import n_positions
from omnibench.data.stored_ids import SESSIONS, write_ids
from omnibench.guest.folds import save_array
from omnibench.guest.parts import save_columns
from omnibench.guest.shared_rows import FIRST, MEMBERSHIP, membership_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

FORMAT = "prepared/3"
"""Parts of ``prepared/1`` were row numbers. In ``prepared/2`` all folds had copies of their rows, beside the columns."""


def prepare(dataset: RecSysDataSet, directory: Path) -> dict[str, Any]:
    """Write a dataset's arrays into an empty directory and return the manifest.

    Args:
        dataset: A dataset with a split.
        directory: Where to write; publishing it is the caller's business.

    Raises:
        DataError: The recipe is impossible for these interactions.
    """
    interactions = dataset.interactions()
    rows = dataset.tested_rows(interactions)
    sizes = {"interactions": len(interactions), "users": len(interactions.user_ids)}
    # Of these too: a model learns from each event once, however many positions have it in their histories.
    longest = {"longest_user": _most(interactions.user), "longest_item": _most(interactions.item)}
    del interactions  # a copy where positions are users of their own
    folds = dataset.parts(rows)
    test_digests: list[str] = []
    cold: list[dict[str, int]] = []
    leakage: list[dict[str, int]] = []
    validated = 0
    split_that_folds_in = dataset.split if dataset.split is not None and dataset.split.folds_in else None
    folds_in = split_that_folds_in is not None
    columns: dict[str, npt.NDArray[Any]] = {"user": rows.user, "item": rows.item}
    if dataset.has_ratings and rows.rating is not None:
        columns["rating"] = rows.rating
    if rows.timestamp is not None:
        columns["timestamp"] = rows.timestamp
    shared = len(folds) > 1 and not folds_in
    if shared:
        for name in columns.keys() - {"user"}:  # which the first rows say
            save_array(directory / f"{name}.npy", columns[name])
        counts = np.bincount(rows.user, minlength=len(rows.user_ids))
        save_array(directory / FIRST, np.concatenate([[0], np.cumsum(counts)]))
    write_ids(directory, "users", rows.user_ids)
    write_ids(directory, "items", rows.item_ids)
    if rows.session_ids is not None:
        write_ids(directory, SESSIONS, rows.session_ids)
    features: dict[str, dict[str, Any]] = {}
    for subject, own_ids in (("items", rows.item_ids), ("users", rows.session_ids or rows.user_ids)):
        if subject in dataset.features:
            folder = directory / "features" / subject
            features[subject] = write_features(folder, dataset.features[subject].read(), own_ids, dataset.name)
    for number, parts in enumerate(folds):
        fold = directory / f"fold_{number}"
        fold.mkdir(mode=0o700)
        fold_in = {} if split_that_folds_in is None else {"given": split_that_folds_in.history_rows(rows, parts)}
        _write_parts(fold, columns, {**parts._asdict(), **fold_in}, shared=shared)
        test_digests.append(_test_digest(rows, columns, parts))
        if not folds_in:  # where test users are unknown by design
            cold.append(cold_counts(rows, parts))
        leakage.append(leak_counts(rows, parts))
        validated = max(validated, len(np.unique(rows.user[parts.validation])))
    # With the validation part joined to training, what a published split has in both would be there twice.
    overlaps = rows.parts is not None and rows.session_ids is None and repeats_pairs(rows)
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
        **({"validated": validated} if validated else {}),
        **longest,
        **({"prefixes": True} if dataset.split is not None and dataset.split.has_prefixes else {}),
        **({"sizes": {**sizes, "positions": n_positions(rows)}} if rows.session_ids is not None else {}),
        **({"repeats": True} if dataset.keeps_repeats or overlaps else {}),
        **({"cold": {"ranked": dataset.feedback == "implicit", "folds": cold}} if cold else {}),
        "leakage": {"folds": leakage},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def _most(numbers: npt.NDArray[Any]) -> int:
    """Return how many rows the user or item has that has most; what pads histories to one length is as long."""
    return int(np.bincount(numbers).max(initial=0))


def _write_parts(
    fold: Path,
    columns: Mapping[str, npt.NDArray[Any]],
    parts: Mapping[str, npt.NDArray[np.integer[Any]]],
    *,
    shared: bool,
) -> None:
    """Write the parts of a fold.

    Args:
        fold: The directory of the fold.
        columns: The columns of all rows.
        parts: The row numbers of each part.
        shared: Whether all folds share the rows.
    """
    membership = membership_of(parts, len(columns["user"])) if shared else None
    if membership is not None:
        save_array(fold / MEMBERSHIP, membership)
        return
    for name, rows in parts.items():  # also where a user's own split has a row twice
        save_columns(fold / f"{name}.npy", columns, rows)


def _test_digest(rows: Interactions, columns: dict[str, npt.NDArray[Any]], parts: Parts) -> str:
    """Return the digest of what an evaluation depends on: the test pairs and ratings of a fold."""
    content = hashlib.sha256()
    for name in ("user", "item", "rating"):
        if name in columns:
            content.update(np.ascontiguousarray(columns[name][parts.test]).tobytes())
    content.update(np.array([len(rows.user_ids), len(rows.item_ids)]).tobytes())
    return content.hexdigest()
