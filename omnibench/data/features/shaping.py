"""Raw columns of texts as features: what a definition says of lists, flags, coded values and repeated rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omnibench.data.features.files import typed_texts
from omnibench.data.files.text import integers_of
from omnibench.errors import DataError
from omnibench.guest.feature_types import singular

if TYPE_CHECKING:
    import pandas as pd

Texts = Mapping[str, Sequence[str | None]]
"""Columns of a raw file by name, None for what is missing."""

_FLAGS = {"0": False, "1": True, None: False}


@dataclass(frozen=True, slots=True)
class FeatureShape:
    """What the columns of a raw file of features become.

    Attributes:
        lists: What separates the members of columns that hold several, by name.
        flags: Features that are made of columns of 0 and 1: by the feature's name the text that each column stands for.
        words: What the codes of a column stand for, by its name; it becomes a text.
        texts: Columns that stay texts although all of them are numbers, such as postcodes and codes without words.
        gathered: Whether a user or item has several rows, such as one for each tag: then each feature becomes the list of
            its different texts.
    """

    lists: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    gathered: bool = False

    def names(self, columns: Sequence[str]) -> list[str]:
        """Return the names of the features.

        Args:
            columns: The names of the raw columns, without that of the ids.
        """
        flags = {column for texts in self.flags.values() for column in texts}
        return sorted([*(column for column in columns if column not in flags), *self.flags])

    def frame(self, columns: Texts, subject: str, source: str) -> pd.DataFrame:
        """Return the features as a frame.

        Args:
            columns: The raw columns, the ids as ``item`` or ``user``.
            subject: ``items`` or ``users``.
            source: The file's name in errors.

        Raises:
            DataError: A flag is neither 0 nor 1, or a code has no word.
        """
        import pandas as pd
        import pyarrow as pa

        id_name = singular(subject)
        own_ids: Any = columns[id_name]
        features: dict[str, Any] = {name: texts for name, texts in columns.items() if name != id_name}
        if self.gathered:
            own_ids, features = _gathered(own_ids, features)
        features = {**features, **{name: self._flagged(features, name, source) for name in self.flags}}
        for name in {column for texts in self.flags.values() for column in texts}:
            del features[name]
        for name, words in self.words.items():
            features[name] = [_word(code, words, name, source) for code in features[name]]
        integers = None if None in own_ids else integers_of(pa.array(own_ids, pa.string()))
        frame = {id_name: pd.Series(own_ids, dtype=object) if integers is None else pd.Series(integers)}
        as_they_are = {*self.texts, *self.words, *self.flags, *(features if self.gathered else ())}
        for name, entries in features.items():
            is_text = name in as_they_are or name in self.lists
            frame[name] = pd.Series(entries, dtype=object) if is_text else typed_texts(pa.array(entries, pa.string()))
        return pd.DataFrame(frame)

    def _flagged(self, columns: Texts, name: str, source: str) -> list[list[str]]:
        texts = self.flags[name]
        rows: list[list[str]] = [[] for _ in next(iter(columns.values()))]
        for column, text in texts.items():
            for row, flag in enumerate(columns[column]):
                if flag not in _FLAGS:
                    raise DataError(
                        f"{source}: column {column!r} has {flag!r} in row {row}, where 0 or 1 says whether it is {text}."
                    )
                if _FLAGS[flag]:
                    rows[row].append(text)
        return rows


def _word(code: str | None, words: Mapping[str, str], name: str, source: str) -> str | None:
    if code is None:
        return None
    if code not in words:
        raise DataError(
            f"{source}: column {name!r} has {code!r}, which has no word; known are {', '.join(words)}. Add it to the definition."
        )
    return words[code]


def _gathered(own_ids: Sequence[str | None], features: Texts) -> tuple[list[str | None], dict[str, list[list[str]]]]:
    """Return each id once, and of each feature the different texts of its rows, in the order in which they come."""
    row_of = {own_id: row for row, own_id in enumerate(dict.fromkeys(own_ids))}
    gathered: dict[str, list[list[str]]] = {}
    for name, texts in features.items():
        members: list[dict[str, None]] = [{} for _ in row_of]
        for own_id, text in zip(own_ids, texts, strict=True):
            if text is not None:
                members[row_of[own_id]][text] = None
        gathered[name] = [list(texts) for texts in members]
    return list(row_of), gathered
