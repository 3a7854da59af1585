"""``omnibench reset | rebuild | gc``: keeping a checkpoint store tidy."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, busy_sentence, counted, say
from omnibench.durations import seconds
from omnibench.errors import OmnibenchError
from omnibench.store import gc, leases, recovery
from omnibench.store.checkpoints import PRESENCE
from omnibench.store.exports import refresh_copies
from omnibench.store.ownership import no_store, refuse_foreign
from omnibench.store.queries import open_store
from omnibench.store.reserve import making_room
from omnibench.store.schema import RESETS


@making_room
def reset(arguments: argparse.Namespace) -> int:
    """Have items computed anew by the next run."""
    store = open_store(arguments.store)
    item_names = store.select(*arguments.items) or list(store.brief_items())
    if not arguments.yes and not arguments.items and arguments.what == "all":
        if not sys.stdin.isatty():
            raise OmnibenchError("this would reset every item; say so with --yes, or name the items.")
        say(
            f"Compute {'all ' if len(item_names) > 1 else ''}{counted(len(item_names), 'item')} of {store.root} anew? [y/N] "
        )
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 1
    outcome = store.reset(item_names, arguments.what)
    verb, owner = ("was", "its") if len(outcome.items) == 1 else ("were", "their")
    say(f"{counted(len(outcome.items), 'item')} {verb} reset; {owner} old files stay until `omnibench gc`.")
    if outcome.busy:
        say(busy_sentence(len(outcome.busy)))
    return int(bool(outcome.busy))


@making_room
def rebuild(arguments: argparse.Namespace) -> int:
    """Put records back from the manifests beside the files, where the database lacks them."""
    root = Path(arguments.store)
    if not any(os.path.exists(root / name) for name in ("STORE.json", "store")):  # no to a name that is too long
        raise no_store(root)
    refuse_foreign(root)
    with leases.exclusive_use(root / PRESENCE):
        records, repairs = recovery.open_records(root)
        try:
            for sentence in repairs:
                say(sentence)
            say(f"{recovery.rebuild(records, root)}.")
            records.checkpoint()
        finally:
            records.close()
    _refresh(root)
    return 0


def _refresh(root: Path) -> None:
    """Bring progress.json and results.json up to date, which would go on telling of what is not so any more."""
    trouble = refresh_copies(root, say)
    if trouble:
        say(trouble)


def collect(arguments: argparse.Namespace) -> int:
    """Remove what no record names any more: earlier generations that were reset, left-over files, old records of runs."""
    garbage = gc.collect(
        Path(arguments.store),
        dry_run=arguments.dry_run,
        kept=arguments.kept,
        planned=arguments.planned,
        datasets=arguments.datasets,
        snapshots=arguments.snapshots,
        aside_older_than=None if arguments.damaged is None else seconds(arguments.damaged),
        history_older_than=seconds(arguments.history),
    )
    if not arguments.dry_run:
        _refresh(Path(arguments.store))
    for path in garbage.files:
        say(f"  {path}")
    say(f"{'would remove' if arguments.dry_run else 'removed'} {garbage}")
    return 0


def add_parsers(commands: Any) -> None:
    """Declare the commands to argparse."""
    parsers = {name: add_parser(commands, name, run) for name, run in _COMMANDS.items()}
    parsers["reset"].add_argument("items", metavar="ITEM", nargs="*", help=f"{ITEM} (default: all)")
    parsers["reset"].add_argument("--what", default="all", choices=RESETS, help="which of them, or from which phase on")
    parsers["reset"].add_argument("--yes", action="store_true", help="do not ask")
    parsers["gc"].add_argument("--dry-run", action="store_true", help="only tell what would be removed")
    parsers["gc"].add_argument("--kept", action="store_true", help="also what --omnirec-resume=fresh has put aside")
    parsers["gc"].add_argument("--planned", action="store_true", help="also items that were planned and never begun")
    parsers["gc"].add_argument("--datasets", action="store_true", help="also prepared datasets that no item is of")
    parsers["gc"].add_argument(
        "--snapshots", action="store_true", help="also snapshots that were to stay when their Fit was recorded"
    )
    parsers["gc"].add_argument(
        "--history",
        metavar="AGE",
        default="7d",
        help="records of runs and workers that no result refers to, and log entries of runs without a record, go when they "
        "are this old (default: 7d)",
    )
    parsers["gc"].add_argument(
        "--damaged", metavar="AGE", help="also what was set aside as damaged this long ago, e.g. 30d (0s: all of it)"
    )


_COMMANDS = {"reset": reset, "rebuild": rebuild, "gc": collect}
