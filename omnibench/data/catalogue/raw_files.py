"""The raw files of a data set: in the cache already, downloaded from the first source that has them, or put there by hand."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from omnibench.announcements import announce
from omnibench.data.catalogue.definition import Definition, Source
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.licences import require_acceptance
from omnibench.data.catalogue.names import definitions, is_shipped
from omnibench.data.catalogue.raw_parts import RawPart, local_path, mirrors_of
from omnibench.data.digests import file_digest
from omnibench.data.downloads.bars import progress_bar
from omnibench.data.downloads.connection import TransferError, host_of
from omnibench.data.downloads.transfer import discard, download
from omnibench.errors import DataError
from omnibench.sizes import size_text


def fetch(definition: Definition, folder: DataFolder, *, accept_changed: bool = False) -> dict[str, RawPart]:
    """Return the raw file of each part, downloaded where it is not there yet; only while the folder is locked.

    Args:
        definition: The data set.
        folder: Its folder.
        accept_changed: Whether a file may be another one than at its first use, where nobody has published its digest.

    Raises:
        DataError: A file cannot be had, is not the published one, or not the one that was first used here.
    """
    return {part: _fetch_part(definition, part, folder, accept_changed) for part in definition.parts}


def _fetch_part(definition: Definition, part: str, folder: DataFolder, accept_changed: bool) -> RawPart:
    mirrors = mirrors_of(definition, part)
    for source in mirrors:
        local = local_path(source)
        path = local or folder.path / source.file
        if path.is_file() or (local is None and folder.is_cache and _linked(definition, source, path)):
            problem = _problem(definition.name, path, source, folder, accept_changed=accept_changed)
            if problem:
                raise DataError(f"{definition.name}: {path} {problem}. Remove the file to fetch it anew.")
            return RawPart(source, path, file_digest(path))
    require_acceptance(definition)
    failures: list[str] = []
    for source in mirrors:
        if source.manual:
            continue
        local = local_path(source)
        if local is not None:
            failures.append(f"{local} is not there")
            continue
        try:
            raw = _downloaded(definition, source, folder, accept_changed)
        except (TransferError, OSError) as error:
            failures.append(f"{host_of(source.url)} {_words(error)}")
            if source is not mirrors[-1]:
                announce(f"{definition.name}: {failures[-1]}; trying the next source")
            continue
        for failed in mirrors[: mirrors.index(source)]:  # what these have begun to send
            discard(_partial(folder, failed))
        return raw
    raise DataError(_nowhere(definition, mirrors, folder, failures))


def _downloaded(definition: Definition, source: Source, folder: DataFolder, accept_changed: bool) -> RawPart:
    """Download a file from one source, and publish it once its digest is the right one.

    Raises:
        TransferError: The source does not have it, or has another one.
    """
    path = folder.path / source.file
    partial = _partial(folder, source)

    def problem() -> str:
        return _problem(definition.name, partial, source, folder, accept_changed=accept_changed)

    is_resumed = partial.exists()
    with progress_bar(f"downloading {source.file} from {host_of(source.url)}") as show:
        try:
            download(source.url, partial, show, verify=source.verify)
        except TransferError:
            # Of a server that lies about the length, the digest tells whether all is there.
            if not (source.sha256 or source.md5) or not partial.exists() or problem():
                raise
        if is_resumed and problem():  # the two halves may be of different files
            discard(partial)
            download(source.url, partial, show, verify=source.verify)
    difference = problem()
    if difference:
        discard(partial)
        raise TransferError(f"sends a file that {difference}")
    partial.replace(path)
    discard(partial)
    announce(f"{definition.name}: downloaded {source.file}, {size_text(path.stat().st_size)}")
    return RawPart(source, path, file_digest(path))


def _partial(folder: DataFolder, source: Source) -> Path:
    return folder.path / f"{source.file}.partial"


def _problem(name: str, path: Path, source: Source, folder: DataFolder, *, accept_changed: bool) -> str:
    """Return why a file is not the one that is expected, as the end of a sentence; nothing where it is."""
    if accept_changed:
        return ""
    sha256, note = file_digest(path), folder.notes().get(source.file)
    if note is not None and note.sha256 == sha256:
        return ""  # also of one that is not the published one, and was accepted
    remedy = f"If it is the right one, `omnibench data fetch {name} --accept-changed` takes it"
    algorithm, published = ("sha256", source.sha256) if source.sha256 else ("md5", source.md5)
    digest = _md5(path) if algorithm == "md5" and published else sha256
    if published and digest != published:
        return f"is not the published one: its {algorithm} is {digest}, that one's {published} ({source.evidence}). {remedy}"
    if note is not None and not published:
        return (
            f"is not the one that was first used here, on {note.date}: its sha256 is {sha256}, that one's was {note.sha256}, "
            f"so that results could not be compared. {remedy}"
        )
    return ""


def _linked(definition: Definition, source: Source, path: Path) -> bool:
    """Take a file from the folder of another data set that is read from the same one, such as KuaiRec's two matrices."""
    if not is_shipped(definition):
        return False
    for entry in definitions().values():
        if entry.name == definition.name or (source.url, source.file) not in _addresses(entry):
            continue
        neighbour = DataFolder.of(entry).path / source.file
        if neighbour.is_file():
            partial = path.with_name(f"{path.name}.link")
            with suppress(OSError):
                partial.unlink(missing_ok=True)
                os.link(neighbour, partial)
                partial.replace(path)
                return True
    return False


def _addresses(definition: Definition) -> set[tuple[str, str]]:
    return {(source.url, source.file) for source in definition.sources}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _nowhere(definition: Definition, mirrors: Iterable[Source], folder: DataFolder, failures: list[str]) -> str:
    """Return which sources have failed, and what people can do."""
    name = definition.name
    by_hand = "; or ".join(
        f"{source.manual} The page: {source.url} (the file {source.file} belongs into {folder.path})"
        for source in mirrors
        if source.manual
    )
    local = f'A copy that you have elsewhere: load_dataset("{name}", path=...).'
    if not failures:
        return f"{name} can only be fetched by hand, and {folder.path} does not have it yet. {by_hand}. {local}"
    tried = "; ".join(_shortened(failures))
    file = next(source.file for source in mirrors if not source.manual)
    by_hand = f"By hand: {by_hand}." if by_hand else f"A download from elsewhere: put {file} into {folder.path}."
    return f"{name} is not in the cache, and cannot be downloaded: {tried}. {by_hand} {local}"


def _shortened(failures: Iterable[str]) -> Iterator[str]:
    """Yield what each server has answered; a reason that another one had before is not said again."""
    reasons: set[str] = set()
    for failure in failures:
        host, _, reason = failure.partition(" ")
        yield f"{host} likewise" if reason in reasons else failure
        reasons.add(reason)


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be copied: {error.strerror or error}"
    return str(error)
