"""Features of a prepared dataset as the frameworks' own scripts read them: lists by code in a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from omnibench.guest.feature_types import BOOLEAN
from omnibench.guest.features import FeatureTable, read_features


def write_features(dataset: Path) -> None:
    """Write what is known of users and items beside a prepared dataset, as ``features.json``.

    Args:
        dataset: The directory of the dataset.
    """
    known = {subject: read_features(dataset, subject) for subject in ("items", "users")}
    values = {
        subject: {name: _plain(table, name) for name in table.names}
        for subject, table in known.items()
        if table is not None
    }
    (dataset.parent / "features.json").write_text(json.dumps(values), encoding="utf-8")


def _plain(table: FeatureTable, name: str) -> list[Any]:
    """Return a feature by code, with truth values as texts and None for what is missing."""
    column = pd.Series(table.column(name), dtype=object)
    values = column.where(column.notna(), None).tolist()
    if table.types[name] != BOOLEAN:
        return values
    return [None if value is None else str(bool(value)) for value in values]
