"""Features of users or items in memory: an id a row, and typed columns; their digest does not depend on any order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.data import ids
from omnibench.data.coding import coded_ids
from omnibench.data.digests import table_digest
from omnibench.data.features.texts import ListEntries
from omnibench.data.features.typed import typed
from omnibench.data.numbers import RowName, row_name
from omnibench.errors import DataError, nearest
from omnibench.guest.feature_types import BOOLEAN, NUMBER, TEXT, TEXTS, singular
from omnibench.keys import digest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """A feature.

    Attributes:
        type: ``number``, ``boolean``, ``text`` or ``texts``.
        content: Of numbers and truth values (1 and 0) a float64 array with NaN for what is missing, shape (rows,); else
            ``TextEntries`` or ``ListEntries``.
    """

    type: str
    content: Any

    @property
    def entries(self) -> Any:
        """The array of numbers, or a list of texts, or of lists of texts, with None for what is missing."""
        return self.content if self.type in (NUMBER, BOOLEAN) else self.content.decoded()

    def select(self, rows: npt.NDArray[np.int64]) -> FeatureColumn:
        """Return some rows, of which -1 is one with a missing value."""
        if self.type in (NUMBER, BOOLEAN):
            return FeatureColumn(self.type, np.append(self.content, np.nan)[rows])
        return FeatureColumn(self.type, self.content.select(rows))

    def digest(self, order: npt.NDArray[np.int64]) -> str:
        """Return the sha256 of the entries in an order of the rows."""
        content = self.select(order).content
        if self.type in (NUMBER, BOOLEAN):
            numbers = np.asarray(content, dtype="<f8") + 0.0  # of -0.0 and 0.0 one
            numbers[np.isnan(numbers)] = np.nan  # there are several
            return hashlib.sha256(numbers.tobytes()).hexdigest()
        members = content if self.type == TEXT else content.members
        first = [] if self.type == TEXT else [content.first.astype("<i8").tobytes()]
        texts = json.dumps(list(members.texts), ensure_ascii=False).encode()
        return hashlib.sha256(b"".join([*first, members.positions.astype("<i4").tobytes(), texts])).hexdigest()


@dataclass(frozen=True, slots=True)
class FeatureColumns:
    """What is known about users or items.

    Attributes:
        subject: ``items`` or ``users``.
        ids: Their ids, no one twice.
        columns: The features by name, in alphabetical order.
    """

    subject: str
    ids: Sequence[Hashable]
    columns: Mapping[str, FeatureColumn]

    def digest(self) -> str:
        """Return the sha256 of the content, whatever the order of its rows and columns.

        Raises:
            DataError: An id has no stable form.
        """
        owners = np.empty(len(self.ids), dtype=object)
        owners[:] = list(self.ids)
        order = self._order()
        described = {name: [column.type, column.digest(order)] for name, column in self.columns.items()}
        owners = owners[order]
        return digest(
            {"schema": "features/1", "subject": self.subject, "ids": table_digest({"id": owners}), "columns": described}
        )

    def _order(self) -> npt.NDArray[np.int64]:
        """Return the rows in the order of their ids: of numbers as numbers, of anything else by what stands for it."""
        if all(type(own_id) is int for own_id in self.ids) or all(type(own_id) is str for own_id in self.ids):
            texts: list[Any] = list(self.ids)
        else:
            label = f"the features of {self.subject}"
            texts = [json.dumps(ids.encode(own_id, label), sort_keys=True) for own_id in self.ids]
        return np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.int64)

    def frame(self) -> pd.DataFrame:
        """Return the rows as a frame: the ids as ``item`` or ``user``, and the features."""
        import pandas as pd

        id_column = np.empty(len(self.ids), dtype=object)
        id_column[:] = list(self.ids)
        columns = {name: series_of(column.type, column.entries) for name, column in self.columns.items()}
        return pd.DataFrame({singular(self.subject): pd.Series(id_column).infer_objects(), **columns})


def series_of(column_type: str, entries: Any) -> Any:
    """Return a feature as a pandas Series: numbers as float64, truth values as ``boolean``, all else as objects.

    Args:
        column_type: Its type.
        entries: Its entries, as a ``FeatureColumn`` or ``guest.features.FeatureTable.column`` has them.
    """
    import pandas as pd

    if column_type == NUMBER:
        return pd.Series(np.asarray(entries, dtype=np.float64))
    if column_type == BOOLEAN:
        truths = np.asarray(entries, dtype=np.float64)
        return pd.Series(pd.array(truths == 1, dtype="boolean")).mask(np.isnan(truths))
    objects = np.empty(len(entries), dtype=object)
    objects[:] = list(entries)
    return pd.Series(objects, dtype=object)


def feature_columns(frame: pd.DataFrame, subject: str, source: str, named: RowName = row_name) -> FeatureColumns:
    """Check a frame of features, and tell the types of its columns.

    Args:
        frame: The ids in a column ``item`` or ``user``; every other column is a feature.
        subject: ``items`` or ``users``.
        source: The name of the frame in errors.
        named: Returns what errors call a row.

    Raises:
        DataError: The column of ids or any other is missing, an id is missing or there twice, or a column has values that
            are neither numbers nor truth values, texts, dates or lists of texts.
    """
    id_name = singular(subject)
    names = [str(name) for name in frame.columns]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise DataError(f"{source} has the column {doubled[0]!r} twice; rename or drop one.")
    if id_name not in names:
        raise DataError(
            f"{source} has no column {id_name!r}{nearest(id_name, names) or '.'} It has {names}. Features of {subject} need the "
            f"ids of the interactions in a column {id_name!r}: rename what is called otherwise."
        )
    if len(names) == 1:
        raise DataError(f"{source} has no column but {id_name!r}; give the features in columns of their own.")
    if len(frame) == 0:
        raise DataError(f"{source} has no rows; leave it out, or give a row for each of the {subject}.")
    own = frame.set_axis(names, axis=1)
    codes, unique = coded_ids(own[id_name], id_name, source, named)
    if len(unique) < len(codes):
        raise DataError(_repeated(codes, unique, subject, source, named))
    columns = {name: FeatureColumn(*typed(own[name], name, source, named)) for name in sorted(set(names) - {id_name})}
    return FeatureColumns(subject, unique, columns)


def split_lists(features: FeatureColumns, separators: Mapping[str, str], source: str) -> FeatureColumns:
    """Return features with lists for the texts of some columns: ``Action|Comedy`` is a list of two genres.

    Blanks around the members do not count, and an empty one is none.

    Args:
        features: The features.
        separators: What separates the members, by the column's name.
        source: The name of the features in errors.

    Raises:
        DataError: There is no such column of texts.
    """
    columns = dict(features.columns)
    for name, separator in separators.items():
        column = columns.get(name)
        if column is None:
            raise DataError(
                f"{source} has no column {name!r} to be split{nearest(name, columns) or '.'} It has {list(columns)}."
            )
        if column.type == BOOLEAN:
            raise DataError(
                f"{source}: column {name!r} has truth values, which cannot be split; leave it out of lists."
            )
        if column.type != TEXTS:
            columns[name] = FeatureColumn(TEXTS, _split(column, separator))
    return FeatureColumns(features.subject, features.ids, columns)


def _split(column: FeatureColumn, separator: str) -> ListEntries:
    """Return a column of texts as lists; a number is a list of one."""
    texts = column.entries
    if column.type == NUMBER:
        texts = [None if np.isnan(number) else f"{number:g}" for number in texts]
    split = {
        text: [part.strip() for part in text.split(separator) if part.strip()] for text in {*texts} if text is not None
    }
    return ListEntries.of([None if text is None else split[text] for text in texts])


def _repeated(codes: Any, unique: Sequence[Hashable], subject: str, source: str, named: RowName) -> str:
    counts = np.bincount(codes)
    first = int(np.flatnonzero(counts[codes] > 1)[0])
    number = int(np.count_nonzero(counts > 1))
    rows = np.flatnonzero(codes == codes[first])
    id_name = singular(subject)
    return (
        f"{source}: {number} of its {subject} have several rows, e.g. {unique[int(codes[first])]!r} in {named(int(rows[0]))} and "
        f"{named(int(rows[1]))}. Give each one row: df.drop_duplicates({id_name!r}), or a list of what the rows have, "
        f"df.groupby({id_name!r}, as_index=False).agg(list)."
    )
