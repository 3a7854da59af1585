"""Copies that the user has: the raw file of a data set, an unpacked one, or a folder with what is needed."""

from __future__ import annotations

import tarfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from omnibench.data.catalogue.definition import Definition, Source
from omnibench.data.catalogue.raw_files import RawPart
from omnibench.data.digests import file_digest
from omnibench.errors import DataError

_ARCHIVES = (".7z",)


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
        for member in source.members:
            pattern = member.rpartition("!")[2]
            for candidate in dict.fromkeys((pattern, PurePosixPath(pattern).name)):
                files = sorted(file for file in folder.glob(candidate) if file.is_file())
                if files:
                    return _raw_part(source, files[0])
    listed = " or ".join(dict.fromkeys(name for source in mirrors for name in (source.file, *_member_names(source))))
    raise DataError(f"{definition.name}: {folder} has no {listed}; check the path, or leave it out.")


def _raw_part(source: Source, path: Path) -> RawPart:
    digest = file_digest(path)
    if path.name == source.file and source.sha256 and digest != source.sha256:
        warnings.warn(
            f"{path} is not the published file: its sha256 is {digest[:12]}..., and {source.evidence} has "
            f"{source.sha256[:12]}...; it is read all the same.",
            UserWarning,
            stacklevel=2,
        )
    return RawPart(source if _is_archive(path) else replace(source, members=()), path, digest)


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() in _ARCHIVES or zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def _member_names(source: Source) -> list[str]:
    return [PurePosixPath(member.rpartition("!")[2]).name for member in source.members]
