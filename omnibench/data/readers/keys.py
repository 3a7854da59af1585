"""The formats of raw files that a definition can name, and the keys that the reader of each takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.data.time_units import PER_SECOND

_TEXT = {"encoding", "missing", "time", "ratings", "decimal", "keep"}
_RECORDS = _TEXT | {"columns", "nested", "fraction"}

READER_KEYS: Mapping[str, frozenset[str]] = {
    "table": frozenset(
        _TEXT | {"columns", "separator", "header", "quote", "comment", "item_separator", "skipped_lines"}
    ),
    "json": frozenset(_RECORDS),
    "python": frozenset(_RECORDS),
    "blocks": frozenset(_TEXT | {"columns"}),
    "adjacency": frozenset({"encoding", "user", "counted", "separator"}),
    "matrix": frozenset({"missing", "skipped", "sheet", "header", "user", "separator", "encoding", "decimal"}),
    "netflix": frozenset({"time"}),
    "behaviours": frozenset({"time", "use"}),
    "hdf5": frozenset({"matrix", "orientation"}),
    "npz": frozenset({"columns"}),
    "idomaar": frozenset({"subject", "object"}),
    "parquet": frozenset((_TEXT | {"columns"}) - {"encoding"}),
    "feather": frozenset((_TEXT | {"columns"}) - {"encoding"}),
}
"""By format. What they mean:

``columns`` the columns that are used; ``separator`` between two columns, ``whitespace`` for any number of blanks;
``header`` whether the first line has the names of the columns; ``skipped_lines`` how many first lines are neither;
``quote`` around a field; ``comment`` what a line begins with that is no data; ``item_separator`` between the items of
a line that has several; ``encoding`` of the text; ``missing`` what stands for no rating, or where there are no ratings
for no user or item, an empty text for anything that is not there: such rows are left out, since a missing rating is
neither a good nor a bad one; ``time`` the unit of numbers (``seconds``, ``milliseconds``), ``iso``, or a format as
``datetime.strptime`` has it, in UTC; ``ratings`` the number that a word stands for; ``decimal`` what stands before the
fraction of a number; ``keep`` by the file's column the values of the rows that belong to this data set (by its
number from 1 where columns have no names); ``nested`` the list inside of a record that has the interactions; ``user``
whether the user of a line is its ``first`` field or the number of the ``line``; ``counted`` whether a line begins
with the number of its items; ``skipped`` how many first columns of a matrix are no items; ``sheet`` of a spreadsheet;
``use`` whether the ``impressions``, with the rating 1 where they were clicked and else 0, or the ``history`` are the
interactions; ``matrix`` the group of an HDF5 file; ``orientation`` whether a row of it is an item or a user;
``subject`` and ``object`` the types of the entities of an Idomaar file that are users and items; ``fraction`` whether
ratings are texts such as 13/20, of which the number before the stroke counts.
"""

TIME_UNITS = (*PER_SECOND, "iso")
"""Units of timestamps; anything else is a format with a per cent sign."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "user": ("first", "line"),
    "use": ("impressions", "history"),
    "orientation": ("items", "users"),
    "decimal": (".", ","),
}
"""The values of the options that have only a few."""

OPTION_TYPES: Mapping[str, type[Any]] = {
    "separator": str,
    "header": bool,
    "quote": str,
    "decimal": str,
    "comment": str,
    "item_separator": str,
    "encoding": str,
    "missing": list,
    "time": str,
    "ratings": dict,
    "keep": dict,
    "nested": str,
    "fraction": bool,
    "user": str,
    "counted": bool,
    "skipped": int,
    "skipped_lines": int,
    "subject": str,
    "object": str,
    "sheet": str,
    "use": str,
    "matrix": str,
    "orientation": str,
}
"""The type of each option in TOML."""
