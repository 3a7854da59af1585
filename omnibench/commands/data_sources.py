"""``omnibench data fetch`` and ``check``: data sets before anybody needs them, and whether their sources still answer."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import add_parser, complain, counted, say, say_text, warnings_said
from omnibench.data.catalogue.checks import DataCheck, check, source_line
from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.fetching import FetchedData, fetch_data
from omnibench.data.catalogue.licences import accept_licences, is_accepted
from omnibench.data.catalogue.names import definition, definitions
from omnibench.data.loaders import dataset_names, load_dataset
from omnibench.errors import DataError
from omnibench.paths import expanded
from omnibench.sizes import size_text

_LINE_SECONDS = 10.0
"""How often a check says how far it is."""


def fetch(arguments: argparse.Namespace) -> int:
    """Fetch data sets into the cache and read them there, or their raw files into a directory."""
    directory = None if arguments.directory is None else expanded(arguments.directory)
    failed = 0
    for name in arguments.names:
        try:
            entry = definition(name)
            _ask_for_acceptance(entry, accepts=arguments.accept_licence)
            if directory is None and entry.name in dataset_names():
                _say_read(entry)
                continue
            with warnings_said():
                fetched = fetch_data(entry, directory, accept_changed=arguments.accept_changed)
            _say_fetched(entry, fetched, directory)
        except DataError as error:  # the others can be had all the same
            complain(str(error))
            failed += 1
    return 2 if failed == len(arguments.names) else int(failed > 0)


def check_sources(arguments: argparse.Namespace) -> int:
    """Ask the sources of data sets (of all) whether they still have them; compare counts of what is in the cache."""
    entries = [definition(name) for name in arguments.names] or list(definitions().values())
    if arguments.read:
        for entry in entries:
            try:
                with warnings_said():
                    fetch_data(entry)
            except DataError as error:
                complain(str(error))
    checked = list(check(entries, _AskingProgress()))
    if arguments.json:
        say_text(json.dumps([_record(data) for data in checked], indent=1))
    else:
        _say_checked(checked, all_sources=bool(arguments.names))
    return int(not all(data.holds for data in checked))


def add_parsers(actions: Any) -> None:
    """Declare ``fetch`` and ``check`` to argparse."""
    parser = add_parser(actions, "fetch", fetch, of_store=False)
    parser.add_argument("names", nargs="+", metavar="NAME", help="a name of `omnibench data list`")
    parser.add_argument(
        "--directory", metavar="DIR", help="put the raw files there, in a folder of each data set's name; read nothing"
    )
    parser.add_argument(
        "--accept-licence", action="store_true", help="you have read the terms of these data sets, and accept them"
    )
    parser.add_argument(
        "--accept-changed",
        action="store_true",
        help="take a file that is not the published one, or not the one that was first used here",
    )
    parser = add_parser(actions, "check", check_sources, of_store=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a name of `omnibench data list` (default: all)")
    parser.add_argument(
        "--read", action="store_true", help="fetch and read what is not in the cache, so that its counts are compared"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, with every source")


class _AskingProgress:
    """Says now and then how many addresses have been asked."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _LINE_SECONDS

    def __call__(self, number: int, count: int) -> None:
        if time.monotonic() > self._next:
            complain(f"{number:,} of {count:,} addresses have been asked")
            self._next = time.monotonic() + _LINE_SECONDS


def _ask_for_acceptance(entry: Definition, *, accepts: bool) -> None:
    """Accept the terms of a data set where its user says so, on the command line or asked for it on a terminal."""
    if is_accepted(entry):
        return
    if not accepts and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        complain(f"{entry.name} has terms: {entry.licence.name} ({entry.licence.url})")
        print("Have you read them, and do you accept them? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
        accepts = sys.stdin.readline().strip().lower() in ("y", "yes")
    if accepts:
        accept_licences(entry.name)


def _say_fetched(entry: Definition, fetched: FetchedData, directory: Path | None) -> None:
    say(f"{entry.name} ({entry.title}) in {fetched.folder}")
    for part, raw in fetched.raw.items():
        published = bool(raw.source.sha256 or raw.source.md5)
        evidence = f"as {raw.source.evidence} has it" if published else "nobody has published a digest"
        say(
            f"  {f'{part}: ' if part else ''}{raw.path.name}, {size_text(raw.path.stat().st_size)}, sha256 {raw.sha256[:16]}..., {evidence}"
        )
    if fetched.stored is not None:
        counts = fetched.stored.counts
        also = ", with those that missing leaves out" if "missing" in entry.reader.options else ""
        say("  " + ", ".join(f"{counts[name]:,} {name}" for name in ("users", "items", "interactions")) + also)
    say(f"  licence: {entry.licence.name or 'none is said'} {entry.licence.url}".rstrip())
    if directory is not None:
        say(f'  load_dataset("{entry.name}", path="{fetched.folder}") reads it')


def _say_read(entry: Definition) -> None:
    """Read a data set that omnibench finds in further places than its sources, which is MovieLens-100K alone."""
    rows = load_dataset(entry.name).interactions()
    say(f"{entry.name} ({entry.title})")
    say(f"  {len(rows.user_ids):,} users, {len(rows.item_ids):,} items, {len(rows):,} interactions")
    say(f"  licence: {entry.licence.name} {entry.licence.url}")


def _say_checked(checked: list[DataCheck], *, all_sources: bool) -> None:
    for data in checked:
        for source in data.sources:
            if all_sources or source.problem:
                say(f"{data.name}: {source_line(source)}")
        for part in data.missing:
            reached = any(source.reached for source in data.sources if source.source.part == part)
            outcome = "has" if reached else "could be asked for"
            say(f"{data.name}: none of its sources {outcome} {f'the {part} part' if part else 'it'}")
        for difference in data.differences:
            say(f"{data.name}: {difference}")
        if all_sources and data.counts and not data.differences:
            comparison = "as expected" if data.expects else "beside which its definition has no [counts]"
            say(f"{data.name}: {data.counts['interactions']:,} interactions were read, {comparison}")
        if all_sources and not data.sources:
            say(f"{data.name}: only people can fetch it")
    sources = [source for data in checked for source in data.sources]
    answering = sum(1 for source in sources if not source.problem)
    read = sum(1 for data in checked if data.counts)
    differing = sum(1 for data in checked if data.differences)
    missing = sum(1 for data in checked if data.missing)
    say(
        f"{counted(len(checked), 'data set')}; sources with their file: {answering} of {len(sources)}; data sets without one: "
        f"{missing}; read here: {read}; with other counts than expected: {differing}"
    )


def _record(data: DataCheck) -> dict[str, Any]:
    return {
        "name": data.name,
        "holds": data.holds,
        "sources": [
            {
                "url": checked.source.url,
                "file": checked.source.file,
                "part": checked.source.part,
                "size": checked.size,
                "problem": checked.problem,
            }
            for checked in data.sources
        ],
        "missing": list(data.missing),
        "counts": dict(data.counts),
        "differences": list(data.differences),
    }
