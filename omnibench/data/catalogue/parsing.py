"""A definition as its TOML file has it becomes a ``Definition``; what is wrong in it is said with file, table and key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from omnibench.data.catalogue.definition import (
    FEEDBACK,
    Counts,
    Definition,
    Features,
    Licence,
    Source,
)
from omnibench.data.catalogue.readers import reader_of
from omnibench.data.catalogue.shapes import SHAPE_KEYS, shape_of
from omnibench.data.membership import PART_NAMES
from omnibench.data.readers.reader import Reader
from omnibench.data.toml_tables import Table
from omnibench.guest.feature_types import singular
from omnibench.paths import expanded

_REQUIRED = ("name", "title", "interactions", "feedback", "home", "sources", "reader", "licence", "citation")
_REQUIRED_OF_OWN = ("name", "sources", "reader")
"""What a definition of somebody's own project needs: nobody else may ever see its data."""

_KEYS = (*_REQUIRED, "counts", "features", "aliases", "superseded", "note")
_SOURCE_KEYS = ("url", "file", "member", "part", "md5", "sha256", "manual", "verify", "reader", "evidence")
_LOCAL = "file:///"
_COUNT_KEYS = ("users", "items", "interactions", "pairs")
_DIGITS = {"md5": 32, "sha256": 64}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""What data sets may be called."""

_RATED = ("matrix", "netflix")
"""Formats without names of columns whose interactions have ratings."""

_BIBTEX = re.compile(r"@\w+\{[^\s,]+,.*\}", re.DOTALL)


def definition_of(values: dict[str, Any], file: Path, family: str = "", *, own: bool = False) -> Definition:
    """Return what a file says about one data set.

    Args:
        values: The keys and values.
        file: The file, for errors, and where the paths of files begin.
        family: The family that it is a member of, or nothing.
        own: Whether it is a definition of the user's project: it needs no home, licence and citation, and its files may
            lie on this machine.

    Raises:
        DataError: A key is missing or unknown, or a value impossible.
    """
    name = values.get("name")
    location = str(file) if own else file.name
    label = f"{location}, {name}" if isinstance(name, str) and name else location
    table = Table(values, label)
    table.check_keys(_KEYS, _REQUIRED_OF_OWN if own else _REQUIRED)
    _check_name(table)
    citation = table.text("citation")
    if "citation" in table.values and not _BIBTEX.fullmatch(citation):
        raise table.error("citation is no BibTeX entry; give one, e.g. '@misc{key, title = {...}}'.")
    local = file if own else None
    sources = tuple(_source(_located(source, local, required=True)) for source in table.tables("sources"))
    if not sources:
        raise table.error(f"it has no source; add a table [[sources]] with a {'path or a ' if own else ''}url.")
    _check_parts(table, {source.part for source in sources})
    reader = reader_of(table.table("reader"))
    return Definition(
        name=table.text("name"),
        title=table.text("title") or table.text("name"),
        interactions=table.text("interactions"),
        feedback=table.choice("feedback", FEEDBACK) if "feedback" in table.values else _feedback(reader),
        sources=sources,
        reader=reader,
        licence=_licence(table.table("licence"), own=own),
        citation=citation,
        home=_address(table, "home"),
        counts=_counts(table.table("counts")),
        features=tuple(_features(_located(features, local)) for features in table.tables("features")),
        aliases=table.texts("aliases"),
        superseded=table.text("superseded"),
        note=table.text("note"),
        family=family,
        file=file,
    )


def _check_name(table: Table) -> None:
    name = table.text("name")
    if not NAME.fullmatch(name):
        raise table.error(f"name is {name!r}; give letters, digits and underscores that begin with a letter.")


def _check_parts(table: Table, parts: set[str]) -> None:
    """Refuse parts that are neither one data set without a split nor a published split."""
    train, validation, test = PART_NAMES
    unknown = sorted(parts - {"", *PART_NAMES})
    if unknown:
        raise table.error(f"a source is of the part {unknown[0]!r}; the parts of a split are {', '.join(PART_NAMES)}.")
    if parts != {""} and ("" in parts or train not in parts or not parts & {validation, test}):
        listed = ", ".join(repr(part) if part else "none" for part in sorted(parts))
        raise table.error(
            f"the parts of its sources are {listed}; a split has 'train' and 'test' (or 'validation'), and each source says of "
            "which part it is; without a split no source does."
        )


def _feedback(reader: Reader) -> str:
    """Return what kind of feedback a file has whose definition does not say it."""
    names = reader.columns.values() if isinstance(reader.columns, Mapping) else reader.columns
    return "explicit" if "rating" in names or reader.format in _RATED else "implicit"


def _located(table: Table, definition: Path | None, *, required: bool = False) -> Table:
    """Return a table with the url of a file of this machine in the place of its path.

    Args:
        table: What a definition says of a file.
        definition: The definition, where it may be such a file: a relative path begins beside it.
        required: Whether there has to be one of both.
    """
    if definition is None:
        return table
    if "path" not in table.values:
        if required and "url" not in table.values:
            raise table.error(
                "it has neither a path nor a url; give the path of a file of yours, or the url of another."
            )
        return table
    if "url" in table.values:
        raise table.error("it has a path and a url; give the path of a file of yours, or the url of another.")
    path = os.path.normpath(expanded(table.text("path"), definition.absolute().parent))
    rest = {key: value for key, value in table.values.items() if key != "path"}
    return Table({**rest, "url": Path(path).as_uri()}, table.label)


def _address(table: Table, key: str) -> str:
    """Return the address under a key; an empty text where it is left out."""
    address = table.text(key)
    if key in table.values and not address.startswith(("http://", "https://", _LOCAL if key == "url" else "https://")):
        raise table.error(f"{key} is {address!r}; give an address that begins with https:// or http://.")
    if address.startswith(("http://", "https://")) and not _has_host(address):
        raise table.error(f"{key} is {address!r}, which is no address of a file on a server; check its host and port.")
    return address


def _has_host(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        return False


_OWN_NAMES = (".", "content-", "files.json")
"""How the names begin that omnibench's own files have beside the raw ones."""


def _source(table: Table) -> Source:
    table.check_keys(_SOURCE_KEYS, ("url",))
    url = _address(table, "url")
    file = table.text("file") or unquote(urlsplit(url).path.rpartition("/")[2])
    if not file or "/" in file or "\\" in file or file in (".", ".."):
        raise table.error(f"the file's name would be {file!r}; give file = '...', the name alone.")
    if file.startswith(_OWN_NAMES) or file.endswith(".partial") or not file.isprintable():
        raise table.error(
            f"the file's name would be {file!r}, as omnibench calls its own; give file = '...', another name."
        )
    manual = table.text("manual")
    digests = {algorithm: _digest(table, algorithm) for algorithm in _DIGITS}
    evidence = _evidence(table, [algorithm for algorithm, digest in digests.items() if digest])
    if any(digests.values()) and not evidence:
        raise table.error("it has a digest, but not who published it; add evidence = '...'.")
    for member in table.texts("member"):
        if member.startswith("/") or ".." in PurePosixPath(member).parts:
            raise table.error(f"member is {member!r}, which leads out of the archive; give a path inside of it.")
    return Source(
        url=url,
        file=file,
        members=table.texts("member"),
        part=table.text("part"),
        manual=manual,
        verify=table.get("verify", bool, True),
        reader=reader_of(table.table("reader")) if "reader" in table.values else None,
        evidence=evidence,
        **digests,
    )


def _digest(table: Table, algorithm: str) -> str:
    digest = table.text(algorithm)
    if digest and not re.fullmatch(f"[0-9a-f]{{{_DIGITS[algorithm]}}}", digest):
        raise table.error(f"{algorithm} is {digest!r}; give {_DIGITS[algorithm]} digits from 0 to 9 and a to f.")
    return digest


def _evidence(table: Table, keys: list[str]) -> str:
    """Return who published what stands under some keys: of all of it one text, or a text for each key."""
    if not isinstance(table.values.get("evidence"), dict):
        return table.text("evidence") if keys else ""
    by_key = table.table("evidence")
    by_key.check_keys((*_DIGITS, *_COUNT_KEYS), keys)
    by_text: dict[str, list[str]] = {}
    for key in keys:
        by_text.setdefault(by_key.text(key), []).append(key)
    return "; ".join(f"{text} ({', '.join(listed)})" for text, listed in by_text.items())


def _licence(table: Table, *, own: bool) -> Licence:
    table.check_keys(("name", "url", "accept"), () if own else ("name", "url"))
    return Licence(table.text("name"), _address(table, "url"), table.get("accept", bool, False))


def _counts(table: Table) -> Counts:
    table.check_keys((*_COUNT_KEYS, "rounded", "evidence"))
    counts = {key: table.get(key, int, 0) for key in _COUNT_KEYS if key in table.values}
    for key, count in counts.items():
        if count < 1:
            raise table.error(f"{key} is {count}; give a number of 1 or more, or leave it out.")
    if counts.get("pairs", 0) > counts.get("interactions", counts.get("pairs", 0)):
        raise table.error(f"pairs is {counts['pairs']}, more than the {counts['interactions']} interactions.")
    evidence = _evidence(table, list(counts))
    if counts and not evidence:
        raise table.error("it has numbers, but not who counted; add evidence = '...'.")
    return Counts(**counts, rounded=table.get("rounded", bool, False), evidence=evidence)


def _features(table: Table) -> Features:
    table.check_keys(("subject", "member", "url", "md5", "reader", *SHAPE_KEYS), ("subject", "reader"))
    subject = table.choice("subject", ("items", "users"))
    if bool(table.text("url")) == bool(table.texts("member")):
        raise table.error("give either member, of the archive of the interactions, or the url of a file of its own.")
    reader = reader_of(table.table("reader"), targets=(), required=(singular(subject),))
    return Features(
        subject=subject,
        members=table.texts("member"),
        reader=reader,
        url=_address(table, "url") if "url" in table.values else "",
        md5=_digest(table, "md5"),
        shape=shape_of(table, reader),
    )
