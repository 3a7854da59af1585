"""What is known about users and items beside the interactions, as guests read it: with numpy alone.

A prepared dataset has a folder ``features/items`` or ``features/users`` for each subject that something is known about.
Its ``columns.json`` lists the names and types; column number n is ``n.npy``, with numbers by code, or with the positions
of texts in ``n.json``; of lists, ``n.first.npy`` says where each begins.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .feature_types import BOOLEAN, NO_TEXT, NUMBER, SUBJECTS, TEXT, TEXTS


class FeatureTable:
    """The features of a prepared dataset's users or items, by code.

    Args:
        directory: The folder of the subject, inside of the prepared dataset.

    Attributes:
        subject: ``items`` or ``users``.
        types: The type of each column, by name: ``number``, ``boolean``, ``text`` or ``texts``.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self.subject = self._directory.name
        described = json.loads((self._directory / "columns.json").read_text(encoding="utf-8"))
        self.types: dict[str, str] = {column["name"]: column["type"] for column in described["columns"]}

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} ({column_type})" for name, column_type in self.types.items())
        return f"<FeatureTable of {self.subject}: {columns}>"

    @property
    def names(self) -> list[str]:
        """The names of the columns, in alphabetical order."""
        return list(self.types)

    @cached_property
    def is_listed(self) -> npt.NDArray[np.bool_]:
        """Whether the features have a row for the user or item of each code; shape (codes,)."""
        return np.asarray(np.load(self._directory / "listed.npy"), dtype=bool)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column by code.

        Args:
            name: Its name.

        Returns:
            Shape (codes,). Of numbers and truth values (1 and 0) float64 with NaN for what is missing; of texts an object
            array of texts, and of lists an object array of lists of texts, with None for what is missing.

        Raises:
            KeyError: There is no such column.
        """
        column_type = self._type(name)
        values = self._array(name)
        if column_type in (NUMBER, BOOLEAN):
            return values
        texts: npt.NDArray[Any] = np.array([*self._texts(name), None], dtype=object)
        if column_type == TEXT:
            by_code: npt.NDArray[Any] = texts[values]
            return by_code
        first = self._array(name, ".first")
        lists = np.empty(len(first) - 1, dtype=object)
        decoded = texts[values].tolist()
        for code, (begin, end) in enumerate(zip(first[:-1].tolist(), first[1:].tolist(), strict=True)):
            lists[code] = None if end == begin + 1 and values[begin] == NO_TEXT else decoded[begin:end]
        return lists

    def categories(self, name: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Return a column of texts or truth values as positions in the list of its different values.

        Args:
            name: The column's name.

        Returns:
            int32 positions by code, shape (codes,), -1 for what is missing; and the values, in alphabetical order.

        Raises:
            KeyError: There is no such column.
            TypeError: It has numbers, or lists of texts: more than a value each, or one that may be any.
        """
        column_type = self._type(name)
        if column_type == TEXT:
            return self._array(name), self._texts(name)
        if column_type == BOOLEAN:
            values = self._array(name)
            return np.where(np.isnan(values), NO_TEXT, values).astype(np.int32), ["False", "True"]
        raise TypeError(f"the feature {name!r} of {self.subject} is a column of type {column_type}, not of categories")

    def members(self, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], list[str]]:
        """Return a column of lists of texts without a list for each: as a sparse matrix has it.

        Args:
            name: The column's name.

        Returns:
            Where the list of each code begins in the positions, int64, shape (codes + 1,); positions in the texts, int32,
            -1 for a list that is missing; and the texts, in alphabetical order.

        Raises:
            KeyError: There is no such column.
            TypeError: It has no lists.
        """
        if self._type(name) != TEXTS:
            raise TypeError(
                f"the feature {name!r} of {self.subject} is a column of type {self.types[name]}, not of lists"
            )
        return self._array(name, ".first"), self._array(name), self._texts(name)

    def _type(self, name: str) -> str:
        if name not in self.types:
            raise KeyError(f"the {self.subject} have no feature {name!r}; they have {', '.join(self.types) or 'none'}")
        return self.types[name]

    def _array(self, name: str, ending: str = "") -> npt.NDArray[Any]:
        return np.asarray(np.load(self._directory / f"{self.names.index(name)}{ending}.npy", mmap_mode="c"))

    def _texts(self, name: str) -> list[str]:
        path = self._directory / f"{self.names.index(name)}.json"
        texts: list[str] = json.loads(path.read_text(encoding="utf-8"))
        return texts


def read_features(dataset: str | Path, subject: str) -> FeatureTable | None:
    """Return what a prepared dataset has about its items or users; None for nothing.

    Args:
        dataset: The directory of the prepared dataset.
        subject: ``items`` or ``users``.

    Raises:
        ValueError: There are no other subjects.
    """
    if subject not in SUBJECTS:
        raise ValueError(f"there are features of {' and '.join(SUBJECTS)}, not of {subject!r}")
    directory = Path(dataset) / "features" / subject
    return FeatureTable(directory) if directory.is_dir() else None
