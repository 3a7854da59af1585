"""``omnibench delete | prune``: removing items for good, or only their models."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, busy_sentence, counted, say, taking_empty
from omnibench.durations import seconds
from omnibench.engine.collected import FILE_VARIABLE, Collected
from omnibench.errors import OmnibenchError
from omnibench.sizes import size_text
from omnibench.store.item_names import title_of
from omnibench.store.queries import Store, open_store
from omnibench.store.removal import Removed
from omnibench.store.reserve import making_room
from omnibench.store.schema import Record

_LONGEST_LIST = 20
"""Items that are listed before the question; of more, the others are counted."""

_LAST_LINES = 15
"""Lines of pytest's output that are shown when a plan cannot be collected."""


@making_room
def delete(arguments: argparse.Namespace) -> int:
    """Remove items for good, with all that was recorded and computed of them, or only their models."""
    store = open_store(arguments.store)
    items = store.brief_items()
    names = _older(store.select(*arguments.items), items, arguments.older)
    return _remove(store, items, names, arguments)


@making_room
def prune(arguments: argparse.Namespace) -> int:
    """Remove what no bench file names any more, older versions of own classes too; or what is older than an age."""
    if arguments.plan is None and arguments.older is None:
        raise OmnibenchError(
            "say what is to go: --plan benchmarks (all that the bench files there do not name), --older 30d, or both."
        )
    store = open_store(arguments.store)
    items = store.brief_items()
    planned = Collected((), (), ()) if arguments.plan is None else planned_by(arguments.plan)
    named = set(planned.items)
    names = [name for name, item in items.items() if item["fit_key"] not in named]
    exit_status = _remove(store, items, _older(names, items, arguments.older), arguments)
    if exit_status or arguments.models or arguments.older is not None:
        return exit_status
    try:
        directories, size = store.remove_datasets(planned.datasets, dry_run=arguments.dry_run)
    except OmnibenchError as error:
        say(f"Prepared datasets were left alone: {error}")
        return 1
    if directories:
        verb = "would be" if arguments.dry_run else "were"
        say(f"{counted(len(directories), 'prepared dataset')} of no item {verb} removed ({size_text(size)}).")
    return 0


def planned_by(arguments: str) -> Collected:
    """Return what bench files name, by having pytest collect them in a process of its own.

    Args:
        arguments: What pytest is called with, e.g. ``benchmarks`` or ``benchmarks --omnirec-salt=v2``.

    Raises:
        OmnibenchError: They cannot be collected whole, or name nothing.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "planned.json"
        command = [sys.executable, "-m", "pytest", *shlex.split(arguments), "--collect-only", "-q", "-p", _PLUGIN]
        collected = subprocess.run(
            command, check=False, capture_output=True, text=True, env={**os.environ, FILE_VARIABLE: str(file)}
        )
        last_lines = "\n".join((collected.stdout + collected.stderr).rstrip().splitlines()[-_LAST_LINES:])
        if not file.exists() or collected.returncode not in (0, 5):  # 5: all that there is was deselected
            raise OmnibenchError(
                f"pytest cannot collect {arguments!r} (exit status {collected.returncode}), so nothing was removed:\n{last_lines}"
            )
        planned = Collected.read(file)
    if planned.trouble:
        raise OmnibenchError(
            f"{arguments!r} is not the whole plan, so nothing was removed: " + "; ".join(planned.trouble)
        )
    if not planned.items:
        raise OmnibenchError(
            f"pytest found no benchmark in {arguments!r}, so nothing was removed; `omnibench delete '*'` removes everything."
        )
    return planned


_PLUGIN = "omnibench.plugin.planned"


def _older(names: Sequence[str], items: Mapping[str, Record], age: str | None) -> list[str]:
    """Return the items that were last worked on before an age; those of which that is not known are not."""
    if age is None:
        return list(names)
    present, oldest = datetime.now(UTC), seconds(age)

    def is_old(item: Record) -> bool:
        finished = item.get("finished")
        return finished is not None and (present - datetime.fromisoformat(finished)).total_seconds() >= oldest

    return [name for name in names if is_old(items[name])]


def _remove(store: Store, items: Mapping[str, Record], names: Sequence[str], arguments: argparse.Namespace) -> int:
    """Say what would go, ask, remove it, and say what went."""
    if not names:
        say("Nothing is to be removed.")
        return 0
    part = "the models of " if arguments.models else ""
    preview = store.delete(names, models=arguments.models, dry_run=True)
    for line in _listed(store, items, names, preview, models=arguments.models):
        say(f"  {line}")
    if arguments.dry_run:
        say(f"would remove {part}{counted(len(preview.items), 'item')} ({size_text(preview.size)})")
        return 0
    if not arguments.yes and not _agreed(
        f"Remove {part}{counted(len(names), 'item')} of {store.root} for good? [y/N] "
    ):
        say("Nothing was removed.")
        return 1
    outcome = store.delete(names, models=arguments.models)
    say(f"removed {part}{counted(len(outcome.items), 'item')} ({size_text(outcome.size)})")
    if outcome.needed:
        say(f"{counted(len(outcome.needed), 'item')} without predictions still need their models, which were left.")
    if outcome.busy:
        say(busy_sentence(len(outcome.busy)))
    return int(bool(outcome.busy))


def _listed(
    store: Store, items: Mapping[str, Record], names: Sequence[str], preview: Removed, *, models: bool
) -> Iterator[str]:
    """Yield a line per item with what of its files would go: a search that other items share stays with them."""
    sizes, listed = store.sizes(), 0
    for position, name in enumerate(names):
        parts = sizes.items.get(_directory_of(items[name]), {})
        size = parts.get("models", 0) if models else preview.sizes.get(_directory_of(items[name]), sum(parts.values()))
        listed += size
        if position < _LONGEST_LIST:
            yield f"{items[name]['fit_key'][:8]}  {title_of(items[name])}  {size_text(size)}"
    if len(names) > _LONGEST_LIST:
        yield f"and {len(names) - _LONGEST_LIST} more"
    if not models and not preview.busy and preview.size > listed:
        yield f"and what only their searches have needed  {size_text(preview.size - listed)}"


def _directory_of(item: Record) -> str:
    """Return the directory of an item, relative to the store's."""
    return str(item.get("directory") or item["item"])


def _agreed(question: str) -> bool:
    """Ask on a terminal.

    Raises:
        OmnibenchError: There is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise OmnibenchError(
            "this would remove what is listed above for good; say so with --yes, or look with --dry-run."
        )
    say(question)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def add_parsers(commands: Any) -> None:
    """Declare the commands to argparse."""
    parsers = {name: add_parser(commands, name, run) for name, run in _COMMANDS.items()}
    parsers["delete"].add_argument("items", metavar="ITEM", nargs="+", help=ITEM)
    plan = parsers["prune"].add_argument(
        "--plan",
        metavar="ARGS",
        help="what pytest is called with, e.g. benchmarks: what these bench files do not name is removed",
    )
    taking_empty(plan)  # pytest without arguments
    for parser in parsers.values():
        parser.add_argument("--models", action="store_true", help="only the models; numbers and predictions stay")
        parser.add_argument(
            "--older", metavar="AGE", help="only items that were last worked on this long ago, e.g. 30d or 12h"
        )
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be removed")
        parser.add_argument("--yes", action="store_true", help="do not ask")


_COMMANDS = {"delete": delete, "prune": prune}
