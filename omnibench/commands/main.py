"""The ``omnibench`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from omnibench import __version__
from omnibench.commands import compare, completion, deletion, diff, envs, export, gate, importing, logs, status, upkeep
from omnibench.commands.parsing import explain
from omnibench.errors import OmnibenchError
from omnibench.store.formats import refuse_newer

_FAMILIES = (status, diff, logs, upkeep, deletion, importing, compare, gate, export, envs, completion)
"""The modules of commands, in the order of the help."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="omnibench", description="Benchmarks of recommender systems.")
    parser.add_argument("--version", action="version", version=f"omnibench {__version__}")
    parser.set_defaults(run=lambda _: explain(parser))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for family in _FAMILIES:
        family.add_parsers(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 when something is amiss, 2 when it cannot be done."""
    parser = _parser()
    completion.complete(parser)
    parsed = parser.parse_args(arguments)
    try:
        if hasattr(parsed, "store"):  # whatever the command does with it
            refuse_newer(Path(parsed.store).expanduser())
        exit_status: int = parsed.run(parsed)
    except OmnibenchError as error:
        print(f"omnibench: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except BrokenPipeError:  # somebody's `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return exit_status
