"""The content of interactions, whatever the order of their rows and the file that they come from.

The same rows as a frame, CSV, TSV or Parquet, in any order, have one digest: rows are sorted by user, time, item and
rating, and columns are digested as omnibench uses them. Where a recipe depends on the order of rows (the last of
several interactions of one moment), that order is content, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from omnibench.data.digests import coded_digest, column_digest, digest_of_columns, rating_digest
from omnibench.data.interactions import CodedColumns, Interactions, coded_columns, order_within_seconds
from omnibench.data.numbers import RowName, row_name
from omnibench.data.sorting import SortedInteractions, sort_rows
from omnibench.errors import DataError
from omnibench.keys import digest
from omnibench.paths import cache_directory, remember

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np

_VERSION = 3
"""To be raised when the digests of the same rows change, so that remembered ones are not used any more."""

_WORTH_REMEMBERING = 200_000
"""Number of rows from which sorting takes longer than looking into a file."""


class Content(NamedTuple):
    """Digests of interactions.

    Attributes:
        sorted: Of the rows in their canonical order.
        ordered: Of the rows in the order of the frame or file.
        has_ties: Whether a user has several interactions of one moment, or there are no timestamps: which of them is
            the last depends on the order of rows.
        has_tied_repeats: Whether a user has an item several times at one moment, with different ratings.
        as_before: Whether earlier releases have read the same values, so that what it recorded of them holds.
    """

    sorted: str
    ordered: str
    has_ties: bool
    has_tied_repeats: bool
    as_before: bool = True


class TabularSource(Protocol):
    """A source whose rows have no order that means something by itself."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the source has, of user, item, rating and timestamp."""

    @property
    def content(self) -> Content:
        """The digests of its rows."""

    def read(self) -> Mapping[str, Any]:
        """Return the columns by name."""

    @property
    def label(self) -> str:
        """The name of the source in errors."""

    def row_name(self, row: int) -> str:
        """Return what errors call a row, of its number from 0."""


@runtime_checkable
class CodedSource(Protocol):
    """A source that codes its ids while it reads them."""

    def coded(self) -> CodedColumns:
        """Return the rows as they come."""


@dataclass(frozen=True)
class CanonicalRows:
    """The rows of a source as a recipe needs them: in canonical order, or as they come where that order means something.

    Attributes:
        source: The source.
        needs_order: Whether a step of the recipe asks which of several interactions of one moment comes last.
    """

    source: TabularSource
    needs_order: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return self.source.columns

    @property
    def fingerprint(self) -> Any:
        content = self.source.content
        return ["table", content.ordered if self._keeps_order(content) else content.sorted]

    def load(self) -> Interactions:
        return self._loaded()[0]

    def canonical(self) -> Interactions:
        """Return the rows as ``Interactions.canonical`` does, which has nothing left to do where they were sorted."""
        rows, is_sorted = self._loaded()
        if is_sorted and np.count_nonzero(rows.user[1:] != rows.user[:-1]) + 1 == len(rows.user_ids):
            return rows
        return rows.canonical()

    def _loaded(self) -> tuple[Interactions, bool]:
        """Return the rows, and whether they are in canonical order."""
        coded = coded_rows(self.source)
        refuse_nothing(coded.rows, self.source.label)
        in_place = coded.is_own and not self.needs_order
        in_order = sort_rows(coded.rows, coded.moments, in_place=in_place)
        if not self._keeps_order(in_order):
            return in_order.rows, True
        if in_place:  # different ratings of one moment are rare enough to be read twice
            del coded, in_order
            coded = coded_rows(self.source)
        rows = coded.rows
        order = order_within_seconds(rows, coded.moments)
        return rows if order is None else rows.take(order), False

    def _keeps_order(self, content: Content | SortedInteractions) -> bool:
        return content.has_tied_repeats or (self.needs_order and content.has_ties)


def content_of(columns: Mapping[str, Any], label: str, named: RowName = row_name, *, as_before: bool = True) -> Content:
    """Digest columns, in their order and in canonical order.

    Args:
        columns: pandas Series or arrays by name.
        label: The name of the source in errors.
        named: Returns what errors call a row.
        as_before: Whether earlier releases have read the same columns.

    Raises:
        DataError: A value is missing, or has no stable form.
    """
    coded = coded_columns(columns, label, named)
    return content_of_rows(coded._replace(as_before=as_before and coded.as_before))


def content_of_rows(coded: CodedColumns) -> Content:
    """Digest rows whose ids are coded, in their order and in canonical order; nobody else's arrays are changed.

    Args:
        coded: The rows, which are of no use any more where they are nobody else's.
    """
    ordered = _digest(coded.rows, coded.moments)
    in_order = sort_rows(coded.rows, coded.moments, in_place=coded.is_own)
    in_sorted_order = ordered if in_order.is_same else _digest(in_order.rows, in_order.moments)
    return Content(in_sorted_order, ordered, in_order.has_ties, in_order.has_tied_repeats, coded.as_before)


def remembered_content(identity: Callable[[], Any], rows: int | None, compute: Callable[[], Content]) -> Content:
    """Return the content of a file or a large frame, remembered so that it is sorted once on this machine.

    Args:
        identity: Returns what identifies the rows as they come, e.g. the sha256 of their file and how it is read.
        rows: How many there are; few ones are not worth remembering. None where that is unknown.
        compute: Digests the rows.
    """
    if rows is not None and rows < _WORTH_REMEMBERING:
        return compute()
    memory = cache_directory() / "contents" / f"{digest([_VERSION, identity()])[:32]}.json"
    try:
        fields = json.loads(memory.read_text(encoding="utf-8"))
        return Content(
            str(fields["sorted"]),
            str(fields["ordered"]),
            bool(fields["has_ties"]),
            bool(fields["has_tied_repeats"]),
            bool(fields["as_before"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing remembered, or nothing readable
    content = compute()
    remember(memory, json.dumps(content._asdict()))
    return content


def coded_rows(source: TabularSource) -> CodedColumns:
    """Return the rows of a source, some of which have a faster way to them than through columns."""
    if isinstance(source, CodedSource):
        return source.coded()
    return coded_columns(source.read(), source.label, source.row_name)


def refuse_nothing(rows: Interactions, label: str) -> None:
    """Refuse a file without interactions; frames are refused before there is a dataset.

    Args:
        rows: The rows.
        label: The name of their source.

    Raises:
        DataError: There are none.
    """
    if len(rows) == 0:
        raise DataError(f"{label} has no interactions; give a file that has some.")


def _digest(rows: Interactions, moments: npt.NDArray[Any] | None) -> str:
    columns = {
        "user": coded_digest(rows.user, rows.user_ids, "user"),
        "item": coded_digest(rows.item, rows.item_ids, "item"),
    }
    if rows.rating is not None:
        columns["rating"] = rating_digest(rows.rating)
    if rows.timestamp is not None:
        columns["timestamp"] = column_digest(rows.timestamp if moments is None else moments, "timestamp")
    if rows.parts is not None:
        columns |= {f"part_{fold}": column_digest(part, "part") for fold, part in enumerate(rows.parts.T)}
    return digest_of_columns(columns, len(rows))
