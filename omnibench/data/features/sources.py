"""Where features come from: frames, and files that are read when somebody needs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.data.frames import is_table, pandas_frame
from omnibench.errors import ChangedDataError, DataError
from omnibench.guest.feature_types import singular
from omnibench.keys import digest
from omnibench.paths import absolute_paths, cache_directory, either, overlong_name, remember

if TYPE_CHECKING:
    import pandas as pd

    from omnibench.data.features.columns import FeatureColumns

_VERSION = 2
"""To be raised when the digests of the same file change, so that remembered ones are not used any more."""


class FeatureSource(Protocol):
    """Where features come from."""

    @property
    def digest(self) -> str:
        """What identifies the content, as ``FeatureColumns.digest`` has it."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the features, for which no row is read."""

    def read(self) -> FeatureColumns:
        """Return the features."""


@dataclass(frozen=True)
class FrameFeatures:
    """Features that the user already has in memory."""

    columns: FeatureColumns

    @cached_property
    def digest(self) -> str:
        return self.columns.digest()

    @property
    def names(self) -> list[str]:
        return list(self.columns.columns)

    def read(self) -> FeatureColumns:
        return self.columns


@dataclass(frozen=True)
class FileFeatures:
    """Features in a file, which is read when somebody needs them.

    Attributes:
        path: The file.
        subject: ``items`` or ``users``.
        lists: What separates the members of columns that hold several.
    """

    path: Path
    subject: str
    lists: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        from omnibench.data.features.files import feature_names  # which imports every format of file

        return [name for name in feature_names(self.path, self.subject) if name != singular(self.subject)]

    @cached_property
    def _file_digest(self) -> str:
        return self._current_digest()

    def _current_digest(self) -> str:
        from omnibench.data.file_source import path_digest  # which imports every format of file

        return path_digest(self.path)

    @cached_property
    def digest(self) -> str:
        identity = ["file", self.subject, self.path.suffixes, dict(self.lists), self._file_digest]
        return remembered_digest(identity, lambda: self.read().digest())

    def read(self) -> FeatureColumns:
        """Return the features.

        Raises:
            DataError: The file cannot be read, or has no features; ChangedDataError where it has changed since its digest was
                computed.
        """
        from omnibench.data.features.columns import feature_columns, split_lists  # which few bench files need
        from omnibench.data.features.files import feature_frame

        before = self._file_digest
        frame = feature_frame(self.path, self.subject)
        if self._current_digest() != before:
            raise ChangedDataError(
                f"{self.path} has changed since this run read its key; its results would be recorded for the old content. Run "
                "again."
            )
        return split_lists(feature_columns(frame, self.subject, self.path.name), self.lists, self.path.name)


def remembered_digest(identity: list[Any], compute: Callable[[], str]) -> str:
    """Return the digest of features, remembered so that their file is read once on this machine.

    Args:
        identity: What identifies the file and how it is read.
        compute: Reads it.
    """
    memory = cache_directory() / "features" / f"{digest([_VERSION, *identity])[:32]}.json"
    try:
        return str(json.loads(memory.read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing remembered, or nothing readable
    content = compute()
    remember(memory, json.dumps({"digest": content}))
    return content


def features_from(
    arguments: Mapping[str, Any],
    lists: Mapping[str, str],
    name: str,
    catalogue: Mapping[str, FeatureSource],
) -> dict[str, FeatureSource]:
    """Return the features that were given.

    Args:
        arguments: Frames or paths by subject, True for what the catalogue has, None for nothing.
        lists: What separates the members of columns that hold several.
        name: The dataset's name in errors.
        catalogue: What the catalogue has of the dataset, by subject.

    Raises:
        DataError: Nothing is there, or it has no such form.
    """
    if all(argument is None for argument in arguments.values()):
        arguments = dict.fromkeys(catalogue, True)
        if not arguments:
            raise DataError(
                f"{name}: the catalogue has no features of it; give yours, e.g. with_features(items=df), a frame with a column "
                "'item' and a column for each feature."
            )
    from omnibench.data.features.columns import feature_columns, split_lists  # which few bench files need

    unsplit = dict(lists)
    sources: dict[str, FeatureSource] = {}
    for subject, argument in arguments.items():
        if argument is True:
            sources[subject] = _of_catalogue(subject, name, catalogue)
        elif isinstance(argument, str | Path):
            of_file = FileFeatures(_existing(argument, subject), subject)
            sources[subject] = replace(of_file, lists=_claimed(unsplit, lists, of_file.names))
        elif argument is not None:
            frame = _frame(argument, subject, name)
            label = f"the features of {subject} of {name}"
            columns = [str(column) for column in frame.columns]
            features = feature_columns(frame, subject, label)
            sources[subject] = FrameFeatures(split_lists(features, _claimed(unsplit, lists, columns), label))
    if unsplit:
        column = next(iter(unsplit))
        raise DataError(
            f"{name}: lists says that {unsplit[column]!r} separates the members of {column!r}, but no features have such a column; "
            "check its name."
        )
    return sources


def _claimed(unsplit: dict[str, str], lists: Mapping[str, str], columns: list[str]) -> dict[str, str]:
    """Return those of the lists that some columns have, and take them from those that are left."""
    own = {column: separator for column, separator in lists.items() if column in columns}
    for column, separator in own.items():
        argument: Any = separator
        if not isinstance(argument, str) or not argument:
            raise DataError(
                f"lists has {argument!r} for {column!r}; give what separates its members, e.g. {{{column!r}: '|'}}."
            )
        unsplit.pop(column, None)
    return own


def _of_catalogue(subject: str, name: str, catalogue: Mapping[str, FeatureSource]) -> FeatureSource:
    if subject not in catalogue:
        subjects = " and ".join(catalogue)
        raise DataError(
            f"{name}: the catalogue has no features of {subject}{f', but of {subjects}' if subjects else ''}; give yours, e.g. "
            f"with_features({subject}=df)."
        )
    return catalogue[subject]


def _existing(path: str | Path, subject: str) -> Path:
    problem = overlong_name(path)
    if problem:
        raise DataError(f"with_features: {problem}; check the path of {subject}.")
    paths = absolute_paths(path)
    existing = next((candidate for candidate in paths if candidate.exists()), None)
    if existing is None:
        raise DataError(f"there is no file {either(paths)} with features of {subject}; check the path.")
    return existing


def _frame(argument: Any, subject: str, name: str) -> pd.DataFrame:
    """Return a frame of features; its index counts where it has the ids.

    Raises:
        DataError: It is no frame.
    """
    import pandas as pd

    frame = pandas_frame(argument, "with_features") if is_table(argument) else argument
    id_name = singular(subject)
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"{name}: {subject} is {type(argument).__name__}; give a frame with a column {id_name!r} and a column for each feature, "
            "or the path of such a file."
        )
    if frame.columns.nlevels > 1:
        raise DataError(
            f"{name}: the features of {subject} have columns of {frame.columns.nlevels} levels; give them one name each."
        )
    if frame.index.name == id_name and id_name not in frame.columns:
        return frame.reset_index()
    return frame.reset_index(drop=True)
