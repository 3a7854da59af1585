"""``omnibench diff``: how two checkpoint stores differ."""

from __future__ import annotations

import argparse
import json
from typing import Any

from omnibench.commands.parsing import add_parser, say
from omnibench.store.queries import open_store


def diff(arguments: argparse.Namespace) -> int:
    """Say how two stores differ: items, keys, hosts, threads, versions, data, numbers; exit status 1 when they do."""
    divergence = open_store(arguments.a).diff(open_store(arguments.b))
    if arguments.json:
        say(json.dumps(divergence.as_json()))
    else:
        for line in divergence.lines(unabridged=arguments.all):
            say(line)
    return int(not divergence.agrees)


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "diff", diff, of_store=False)
    parser.add_argument("a", metavar="STORE", help="a checkpoint directory")
    parser.add_argument("b", metavar="STORE", help="another one")
    parser.add_argument("--all", action="store_true", help="list everything, however much there is")
    parser.add_argument("--json", action="store_true", help="for programs: every pair of items")
