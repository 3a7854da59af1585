"""The commands that there are, so that tests of all of them cover new ones."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from omnibench.commands.main import _parser


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every command that looks into a store, with arguments that argparse takes."""
    (subparsers,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in subparsers.choices.items():
        if "--store" not in command._option_string_actions:
            continue
        arguments = []
        for action in command._actions:
            if action.required and not action.option_strings:
                arguments.append(str(next(iter(action.choices))) if action.choices else "some.csv")
            elif action.required:
                arguments += [action.option_strings[0], "some.csv"]
        yield name, arguments
