"""Copies that the user has: the raw file of a data set, an unpacked one, or a folder with what is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from omnibench.caller_warnings import warn_caller
from omnibench.data.catalogue.definition import Definition, Source
from omnibench.data.catalogue.raw_parts import RawPart
from omnibench.data.digests import file_digest
from omnibench.data.files.members import RawFile, members
from omnibench.errors import DataError
from omnibench.keys import digest


def local_parts(definition: Definition, path: Path) -> dict[str, RawPart]:
    """Return the raw file of each part, as it lies in a copy of the user's.

    Args:
        definition: The data set.
        path: The file as its makers publish it, what was in an archive, or a folder that has one of these for each part.

    Raises:
        DataError: A part is not there.
    """
    if path.is_file() and len(definition.parts) > 1:
        archives = {source.file for source in definition.sources}
        if path.name not in archives:
            raise DataError(
                f"{definition.name} is of {len(definition.parts)} parts ({', '.join(definition.parts)}), so one file is not "
                f"enough: give the folder that has {', '.join(sorted(archives))}."
            )
        path = path.parent
    parts = {}
    for part in definition.parts:
        mirrors = [source for source in definition.sources if source.part == part]
        parts[part] = _given_file(path, mirrors) if path.is_file() else _in_folder(definition, path, mirrors)
    return parts


def _given_file(path: Path, mirrors: list[Source]) -> RawPart:
    source = next(
        (source for source in mirrors if path.name in (source.file, *_member_names(source))),
        next((source for source in mirrors if path.suffix == PurePosixPath(source.file).suffix), mirrors[0]),
    )
    return _raw_part(source, path)


def _in_folder(definition: Definition, folder: Path, mirrors: list[Source]) -> RawPart:
    for source in mirrors:
        if (folder / source.file).is_file():
            return _raw_part(source, folder / source.file)
    for source in mirrors:
        for patterns in (source.members, tuple(_member_names(source))):
            unpacked = _unpacked(folder, patterns)
            if unpacked:
                digests = [[file.path.name, file.member, file_digest(file.path)] for file in unpacked]
                return RawPart(replace(source, members=patterns), folder, digest(digests))
    names = dict.fromkeys(name for source in mirrors for name in (source.file, *_member_names(source)))
    raise DataError(f"{definition.name}: {folder} has no {' or '.join(names)}; check the path, or leave it out.")


def _unpacked(folder: Path, patterns: tuple[str, ...]) -> list[RawFile]:
    """Return the files of a folder that were members of an archive; none where it has them not."""
    try:
        return members(folder, patterns) if patterns else []
    except DataError:
        return []


def _raw_part(source: Source, path: Path) -> RawPart:
    sha256 = file_digest(path)
    if path.name == source.file and source.sha256 and sha256 != source.sha256:
        warn_caller(
            f"{path} is not the published file: its sha256 is {sha256[:12]}..., that one's {source.sha256[:12]}... "
            f"({source.evidence}); it is read all the same."
        )
    is_member = path.name != source.file and path.name in _member_names(source)
    return RawPart(replace(source, members=()) if is_member else source, path, sha256)


def _member_names(source: Source) -> list[str]:
    return [PurePosixPath(member.rpartition("!")[2]).name for member in source.members]
