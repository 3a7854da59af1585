"""``omnibench completion bash | zsh``: the shell's completion of this command, its options, items and keys."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from omnibench.commands.parsing import say_text
from omnibench.paths import expanded

_SHELLS = ("bash", "zsh", "fish")
_ITEM = "ITEM"
_SNAPSHOT = "SNAPSHOT"
_DATASET = "DATASET"
_DATASET_OR_FILE = "DATASET|FILE"
_DIRECTORIES = ("DIR", "STORE")
"""What arguments are called, in the help of their commands, that are completed in a way of their own."""

_REQUEST = "_ARGCOMPLETE"
"""The environment variable with which a shell asks for completions."""


def completion(arguments: argparse.Namespace) -> int:
    """Print what makes a shell complete omnibench's commands, options and items: eval "$(omnibench completion bash)"."""
    from argcomplete.shell_integration import shellcode

    say_text(shellcode(["omnibench"], shell=arguments.shell))
    return 0


def words() -> list[str]:
    """Return the words of the line that a shell asks to have completed, without the first; none when no shell asks."""
    return os.environ.get("COMP_LINE", "").split()[1:] if _REQUEST in os.environ else []


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and end; do nothing when none asks.

    Args:
        parser: The parser of the whole command line.
    """
    if _REQUEST not in os.environ:
        return
    import argcomplete

    for action in _actions(parser):
        if action.metavar == _ITEM:
            action.completer = _item_names  # type: ignore[attr-defined]  # where argcomplete looks for it
        elif action.metavar == _SNAPSHOT:
            action.completer = _snapshot_names  # type: ignore[attr-defined]  # likewise
        elif action.metavar == _DATASET:
            action.completer = _dataset_names  # type: ignore[attr-defined]  # likewise
        elif action.metavar == _DATASET_OR_FILE:
            action.completer = _names_and_files  # type: ignore[attr-defined]  # likewise
        elif action.metavar in _DIRECTORIES:
            action.completer = argcomplete.DirectoriesCompleter()  # type: ignore[attr-defined]  # likewise
    argcomplete.autocomplete(parser, always_complete_options=False)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield every argument of a parser and of those of its subcommands."""
    for action in parser._actions:  # noqa: SLF001 - argparse lists them nowhere else
        yield action
        if isinstance(action.choices, dict):
            for subparser in action.choices.values():
                yield from _actions(subparser)


def _item_names(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names and the keys of the store's items that begin with a prefix."""
    from omnibench.errors import OmnibenchError
    from omnibench.keys import DISPLAY_DIGITS
    from omnibench.store.reading import read
    from omnibench.store.schema import RecordType

    def matching(reader: Any) -> list[str]:
        items = [record for _, record in reader.records(RecordType.ITEM.prefix)]
        names = [str(item["item"]) for item in items if item["item"].startswith(prefix) and item["item"].isprintable()]
        keys = [item["fit_key"][:DISPLAY_DIGITS] for item in items] if prefix else []
        return sorted(names) or sorted(key for key in keys if key.startswith(prefix))

    try:
        return read(expanded(parsed_args.store) / "store", matching, untouched=True)
    except (OmnibenchError, OSError):
        return []


def _snapshot_names(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of the store's snapshots, of all items, that begin with a prefix."""
    from omnibench.errors import OmnibenchError
    from omnibench.store.reading import read
    from omnibench.store.schema import RecordType

    def names(reader: Any) -> set[str]:
        return {str(record["name"]) for _, record in reader.records(RecordType.SNAPSHOT.prefix)}

    try:
        recorded = read(expanded(parsed_args.store) / "store", names, untouched=True)
    except (OmnibenchError, OSError):
        return []
    return sorted(name for name in recorded if name.startswith(prefix) and name.isprintable())


def _dataset_names(prefix: str, **_: Any) -> list[str]:
    """Return the names of the catalogue's data sets that begin with a prefix."""
    from omnibench.data.catalogue.names import definitions
    from omnibench.errors import OmnibenchError

    try:
        return [name for name in definitions() if name.startswith(prefix)]
    except OmnibenchError:
        return []


def _names_and_files(prefix: str, **_: Any) -> list[str]:
    """Return the names of data sets and the paths of files that begin with a prefix; without one the files alone."""
    from argcomplete.completers import FilesCompleter

    return [*(_dataset_names(prefix) if prefix else ()), *FilesCompleter()(prefix)]


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    description = (completion.__doc__ or "").splitlines()[0]
    parser = commands.add_parser("completion", help=description, description=description)
    parser.set_defaults(run=completion)
    parser.add_argument("shell", choices=_SHELLS, help="the shell")
