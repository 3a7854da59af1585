"""The rows of a baseline: the users of its entries, some thousands of rows in a row group of Parquet.

A row group costs two milliseconds and eight kilobytes of footer, whatever is in it, so many small entries share one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.errors import BaselineError
from omnibench.gate.arrow import number_array, number_column, text_column
from omnibench.gate.entries import Entry, ValuesByFold
from omnibench.guest.distinct import distinct

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq

FEWEST_ROWS = 16_384
"""The rows from which on a row group takes no further entry."""

NAMES = ("dataset", "algorithm")
"""The columns of texts, which say to people what a row is of."""


class Rows(NamedTuple):
    """The rows of an entry: the number of a row group, its first row in there, and the row behind its last."""

    row_group: int
    start: int
    stop: int


def schema_of(labels: Sequence[str]) -> pa.Schema:
    """Return the schema of a baseline.

    Args:
        labels: The labels of its metrics that have values per user.
    """
    import pyarrow as pa

    text_type = pa.dictionary(pa.int32(), pa.string())
    keys = [pa.field(name, text_type, nullable=False) for name in NAMES]
    keys += [pa.field("fold", pa.int16(), nullable=False), pa.field("user", pa.int32(), nullable=False)]
    return pa.schema([*keys, *(pa.field(label, pa.float64()) for label in labels)])


class RowWriter:
    """Writes the rows of one entry after the other.

    Args:
        writer: Writes row groups.
        labels: The labels of the metrics that have values per user.
        schema: The schema; see ``schema_of``.
    """

    def __init__(self, writer: pq.ParquetWriter, labels: Sequence[str], schema: pa.Schema) -> None:
        self._writer = writer
        self._labels = labels
        self._schema = schema
        self._row_group = 0
        self._begin_row_group()

    def _begin_row_group(self) -> None:
        self._entries: list[Entry] = []
        self._counts = array("q")
        self._folds: list[npt.NDArray[np.int16]] = []
        self._users: list[npt.NDArray[np.int32]] = []
        self._columns: dict[str, list[npt.NDArray[np.float64]]] = {label: [] for label in self._labels}
        self._rows = 0

    def add(self, entry: Entry, values: ValuesByFold) -> Rows:
        """Add the users of an entry fold by fold; a metric that is undefined or absent is null.

        Args:
            entry: The entry.
            values: Its values per user.
        """
        start = self._rows
        for fold in sorted({fold for label, fold in values if label in self._columns}):
            columns = [values.get((label, fold)) for label in self._labels]
            measured = [column for column in columns if column is not None]
            users = measured[0].users
            is_common = all(column.users is users for column in measured)  # as they are where nobody is undefined
            if not is_common:
                users = distinct(np.concatenate([column.users for column in measured]))
            for label, column in zip(self._labels, columns, strict=True):
                if column is not None and is_common:
                    self._columns[label].append(column.values)
                    continue
                of_all = np.full(len(users), np.nan)
                if column is not None:
                    of_all[np.searchsorted(users, column.users)] = column.values
                self._columns[label].append(of_all)
            self._folds.append(np.full(len(users), fold, "<i2"))
            self._users.append(users)
            self._rows += len(users)
        self._entries.append(entry)
        self._counts.append(self._rows - start)
        rows = Rows(self._row_group, start, self._rows)
        if self._rows >= FEWEST_ROWS:
            self.flush()
        return rows

    def flush(self) -> None:
        """Write the row group that is not full yet; nothing where it has no entries."""
        import pyarrow as pa

        if not self._entries:
            return
        names = (
            text_column([entry.dataset.display_name for entry in self._entries], self._counts),
            text_column([entry.display_name for entry in self._entries], self._counts),
        )
        keys = (
            number_array(np.concatenate(self._folds), pa.int16()),
            number_array(np.concatenate(self._users).astype("<i4"), pa.int32()),
        )
        metrics = (number_array(np.concatenate(parts).astype("<f8"), pa.float64()) for parts in self._columns.values())
        table = pa.Table.from_arrays([*names, *keys, *metrics], schema=self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._row_group += 1
        self._begin_row_group()


class UserRows:
    """The rows of an entry that were read from a baseline, by fold and user.

    Args:
        table: A row group, each column in one piece.
        rows: Which of it are the entry's.

    Raises:
        BaselineError: They are of another form; the message begins with what is wrong.
    """

    def __init__(self, table: pa.Table, rows: Rows) -> None:
        if rows.stop > table.num_rows:
            raise BaselineError(f"has {table.num_rows} rows, and an entry those up to {rows.stop}")
        table = table.slice(rows.start, rows.stop - rows.start)
        if not table.num_rows:
            raise BaselineError("has no rows")
        self._table = table
        self._folds, self.users = number_column(table, "fold", "<i2"), number_column(table, "user", "<i4")
        if table.column("fold").null_count or table.column("user").null_count:
            raise BaselineError("lacks folds or users")
        positions = self._folds.astype(np.int64) << 32 | self.users
        if not (positions[:-1] < positions[1:]).all() or self.users.min() < 0:
            raise BaselineError("has a user twice, or users in no order")

    def values(self, label: str, folds: Sequence[int]) -> Iterator[tuple[int, Any, Any]]:
        """Yield each of some folds with the users of whom a metric is defined, and its values.

        Args:
            label: The metric's label.
            folds: The folds.

        Raises:
            BaselineError: A fold has no values.
        """
        column = number_column(self._table, label, "<f8")
        defined = ~np.isnan(column)
        for fold in folds:
            in_fold = defined & (self._folds == fold)
            if not in_fold.any():
                raise BaselineError(f"has no values of {label} in fold {fold}")
            yield fold, self.users[in_fold], column[in_fold]
