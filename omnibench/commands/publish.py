"""``omnibench publish``: finished items, for whoever may read them."""

from __future__ import annotations

import argparse
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, counted, say
from omnibench.report.impersonal import hider
from omnibench.sharing.addresses import location_of
from omnibench.sharing.publishing import EXTENTS, Published
from omnibench.sharing.publishing import publish as publish_items
from omnibench.sharing.sources import StoreSource
from omnibench.sizes import size_text
from omnibench.store.queries import open_store
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType

_MOST_LISTED = 20


def publish(arguments: argparse.Namespace) -> int:
    """Publish finished items in a directory or at an address, where others pull them by their keys."""
    store = open_store(arguments.store)
    source = StoreSource(store.root)
    done = source.fit_keys()
    if arguments.items:
        items = store.brief_items()
        selected = {items[name]["fit_key"] for name in store.select(*arguments.items)}
        fit_keys = [key for key in done if key in selected]
        pending = len(selected) - len(fit_keys)
    else:
        fit_keys, pending = done, source.unfinished
    location = location_of(arguments.target)
    hide = hider(_runs(source), store.root) if arguments.anonymous else None
    outcome = publish_items(source, location, fit_keys, arguments.what, hide=hide)
    left = f"; {counted(pending, 'item')} not done" if pending else ""
    say(f"{location.name}: {_text(outcome)}{left}")
    if outcome.named:
        say(
            f"  {counted(outcome.named, 'item')} had been published with names, and nothing that is there is replaced: to name nobody, "
            "publish into another place"
        )
    for conflict in outcome.conflicts[:_MOST_LISTED]:
        say(f"  conflict  {conflict.fit_key[:8]}  {conflict.title}")
        for difference in conflict.differences:
            say(f"    {difference.label}: {difference.ours} is published, {difference.theirs} here")
        say(f"    published: {conflict.ours}")
        say(f"    here: {conflict.theirs}")
    if outcome.conflicts:
        say("  What is published was left as it is; who has published it can remove it, then publish this.")
    for title, reason in list(outcome.refused.items())[:_MOST_LISTED]:
        say(f"  refused   {title}: {reason}")
    return int(bool(outcome.conflicts or outcome.refused))


def _runs(source: StoreSource) -> list[Record]:
    """Return the records of runs and workers, which say who computed where."""
    types = (RecordType.RUN, RecordType.WORKER)
    return read(
        source.root / "store",
        lambda reader: [record for of_type in types for _, record in reader.records(of_type.prefix)],
        untouched=True,
    )


def _text(outcome: Published) -> str:
    parts = [f"{counted(len(outcome.new), 'item')} published"]
    if outcome.extended:
        parts.append(f"{len(outcome.extended)} completed with what was not there yet")
    if outcome.equal:
        parts.append(f"{outcome.equal} there already")
    if outcome.conflicts:
        parts.append(f"{len(outcome.conflicts)} in conflict")
    if outcome.refused:
        parts.append(f"{len(outcome.refused)} refused")
    if outcome.files:
        parts.append(f"{counted(outcome.files, 'file')} ({size_text(outcome.size)}) written")
    return ", ".join(parts)


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "publish", publish)
    parser.add_argument(
        "target",
        metavar="DIR|URL",
        help="a directory, e.g. in a clone of a git repository, or an address that fsspec knows, e.g. s3://BUCKET/PATH",
    )
    parser.add_argument("items", metavar="ITEM", nargs="*", help=f"{ITEM} (default: all that are done)")
    parser.add_argument(
        "--what",
        choices=EXTENTS,
        default="results",
        help="metrics with their values per user (results, the default), and beside them the lists (predictions), the models, or all",
    )
    parser.add_argument(
        "--anonymous",
        action="store_true",
        help="without names of users, hosts and directories, and without the git commit",
    )
