"""``omnibench snapshots``: the snapshots of running and interrupted Fits, and the choice of an older one."""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, counted, say, say_text
from omnibench.errors import OmnibenchError
from omnibench.store.light_records import light_records
from omnibench.store.queries import Store, open_store
from omnibench.store.reserve import making_room
from omnibench.store.resumption import resume_text, snapshot_line, snapshot_rows
from omnibench.store.schema import Status
from omnibench.store.states import RecordsInMemory
from omnibench.tables.names import recorded_names


def snapshots(arguments: argparse.Namespace) -> int:
    """List the snapshots of Fits, or choose an older one that the next attempt goes on from."""
    if arguments.restore is not None:
        return _restore(arguments)
    store = open_store(arguments.store)
    records = light_records(store.root).records
    items = store.items_in(records)
    names = store.select(*arguments.items) if arguments.items else list(items)
    rows = [row for row in snapshot_rows(RecordsInMemory(records)) if row["item"] in set(names)]
    if arguments.json:
        say_text(json.dumps({"snapshots": rows}, indent=1))
        return 0
    if not rows:
        of_items = f"of {counted(len(names), 'item')} " if arguments.items else ""
        say(
            f"{store.root}: no snapshots {of_items}(by default, a Fit of more than 5 minutes has one until it is recorded, unless "
            "there is nothing to snapshot, which out.log says)"
        )
    labels = recorded_names(items.values())
    for name, of_item in groupby(rows, key=lambda row: str(row["item"])):
        item = items.get(name)
        say(name if item is None else f"{labels.recorded_item(item)}: {item['status']}")
        for row in of_item:
            say(f"  {snapshot_line(row, running=item is not None and item['status'] == Status.RUNNING)}")
    return 0


@making_room
def _restore(arguments: argparse.Namespace) -> int:
    if len(arguments.items) != 1:
        raise OmnibenchError(
            "say of which item: omnibench snapshots ITEM --restore SNAPSHOT; `omnibench snapshots` lists items and names."
        )
    store = open_store(arguments.store)
    (item,) = arguments.items
    restored = store.restore(item, arguments.restore)
    label = _label(store, restored.snapshot["item"], item)
    say(f"The next attempt at {label} {resume_text(restored.snapshot)}, from {restored.snapshot['name']}.")
    if restored.passed_over:
        verb = "is" if len(restored.passed_over) == 1 else "are"
        count = counted(len(restored.passed_over), "newer snapshot")
        say(f"{count} {verb} passed over, and {'stays' if verb == 'is' else 'stay'}: {', '.join(restored.passed_over)}")
    return 0


def _label(store: Store, name: str, text: str) -> str:
    """Return what people call an item; what they have called it where it is a trial."""
    items = store.brief_items()
    return str(recorded_names(items.values()).recorded_item(items[name])) if name in items else text


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "snapshots", snapshots)
    parser.add_argument("items", metavar="ITEM", nargs="*", help=f"{ITEM} (default: all)")
    parser.add_argument(
        "--restore",
        metavar="SNAPSHOT",
        help="have the next attempt go on from this snapshot; newer ones are passed over",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
