"""Splits that somebody else has made: sources whose rows have their part, which is content like their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.data.content import Content, remembered_content
from omnibench.data.digests import table_digest
from omnibench.data.interactions import COLUMNS, Interactions, decode, order_within_seconds
from omnibench.data.membership import PART_NAMES
from omnibench.data.parts import Parts, Split
from omnibench.data.sorting import sort_rows
from omnibench.data.united import UnitedRows, unite
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_TRAIN, _VALIDATION, _TEST = range(3)


class PartSource(Protocol):
    """A source of the rows of one part."""

    @property
    def fingerprint(self) -> Any:
        """What identifies its content."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it has, of user, item, rating and timestamp."""

    def load(self) -> Interactions:
        """Read the interactions."""


@dataclass(frozen=True, repr=False)
class PublishedSplit(Split):
    """The split that a source has of its own; what is in each part is content of the source, so it is no step.

    Args:
        number: The number of folds, or None for a single split.
        has_validation: Whether there are validation parts.
    """

    number: int | None
    has_validation: bool

    @property
    def folds(self) -> int | None:
        return self.number

    @property
    def validates(self) -> bool:
        return self.has_validation

    @property
    def validation_advice(self) -> str:
        return "Give it one, e.g. rows of its training part: from_split(train, test, validation)"

    def __repr__(self) -> str:
        return "published split" if self.number is None else f"published split of {self.number} folds"

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        assert interactions.parts is not None, "the source of a published split says the part of each row"
        folds = []
        for fold in range(interactions.parts.shape[1]):
            of_row = interactions.parts[:, fold]
            parts = Parts(*(np.flatnonzero(of_row == part) for part in (_TRAIN, _VALIDATION, _TEST)))
            for name, rows in (("training", parts.train), ("test", parts.test)):
                if len(rows) == 0:
                    of_fold = "" if self.number is None else f" of fold {fold}"
                    raise DataError(
                        f"{self}: the steps before it leave nothing{of_fold} for {name}, of {len(interactions)} interactions in all; "
                        "prune or filter less."
                    )
            folds.append(parts)
        return folds


@dataclass(frozen=True)
class PublishedSource:
    """The rows of all parts, with the part of each.

    Attributes:
        folds: The sources of each fold's parts, by train, validation and test; of a single split, of the only one.
        label: The name of the data in errors.
        folded: Whether these are folds, and no single split.
        allow_overlap: Whether a pair of user and item may be in two parts of a fold.
    """

    folds: tuple[Mapping[str, PartSource], ...]
    label: str
    folded: bool
    allow_overlap: bool = False

    @property
    def published_split(self) -> PublishedSplit:
        """The split that ends every recipe of these rows."""
        return PublishedSplit(
            len(self.folds) if self.folded else None, any("validation" in fold for fold in self.folds)
        )

    @property
    def features(self) -> Mapping[str, Any]:
        """What the catalogue has of items and users, where the parts are of its data set."""
        features: Mapping[str, Any] = getattr(next(iter(self.folds[0].values())), "features", {})
        return features

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that all parts have."""
        of_parts = [source.columns for fold in self.folds for source in fold.values()]
        return tuple(column for column in COLUMNS if all(column in columns for columns in of_parts))

    @cached_property
    def content(self) -> Content:
        """The digests of the rows and their parts."""
        sources = [source for fold in self.folds for source in fold.values()]
        frames = [getattr(source, "frame", None) for source in sources]
        sizes = [len(frame) for frame in frames if frame is not None]
        return remembered_content(
            lambda: ["split", self.folded, self.columns, [self._identity(fold) for fold in self.folds]],
            sum(sizes) if len(sizes) == len(sources) else None,
            self._content,
        )

    def _identity(self, fold: Mapping[str, PartSource]) -> list[Any]:
        """Return what identifies the parts of a fold as they are, before anything is read."""
        identities = [getattr(source, "identity", None) or source.fingerprint for source in fold.values()]
        return [self.allow_overlap, *zip(fold, identities, strict=True)]

    def _content(self) -> Content:
        united = self.united()
        ordered = _digest(united.rows, united.moments)
        in_order = sort_rows(*united)
        if in_order.order is None:
            return Content(ordered, ordered, in_order.has_ties, in_order.has_tied_repeats)
        moments = None if united.moments is None else united.moments[in_order.order]
        return Content(_digest(in_order.rows, moments), ordered, in_order.has_ties, in_order.has_tied_repeats)

    def united(self) -> UnitedRows:
        """Read all parts.

        Raises:
            DataError: A part cannot be read, or does not go with the others.
        """
        return unite(self.folds, self.columns, self.label, allow_overlap=self.allow_overlap)

    @property
    def fingerprint(self) -> Any:
        return self.rows(needs_order=True).fingerprint

    def load(self) -> Interactions:
        return self.rows(needs_order=True).load()

    def rows(self, *, needs_order: bool) -> PublishedRows:
        """Return the rows as a recipe needs them.

        Args:
            needs_order: Whether a step of the recipe asks which of several interactions of one moment comes last.
        """
        keeps_order = self.content.has_tied_repeats or (needs_order and self.content.has_ties)
        return PublishedRows(self, is_sorted=not keeps_order)


@dataclass(frozen=True)
class PublishedRows:
    """The rows of a published split in their canonical order, or part by part as they come."""

    source: PublishedSource
    is_sorted: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return self.source.columns

    @property
    def fingerprint(self) -> Any:
        content = self.source.content
        folds = {"folds": self.source.published_split.folds}
        return ["split", folds, content.sorted if self.is_sorted else content.ordered]

    def load(self) -> Interactions:
        rows, moments = self.source.united()
        if self.is_sorted:
            return sort_rows(rows, moments).rows
        order = order_within_seconds(rows, moments)
        return rows if order is None else rows.take(order)


def split_source(
    parts: Mapping[str, PartSource] | Sequence[Mapping[str, PartSource]], name: str, *, allow_overlap: bool = False
) -> PublishedSource:
    """Return the source of a split that somebody else has made; nothing is read yet.

    Args:
        parts: The sources by ``train``, ``test`` and, where there is one, ``validation``; of folds, one such mapping for each.
        name: The name of the data in errors.
        allow_overlap: Whether a pair of user and item may be in two parts; by default that is refused where it is read.

    Raises:
        DataError: A part is missing, unknown, or only some folds have it.
    """
    folds = [parts] if isinstance(parts, Mapping) else list(parts)
    if not folds:
        raise DataError(f"{name}: there is no fold; give at least one, e.g. {{'train': ..., 'test': ...}}.")
    for number, fold in enumerate(folds):
        of_fold = "" if isinstance(parts, Mapping) else f" of fold {number}"
        unknown = [part for part in fold if part not in PART_NAMES]
        if unknown:
            raise DataError(f"{name}: the part {unknown[0]!r}{of_fold} is none of {', '.join(map(repr, PART_NAMES))}.")
        missing = [part for part in ("train", "test") if part not in fold]
        if missing:
            raise DataError(f"{name}: there is no part {missing[0]!r}{of_fold}; a split needs 'train' and 'test'.")
        if ("validation" in fold) != ("validation" in folds[0]):
            has, lacks = (0, number) if "validation" in folds[0] else (number, 0)
            raise DataError(
                f"{name}: fold {has} has a validation part, and fold {lacks} has none; give it to all folds, or to none."
            )
    in_order = [{part: fold[part] for part in PART_NAMES if part in fold} for fold in folds]
    return PublishedSource(tuple(in_order), name, not isinstance(parts, Mapping), allow_overlap)


def _digest(rows: Interactions, moments: Any) -> str:
    columns: dict[str, Any] = {"user": decode(rows.user, rows.user_ids), "item": decode(rows.item, rows.item_ids)}
    if rows.rating is not None:
        columns["rating"] = rows.rating
    if rows.timestamp is not None:
        columns["timestamp"] = rows.timestamp if moments is None else moments
    assert rows.parts is not None, "rows are united with their parts"
    columns |= {f"part_{fold}": rows.parts[:, fold] for fold in range(rows.parts.shape[1])}
    return table_digest(columns)
