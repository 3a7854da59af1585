"""The files of OmniRec's experiments: the parts of a split, lists of recommendations, and whether they belong together.

Splits are CSV files, in the directory that was OmniRec's ``tmp_dir`` or in a ``.rsds`` file, which is a zip archive of
them. Nothing in a file is executed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.files.frames import read_csv_frame
from omnibench.data.given import GivenParts
from omnibench.errors import DataError, OmnibenchError

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {"user", "item", "score", "rank"}

_TOLERANCE = 1e-6
"""Between a mean that OmniRec has written down and the same mean computed here."""


class Splits:
    """Where the splits of experiments are: a directory per experiment, or a file that has the split of a dataset.

    Args:
        path: The directory that was OmniRec's ``tmp_dir``, or a ``.rsds`` file.

    Raises:
        OmnibenchError: It is neither.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise OmnibenchError(
                f"there is no {str(path)!r}; --splits takes the directory that was OmniRec's tmp_dir, or a .rsds file "
                f"(the working directory is {Path.cwd()})."
            )
        self._path = path
        self._archive: zipfile.Path | None = None
        if not path.is_dir():
            try:
                self._archive = zipfile.Path(path)
            except (OSError, zipfile.BadZipFile) as error:
                raise OmnibenchError(
                    f"{path} cannot be read as a .rsds file ({error}); --splits takes one that dataset.save() of OmniRec has "
                    "written, or the directory that was OmniRec's tmp_dir."
                ) from error

    def parts(self, experiment: str, fold: int | None) -> GivenParts:
        """Return the parts of an experiment's fold, or of its single split.

        Args:
            experiment: The experiment's directory in OmniRec, ``dataset-hash/algorithm-hash-seed``.
            fold: The fold's number; None for a single split.

        Raises:
            DataError: They are not there, or cannot be read.
        """
        if self._archive is not None:
            return _parts(self._archive if fold is None else self._archive / str(fold))
        directory = self._path / experiment
        return _parts(directory if fold is None else directory / f"fold_{fold}")


def _parts(directory: Path | zipfile.Path) -> GivenParts:

    frames = []
    for name in ("train", "val", "test"):
        file = directory / f"{name}.csv"
        try:
            with file.open(encoding="utf-8") as stream:
                frame = read_csv_frame(stream)
        except (FileNotFoundError, KeyError) as error:
            raise DataError(f"its split is not there ({file}).") from error
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"its split cannot be read ({file}: {error}).") from error
        if not {"user", "item"} <= set(frame.columns):
            raise DataError(f"its split cannot be used: {file} has the columns {', '.join(map(str, frame.columns))}.")
        frames.append(frame[[column for column in ("user", "item", "timestamp") if column in frame.columns]])
    return GivenParts(*frames)


def read_lists(file: Path) -> tuple[bytes, pd.DataFrame]:
    """Return a file of recommendations: its content, and its columns user, item, score and rank.

    Raises:
        DataError: It cannot be read, or holds something else.
    """
    import pandas as pd

    try:
        content = file.read_bytes()
        frame = pd.DataFrame(json.loads(content))
    except (OSError, ValueError) as error:
        raise DataError(f"its predictions cannot be read ({file}: {error}).") from error
    missing = _COLUMNS - set(frame.columns)
    if missing:
        hint = " They are predicted ratings, which are not taken over." if "rank" in missing else ""
        raise DataError(f"its predictions lack the columns {', '.join(sorted(missing))} ({file}).{hint}")
    return content, frame


def check_lists(frame: pd.DataFrame, parts: GivenParts, file: Path) -> int:
    """Refuse lists that cannot be of a split.

    Returns:
        The length of the longest list.

    Raises:
        DataError: They are not of this split.
    """
    if frame.empty:
        raise DataError(f"its predictions are empty ({file}).")
    if frame.duplicated(["user", "item"]).any() or frame.duplicated(["user", "rank"]).any():
        raise DataError(f"a list has an item, or a rank, twice ({file}).")
    if frame["rank"].isna().any() or frame["score"].isna().any():
        raise DataError(f"a recommendation has no rank or no score ({file}).")
    contradiction = _contradiction(frame)
    if contradiction:
        raise DataError(f"its ranks and scores contradict each other: {contradiction} ({file}).")
    for column in ("user", "item"):
        split_ids = set(parts.train[column]) | set(parts.validation[column]) | set(parts.test[column])
        strangers = set(frame[column]) - split_ids
        if strangers:
            raise DataError(
                f"{len(strangers)} {column}s of its predictions are not in its split, so they were made on another ({file})."
            )
    seen = _common(frame[frame["score"] != float("-inf")], parts.train)  # RecBole fills up with what it has ruled out
    if seen:
        raise DataError(
            f"{seen} of {len(frame)} recommendations are in the user's training part, so the predictions were made on "
            f"another split ({file})."
        )
    return int(frame.groupby("user").size().max())


def _contradiction(frame: pd.DataFrame) -> str:
    """Say where a score is higher than one at a better rank, or return nothing; -inf is what was ruled out."""
    ranked = frame[frame["score"] != float("-inf")].sort_values(["user", "rank"], kind="stable")
    rises = (ranked["score"].diff() > 0) & (ranked["user"] == ranked["user"].shift())
    if not rises.any():
        return ""
    number = int(rises.to_numpy().argmax())
    user, better, worse = ranked["user"].iloc[number], ranked.iloc[number - 1], ranked.iloc[number]
    return (
        f"user {user!r} has the score {better['score']!r} at rank {better['rank']} and the higher {worse['score']!r} at rank "
        f"{worse['rank']}, in all {int(rises.sum())} of {len(frame)} recommendations"
    )


def held_out(frame: pd.DataFrame, parts: GivenParts, length: int) -> tuple[int, int]:
    """Count what lists have of the validation part, and the lists that are shorter than before without it.

    Args:
        frame: The lists.
        parts: The split.
        length: What is at higher ranks is not looked at.
    """
    listed = frame[frame["rank"] <= length].merge(
        parts.validation[["user", "item"]].drop_duplicates(), on=["user", "item"]
    )
    return len(listed), listed["user"].nunique()


def check_folds(folds: Sequence[GivenParts]) -> None:
    """Refuse folds of a cross-validation that has not ended: their test parts have to cover everything.

    OmniRec writes down nowhere how many folds there are, and makes the files of one after the other.

    Raises:
        DataError: Folds are missing, or two are equal.
    """
    import pandas as pd

    interactions = len(pd.concat(folds[0])[["user", "item"]].drop_duplicates())
    tested = sum(len(fold.test[["user", "item"]].drop_duplicates()) for fold in folds)
    if tested < interactions:
        raise DataError(
            f"its {len(folds)} folds test {tested:,} of {interactions:,} interactions, so its cross-validation has more folds, "
            "which had not begun."
        )


def disagreements(frame: pd.DataFrame, test: pd.DataFrame, recorded: Sequence[dict[str, Any]]) -> list[str]:
    """Return the recorded values that the lists do not have by OmniRec's own definitions.

    Args:
        frame: The lists.
        test: The test part.
        recorded: Rows of OmniRec's results, with ``name``, ``k`` and ``value``.
    """
    import numpy as np

    relevant = test[["user", "item"]].drop_duplicates()
    number = test.groupby("user").size()
    ranked = frame[frame["user"].isin(number.index)].sort_values(["user", "rank"])
    ranked = ranked.assign(position=ranked.groupby("user").cumcount() + 1)
    hits = ranked.merge(relevant, on=["user", "item"])
    hits = hits.assign(gain=1 / np.log2(hits["position"] + 1))
    number = number[sorted(ranked["user"].unique())]
    values: dict[str, float] = {}
    written: dict[str, list[float]] = {}
    for row in recorded:  # a run that lost its progress appends a second row for the same metric
        name, k = row["name"], row["k"]
        per_user = hits[hits["position"] <= k].groupby("user")
        hit_counts = per_user.size().reindex(number.index, fill_value=0)
        if name == "NDCG":
            ideal = np.cumsum(1 / np.log2(np.arange(1, k + 1) + 1))
            shares = per_user["gain"].sum().reindex(number.index, fill_value=0) / ideal[number.clip(upper=k) - 1]
        elif name == "Recall":
            shares = hit_counts / number.clip(upper=k)
        else:
            shares = hit_counts / k if name == "Precision" else hit_counts > 0
        values[f"{name}@{k}"] = float(shares.mean()) if len(shares) else 0.0
        written.setdefault(f"{name}@{k}", []).append(row["value"])
    return [
        f"{label} {numbers[-1]:.4f} and not {values[label]:.4f}"
        for label, numbers in written.items()
        if all(abs(value - values[label]) > _TOLERANCE for value in numbers)
    ]


def _common(frame: pd.DataFrame, part: pd.DataFrame) -> int:
    return len(frame.merge(part[["user", "item"]].drop_duplicates(), on=["user", "item"]))
