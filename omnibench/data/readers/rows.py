"""Rows on their way from raw files to the columns of a dataset: batches, and what they come to together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.files.text import IDS, integers_of
from omnibench.data.interactions import COLUMNS
from omnibench.data.numbers import RowName
from omnibench.errors import DataError
from omnibench.memory import available_memory
from omnibench.sizes import size_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

BATCH = 200_000
"""Rows that a reader hands over at once, where it makes them one by one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a raw file, as they stand in it.

    Attributes:
        columns: pyarrow arrays by the names that the reader's columns have.
        filters: Arrays by the file's own names of the columns that tell which rows are kept.
        named: Returns what errors call a row of the batch, of its number from 0.
    """

    columns: Mapping[str, Any]
    filters: Mapping[str, Any]
    named: RowName

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, mask: npt.NDArray[np.bool_]) -> Batch:
        """Return some of the rows, which errors still call by their lines."""
        import pyarrow as pa

        if mask.all():
            return self
        rows, named = np.flatnonzero(mask), self.named
        return Batch(
            {name: array.filter(pa.array(mask)) for name, array in self.columns.items()},
            {name: array.filter(pa.array(mask)) for name, array in self.filters.items()},
            lambda row: named(int(rows[row])),
        )


class RowCounts(NamedTuple):
    """What a raw file has.

    Attributes:
        users: Different ones.
        items: Different ones.
        interactions: Rows.
    """

    users: int
    items: int
    interactions: int


class RawRows(NamedTuple):
    """Interactions of raw files.

    Attributes:
        columns: pandas Series by name, as ``from_columns`` takes them.
        as_before: Whether earlier releases have read the same values.
        counts: What the files have with the rows that lack a rating or a time, as makers of data sets count.
        left_out: How many rows are no interactions, by the column that they lack. A row without a rating is none where the
            data set has ratings: a missing rating is neither a good nor a bad one. Nor is a row without a time where it has
            times: nobody knows whether it is before or after others.
    """

    columns: dict[str, Any]
    as_before: bool
    counts: RowCounts
    left_out: Mapping[str, int]


class Converted(NamedTuple):
    """A batch whose values are what they mean.

    Attributes:
        ids: pyarrow arrays of users and items, of all rows.
        is_complete: Which rows have a rating and a time, or need none; shape (n,).
        values: Ratings and times of those rows.
        left_out: How many rows went, by the column that they lack.
    """

    ids: Mapping[str, Any]
    is_complete: npt.NDArray[np.bool_]
    values: Mapping[str, Any]
    left_out: Mapping[str, int]


@dataclass
class Assembly:
    """Batches, put together without holding their texts: ids are codes from the first batch on."""

    ids: dict[str, list[Any]] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)
    is_complete: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    size: int = 0

    @property
    def rows(self) -> int:
        """The number of rows that are complete."""
        return sum(int(mask.sum()) for mask in self.is_complete)

    def add(self, batch: Converted) -> None:
        """Take a batch."""
        for name, count in batch.left_out.items():
            self.left_out[name] = self.left_out.get(name, 0) + count
        if len(batch.is_complete) == 0:
            return
        self.is_complete.append(batch.is_complete)
        for name, array in batch.ids.items():
            codes = array.dictionary_encode()
            self.ids.setdefault(name, []).append(codes)
            self.size += codes.nbytes
        for name, values in batch.values.items():
            self.values.setdefault(name, []).append(values)
            self.size += values.nbytes

    def require_memory(self, label: str) -> None:
        """Refuse to go on where what was read does not fit into memory a second time, as a dataset needs it.

        Args:
            label: What errors call the files.

        Raises:
            DataError: It does not fit; it says what there is.
        """
        available = available_memory()
        if available is not None and self.size > available:
            raise DataError(
                f"{label}: after {self.rows:,} interactions, which take {size_text(self.size)}, only {size_text(available)} of memory "
                "are left, and a dataset needs as much again. Use a machine with more, end what else is running here, or read a "
                "part of the files."
            )

    def result(self) -> RawRows:
        """Return the rows; there has to be one."""
        is_complete = np.concatenate(self.is_complete)
        columns: dict[str, Any] = {}
        different: dict[str, int] = {}
        for name in IDS:
            codes, ids = _unified(self.ids.pop(name))
            different[name] = len(ids)
            columns[name] = _categories(codes if is_complete.all() else codes[is_complete], ids)
        for name, chunks in self.values.items():
            columns[name] = joined_times(chunks) if name == "timestamp" else np.concatenate(chunks)
        counts = RowCounts(different["user"], different["item"], len(is_complete))
        return RawRows({name: columns[name] for name in COLUMNS if name in columns}, True, counts, dict(self.left_out))


def joined_times(chunks: Sequence[Any]) -> Any:
    """Return the times of several batches as one Series, of the finest type that one of them needs.

    Args:
        chunks: Series as ``time_column`` returns them, or pyarrow arrays that no unit was given for.
    """
    import pandas as pd
    import pyarrow as pa

    if any(isinstance(chunk, pa.Array) for chunk in chunks):
        return _plain_times(chunks)
    if any(chunk.dtype.kind == "M" for chunk in chunks):
        chunks = [chunk if chunk.dtype.kind == "M" else _moments(chunk) for chunk in chunks]
    return pd.concat(chunks, ignore_index=True) if len(chunks) > 1 else chunks[0]


def _moments(seconds: Any) -> Any:
    import pandas as pd

    if seconds.dtype.kind == "f":
        return pd.Series(np.round(seconds.to_numpy() * 1e6).astype("datetime64[us]"))
    return pd.Series(seconds.to_numpy().astype("datetime64[s]"))


def _plain_times(chunks: Sequence[Any]) -> Any:
    """Return times without a unit as numbers where all are numbers, else as texts."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    types = {chunk.type for chunk in chunks}
    if len(types) == 1 and not pa.types.is_string(next(iter(types))):
        return pd.Series(pa.chunked_array(chunks).to_numpy())
    texts = pc.utf8_trim_whitespace(pa.chunked_array([chunk.cast(pa.string()) for chunk in chunks], pa.string()))
    for number in (pa.int64(), pa.float64()):
        try:
            return pd.Series(texts.cast(number).to_numpy())
        except pa.ArrowInvalid:
            continue
    return pd.Series(texts.to_pandas(), dtype=object)


def _unified(chunks: list[Any]) -> tuple[npt.NDArray[np.int32], Any]:
    """Return the codes of the ids of all batches, and the ids, as numbers or texts."""
    import pyarrow as pa

    if len({chunk.type.value_type for chunk in chunks}) > 1:
        texts = pa.dictionary(pa.int32(), pa.string())
        chunks = [
            pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(pa.string())).cast(texts)
            for chunk in chunks
        ]
    unified = pa.chunked_array(chunks).unify_dictionaries()
    codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in unified.chunks])
    return codes.astype(np.int32), unified.chunk(0).dictionary


def _categories(codes: npt.NDArray[np.int32], ids: Any) -> Any:
    """Return ids as categories: integers where all that occur are integers as usually written, else texts."""
    import pandas as pd
    import pyarrow as pa

    occurs = np.bincount(codes, minlength=len(ids)) > 0
    if not occurs.all():  # ids that only rows without a rating have say nothing about the others
        codes = (np.cumsum(occurs, dtype=np.int32) - 1)[codes]
        ids = ids.filter(pa.array(occurs))
    integers = ids.to_numpy(zero_copy_only=False) if pa.types.is_integer(ids.type) else integers_of(ids)
    if integers is None:
        categories = pd.Index(np.array(ids.to_pylist(), dtype=object), dtype=object)
        return pd.Series(pd.Categorical.from_codes(codes, categories))
    numbers, categories = pd.factorize(integers)  # blanks beside a number are not part of it
    return pd.Series(
        pd.Categorical.from_codes(numbers[codes] if len(categories) < len(integers) else codes, categories)
    )
