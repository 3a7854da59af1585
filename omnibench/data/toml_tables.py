"""Tables of a definition, key by key: what a table lacks, does not know or holds in the wrong type is said with its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from omnibench.errors import DataError, nearest

_WORDS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "a table",
    Mapping: "a table",
}

Value = TypeVar("Value")


def placeholders(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the keys of a definition whose values are still to be written in, e.g. ``reader.columns.kunde``."""
    keys: list[str] = []
    for key, value in values.items():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping):
                keys += placeholders(inner, f"{prefix}{key}.")
            elif _is_placeholder(inner):
                keys.append(f"{prefix}{key}")
    return keys


def _is_placeholder(value: object) -> bool:
    return isinstance(value, str) and value.startswith("<") and value.endswith(">")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a TOML file.

    Args:
        values: Its keys and values.
        label: Where it stands, as errors begin: ``movielens.toml, MovieLens1M, sources[1]``.
    """

    values: Mapping[str, Any]
    label: str

    def error(self, problem: str) -> DataError:
        """Return an error that begins with the table's label."""
        return DataError(f"{self.label}: {problem}")

    def check_keys(self, keys: Iterable[str], required: Iterable[str] = ()) -> None:
        """Refuse keys that are unknown here, and missing ones.

        Raises:
            DataError: Either.
        """
        valid = sorted(keys)
        for key in self.values:
            if key not in valid:
                raise self.error(f"there is no key {key!r}{nearest(key, valid)}; it takes {', '.join(valid)}.")
        for key in required:
            if key not in self.values:
                raise self.error(f"the key {key!r} is missing; add {key} = ... to it.")

    def get(self, key: str, expected: type[Value], default: Value) -> Value:
        """Return the value of a key, or a default where it is left out.

        Raises:
            DataError: It is of another type.
        """
        if key not in self.values:
            return default
        value = self.values[key]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise self.error(f"{key} is {value!r}; give {_WORDS[expected]}.")
        return value

    def text(self, key: str) -> str:
        """Return a text without blanks around it; an empty one where it is left out.

        Raises:
            DataError: It is no text, or empty.
        """
        value = self.get(key, str, "").strip()
        if key in self.values and not value:
            raise self.error(f"{key} is empty; give a text, or leave the key out.")
        self.refuse_placeholder(key, value)
        return value

    def refuse_placeholder(self, key: str, value: object) -> None:
        """Refuse a text in pointed brackets: a new definition has these where nobody but its author knows the value.

        Raises:
            DataError: It is one.
        """
        if _is_placeholder(value):
            raise self.error(f"{key} is still {value!r}; write it in, or delete that if you do not need it.")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, of which a single one may stand alone.

        Raises:
            DataError: It is neither.
        """
        value = self.values.get(key, [])
        if isinstance(value, str):
            return (self.text(key),)
        if not isinstance(value, Sequence) or not all(isinstance(text, str) and text.strip() for text in value):
            raise self.error(f"{key} is {value!r}; give a text, or a list of texts.")
        return tuple(value)

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """Return a text that is one of a few.

        Raises:
            DataError: It is another one.
        """
        value = self.text(key)
        if value not in choices:
            raise self.error(f"{key} is {value!r}{nearest(value, choices)}; give one of {', '.join(choices)}.")
        return value

    def table(self, key: str) -> Table:
        """Return the table under a key, an empty one where it is left out.

        Raises:
            DataError: It is no table.
        """
        return Table(self.get(key, dict, {}), f"{self.label}, {key}")

    def tables(self, key: str) -> list[Table]:
        """Return the tables of a list of tables.

        Raises:
            DataError: It is another thing.
        """
        values = self.get(key, list, [])
        for value in values:
            if not isinstance(value, dict):
                raise self.error(f"{key} is a list that holds {value!r}; write each as a table under [[{key}]].")
        return [Table(value, f"{self.label}, {key}[{index}]") for index, value in enumerate(values, start=1)]
