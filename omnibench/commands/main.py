"""The ``omnibench`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from omnibench.commands import compare, deletion, envs, export, gate, importing, status, upkeep
from omnibench.errors import OmnibenchError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="omnibench", description="Benchmarks of recommender systems.")
    commands = parser.add_subparsers(dest="command", required=True)
    status.add_parsers(commands)
    upkeep.add_parsers(commands)
    deletion.add_parsers(commands)
    importing.add_parsers(commands)
    compare.add_parsers(commands)
    gate.add_parsers(commands)
    export.add_parsers(commands)
    envs.add_parsers(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 when something is amiss, 2 when it cannot be done."""
    parsed = _parser().parse_args(arguments)
    try:
        exit_status: int = parsed.run(parsed)
    except OmnibenchError as error:
        print(f"omnibench: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except BrokenPipeError:  # somebody's `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return exit_status
