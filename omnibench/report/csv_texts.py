"""Texts as CSV has them."""

from __future__ import annotations

import csv
import io
import re
from functools import lru_cache

_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the beginning of a formula, or leave out before one; the last four are the wide forms."""


def written(text: str) -> str:
    """Return a text as CSV has it; one that a spreadsheet would compute begins with an apostrophe, which spreadsheets hide."""
    return text if _IS_PLAIN(text) else _written(text)


_IS_PLAIN = re.compile(r"[0-9A-Za-z_.(\[{][0-9A-Za-z_ .:/()\[\]{}=+#@-]*").fullmatch
"""Finds that there is nothing to quote in a text and that it is no formula, in less time than ``str.isalnum`` takes."""


@lru_cache(maxsize=1024)
def _written(text: str) -> str:
    """Return a text as CSV has it; most columns have few."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_uncomputed(text), None])  # alone, an empty one would be quoted
    return line.getvalue()[:-2]


def _uncomputed(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) else text
