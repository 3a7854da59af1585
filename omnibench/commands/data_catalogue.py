"""``omnibench data list`` and ``show``: what the catalogue knows about data sets."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from omnibench.commands.data_words import LABEL_COLUMNS, brief, exact, labelled, percent
from omnibench.commands.parsing import complain, counted, say, say_text
from omnibench.data.catalogue.definition import Counts, Definition, Source
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.licences import is_accepted
from omnibench.data.catalogue.names import ambiguous_names, definition, definitions, variants_of, wrong_definitions
from omnibench.data.catalogue.source import is_cached
from omnibench.data.movielens import is_at_hand
from omnibench.errors import DataError, OmnibenchError, nearest

_AT_HAND = "MovieLens100K"
"""The data set that is looked for in a package as well."""

_NARROW = 100
"""In terminals with fewer columns a line of the list has rounded numbers and no title."""

_NARROWEST = 40
"""Columns that instructions have at least."""

_HEADER = ("name", "users", "items", "interactions", "access", "title")


def data_list(arguments: argparse.Namespace) -> int:
    """List the data sets that the catalogue knows, one a line; with words those that have all of them."""
    entries = [entry for entry in definitions().values() if _has_words(entry, arguments.words)]
    if arguments.json:
        say_text(json.dumps([_listed(entry) for entry in entries], indent=1))
    elif entries:
        for line in _table(entries):
            say(line)
    if not entries:
        words = " ".join(arguments.words)
        hint = nearest(words, definitions()) or "; give fewer words, or none for all of them."
        complain(f"none of {len(definitions())} data sets has {words!r}{hint}")
    problems = wrong_definitions()
    for problem in problems:
        complain(str(problem))
    return int(not entries or bool(problems))


def data_show(arguments: argparse.Namespace) -> int:
    """Show what the catalogue knows about a data set: counts, licence, citation, variants, sources."""
    entries = [_entry_of(name) for name in arguments.names]
    if arguments.json:
        say_text(json.dumps([_plain(entry) for entry in entries], indent=1))
        return 0
    for number, entry in enumerate(entries):
        if number:
            say()
        for line in _description(entry):
            say(line)
    return 0


def _entry_of(name: str) -> Definition:
    """Return the definition of a name.

    Raises:
        DataError: There is none; of a name that means several data sets the message has a line for each.
    """
    variants = variants_of(name) if name not in definitions() else ()
    if len(variants) > 1:
        listed = "\n".join(f"  {line}" for line in _table([definitions()[variant] for variant in variants]))
        raise DataError(f"{name!r} means {len(variants)} data sets; show one of them:\n{listed}")
    return definition(name)


def _has_words(entry: Definition, words: Sequence[str]) -> bool:
    text = " ".join((entry.name, entry.title, entry.interactions, entry.feedback, *entry.aliases)).casefold()
    return all(word.casefold() in text for word in words)


def access(entry: Definition) -> str:
    """Return in a word how a data set is come by."""
    if all(source.url.startswith("file:") for source in entry.sources):
        return "local"
    is_here, needs_acceptance = _of_cache(entry)
    if is_here:
        return "cached"
    if entry.is_manual:
        return "manual"
    return "terms" if needs_acceptance else "download"


def _of_cache(entry: Definition) -> tuple[bool, bool]:
    """Return whether a data set is in the cache, and whether its terms are still to be accepted."""
    try:
        return is_cached(entry) or (entry.name == _AT_HAND and is_at_hand()), not is_accepted(entry)
    except OmnibenchError:  # the cache is not to be trusted: loading says so
        return False, entry.licence.accept


def _table(entries: Iterable[Definition]) -> Iterator[str]:
    """Yield a line for each data set, its name first; terminals get a header, and what fits into their width."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    is_narrow = 0 < columns < _NARROW
    number = brief if is_narrow else exact
    header = ("name", "users", "items", "events", "access", "") if is_narrow else _HEADER
    rows: list[tuple[str, ...]] = [header] if columns else []
    for entry in entries:
        counts, about = entry.counts, "~" * entry.counts.rounded
        sizes = (counts.users, counts.items, counts.interactions or counts.pairs)
        texts = [f"{about}{number(size)}" if size else "?" for size in sizes]
        rows.append((entry.name, *texts, access(entry), "" if is_narrow else entry.title))
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for name, *texts, way, title in rows:
        numbers = [text.rjust(width) for text, width in zip(texts, widths[1:4], strict=True)]
        line = "  ".join([name.ljust(widths[0]), *numbers, way.ljust(widths[4]), title]).rstrip()
        yield line[:columns] if columns and not is_narrow else line


def _listed(entry: Definition) -> dict[str, Any]:
    """Return what a line of the list says, for programs."""
    counts = {name: getattr(entry.counts, name) for name in ("users", "items", "interactions", "pairs", "rounded")}
    return {"name": entry.name, "title": entry.title, **counts, "feedback": entry.feedback, "access": access(entry)}


def _plain(entry: Definition) -> dict[str, Any]:
    """Return all that the catalogue knows about a data set, for programs."""
    values = dataclasses.asdict(dataclasses.replace(entry, file=entry.file.absolute()))
    return {**values, "file": str(values["file"]), "access": access(entry), "variants": _variants(entry)}


def _variants(entry: Definition) -> list[str]:
    """Return the names of the other data sets that share an ambiguous name with this one."""
    shared = (name for names in ambiguous_names().values() if entry.name in names for name in names)
    return [name for name in dict.fromkeys(shared) if name != entry.name]


def _family(entry: Definition) -> str:
    """Return which other data sets the same makers have published in the same form."""
    members = {sibling.name for sibling in definitions().values() if entry.family and sibling.family == entry.family}
    if members <= {entry.name, *_variants(entry)}:
        return ""
    return f"{entry.family}, {len(members)} data sets; `omnibench data show {entry.family}` lists them"


def _description(entry: Definition) -> Iterator[str]:
    """Yield the lines that say what the catalogue knows about a data set."""
    facts = {
        "interactions": f"{entry.interactions} ({entry.feedback})" if entry.interactions else entry.feedback,
        "counts": _size(entry.counts),
        "counted by": entry.counts.evidence,
        "split": f"published: {', '.join(entry.parts)}" if entry.is_split else "",
        "features": "; ".join(_features(entry)),
        "note": entry.note,
        "superseded": f"by {entry.superseded}" if entry.superseded else "",
        "licence": _licence(entry),
        "home": entry.home,
        "also called": ", ".join(entry.aliases),
        "variants": _variant_words(entry),
        "family": _family(entry),
        "defined in": str(entry.file) if access(entry) == "local" else "",
    }
    yield f"{entry.name}: {entry.title}" if entry.title != entry.name else entry.name
    for label, text in facts.items():
        if text:
            yield from labelled(label, text)
    for label, lines in (("sources", _sources(entry)), ("citation", entry.citation.strip().splitlines())):
        for number, line in enumerate(lines):
            yield f"  {'' if number else label:{LABEL_COLUMNS}}{line}"
    yield from labelled("to use it", f'load_dataset("{entry.name}")')


def _size(counts: Counts) -> str:
    numbers = [
        counted_exactly(count, noun)
        for noun in ("user", "item", "interaction")
        if (count := getattr(counts, f"{noun}s")) is not None
    ]
    if counts.pairs is not None and counts.pairs != counts.interactions:
        numbers.append(f"{exact(counts.pairs)} different pairs of a user and an item")
    pairs = counts.pairs or counts.interactions
    if pairs and counts.users and counts.items:
        numbers.append(f"density {percent(pairs / (counts.users * counts.items))}")
    return ("about " if counts.rounded else "") + ", ".join(numbers) if numbers else "unknown"


def counted_exactly(count: int, noun: str) -> str:
    """Return a number in full with its noun."""
    return counted(count, noun).replace(str(count), exact(count), 1)


def _features(entry: Definition) -> Iterator[str]:
    for features in entry.features:
        yield f"of {features.subject}: {', '.join(features.names)}"


def _licence(entry: Definition) -> str:
    licence = entry.licence
    words = [licence.name, licence.url, "must be accepted before the first download" if licence.accept else ""]
    return "; ".join(filter(None, words))


def _variant_words(entry: Definition) -> str:
    variants = _variants(entry)
    return ", ".join(
        f"{name} ({brief(size)})"
        if (size := definitions()[name].counts.interactions or definitions()[name].counts.pairs)
        else name
        for name in variants
    )


def _sources(entry: Definition) -> Iterator[str]:
    """Yield the lines that say where the files are, mirrors below each other."""
    for source in entry.sources:
        part = f"{source.part}: " if source.part else ""
        members = f" > {', '.join(source.members)}" if source.members else ""
        yield f"{part}{source.url}{members}"
        if source.manual:
            columns = max(shutil.get_terminal_size().columns - LABEL_COLUMNS - 2, _NARROWEST)
            text = f"by hand: {source.manual}"
            yield from textwrap.wrap(text, columns, initial_indent="  ", subsequent_indent="  ", break_long_words=False)
            with suppress(OmnibenchError):  # the cache is not to be trusted: loading says so
                yield f"  the folder: {DataFolder.of(entry).path}"
        digest = _digest(source)
        if digest:
            yield f"  {digest}"


def _digest(source: Source) -> str:
    digests = [f"{name} {digest}" for name, digest in (("sha256", source.sha256), ("md5", source.md5)) if digest]
    return f"{', '.join(digests)} ({source.evidence})" if digests else ""


def add_parsers(actions: Any) -> None:
    """Declare the actions to argparse."""
    for name, action in (("list", data_list), ("show", data_show)):
        description = (action.__doc__ or "").splitlines()[0]
        parser = actions.add_parser(name, help=description, description=description)
        parser.set_defaults(run=action)
        parser.add_argument("--json", action="store_true", help="for programs: all of it")
        if name == "list":
            parser.add_argument("words", nargs="*", metavar="WORD", help="e.g. movie, amazon 2023, explicit")
        else:
            parser.add_argument("names", nargs="+", metavar="DATASET", help="a name of the catalogue")
