"""Names of items as people write them: texts in, parts out. It knows no records."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from omnibench.naming import TUNED, pieces

FEWEST_DIGITS = 4
"""Digits that the beginning of a key or of a name's hash has at least; fewer are taken for a name."""

_DIGITS = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}")
_HASHED = re.compile(rf"(?P<body>.+)-(?P<digits>[0-9a-f]{{{FEWEST_DIGITS},64}})", re.DOTALL)
_LAST_PARTS = (
    re.compile(r"(?P<body>.*)/fold_(?P<fold>\d+)/seed_(?P<seed>\d+)", re.DOTALL),
    re.compile(r"(?P<body>.*)/fold_(?P<fold>\d+)(?P<seed>)", re.DOTALL),
    re.compile(r"(?P<body>.*)(?P<fold>)/seed_(?P<seed>\d+)", re.DOTALL),
)


class WrittenName(NamedTuple):
    """The name of a dataset or a configuration as somebody wrote it, e.g. ``ItemKNN(K=100)-b7d4``.

    Attributes:
        base: The name without the rest.
        arguments: The texts of hyperparameters by name.
        digits: The beginning of the name's hash, or nothing.
        tuned: Whether it says that a search has chosen the configuration, e.g. ``ItemKNN (tuned)``.
    """

    base: str
    arguments: Mapping[str, str]
    digits: str
    tuned: bool = False


class WrittenItem(NamedTuple):
    """A text, split at one of its slashes: it may name a dataset, and it may name a fold and a seed."""

    dataset: str | None
    algorithm: str
    fold: int | None
    seed: int | None

    def is_of(self, fold: int | None, seed: int | None) -> bool:
        """Whether an item of a fold and a seed is meant, as far as the text says that."""
        return self.fold in (None, fold) and self.seed in (None, seed)


class NodeParts(NamedTuple):
    """The parts of an item's full name, e.g. ``D-a3f8e2c1/A(K=100)-b7d4a9f1/fold_0/seed_43``."""

    dataset: str
    algorithm: str
    fold: int | None
    seed: int | None

    @property
    def hashes(self) -> tuple[str, str, int | None]:
        """The hashes of dataset and algorithm, and the fold."""
        return hash_of(self.dataset), hash_of(self.algorithm), self.fold


def splits(text: str) -> Iterator[WrittenItem]:
    """Yield every way to read a text as an algorithm, with or without a dataset, a fold and a seed.

    A hyperparameter's value may have slashes, and a class may be called ``fold_1``.
    """
    for body, fold, seed in [(text, None, None), *_last_parts(text)]:
        yield WrittenItem(None, body, fold, seed)
        for slash in (position for position, character in enumerate(body) if character == "/"):
            yield WrittenItem(body[:slash], body[slash + 1 :], fold, seed)


def _last_parts(text: str) -> Iterator[tuple[str, int | None, int | None]]:
    """Yield every way to read the end of a text as a fold, a seed or both, the longest first: the rest, and these."""
    for match in filter(None, (pattern.fullmatch(text) for pattern in _LAST_PARTS)):
        fold, seed = (int(match[name]) if match[name] else None for name in ("fold", "seed"))
        yield match["body"], fold, seed


def written_names(text: str) -> Iterator[WrittenName]:
    """Yield every way to read the name of a configuration; a user's label may end like a hash, and have brackets."""
    match = _HASHED.fullmatch(text)
    for body, digits in ((text, ""), *([(match["body"], match["digits"])] if match else [])):
        yield WrittenName(body.strip(), {}, digits)
        for bracket in (position for position, character in enumerate(body) if character == "("):
            if not body.endswith(")"):
                continue
            first, _, rest = body[bracket + 1 : -1].partition(",")
            is_tuned = first.strip() == TUNED
            # Node ids have underscores where labels have spaces.
            text = rest.replace(",_", ",").removeprefix("_") if is_tuned else body[bracket + 1 : -1]
            arguments = arguments_in(text)
            if arguments is not None:
                name = body[:bracket].strip()
                yield WrittenName(name, arguments, digits, is_tuned)
                if is_tuned and name.endswith("_"):
                    yield WrittenName(name[:-1], arguments, digits, is_tuned)


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
    """Return dataset, algorithm, fold and seed of an item's name, or None when it is none."""
    body, fold, seed = next(_last_parts(name), (name, None, None))
    dataset, slash, algorithm = body.partition("/")
    return NodeParts(dataset, algorithm, fold, seed) if slash else None


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
