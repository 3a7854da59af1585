"""A small bookshop: who bought what, and what is known about both, also as RecBole's own scripts read it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

USERS, ITEMS = 60, 40


def users() -> pd.DataFrame:
    """Return a text, a truth value and a number of each user, some of them missing."""
    number = np.arange(USERS)
    frame = pd.DataFrame({"user": number, "gender": np.where(number % 2, "f", "m"), "member": number % 3 == 0})
    frame["age"] = 20.0 + number % 30
    listed = frame.set_index("user")[number % 11 != 5].reindex(number)
    rows: pd.DataFrame = listed.rename_axis("user").reset_index()
    return rows


def items() -> pd.DataFrame:
    """Return lists of texts, a text and a number of each item, some of them missing, and a list that is empty."""
    number = np.arange(ITEMS)
    genres = [["crime", "dark night", "romance", "war"][: item % 5] if item % 7 else None for item in number]
    studio = [("north", "south", None)[item % 3] for item in number]
    price = np.where(number % 5 == 0, np.nan, number * 7 % 11)
    return pd.DataFrame({"item": number, "genres": genres, "studio": studio, "price": price})


def likes() -> pd.DataFrame:
    """Return users of whom each has a dozen items, most of one studio."""
    rng = np.random.default_rng(3)
    liked = [rng.permutation(ITEMS)[:16] for _ in range(USERS)]
    rows = [
        (user, item) for user, own in enumerate(liked) for item in own if item % 3 == user % 3 or rng.random() < 0.5
    ]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    return frame.assign(timestamp=1_000_000 + 1000 * rng.permutation(len(frame)))


def as_recbole_reads_it(frame: pd.DataFrame, subject: str, own_ids: Sequence[Hashable], path: Path) -> None:
    """Write features in RecBole's form, by code, with its columns in alphabetical order."""
    types = {
        "gender": "token",
        "member": "token",
        "age": "float",
        "genres": "token_seq",
        "studio": "token",
        "price": "float",
    }
    rows = frame.set_index(subject).loc[list(own_ids)]
    columns: dict[str, Any] = {f"{subject}_id:token": range(len(rows))}
    for name in sorted(rows.columns):
        texts = rows[name].map(lambda value: "|".join(value) if isinstance(value, list) else value)
        columns[f"{subject}.{name}:{types[name]}"] = texts.to_numpy()
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)
