"""Splits that somebody else has made: sources whose rows have their part, which is content like their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.data.content import CanonicalRows, Content, content_of_rows, remembered_content
from omnibench.data.interactions import COLUMNS, CodedColumns, Interactions
from omnibench.data.membership import PART_NAMES, TEST, TRAIN, VALIDATION
from omnibench.data.parts import Parts, Split
from omnibench.data.united import unite
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


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
        if interactions.parts is None:
            raise DataError(
                f"{self}: a step before it makes rows anew and does not say in which part they are. Let it return rows.take(...) of "
                "those that it is given, or dataclasses.replace(rows, ...)."
            )
        folds = []
        for fold in range(interactions.parts.shape[1]):
            of_row = interactions.parts[:, fold]
            parts = Parts(*(np.flatnonzero(of_row == part) for part in (TRAIN, VALIDATION, TEST)))
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
            lambda: ["split/1", self.folded, self.columns, [self._identity(fold) for fold in self.folds]],
            sum(sizes) if len(sizes) == len(sources) else None,
            lambda: content_of_rows(self.coded()),
        )

    def _identity(self, fold: Mapping[str, PartSource]) -> list[Any]:
        """Return what identifies the parts of a fold as they are, before anything is read."""
        identities = [getattr(source, "identity", None) or source.fingerprint for source in fold.values()]
        return [self.allow_overlap, *zip(fold, identities, strict=True)]

    @property
    def fingerprint(self) -> Any:
        return self.rows(needs_order=True).fingerprint

    def coded(self) -> CodedColumns:
        """Return the rows of all parts as they come, part by part.

        Raises:
            DataError: A part cannot be read, or does not go with the others.
        """
        return CodedColumns(*unite(self.folds, self.columns, self.label, allow_overlap=self.allow_overlap))

    def load(self) -> Interactions:
        return self.rows(needs_order=True).load()

    def rows(self, *, needs_order: bool) -> PublishedRows:
        """Return the rows as a recipe needs them.

        Args:
            needs_order: Whether a step of the recipe asks which of several interactions of one moment comes last.
        """
        source: Any = self  # which is read by its parts, and not column by column
        return PublishedRows(source, needs_order)


class PublishedRows(CanonicalRows):
    """The rows of a published split in their canonical order, or part by part as they come."""

    @property
    def fingerprint(self) -> Any:
        source: Any = self.source
        return ["split", {"folds": source.published_split.folds}, super().fingerprint[-1]]


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
