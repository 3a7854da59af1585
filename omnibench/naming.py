"""Readable labels: what people call a configuration or a dataset, e.g. ``RecPack.ItemKNN(K=100)``.

A label says in what a configuration differs from the others that it is shown with, and no more. It is never part of a
key. Where two labels would be equal, the hash of the display name tells them apart.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omnibench.keys import DISPLAY_DIGITS

LONGEST_VALUE = 40
"""Characters of a hyperparameter's value in a label; longer ones are cut, and the hash tells them apart."""

MOST_PARAMETERS = 6
"""Hyperparameters in a label; of more, the first ones are shown and the others counted."""

TUNED = "tuned"
"""What labels say of a configuration that a search chooses, in parentheses behind the algorithm's name."""

LABELS, HASHES = "labels", "hash"
"""What tables call configurations and datasets: by readable labels, or as directories of the store, ``name-hash``."""

_EXACT = 2**53
"""Whole numbers below are told apart as floating-point numbers, too."""

_PLAIN_TYPES = frozenset({bool, int, float, type(None)})

_IS_TUNED = re.compile(rf" \({TUNED}(?:, .*)?\)$")
_UNSAFE = re.compile(r"[^\w.+-]")
_UNSAFE_NAME = re.compile(r"[^\w.+()=,-]")


@dataclass(frozen=True, slots=True)
class Configured:
    """What a label is made of.

    Attributes:
        name: The display name, which is unique, e.g. ``RecPack.ItemKNN-b7d4a9f1``.
        algorithm: The algorithm, e.g. ``RecPack.ItemKNN``.
        parameters: The hyperparameters that were given.
        circumstances: What else may differ, e.g. the seed; shown only where it alone tells two configurations apart.
        label: The user's own label; empty where there is none.
    """

    name: str
    algorithm: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""


def labels(configurations: Iterable[Configured]) -> dict[str, str]:
    """Return the label of each configuration, by its display name; no two are equal.

    Args:
        configurations: All that are shown together.
    """
    by_name = {configuration.name: configuration for configuration in configurations}
    texts: dict[str, str] = {}
    for base, group in _grouped(by_name.values(), lambda configuration: configuration.label or configuration.algorithm):
        differing = _differing([configuration.parameters for configuration in group])
        for configuration in group:
            texts[configuration.name] = _called(base, configuration.parameters, differing)
    # Labels of the user's own may be equal but for their capitals; then their hyperparameters tell them apart, too.
    for mappings in (
        {name: configuration.parameters for name, configuration in by_name.items()},
        {name: configuration.circumstances for name, configuration in by_name.items()},
    ):
        for _, namesakes in _grouped(
            list(by_name.values()), lambda configuration: texts[configuration.name].casefold()
        ):
            if len(namesakes) > 1:
                differing = _differing([mappings[configuration.name] for configuration in namesakes])
                for configuration in namesakes:
                    name = configuration.name
                    texts[name] = _with(texts[name], mappings[name], differing)
    for _, namesakes in _grouped(list(by_name.values()), lambda configuration: texts[configuration.name].casefold()):
        if len(namesakes) > 1:
            for configuration in namesakes:
                texts[configuration.name] += f"-{configuration.name.rpartition('-')[2]}"
    return texts


def tuned_label(name: str, arguments: Iterable[str] = ()) -> str:
    """Return what a tuned configuration is called, e.g. ``RecPack.EASE (tuned)`` or ``RecBole.BPR (tuned, epochs=50)``.

    Args:
        name: The algorithm's name, or the user's label.
        arguments: The hyperparameters that all trials have, and what else tells it from others, e.g. ``epochs=50``.
    """
    return f"{name} ({', '.join([TUNED, *arguments])})"


def one_line_label(label: str) -> str:
    """Return a label as people have written it, on one line and without characters that cannot be seen."""
    return "".join(letter for letter in " ".join(label.split()) if letter.isprintable())


def plain_label(label: str) -> str:
    """Return a label without what would break a node id or a command line."""
    return _UNSAFE_NAME.sub("_", label.strip())


def number_text(value: str) -> str:
    """Return the same text for ``10``, ``10.0`` and ``1e1``, which are one number; other texts as they are."""
    try:
        number = float(value)
    except ValueError:
        return value
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else repr(number)


def parameter_text(name: str) -> str:
    """Return a hyperparameter's name as labels show it; what takes any keyword may have names that no code could write."""
    return name if name.isidentifier() else _UNSAFE.sub("_", name)


def value_text(value: Any) -> str:
    """Return a hyperparameter's value as labels show it, e.g. ``0.01``, ``cosine`` or ``(64,32)``."""
    if type(value) in _PLAIN_TYPES:
        return str(value)
    text = full_value_text(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 2]}.."


def full_value_text(value: Any) -> str:
    """Return a hyperparameter's value as labels show it, but at full length."""
    if isinstance(value, Mapping):
        members = (f"{full_value_text(name)}={full_value_text(inner)}" for name, inner in value.items())
        return f"({','.join(members)})"
    if isinstance(value, list | tuple):
        return f"({','.join(full_value_text(element) for element in value)})"
    if hasattr(value, "dtype") and hasattr(value, "item"):
        value = value.item()
    return _UNSAFE.sub("_", str(getattr(value, "value", value)))


def first_few(names: Sequence[str], limit: int) -> str:
    """Return the first names of a sequence for a sentence, and how many more there are, e.g. ``a, b and 3 more``."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"


def pieces(text: str) -> Iterator[str]:
    """Yield what stands between the commas of a text, except for those inside of brackets or quotation marks."""
    depth, start, quote = 0, 0, ""
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth <= 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def keyword(name: str, value: str) -> str:
    """Return the text by which ``-k`` finds a hyperparameter's value, and no value that only begins so."""
    return f":{name}:{_UNSAFE.sub('/', number_text(value))}:"


_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\([\w.+=,-]*\)|[\w.+-]+)")
_LABEL = re.compile(
    rf"(?<![\w.+-])(?!(?:and|or|not)\()([\w.+-]+)\((\s*{_ASSIGNMENT.pattern}(?:\s*,\s*{_ASSIGNMENT.pattern})*)(?:,\+\d+)?\s*\)"
)
"""A label as tables show it, e.g. ``ItemKNN(K=100,similarity=cosine)``."""


def with_keywords(expression: str) -> str:
    """Return an expression of ``-k`` in which ``K=100``, which pytest does not know, stands as a ``keyword``.

    A whole label, e.g. ``ItemKNN(K=100,similarity=cosine)``, stands for its name and all of its hyperparameters.
    """

    def of_label(match: re.Match[str]) -> str:
        assignments = (assignment[0] for assignment in _ASSIGNMENT.finditer(match[2]))
        return f"({' and '.join([match[1], *assignments])})"

    return _ASSIGNMENT.sub(lambda match: keyword(match[1], match[2]), _LABEL.sub(of_label, expression))


@functools.lru_cache(maxsize=4096)
def node_name(label: str, name: str, key: str, digits: int = DISPLAY_DIGITS) -> str:
    """Return what node ids call a configuration or a dataset: its label and the first digits of a key.

    Args:
        label: Its label.
        name: The name that is used where the label is empty.
        key: A key that does not depend on the user's code.
        digits: How many digits are shown.
    """
    return f"{plain_label(label or name)}-{key[:digits]}"


def _called(base: str, parameters: Mapping[str, Any], differing: Sequence[str]) -> str:
    names = [name for name in differing if name in parameters]
    words = [f"{parameter_text(name)}={value_text(parameters[name])}" for name in names[:MOST_PARAMETERS]]
    if len(names) > MOST_PARAMETERS:
        words.append(f"+{len(names) - MOST_PARAMETERS}")
    return _merged(base, words)


def _with(text: str, circumstances: Mapping[str, Any], differing: Sequence[str]) -> str:
    """Return a label with what else tells its configuration apart."""
    words = [f"{parameter_text(name)}={value_text(circumstances[name])}" for name in differing if name in circumstances]
    return _merged(text, words, extends=True)


def _merged(text: str, words: Sequence[str], *, extends: bool = False) -> str:
    """Return a label with more words in its parentheses; those of the user's own label stay as they are.

    Args:
        text: The label.
        words: What is to be in its parentheses, e.g. ``K=100``.
        extends: Whether parentheses at its end are the label's, not the user's.
    """
    if not words:
        return text
    if _IS_TUNED.search(text):
        return f"{text[:-1]}, {', '.join(words)})"
    return f"{text[:-1]},{','.join(words)})" if extends and text.endswith(")") else f"{text}({','.join(words)})"


def _differing(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names that do not have the same value in all mappings, in the order in which they come."""
    names = dict.fromkeys(name for mapping in mappings for name in mapping)
    return [name for name in names if len({_identity(mapping, name) for mapping in mappings}) > 1]


def _identity(mapping: Mapping[str, Any], name: str) -> Hashable:
    if name not in mapping:
        return None
    value = mapping[name]
    return (type(value), value if type(value) in _PLAIN_TYPES else repr(value))


def _grouped(
    configurations: Iterable[Configured], text_of: Callable[[Configured], str]
) -> list[tuple[str, list[Configured]]]:
    groups: dict[str, list[Configured]] = {}
    for configuration in configurations:
        groups.setdefault(text_of(configuration), []).append(configuration)
    return list(groups.items())
