"""``omnibench logs``: what happened, by run, worker and item."""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, counted, say
from omnibench.store.item_names import title_of
from omnibench.store.queries import Store, open_store
from omnibench.store.single_items import items_named
from omnibench.terminal import terminal_text

_TAIL = 200
"""How many entries are shown when nobody says how many."""

_NO_LIMIT = -1
"""SQLite's word for all rows."""

_PAGE = 1000
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def logs(arguments: argparse.Namespace) -> int:
    """Show the newest entries of the log: what happened, by run, worker and item."""
    store = open_store(arguments.store)
    filters = {
        "item": arguments.item,
        "min_level": logging.getLevelNamesMapping()[arguments.level],
        "superseded": arguments.all,
    }
    if arguments.since is None:
        newest = store.logs(limit=arguments.tail, **filters) if arguments.tail else []
        left_out = store.count_logs(newest[0]["id"] if newest else None, **filters)
        if left_out and not arguments.json:
            more = arguments.tail * 10 or _TAIL
            say(f"... {left_out:,} earlier entries are left out; `--tail {more}` shows more, `--tail all` all of them.")
        if newest and not arguments.json:
            _tell_superseded(store, newest[0]["id"] if left_out else 0, filters)
        _show([newest], store, as_json=arguments.json)
        seen = newest[-1]["id"] if newest else _last_id(store)
    else:
        if not arguments.json:
            _tell_superseded(store, arguments.since + 1, filters)
        seen = _show(_following(store, arguments.since, filters), store, as_json=arguments.json) or arguments.since
    while arguments.follow:
        time.sleep(1)
        seen = _show(_following(store, seen, filters), store, as_json=arguments.json) or seen
    return 0


def _tell_superseded(store: Store, first: int, filters: dict[str, Any]) -> None:
    """Say how many entries from one on are left out because a later attempt has superseded them."""
    before, in_all = (
        store.count_logs(end, **{**filters, "superseded": True}) - store.count_logs(end, **filters)
        for end in (first, None)
    )
    if in_all > before:
        lines, verb = counted(in_all - before, "superseded line"), "is" if in_all - before == 1 else "are"
        say(f"... {lines} of earlier attempts {verb} left out; `--all` shows what was superseded, too.")


class _Titles:
    """Says what people call items.

    Args:
        store: Their store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._titles: dict[str, str] = {}

    def look_up(self, names: Iterable[str]) -> None:
        """Find the titles of the items that have some names, without reading those of all others."""
        unknown = list(dict.fromkeys(name for name in names if name and name not in self._titles))
        items = items_named(self._store.root, unknown) if unknown else {}
        self._titles |= {name: title_of(record) for name, record in items.items()}

    def of(self, name: str) -> str:
        """Return an item's name for people; what was removed from the store goes by the name of its directory."""
        if name not in self._titles:
            self._titles |= {item: title_of(record) for item, record in self._store.brief_items().items()}
        return self._titles.setdefault(name, name)


def _following(store: Store, since: int, filters: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield all entries after one, by pages."""
    while page := store.logs(since, limit=_PAGE, **filters):
        yield page
        since = page[-1]["id"]


def _last_id(store: Store) -> int:
    return max((entry["id"] for entry in store.logs(limit=1)), default=0)


def _show(pages: Iterable[list[dict[str, Any]]], store: Store, *, as_json: bool) -> int | None:
    """Print pages of entries, and return the id of the last one."""
    last, titles = None, _Titles(store)
    for page in pages:
        if not as_json:
            titles.look_up(entry["item"] for entry in page)
        for entry in page:
            last = int(entry["id"])
            _show_entry(entry, titles, as_json=as_json)
    return last


def _show_entry(entry: dict[str, Any], titles: _Titles, *, as_json: bool) -> None:
    """Print an entry."""
    about = f" {titles.of(entry['item'])}" if entry["item"] and not as_json else ""
    first, *following = terminal_text(entry["message"]).split("\n")
    mark = "" if entry["superseded"] is None else f" (superseded by {entry['superseded']})"
    line = f"{entry['id']} {entry['time']} {entry['level_name']} {entry['logger']}{about}{mark}: {first}"
    say(json.dumps(entry) if as_json else line)
    for text in () if as_json else following:
        say(f"    {text}")  # which shows that it is no entry of its own


def _count(text: str) -> int:
    """Read how many entries are wanted.

    Raises:
        ArgumentTypeError: The text is neither a number nor ``all``.
    """
    if text == "all":
        return _NO_LIMIT
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor `all`")


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "logs", logs)
    parser.add_argument("item", metavar="ITEM", nargs="?", help=ITEM)
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        "--tail", type=_count, default=_TAIL, metavar="N", help=f"the newest N entries, or all (default: {_TAIL})"
    )
    begin.add_argument("--since", type=int, metavar="ID", help="all entries after this one; 0: from the first on")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also what was superseded: printed by a Fit that was killed, behind the snapshot from which a later attempt went on",
    )
    parser.add_argument("--follow", action="store_true", help="go on with what is logged from now on")
    parser.add_argument("--level", default="DEBUG", choices=_LEVELS, help="only entries from this level on")
    parser.add_argument("--json", action="store_true", help="for programs: a JSON object a line")
