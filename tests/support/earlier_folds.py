"""Prepared datasets in the forms of earlier releases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.ids import encode
from omnibench.guest.parts import save_columns


def as_before(directory: Path, dataset: RecSysDataSet, *, numbers: bool) -> None:
    """Change a prepared dataset into the form that earlier releases wrote.

    Args:
        directory: The prepared dataset.
        dataset: What was prepared.
        numbers: Whether parts are row numbers, as in the first of these forms, and not copies.
    """
    rows = dataset.interactions()
    of_rows = {"user": rows.user, "item": rows.item, "rating": rows.rating, "timestamp": rows.timestamp}
    columns = {name: column for name, column in of_rows.items() if column is not None}
    for file in (file for pattern in ("*.npy", "fold_*/*.npy") for file in directory.glob(pattern)):
        file.unlink()
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", column)
    np.save(directory / "indptr.npy", np.searchsorted(rows.user, np.arange(len(rows.user_ids) + 1)))
    for name, own_ids in (("users", rows.user_ids), ("items", rows.item_ids)):
        (directory / f"{name}.json").write_text(json.dumps([encode(own_id, "") for own_id in own_ids]))
    for number, parts in enumerate(dataset.parts(rows)):
        for name, part in parts._asdict().items():
            file = directory / f"fold_{number}" / f"{name}.npy"
            np.save(file, part) if numbers else save_columns(file, columns, part)
