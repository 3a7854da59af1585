"""The files that a class or function names in ``depends_on``, and digests of what is in them."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from omnibench.code.parsed import Signature, signature_of
from omnibench.errors import PlanError


def named_files(names: object, folder: Path, owner: str) -> list[tuple[str, Path]]:
    """Return the files that ``depends_on`` names, each with the name that a digest knows it by.

    Args:
        names: The attribute's value: file names, folders or patterns.
        folder: What they are relative to.
        owner: The class or function, for messages.

    Raises:
        PlanError: It is no list of names, or there is no such file.
    """
    if isinstance(names, str | os.PathLike):
        names = [names]
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str | os.PathLike) and str(name) for name in names
    ):
        raise PlanError(
            f'{owner}: depends_on is {names!r}; give a list of the files that it reads, e.g. depends_on = ["weights.csv"].'
        )
    files = []
    for entry in names:
        name = os.fspath(entry)
        files_of_entry = list(_expanded(str(name), folder))
        if not files_of_entry:
            raise PlanError(
                f"{owner}: depends_on names {str(name)!r}, but there is no such file in {folder}; correct the name, which "
                "is relative to the file of the class, or make the file before the run."
            )
        files += files_of_entry
    return sorted(set(files))


def _expanded(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a name: of a folder all, of a pattern those that match."""
    path = folder / name
    if path.is_file():
        yield (path.name if os.path.isabs(name) else Path(name).as_posix()), path
    elif path.is_dir():
        prefix = path.name if os.path.isabs(name) else Path(name).as_posix()
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(sub for sub in folders if sub != "__pycache__" and not sub.startswith("."))
            for file in sorted(name for name in names if not name.startswith(".")):  # what a desktop leaves there
                whole = Path(parent, file)
                yield f"{prefix}/{whole.relative_to(path).as_posix()}", whole
    elif glob.has_magic(name):
        for match in sorted(glob.glob(name, root_dir=folder, recursive=True)):
            yield from _expanded(match, folder)


_digests: dict[str, tuple[Signature, str]] = {}


def content_digest(file: Path) -> str:
    """Return the sha256 of a file's content, read again only when it has changed."""
    signature = signature_of(file)
    known_signature, digest = _digests.get(str(file), (None, ""))
    if known_signature != signature:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        _digests[str(file)] = signature, digest
    return digest
