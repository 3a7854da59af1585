"""Arguments that several commands share, and how commands print a line."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from omnibench.terminal import terminal_line, terminal_text

ITEM = (
    "a label such as RecPack.ItemKNN(K=100), an algorithm, dataset/algorithm, the beginning of a key, a full name, a "
    "pytest node id, or a pattern such as *KNN*/fold_0"
)
"""How items are named on the command line; the long form is "Naming items" in docs/store.md."""


class Parser(argparse.ArgumentParser):
    """A parser of command lines that refuses an empty text, which a shell makes of a variable that is not set, and spaces alone.

    argparse has no public way to look at the texts of all arguments, of options and others, before their types do:
    ``_get_values`` is its own, and ``tests/commands/test_empty_arguments.py`` fails where a Python changes it.
    """

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Return the value of an argument; end the process if it is an empty text or spaces, and the action takes none."""
        own = arg_strings[:1] if action.nargs == argparse.PARSER else arg_strings  # the others are the command's own
        empty = next((text for text in own if not text.strip()), None)
        if empty is not None and not getattr(action, _TAKES_EMPTY, False):
            name = "/".join(action.option_strings) or action.metavar or action.dest
            advice = ", or leave the option out" if action.option_strings else ""
            choices = f"choose from {', '.join(map(str, action.choices))}" if action.choices else "give a value"
            self.error(f"{name} is {empty!r}; {choices}{advice}.")
        return super()._get_values(action, arg_strings)


_TAKES_EMPTY = "takes_empty"


def taking_empty(action: argparse.Action) -> None:
    """Let an argument be an empty text: it means something, or is refused with a sentence of its own."""
    setattr(action, _TAKES_EMPTY, True)


def say(line: str = "") -> None:
    """Print one line at once, also into a pipe; what a terminal would obey in it is spelled out."""
    say_text(terminal_line(line))


def say_text(text: str) -> None:
    """Print a text of several lines, as ``say`` does a line; names in it may not bring line ends of their own."""
    print(terminal_text(text), flush=True)  # noqa: T201 - this is the command's output


def complain(sentence: str) -> None:
    """Print a sentence to stderr, so that the command's output stays what it is."""
    print(f"omnibench: {terminal_text(sentence)}", file=sys.stderr)  # noqa: T201


@contextmanager
def warnings_said() -> Iterator[None]:
    """Print the warnings of what is done here as sentences, each once, and without the lines of code that they come from."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        complain(text)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 item`` or ``2 items``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def busy_sentence(count: int) -> str:
    """Return the sentence that says how many items a command has not touched, because somebody computes them."""
    verbs = ("is", "was") if count == 1 else ("are", "were")
    return f"{counted(count, 'item')} {verbs[0]} being computed right now and {verbs[1]} left alone."


def explain(parser: argparse.ArgumentParser) -> int:
    """Print the help of a command that was asked for nothing, and return the exit status of such a call."""
    parser.print_help()
    return 2


def add_parser(commands: Any, name: str, run: Callable[[argparse.Namespace], int], *, of_store: bool = True) -> Any:
    """Declare a command to argparse, and return its parser.

    Args:
        commands: What argparse has made for subcommands.
        name: The command's name.
        run: The command; the first line of its docstring is its help.
        of_store: Whether it looks into one store, and so takes ``--store``.
    """
    description = (run.__doc__ or "").splitlines()[0]
    parser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(run=run)
    if of_store:
        parser.add_argument(
            "--store",
            metavar="DIR",
            default=os.environ.get("OMNIREC_CHECKPOINT_DIR") or "checkpoints",
            help="the checkpoint directory (default: OMNIREC_CHECKPOINT_DIR, or checkpoints)",
        )
    return parser


def add_all(parser: argparse.ArgumentParser) -> None:
    """Declare whether a command takes all items of a store, or the current ones."""
    parser.add_argument(
        "--all",
        action="store_true",
        help="also what is not in the last plan, and earlier versions of own classes (default: neither)",
    )


def note_left_out(sentence: str) -> None:
    """Print what a command has left out, to stderr, so that its output stays what it is."""
    if sentence:
        complain(f"{sentence}; --all has them too")


def add_test(parser: argparse.ArgumentParser) -> None:
    """Declare which statistical test is used, and at which level."""
    from omnibench.statistics.paired import DEFAULT_TEST, TESTS  # which most commands do without

    parser.add_argument(
        "--test", choices=TESTS, default=DEFAULT_TEST, help=f"the paired test (default: {DEFAULT_TEST})"
    )
    parser.add_argument("--alpha", type=float, default=0.05, help="the level (default: 0.05)")
