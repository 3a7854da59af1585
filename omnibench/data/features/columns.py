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
from omnibench.data.features.typed import typed
from omnibench.data.numbers import RowName, row_name
from omnibench.errors import DataError, nearest
from omnibench.guest.features import BOOLEAN, NUMBER, TEXT, TEXTS
from omnibench.keys import digest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np

_NO_LIST = -1
"""The length of a text or list that is missing."""


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """A feature.

    Attributes:
        type: ``number``, ``boolean``, ``text`` or ``texts``.
        entries: One per row. Of numbers and truth values (1 and 0) a float64 array with NaN for what is missing; else a list
            of texts, or of lists of texts, with None for what is missing.
    """

    type: str
    entries: Any


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
        texts = [
            json.dumps(ids.encode(own_id, f"the features of {self.subject}"), sort_keys=True) for own_id in self.ids
        ]
        order = sorted(range(len(texts)), key=texts.__getitem__)
        owners = np.empty(len(order), dtype=object)
        owners[:] = [self.ids[row] for row in order]
        described = {name: [column.type, _sha(column, order)] for name, column in self.columns.items()}
        return digest(
            {"schema": "features/1", "subject": self.subject, "ids": table_digest({"id": owners}), "columns": described}
        )

    def frame(self) -> pd.DataFrame:
        """Return the rows as a frame: the ids as ``item`` or ``user``, and the features."""
        import pandas as pd

        id_column = np.empty(len(self.ids), dtype=object)
        id_column[:] = list(self.ids)
        columns = {name: series_of(column.type, column.entries) for name, column in self.columns.items()}
        return pd.DataFrame({singular(self.subject): pd.Series(id_column).infer_objects(), **columns})


def singular(subject: str) -> str:
    """Return the name of a subject's column of ids: ``item`` of ``items``."""
    return subject.removesuffix("s")


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
        if column.type == TEXTS:
            continue
        if column.type == NUMBER and not np.isnan(column.entries).all():  # one number each is a list of one
            texts: list[Any] = [None if np.isnan(value) else f"{value:g}" for value in column.entries]
        elif column.type == TEXT:
            texts = column.entries
        elif column.type == NUMBER:
            texts = [None] * len(column.entries)
        else:
            raise DataError(
                f"{source}: column {name!r} has truth values, which cannot be split; leave it out of lists."
            )
        lists = [
            None if text is None else [member.strip() for member in text.split(separator) if member.strip()]
            for text in texts
        ]
        columns[name] = FeatureColumn(TEXTS, lists)
    return FeatureColumns(features.subject, features.ids, columns)


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


def _sha(column: FeatureColumn, order: Sequence[int]) -> str:
    """Return the digest of a column's values in an order of its rows."""
    if column.type in (NUMBER, BOOLEAN):
        values = np.asarray(column.entries, dtype="<f8")[np.asarray(order, dtype=np.int64)] + 0.0
        values[np.isnan(values)] = np.nan  # there are several
        return hashlib.sha256(values.tobytes()).hexdigest()
    content = hashlib.sha256()
    for row in order:
        value = column.entries[row]
        members = value if column.type == TEXTS and value is not None else [value]
        lengths = [_NO_LIST if member is None else len(member.encode()) for member in members]
        size = _NO_LIST if value is None else len(members)
        content.update(np.array([size, *lengths], dtype="<i8").tobytes())
        content.update("".join(member for member in members if member is not None).encode())
    return content.hexdigest()
