"""Whether the catalogue still holds: do sources answer, with files as large as before, and are counts as expected?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from omnibench.data.catalogue.contents import stored_content
from omnibench.data.catalogue.counting import differences
from omnibench.data.catalogue.definition import Definition, Source
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.raw_parts import local_path, noted_parts
from omnibench.data.catalogue.rows import reading_identity
from omnibench.data.downloads.connection import TransferError, answer_of, host_of
from omnibench.data.downloads.transfer import is_page
from omnibench.errors import DataError
from omnibench.sizes import size_text

_THREADS = 8

_FIRST_BYTES = 512
"""What is asked for of a file where its server says nothing without sending it."""

_TELLING_HOSTS = 3
"""When as many servers cannot be reached, and no other can, the network is to blame."""


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What became of asking for a source.

    Attributes:
        source: The source.
        size: What the server says of the size in bytes; None where it does not.
        problem: What is wrong, as the end of a sentence that begins with the server's name; nothing where it answers.
        reached: Whether there was an answer at all, be it that the file is not there.
    """

    source: Source
    size: int | None = None
    problem: str = ""
    reached: bool = True


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What became of a check of a data set.

    Attributes:
        name: The data set.
        sources: Its sources, but for those that only people can fetch.
        missing: The parts that no source has any more.
        counts: Users, items, interactions and pairs as they were read here; empty where nothing was.
        differences: In which of them it is not as its definition says.
        expects: Whether that says how many there are.
    """

    name: str
    sources: tuple[SourceCheck, ...]
    missing: tuple[str, ...]
    counts: Mapping[str, int]
    differences: tuple[str, ...]
    expects: bool = True

    @property
    def holds(self) -> bool:
        """Whether it can be had, and is what it should be."""
        return not self.missing and not self.differences


def check(
    definitions: Iterable[Definition], on_answer: Callable[[int, int], None] = lambda _number, _all: None
) -> Iterator[DataCheck]:
    """Ask every source of data sets whether it still has its file, and compare counts of what is in the cache.

    Args:
        definitions: The data sets.
        on_answer: Called with the number of addresses that have been asked, and that of all.

    Raises:
        DataError: No server can be reached.
    """
    entries = list(definitions)
    sources = {
        (source.url, source.verify): source for entry in entries for source in entry.sources if not source.manual
    }
    checks: dict[tuple[str, bool], SourceCheck] = {}
    unreachable: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = pool.map(lambda source: _ask(source, unreachable), sources.values())
        for number, (key, checked) in enumerate(zip(sources, answers, strict=True), start=1):
            checks[key] = checked
            on_answer(number, len(sources))
    hosts = {host_of(source.url) for source in sources.values() if local_path(source) is None}
    if len(hosts) >= _TELLING_HOSTS and hosts <= unreachable.keys():
        raise DataError(
            f"none of {len(hosts)} servers can be reached: this machine seems to be offline, or behind a proxy."
        )
    for entry in entries:
        yield _data_check(entry, checks)


def _data_check(entry: Definition, checks: Mapping[tuple[str, bool], SourceCheck]) -> DataCheck:
    folder = DataFolder.of(entry)
    notes = folder.notes()
    checked: list[SourceCheck] = []
    for source in entry.sources:
        if source.manual:
            continue
        answer = checks[source.url, source.verify]
        note = notes.get(source.file)
        problem = answer.problem
        if note is not None and note.url == source.url and answer.size not in (None, note.size):
            problem = f"has a file of {answer.size:,} bytes, and the one of {note.date} had {note.size:,}"
        checked.append(SourceCheck(source, answer.size, problem, answer.reached))
    by_hand = {source.part for source in entry.sources if source.manual}
    answering = {check.source.part for check in checked if not check.problem}
    noted = noted_parts(entry, folder)
    stored = stored_content(folder, reading_identity(entry, noted)) if noted else None
    counts = stored.counts if stored else {}
    return DataCheck(
        entry.name,
        tuple(checked),
        tuple(part for part in entry.parts if part not in by_hand | answering),
        counts,
        tuple(differences(entry, counts)),
        entry.counts.interactions is not None or entry.counts.pairs is not None,
    )


def _ask(source: Source, unreachable: dict[str, str]) -> SourceCheck:
    """Ask for a source, unless its server could not be reached before: one that is down costs its time once."""
    local = local_path(source)
    if local is not None:
        if local.is_file():
            return SourceCheck(source, local.stat().st_size)
        return SourceCheck(source, problem="is not there")
    host = host_of(source.url)
    if host in unreachable:
        return SourceCheck(source, problem=unreachable[host], reached=False)
    try:
        return _answer(source, "HEAD")
    except TransferError as error:
        if not error.has_answered:
            unreachable[host] = str(error)
            return SourceCheck(source, problem=str(error), reached=False)
    try:  # some servers refuse to say anything without sending it
        return _answer(source, "GET")
    except TransferError as error:
        return SourceCheck(source, problem=str(error))


def _answer(source: Source, method: str) -> SourceCheck:
    headers = {"Range": f"bytes=0-{_FIRST_BYTES - 1}"} if method == "GET" else {}
    with answer_of(source.url, headers=headers, verify=source.verify, method=method) as answer:
        if "html" in answer.headers.get("Content-Type", ""):  # some servers say so of any text
            first = b"<html" if method == "HEAD" else next(answer.iter_content(_FIRST_BYTES), b"")
            if is_page(first):
                raise TransferError("answers with a web page instead of the file")
        length = answer.headers.get("Content-Length", "")
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
            length = answer.headers.get("Content-Range", "").rpartition("/")[2]
        return SourceCheck(source, int(length) if length.isdecimal() else None)


def source_line(checked: SourceCheck) -> str:
    """Return what became of a source, as a sentence."""
    address = str(local_path(checked.source) or host_of(checked.source.url))
    if checked.problem:
        return f"{checked.source.file}: {address} {checked.problem}"
    return f"{checked.source.file}: {address} has it{'' if checked.size is None else f', {size_text(checked.size)}'}"
