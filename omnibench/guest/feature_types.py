"""The subjects and the types of features; without numpy, which those who only look at names and types do not need."""

from __future__ import annotations

SUBJECTS = ("items", "users")

NUMBER, BOOLEAN, TEXT, TEXTS = "number", "boolean", "text", "texts"
"""The types of columns: numbers, truth values, a text, and a list of texts."""

ALL_TYPES = (NUMBER, BOOLEAN, TEXT, TEXTS)
CATEGORIES = (BOOLEAN, TEXT, TEXTS)
"""The types whose values are categories."""

NO_TEXT = -1
"""The position of a text that is missing; of a list that is missing, the only position in it."""


def singular(subject: str) -> str:
    """Return the name of a subject's column of ids: ``item`` of ``items``."""
    return subject.removesuffix("s")
