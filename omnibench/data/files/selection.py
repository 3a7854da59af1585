"""The files that a path of data stands for: one, a list, a pattern, a directory of Parquet files, a member of an archive."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from glob import escape, glob, has_magic
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.data.files.parquet import is_parquet_directory
from omnibench.data.files.streams import uncompressed_name
from omnibench.data.files.through import archive_in, is_archive, member_paths
from omnibench.errors import DataError
from omnibench.paths import absolute_paths, either, overlong_name

_ENDS = " _-.0123456789"
"""What stands behind the name that several files share."""


class Selection(NamedTuple):
    """Files that are one table.

    Attributes:
        paths: The files, absolute, in the order of their rows.
        name: What to call the table.
    """

    paths: list[Path]
    name: str


def selected_files(path: Any, member: str | None) -> Selection:
    """Return the files that a path stands for.

    Args:
        path: A path, a list of paths, or a pattern such as ``clicks_*.csv``, whose files come in the order of their names.
        member: The name of the member of an archive, or a pattern of several.

    Raises:
        DataError: There is none, or one is no path.
    """
    listed = path if isinstance(path, Sequence) and not isinstance(path, str | bytes) else [path]
    if not listed:
        raise DataError("from_file got an empty list; give the path of a file, or several.")
    paths = [file for argument in listed for file in _files(argument)]
    doubled = [str(file) for file in paths if paths.count(file) > 1] if len(paths) > 1 else []
    if doubled:
        raise DataError(f"from_file got {doubled[0]} twice; give each file once.")
    archives = [is_archive(file) and file.is_file() for file in paths]
    if member is not None and not all(archives):
        plain = paths[archives.index(False)]
        raise DataError(f"from_file: member is {member!r}, but {plain.name} is no archive; leave it out.")
    files: list[Path] = []
    for file, archived in zip(paths, archives, strict=True):
        files += member_paths(file, member) if archived else [file]
    return Selection(files, _name(path, files))


def _files(argument: Any) -> list[Path]:
    if not isinstance(argument, str | os.PathLike):
        raise DataError(
            f"from_file got {argument!r}; give the path of a file, a list of paths, or a pattern such as 'clicks_*.csv'."
        )
    path = Path(argument)
    if "://" in os.fspath(argument):
        raise DataError(f"from_file reads files, and {argument!r} is an address; download it, and give the file.")
    problem = overlong_name(path)
    if problem:
        raise DataError(f"from_file: {problem}; check the path.")
    candidates = absolute_paths(path)
    file = next((candidate for candidate in candidates if _is_readable(candidate)), None)
    if file is not None:
        return [file]
    if has_magic(str(path)):
        return _matching(candidates, str(path))
    if candidates[0].is_dir():
        raise DataError(
            f"{candidates[0]} is a directory without .parquet files; give a file, a directory of Parquet files, or a pattern such as "
            f"{str(path / '*.csv')!r}."
        )
    raise DataError(f"there is no file {either(candidates)}; check the path.")


def _is_readable(path: Path) -> bool:
    return path.is_file() or is_parquet_directory(path) or archive_in(path) != path


def _matching(candidates: Sequence[Path], pattern: str) -> list[Path]:
    """Return the files that match a pattern; the folder in which it begins is no part of it, whatever its name is."""
    for candidate in candidates:
        folder = str(candidate).removesuffix(pattern)
        is_below = folder != str(candidate)
        matching = glob(escape(folder) + pattern if is_below else str(candidate), recursive=True)
        files = [Path(name) for name in sorted(matching)]
        files = [file for file in files if file.is_file() or is_parquet_directory(file)]
        if files:
            return files
    raise DataError(f"no file matches {either(candidates)}; check the pattern.")


def _name(path: Any, files: Sequence[Path]) -> str:
    """Return the name that files share: the stem of a single one, what stands before the numbers of several."""
    if len(files) == 1:
        archive = archive_in(files[0])
        return uncompressed_name(files[0]).stem if archive == files[0] else archive.stem
    stems = [uncompressed_name(file).stem for file in files]
    shared = "".join(letters[0] for letters in itertools.takewhile(_agree, zip(*stems, strict=False)))
    if isinstance(
        path, str | os.PathLike
    ):  # the letters that a pattern has may be fewer than those that happen to agree
        shared = re.split(r"[*?\[]", Path(path).name)[0] or shared
    return shared.rstrip(_ENDS) or files[0].parent.name or stems[0]


def _agree(letters: Sequence[str]) -> bool:
    return len(set(letters)) == 1
