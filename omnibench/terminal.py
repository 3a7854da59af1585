"""Texts as a terminal may show them: it obeys what stands in them."""

from __future__ import annotations

import re

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, also those of the eighth bit, but for tabs and line ends
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of what follows
    "\xad\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # what nobody sees
    "\ud800-\udfff]"
)


def terminal_text(text: str) -> str:
    """Return a text as it may go to a terminal, which obeys what stands in it: nothing but its line ends is obeyed.

    Names and messages come from users' code, data, frameworks and other people's stores. Colours are left out; other
    control characters, escapes, and characters that are invisible or turn the direction of writing, are spelled out.
    """
    if text.isascii() and text.isprintable():
        return text
    return _ACTIVE.sub(_spelled, _COLOURS.sub("", text.replace("\r\n", "\n")))


def terminal_line(text: str) -> str:
    """Return a name or the like as a terminal may show it, on one line; see ``terminal_text``."""
    if text.isascii() and text.isprintable():
        return text
    return terminal_text(text).replace("\n", r"\n").replace("\t", r"\t")


def _spelled(match: re.Match[str]) -> str:
    """Return a character as Python's texts are written."""
    return ascii(match[0])[1:-1]
