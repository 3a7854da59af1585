"""Names of items as people write them: texts in, parts out. It knows no records."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from omnibench.naming import pieces

FEWEST_DIGITS = 4
"""Digits that the beginning of a key or of a name's hash has at least; fewer are taken for a name."""

_DIGITS = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}")
_CONFIGURATION = re.compile(
    rf"(?P<base>[^()]*?)(?:\((?P<arguments>.*)\))?(?:-(?P<digits>[0-9a-f]{{{FEWEST_DIGITS},64}}))?", re.DOTALL
)
_FOLD = re.compile(r"(?P<body>.*)/fold_(?P<fold>\d+)", re.DOTALL)


class WrittenName(NamedTuple):
    """The name of a dataset or a configuration as somebody wrote it, e.g. ``ItemKNN(K=100)-b7d4``.

    Attributes:
        base: The name without the rest.
        arguments: The texts of hyperparameters by name.
        digits: The beginning of the name's hash, or nothing.
    """

    base: str
    arguments: Mapping[str, str]
    digits: str


class WrittenItem(NamedTuple):
    """A text, split at one of its slashes: it may name a dataset, and it may name a fold."""

    dataset: str | None
    algorithm: str
    fold: int | None


class NodeParts(NamedTuple):
    """The parts of an item's full name, e.g. ``D-a3f8e2c1/A(K=100)-b7d4a9f1/fold_0``."""

    dataset: str
    algorithm: str
    fold: int | None

    @property
    def hashes(self) -> tuple[str, str, int | None]:
        """The hashes of dataset and algorithm, and the fold."""
        return hash_of(self.dataset), hash_of(self.algorithm), self.fold


def splits(text: str) -> Iterator[WrittenItem]:
    """Yield every way to read a text as an algorithm, with or without a dataset, with or without a fold.

    A hyperparameter's value may have slashes, and a class may be called ``fold_1``.
    """
    match = _FOLD.fullmatch(text)
    bodies: list[tuple[str, int | None]] = [(text, None)]
    if match:
        bodies.append((match["body"], int(match["fold"])))
    for body, fold in bodies:
        yield WrittenItem(None, body, fold)
        for slash in (position for position, character in enumerate(body) if character == "/"):
            yield WrittenItem(body[:slash], body[slash + 1 :], fold)


def written_names(text: str) -> Iterator[WrittenName]:
    """Yield every way to read the name of a configuration; one may end like a hash and have none."""
    match = _CONFIGURATION.fullmatch(text)
    if match is None:
        return
    arguments = arguments_in(match["arguments"] or "")
    if arguments is not None:
        yield WrittenName(match["base"].strip(), arguments, match["digits"] or "")
    if match["digits"] and match["arguments"] is None:
        yield WrittenName(text, {}, "")


def arguments_in(text: str) -> dict[str, str] | None:
    """Return the texts of hyperparameters by name, or None when these are none; ``+3``, as labels end, says nothing."""
    arguments: dict[str, str] = {}
    for piece in pieces(text):
        name, equals, value = piece.partition("=")
        if equals:
            arguments[name.strip()] = value.strip()
        elif piece.strip() and not re.fullmatch(r"\s*\+\d+\s*", piece):
            return None
    return arguments


def literal(text: str) -> Any:
    """Return the value that a text stands for: a literal of Python, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def node_parts(name: str) -> NodeParts | None:
    """Return dataset, algorithm and fold of an item's name, or None when it is none."""
    match = _FOLD.fullmatch(name)
    body, fold = (match["body"], int(match["fold"])) if match else (name, None)
    dataset, slash, algorithm = body.partition("/")
    return NodeParts(dataset, algorithm, fold) if slash else None


def node_names(node_id: str) -> list[str]:
    """Return the names that an item may have in a pytest node id, the likelier ones first.

    The file and the function are not recorded, and not looked at; a name may be followed by pytest's own parameters.
    """
    _, *parts = node_id.split("::")
    tails = ["::".join(parts[start:]) for start in range(len(parts))]
    return list(
        dict.fromkeys(
            name for tail in tails for name in (tail, re.sub(r"\[[^\[\]]*\]$", "", tail), tail.partition("[")[0])
        )
    )


def stem_of(name: str) -> str:
    """Return a display name without its hash."""
    return name.rpartition("-")[0] or name


def hash_of(name: str) -> str:
    """Return the hash in a display name."""
    return name.rpartition("-")[2]


def is_digits(text: str) -> bool:
    """Whether a text may be the beginning of a key or of a hash."""
    return _DIGITS.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern, with ``*`` or ``?``."""
    return "*" in text or "?" in text


def pattern_of(text: str) -> re.Pattern[str]:
    """Return the pattern of a text with ``*`` (anything, slashes included) and ``?``; brackets stand for themselves."""
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(character) or re.escape(character) for character in text), re.DOTALL)
