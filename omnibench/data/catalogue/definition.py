"""What a definition says about a data set: where it is, how it is read, how large it is, and under which terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.data.features.shaping import FeatureShape
from omnibench.data.membership import PART_NAMES
from omnibench.data.readers.reader import Reader
from omnibench.guest.feature_types import singular

FEEDBACK = ("explicit", "implicit")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that has the data set, or a part of it.

    Args:
        url: The address of the file; of a file that only people can fetch, the page on which they find it.
        file: The name that the file has on disk.
        members: Of an archive the members that are read, as paths or patterns; ``inner.tar!ratings.csv`` is a member
            of an archive inside of the archive.
        part: ``train``, ``validation`` or ``test`` of a published split, or the name of another part. Sources of the
            same part are mirrors of each other, tried in their order; all parts are needed.
        md5: The published digest, or nothing.
        sha256: The published digest, or nothing.
        manual: For a file that only people can fetch: what to do.
        verify: Whether the certificate of the host is checked; off where it is known to be broken.
        reader: How this source is read where it differs from the data set's reader.
        evidence: Who published the digests.
    """

    url: str
    file: str
    members: tuple[str, ...] = ()
    part: str = ""
    md5: str = ""
    sha256: str = ""
    manual: str = ""
    verify: bool = True
    reader: Reader | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is expected after reading; None is not known.

    Args:
        users: Users with an interaction.
        items: Items with an interaction.
        interactions: Rows.
        pairs: Different pairs of a user and an item.
        rounded: Whether the numbers are rounded, as some makers publish them.
        evidence: Who counted.
    """

    users: int | None = None
    items: int | None = None
    interactions: int | None = None
    pairs: int | None = None
    rounded: bool = False
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms a data set may be used.

    Args:
        name: Of the licence, or what it comes to in a few words.
        url: The address of the terms.
        accept: Whether the terms must be accepted before the first download.
    """

    name: str
    url: str
    accept: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """A file with what is known about the items or users.

    Args:
        subject: ``items`` or ``users``.
        members: Of the archive of the interactions the members that are read; empty for a file of its own.
        reader: How they are read: a column ``item`` or ``user``, every other column a feature.
        url: Of a file of its own its address.
        md5: Of a file of its own its published digest, or nothing.
        shape: What its columns become where they are not the features themselves.
    """

    subject: str
    members: tuple[str, ...]
    reader: Reader
    url: str = ""
    md5: str = ""
    shape: FeatureShape = field(default_factory=FeatureShape)

    @property
    def names(self) -> list[str]:
        """The names of the features."""
        columns = self.reader.columns.values() if isinstance(self.reader.columns, Mapping) else self.reader.columns
        return self.shape.names([name for name in columns if name and name != singular(self.subject)])


@dataclass(frozen=True, slots=True)
class Definition:
    """What the catalogue knows about one version of a data set.

    Args:
        name: What ``load_dataset`` calls it.
        title: What people call it.
        interactions: What an interaction means, and what its rating is.
        feedback: ``explicit`` (ratings, likes) or ``implicit`` (events).
        sources: The files, mirrors in the order in which they are tried.
        reader: How the files are read.
        licence: The terms.
        citation: What its makers want cited, as BibTeX.
        home: The page of its makers.
        counts: What is expected after reading.
        features: What is known about items and users.
        aliases: What other tools call the same data: ``DataRec movielens/1m``.
        superseded: The name of the data set that its makers recommend instead, or nothing.
        note: What users should know: what it lacks, how it differs from its variants.
        family: The family that it belongs to, or nothing.
        file: The file that defines it.
    """

    name: str
    title: str
    interactions: str
    feedback: str
    sources: tuple[Source, ...]
    reader: Reader
    licence: Licence
    citation: str
    home: str
    counts: Counts = field(default_factory=Counts)
    features: tuple[Features, ...] = ()
    aliases: tuple[str, ...] = ()
    superseded: str = ""
    note: str = ""
    family: str = ""
    file: Path = field(default_factory=Path)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are all needed, in the order of the file; an empty name for a set of one file."""
        return tuple(dict.fromkeys(source.part for source in self.sources))

    @property
    def is_split(self) -> bool:
        """Whether the parts are a published split."""
        return any(part in PART_NAMES for part in self.parts)

    @property
    def is_manual(self) -> bool:
        """Whether a part can only be fetched by people."""
        return any(all(source.manual for source in self.sources if source.part == part) for part in self.parts)
