"""Rows that are no interactions: those that a reader does not keep, and those that lack a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from omnibench.caller_warnings import warn_caller
from omnibench.data.files.members import RawFile
from omnibench.data.files.text import IDS
from omnibench.data.readers.conversions import is_absent, is_among
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_LISTED = 5
"""Values that an error lists."""


class Filters:
    """The rows that belong to a data set, by the values of a column.

    Args:
        keep: The values of the rows that are kept, by the file's name of the column.
    """

    def __init__(self, keep: Mapping[str, Collection[object]]) -> None:
        self._listed = keep
        self._values: dict[str, dict[str, None]] = {name: {} for name in keep}

    def keep(self, batch: Batch) -> Batch:
        """Return the rows of a batch that are kept."""
        mask = np.ones(len(batch), dtype=bool)
        for name, values in self._listed.items():
            column = batch.filters[str(name)]
            if len(self._values[name]) < _LISTED:
                self._values[name].update(dict.fromkeys(map(str, column[:1000].unique().to_pylist())))
            mask &= is_among(column, values)
        return batch.take(mask)

    @property
    def advice(self) -> str:
        """What to say where nothing was kept."""
        return "".join(
            f" keep asks for {', '.join(map(repr, self._listed[name]))} in the column {name!r}, which has "
            f"{', '.join(map(repr, list(values)[:_LISTED]))}."
            for name, values in self._values.items()
            if values
        )


class Gaps:
    """Values that are not there.

    Args:
        codes: What stands for a missing rating; where a file has no ratings, for any missing value.
        is_lenient: Whether rows with an empty value are left out; else they are an error.
    """

    def __init__(self, codes: Collection[object], *, is_lenient: bool) -> None:
        self._codes = codes
        self._is_lenient = is_lenient
        self._first: dict[str, tuple[str, str]] = {}
        self._counts: dict[str, int] = {}

    def of(self, batch: Batch, file: RawFile) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which rows lack a value, by column, of the columns where one does.

        Raises:
            DataError: A user or item is empty, and that is an error.
        """
        missing: dict[str, npt.NDArray[np.bool_]] = {}
        coded = ("rating",) if "rating" in batch.columns else tuple(batch.columns)
        for name, column in batch.columns.items():
            mask = np.zeros(len(batch), dtype=bool)
            if len(self._codes) and name in coded:
                mask |= is_among(column, self._codes)
            empty = (np.asarray(column.is_null()) if name in IDS else is_absent(column)) & ~mask
            if empty.any():
                mask |= self._checked(empty, name, batch, file)
            if mask.any():
                missing[name] = mask
        return missing

    def _checked(self, empty: npt.NDArray[np.bool_], name: str, batch: Batch, file: RawFile) -> npt.NDArray[np.bool_]:
        """Return which rows with an empty value are left out."""
        first = int(np.flatnonzero(empty)[0])
        if not self._is_lenient and name in IDS:
            raise DataError(
                f"{file.label}, {batch.named(first)}: there is no {name}. Mend or drop the line, or say that such lines are left "
                "out: missing=['']."
            )
        if not self._is_lenient:
            return np.zeros(len(empty), dtype=bool)  # which the conversion of its column refuses
        if name not in self._first:  # the file is read again for the number of a line
            self._first[name] = (file.label, batch.named(first))
        self._counts[name] = self._counts.get(name, 0) + int(empty.sum())
        return empty

    def warn(self, label: str, rows: int) -> None:
        """Warn of rows that were left out although no code says so."""
        undeclared = {} if "" in self._codes else self._counts
        for name, count in undeclared.items():
            file, line = self._first[name]
            first = line if file == label else f"{line} of {file}"
            warn_caller(f"{label}: {_rows(count)} no {name} (the first is {first}): left out; {rows:,} are read.")

    def advice(self, left_out: Mapping[str, int]) -> str:
        """Return what to say where all rows were left out."""
        return "".join(f" {_rows(count)} no {name}." for name, count in left_out.items())


def _rows(count: int) -> str:
    return "1 row has" if count == 1 else f"{count:,} rows have"
