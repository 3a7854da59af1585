"""``omnibench diff``: how two checkpoint stores differ."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from omnibench.commands.parsing import add_parser, say
from omnibench.errors import StoreError
from omnibench.paths import expanded
from omnibench.store.queries import Store, open_store
from omnibench.terminal import command_line


def diff(arguments: argparse.Namespace) -> int:
    """Say how two stores differ: items, keys, hosts, threads, versions, data, numbers; exit status 1 when they do."""
    divergence = _opened(arguments.a, arguments).diff(_opened(arguments.b, arguments))
    if arguments.json:
        say(json.dumps(divergence.as_json()))
    else:
        for line in divergence.lines(unabridged=arguments.all):
            say(line)
    return int(not divergence.agrees)


def _opened(path: str, arguments: argparse.Namespace) -> Store:
    """Return the store in a directory; where neither argument is a directory, items may be meant."""
    try:
        return open_store(path)
    except StoreError as error:
        if any(os.path.exists(expanded(directory)) for directory in (arguments.a, arguments.b)):
            raise
        items = command_line("omnibench", "why", arguments.a, arguments.b)
        raise StoreError(f"{error} `diff` compares two stores; `{items}` compares two items.") from error


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "diff", diff, of_store=False)
    parser.add_argument("a", metavar="STORE", help="a checkpoint directory")
    parser.add_argument("b", metavar="STORE", help="another one")
    parser.add_argument("--all", action="store_true", help="list everything, however much there is")
    parser.add_argument("--json", action="store_true", help="for programs: every pair of items")
