"""What is known about the movies and users of MovieLens-100K: the same features from any of the places that have them.

Movies have their genres, their title and the year in it; users age, gender, occupation and postcode. GroupLens' files
(``u.item``, ``u.user``) and those of the recbole package (``ml-100k.item``, ``ml-100k.user``) lie beside the ratings.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omnibench.data.digests import file_digest
from omnibench.data.features.columns import FeatureColumns, feature_columns
from omnibench.data.features.sources import remembered_digest
from omnibench.errors import DataError
from omnibench.guest.feature_types import singular

_GENRES = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The genres in the order of the flags in ``u.item``."""

_FIRST_FLAG = 5
_TITLE = re.compile(r"(?P<title>.*?) *\((?P<year>[0-9]{4})\)( *\(V\))?")
_NAMES = {"items": ("genres", "title", "year"), "users": ("age", "gender", "occupation", "postcode")}
_VERSION = 1
"""To be raised when the same files give other features."""


@dataclass(frozen=True)
class MovieLensFeatures:
    """The features of MovieLens-100K.

    Attributes:
        subject: ``items`` or ``users``.
        find_ratings: Returns the file or folder of the ratings, which has the features, too.
    """

    subject: str
    find_ratings: Callable[[], Path]

    @property
    def names(self) -> Sequence[str]:
        return _NAMES[self.subject]

    @cached_property
    def _file(self) -> Path:
        return _feature_file(self.find_ratings(), self.subject)

    @cached_property
    def digest(self) -> str:
        identity = ["MovieLens100K", _VERSION, self.subject, self._file.suffix, file_digest(self._file)]
        return remembered_digest(identity, lambda: self.read().digest())

    def read(self) -> FeatureColumns:
        """Return the features.

        Raises:
            DataError: The file is not what it should be.
        """
        import pandas as pd

        try:
            rows = _rows(self._file, self.subject)
            columns = _movies(rows, self._file) if self.subject == "items" else _users(rows)
        except (OSError, ValueError, IndexError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{self._file} does not have the {self.subject} of MovieLens-100K: {error}.") from error
        return feature_columns(pd.DataFrame(columns), self.subject, f"MovieLens100K, {self._file.name}")


def _feature_file(ratings: Path, subject: str) -> Path:
    """Return the file that has the features, beside that of the ratings or in the same archive."""
    if ratings.suffix == ".zip":
        return ratings
    folder = ratings if ratings.is_dir() else ratings.parent
    name = singular(subject)
    candidates = [folder / inner / f"{stem}.{name}" for inner in ("", "ml-100k") for stem in ("u", "ml-100k")]
    candidates.append(folder / "ml-100k.zip")
    existing = next((file for file in candidates if file.is_file()), None)
    if existing is None:
        raise DataError(
            f"MovieLens100K: there is no u.{name} or ml-100k.{name} beside the ratings in {folder}; put it there, or give "
            f"with_features({subject}=df)."
        )
    return existing


def _rows(path: Path, subject: str) -> list[list[str]]:
    """Return the fields of each line, without a header."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            content = archive.read(f"ml-100k/u.{singular(subject)}")
    else:
        content = path.read_bytes()
    is_atomic = path.name.startswith("ml-100k") and path.suffix != ".zip"
    text = content.decode("utf-8" if is_atomic else "latin-1")
    rows = [line.split("\t" if is_atomic else "|") for line in re.split(r"\r?\n", text) if line]
    return rows[1:] if is_atomic else rows


def _users(rows: list[list[str]]) -> dict[str, Any]:
    number, age, gender, occupation, postcode = zip(*rows, strict=True)
    return {
        "user": [int(user) for user in number],
        "age": [int(years) for years in age],
        "gender": list(gender),
        "occupation": list(occupation),
        "postcode": list(postcode),
    }


def _movies(rows: list[list[str]], path: Path) -> dict[str, Any]:
    is_atomic = path.suffix == ".item" and path.name.startswith("ml-100k")
    titles = [_title(row[1], row[2]) if is_atomic else _title(row[1], "") for row in rows]
    genres = [row[3].split() for row in rows] if is_atomic else [_flagged(row[_FIRST_FLAG:]) for row in rows]
    return {
        "item": [int(row[0]) for row in rows],
        "title": [title for title, _ in titles],
        "year": [year for _, year in titles],
        "genres": genres,
    }


def _flagged(flags: Sequence[str]) -> list[str]:
    return [genre for genre, flag in zip(_GENRES, flags, strict=True) if flag == "1"]


def _title(title: str, year: str) -> tuple[str | None, int | None]:
    """Return a movie's title and year; one movie has neither, and the title of another ends with a note on it.

    Args:
        title: The title, with the year behind it unless that is known.
        year: The year, or nothing.
    """
    if year.isdecimal():
        return title, int(year)
    parts = _TITLE.fullmatch(title.strip())
    return (None, None) if parts is None else (parts["title"], int(parts["year"]))
