"""The ``omnibench`` command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from omnibench import __version__
from omnibench.collector import without_collector
from omnibench.commands import completion
from omnibench.commands.parsing import Parser, complain, explain
from omnibench.errors import OmnibenchError
from omnibench.guest import disk
from omnibench.paths import expanded
from omnibench.store.formats import refuse_newer

FAMILIES = {
    "status": ("status", "why"),
    "show": ("show",),
    "snapshot": ("snapshot",),
    "tuning": ("tuning",),
    "snapshots": ("snapshots",),
    "diff": ("diff",),
    "logs": ("logs",),
    "upkeep": ("reset", "rebuild", "gc"),
    "verify": ("verify",),
    "deletion": ("delete", "prune"),
    "importing": ("import-omnirec",),
    "merge": ("merge",),
    "pull": ("pull",),
    "publish": ("publish",),
    "compare": ("compare",),
    "score": ("score",),
    "gate": ("baseline", "gate"),
    "export": ("export",),
    "data": ("data",),
    "envs": ("envs",),
    "completion": ("completion",),
}
"""The modules of commands with their commands, in the order of the help."""

_INTERRUPTED = 130
"""The exit status of a command that was ended by Ctrl-C, as shells have it."""


def families(words: Sequence[str]) -> list[ModuleType]:
    """Return the modules that a command line needs: that of the command which it names, or else all of them.

    What compares or exports imports much, and a shell that completes starts this command at each press of Tab.

    Args:
        words: The words behind ``omnibench``.
    """
    named = [family for family, commands in FAMILIES.items() if words and words[0] in commands]
    return [importlib.import_module(f"omnibench.commands.{family}") for family in named or FAMILIES]


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    parser = Parser(prog="omnibench", description="Benchmarks of recommender systems.")
    parser.add_argument("--version", action="version", version=f"omnibench {__version__}")
    parser.set_defaults(run=lambda _: explain(parser))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for family in families(words):
        family.add_parsers(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 when something is amiss, 2 when it cannot be done, 130 after Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser(completion.words() or words)
    completion.complete(parser)
    parsed = parser.parse_args(words)
    try:
        if hasattr(parsed, "store"):  # whatever the command does with it
            if "~" in parsed.store:
                parsed.store = str(expanded(parsed.store))
            refuse_newer(Path(parsed.store))
        with without_collector():  # a command ends soon
            exit_status: int = parsed.run(parsed)
        sys.stdout.flush()  # what cannot be written is said here, and not by the interpreter at its end
    except OmnibenchError as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:  # somebody's `| head` has read enough
        _drop_output()
        return 0
    except OSError as error:
        complain(_reason(error))
        _drop_output()
        return 2
    return exit_status


def _drop_output() -> None:
    """Let what is still to be written to stdout vanish: the interpreter would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reason(error: OSError) -> str:
    """Return what the operating system has refused, and what to do about it."""
    text = error.strerror or str(error)
    if error.errno not in disk.ERRNOS:
        return f"{text}: {error.filename!r}" if error.filename else text
    directory = Path(os.fsdecode(error.filename)).absolute().parent if error.filename else None
    concerned = f"{error.filename!r}" if error.filename else "the output of this command, or a file that it makes,"
    reason = f" ({disk.explain(error.errno, [directory])})" if directory else ""
    return f"{concerned} cannot be written: {text}{reason}; {disk.advice(error.errno)}, and run it again."
