"""How raw files are read: a format, its columns and its options, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibench.data.interactions import COLUMNS

_WITHOUT_NAMES: Mapping[str, tuple[str, ...]] = {
    "adjacency": ("user", "item"),
    "matrix": ("user", "item", "rating"),
    "netflix": COLUMNS,
    "behaviours": COLUMNS,
    "hdf5": ("user", "item", "rating"),
    "npz": ("user", "item", "rating"),
    "idomaar": ("user", "item", "timestamp"),
}
"""The columns of formats that have no names for them."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How the files of a data set are read.

    Args:
        format: ``table`` (a line an interaction), ``json`` and ``python`` (a JSON object or a Python literal a line),
            ``blocks`` (lines ``key: value``, an empty line between two interactions), ``adjacency``
            (``user item item ...``), ``matrix`` (a spreadsheet, a row a user), ``netflix`` (``item:`` above its
            ratings), ``behaviours`` (MIND's impressions), ``hdf5`` (a sparse matrix), ``npz`` (numpy's arrays), ``idomaar``
            (relations between entities), ``parquet`` or ``feather`` (Arrow's own formats).
        columns: omnibench's names (user, item, rating, timestamp) by the file's own; of a file without a header the
            names of all its columns in their order, with an empty text for what is not used.
        options: What else the format needs, by name; see ``READER_KEYS`` in ``keys.py``.
        is_tolerant: Whether a table is read without its few lines that have other fields than most, which a warning counts;
            of a published file they are nobody's to mend.
    """

    format: str
    columns: tuple[str, ...] | Mapping[str, str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    is_tolerant: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """The columns that are read, as omnibench calls them; known before anything is read."""
        if self.options.get("use") == "history":  # of which no time is known, and no rating
            return ("user", "item")
        names = self.columns.values() if isinstance(self.columns, Mapping) else self.columns
        listed = tuple(names) or _WITHOUT_NAMES.get(self.format, ())
        return tuple(column for column in COLUMNS if column in listed)
