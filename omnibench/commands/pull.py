"""``omnibench pull``: finished items of the plan, out of what somebody has published."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from omnibench.commands.merge import add_into, add_models, outcome_text, say_outcome, taken_into
from omnibench.commands.parsing import add_parser, say
from omnibench.errors import OmnibenchError
from omnibench.sharing.addresses import location_of
from omnibench.sharing.sources import PublishedSource
from omnibench.sharing.taking import pending_keys
from omnibench.store.reading import read
from omnibench.store.schema import RecordType


def pull(arguments: argparse.Namespace) -> int:
    """Fetch finished items of the plan from where somebody has published them, before anything is computed."""
    root = Path(arguments.store)
    source = PublishedSource(location_of(arguments.source))
    if arguments.all:
        published = source.fit_keys()
        if published is None:
            raise OmnibenchError(
                f"{source.name} cannot list what it has, as no web server can, and was published without an index; without --all the "
                "items of your plan are asked for by their keys, and whoever publishes there again writes an index."
            )
        fit_keys = published
    else:
        fit_keys = _pending(root)
        if not fit_keys:
            raise OmnibenchError(
                f"{str(root)!r} has no plan of which an item is not done; `pytest BENCHMARKS --omnirec-from={source.name}` collects "
                "one and pulls it, and --all takes over everything that is published."
            )
    outcome = taken_into(root, source, fit_keys, models=arguments.models)
    absent = f", {outcome.absent} not published" if outcome.absent else ""
    say(f"{root}: {outcome_text(outcome)}{absent} ({source.name})")
    return say_outcome(outcome, root, source.name)


def _pending(root: Path) -> list[str]:
    """Return the keys of the items of a store's plan that are not done; none where there is no store."""
    if not (root / "store").exists():
        return []
    types = (RecordType.PLAN, RecordType.ITEM)
    return read(
        root / "store",
        lambda reader: list(
            pending_keys({key: record for of_type in types for key, record in reader.records(of_type.prefix)})
        ),
    )


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "pull", pull, of_store=False)
    parser.add_argument(
        "source",
        metavar="URL|DIR",
        help="a directory, an address of a web server, or one that fsspec knows, e.g. s3://BUCKET/PATH or hf://datasets/OWNER/NAME",
    )
    parser.add_argument("--all", action="store_true", help="everything that is published, not the plan's items alone")
    add_into(parser)
    add_models(parser)
