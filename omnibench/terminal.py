"""Texts as a terminal may show them: it obeys what stands in them."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import PurePath

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, also those of the eighth bit, but for tabs and line ends
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of what follows
    "\xad\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # what nobody sees
    "\ud800-\udfff]"
)
_BROKEN_LINE = re.compile(r"[\t\n\r]")
_broken_names: dict[str, str] = {}
"""Names of files and directories that have line ends or tabs, and how they are spelled."""


def note_names(path: str | os.PathLike[str]) -> None:
    """Note the names in a path that have line ends or tabs: from now on texts for a terminal spell these out.

    A line end in the midst of a sentence may be meant, and one in a name would forge a line of its own.

    Args:
        path: A path as its user has written it.
    """
    for name in PurePath(path).parts if _BROKEN_LINE.search(os.fspath(path)) else ():
        if _BROKEN_LINE.search(name) and name.strip():
            _broken_names[name] = _BROKEN_LINE.sub(_spelled, name)


def terminal_text(text: str) -> str:
    """Return a text as it may go to a terminal, which obeys what stands in it: nothing but its line ends is obeyed.

    Names and messages come from users' code, data, frameworks and other people's stores. Colours are left out; other
    control characters, escapes, and characters that are invisible or turn the direction of writing, are spelled out.
    """
    if text.isascii() and text.isprintable():
        return text
    for name in sorted(_broken_names, key=len, reverse=True):
        text = text.replace(name, _broken_names[name])
    return _ACTIVE.sub(_spelled, _COLOURS.sub("", text.replace("\r\n", "\n")))


def terminal_line(text: str) -> str:
    """Return a name or the like as a terminal may show it, on one line; see ``terminal_text``."""
    if text.isascii() and text.isprintable():
        return text
    return terminal_text(text).replace("\n", r"\n").replace("\t", r"\t")


def command_line(*words: str | os.PathLike[str]) -> str:
    """Return words as a command line that can be read, and copied into a shell, whatever stands in them.

    Args:
        *words: The command, and what it is given.
    """
    texts = [os.fspath(word) for word in words]
    # Of the shells, bash and zsh know the latter; what every one of them knows cannot be read, and may be obeyed.
    return " ".join(shlex.quote(text) if text.isprintable() else f"$'{''.join(map(_quoted, text))}'" for text in texts)


def _quoted(character: str) -> str:
    """Return a character as it stands between ``$'`` and ``'``."""
    if character.isprintable():
        return f"\\{character}" if character in "\\'" else character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def _spelled(match: re.Match[str]) -> str:
    """Return a character as Python's texts are written."""
    return ascii(match[0])[1:-1]
