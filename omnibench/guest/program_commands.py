"""The commands of a framework that is a program: what they are for, their placeholders, and the files that they name."""

from __future__ import annotations

import os
import shutil
import signal
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSION, FIT, PREDICT, RUN, RATE = "version", "fit", "predict", "run", "rate"
"""What a command is for: to say the version, to fit, to recommend, to do both at once, or to rate."""

PARTS = ("train", "validation", "history")
"""The placeholders of files with interactions."""

CHECKPOINT = "checkpoint"
"""The placeholder of a directory whose files are still there when a Fit that was killed begins again."""

_ANYWHERE = ("algorithm", "seed", "threads", "device", "n_users", "n_items")

PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    FIT: ("train", "validation", "model", CHECKPOINT, *_ANYWHERE),
    PREDICT: ("model", "train", "history", "users", "k", "output", *_ANYWHERE),
    RUN: (*PARTS, "users", "k", "output", *_ANYWHERE),
    RATE: ("model", *PARTS, "pairs", "output", *_ANYWHERE),
}
"""What may stand in the braces of a command, beside hyperparameters."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    FIT: ("train", "model"),
    PREDICT: ("model", "output"),
    RUN: ("train", "output"),
    RATE: ("pairs", "output"),
}
"""Of these, what every command has."""

BY_SCORE, BY_RANK, AS_WRITTEN = "score", "rank", "order"
"""What decides the order of a list: its third column, the highest or the lowest first; or the order of the lines."""


class ProgramError(RuntimeError):
    """A program has failed, or written what nobody can read."""


def placeholders_of(words: Sequence[str]) -> list[str]:
    """Return what stands in the braces of a command's words.

    Raises:
        ValueError: A brace is not closed, or there is more than a name between two.
    """
    names = []
    for word in words:
        for _, name, form, conversion in string.Formatter().parse(word):
            if name is None:
                continue
            if form or conversion or not name.isidentifier():
                raise ValueError(f"{word!r} has more than a name in its braces; write a brace itself as {{{{ or }}}}")
            names.append(name)
    return names


def filled(words: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Return the words of a command with values in the place of placeholders.

    Args:
        words: The words.
        values: By placeholder; true and false are written as such.

    Raises:
        ProgramError: A value is neither a number, a text nor true or false.
    """
    return [word.format_map({name: _text_of(name, value) for name, value in values.items()}) for word in words]


def _text_of(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float | str | Path):
        raise ProgramError(
            f"{name} is {value!r}, which cannot stand in a command; give a number, a text, or true or false"
        )
    return repr(value) if isinstance(value, float) else str(value)


def program_path(word: str, folder: Path) -> Path | None:
    """Return the program that the first word of a command is: a file beside the description, or one on the PATH.

    Args:
        word: The word.
        folder: The folder of the description, to which paths are relative.
    """
    local = folder / word
    if local.is_file() and (os.sep in word or os.access(local, os.X_OK)):
        return local if os.access(local, os.X_OK) else None
    path = None if os.sep in word else shutil.which(word)
    return Path(path) if path else None


def located(words: Sequence[str], folder: Path) -> list[str]:
    """Return the words of a command, those that are files beside the description with their whole paths."""
    path = program_path(words[0], folder)
    begin = words[0] if path is None else str(path)
    return [begin, *(word if file is None else str(file) for word, file in files_in(words[1:], folder))]


def files_in(words: Sequence[str], folder: Path) -> list[tuple[str, Path | None]]:
    """Return each word of a command with the file beside the description that it names; None where it names none.

    A word without a dot or a slash is an argument like ``fit``, whatever lies there.
    """
    return [
        (word, folder / word if {".", os.sep} & set(word) and (folder / word).is_file() else None) for word in words
    ]


def ending(status: int) -> str:
    """Return how a program has ended, in words."""
    if status > 0:
        return f"ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "unknown"
    return f"was ended by signal {-status} ({name})"
