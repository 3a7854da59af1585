"""Empty texts, and spaces alone, on the command line of ``omnibench``, which a shell makes of variables that are not set."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibench.commands.main import _parser, main
from omnibench.commands.parsing import Parser

MEANING_SOMETHING = ("--plan", "--requirement")
"""Pytest's arguments, of which there may be none; and a package, whose name is looked at."""


def arguments_of(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the command lines with an empty text for each argument of all commands, with what the argument is called."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from arguments_of(sub, (*words, name))
        elif action.option_strings and action.nargs != 0:
            for flag in action.option_strings:
                yield (*words, f"{flag}="), flag
                yield (*words, flag, ""), flag
    if words and any(not action.option_strings for action in parser._actions if action.dest != "action"):
        yield (*words, ""), ""


COMMANDS = [(line, name) for line, name in arguments_of(_parser(), ()) if name not in MEANING_SOMETHING]


def test_there_are_many() -> None:
    """As many as the help has: else nothing is looked at."""
    assert len(COMMANDS) > 150


@pytest.mark.parametrize(
    ("words", "name"), COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_an_empty_text_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    name: str,
) -> None:
    """Before anything is looked at, with the name of the argument: it is not taken for one that was not given."""
    monkeypatch.chdir(tmp_path)
    for text in ("", "  "):  # of spaces alone nothing is named either, as the plugin has it
        with pytest.raises(SystemExit) as ended:
            main([*words[:-1], words[-1] + text])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert f" is {text!r}; " in said
        assert name in said
    assert not [*tmp_path.iterdir()]


def test_argparse_asks_the_parser_for_all_values() -> None:
    """By ``_get_values``, which is its own: with the texts of an argument, of an option and of a command."""
    assert [*inspect.signature(argparse.ArgumentParser._get_values).parameters] == ["self", "action", "arg_strings"]
    asked: list[tuple[str, list[str]]] = []

    class Asked(Parser):
        def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
            asked.append((action.dest, [*arg_strings]))
            return super()._get_values(action, arg_strings)

    parser = Asked()
    show = parser.add_subparsers(dest="command").add_parser("show")
    show.add_argument("items", nargs="*")
    show.add_argument("--store")
    parsed = parser.parse_args(["show", "a", "b", "--store=c"])
    assert (parsed.items, parsed.store) == (["a", "b"], "c")
    assert {("command", ("show", "a", "b", "--store=c")), ("items", ("a", "b")), ("store", ("c",))} <= {
        (name, tuple(texts)) for name, texts in asked
    }
