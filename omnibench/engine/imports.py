"""What of OmniRec's checkpoints can be trusted: experiments whose predictions fit the split that they were made on.

OmniRec keeps predictions in its checkpoint directory, and the splits they were made on only in the directory that was given
as ``tmp_dir``. Its names do not identify data (their hash is of the number of rows), so everything is looked at by content:
the parts of all experiments of a dataset have to be equal, and lists may hold nothing that their user has in training.
Numbers that OmniRec computed are not taken over; the predictions are evaluated anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.given import GivenParts, dataset_of_parts
from omnibench.errors import DataError, OmnibenchError
from omnibench.experiment.imported import training_digest

if TYPE_CHECKING:
    import pandas as pd

    from omnibench.data.dataset import RecSysDataSet

_EVAL = 2
"""The number of OmniRec's phase Eval: predictions are complete from there on."""

_COLUMNS = {"user", "item", "score", "rank"}


@dataclass(frozen=True)
class Imported:
    """An experiment whose predictions can be evaluated.

    Attributes:
        name: Its name in OmniRec, ``dataset-hash/algorithm-hash-seed``.
        algorithm: The algorithm, with its framework.
        configuration: Its hyperparameters.
        seed: The random state of its run, or nothing.
        files: The files of predictions by sha256.
        predictions: The sha256 of each fold's file, by the digest of its training part.
        length: The length of the longest list.
        remarks: What is worth knowing about it.
    """

    name: str
    algorithm: str
    configuration: Mapping[str, Any]
    seed: str
    files: Mapping[str, Path]
    predictions: Mapping[str, str]
    length: int
    remarks: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """The hyperparameters of ``OmniRecPredictions``, which identify it by content."""
        return {
            "algorithm": self.algorithm,
            "configuration": dict(self.configuration),
            "predictions": dict(self.predictions),
            "seed_of_origin": self.seed,
        }


@dataclass
class Importable:
    """What a checkpoint directory of OmniRec holds.

    Attributes:
        datasets: Each dataset, with the experiments on it.
        refused: Why an experiment is not taken over, by its name.
    """

    datasets: list[tuple[RecSysDataSet, list[Imported]]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    """An experiment of OmniRec's progress file."""

    dataset: str
    configuration: str
    next_phase: int
    next_fold: int | None
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.dataset}/{self.configuration}"


def importable(root: Path, splits: Path | None) -> Importable:
    """Look at everything in OmniRec's checkpoints; nothing is written.

    Args:
        root: The checkpoint directory.
        splits: The directory that was OmniRec's ``tmp_dir``, or None where it was not kept.

    Raises:
        OmnibenchError: These are no checkpoints of OmniRec.
    """
    result = Importable()
    by_split: dict[tuple[str, tuple[str, ...]], tuple[list[GivenParts], list[Imported]]] = {}
    for job in _jobs(root):
        try:
            folds = _folds(job, root)
            parts = [_parts(splits and splits / job.dataset / job.configuration / fold) for fold in folds]
            experiment = _checked(job, root, folds, parts)
        except DataError as error:
            result.refused[job.name] = str(error)
            continue
        identity = (job.dataset, tuple(experiment.predictions))
        by_split.setdefault(identity, (parts, []))[1].append(experiment)
    for (namehash, _), (parts, experiments) in by_split.items():
        try:
            dataset = dataset_of_parts(parts, namehash.rpartition("-")[0], folded=len(experiments[0].predictions) > 1)
        except DataError as error:
            result.refused |= {experiment.name: str(error) for experiment in experiments}
            continue
        result.datasets.append((dataset, experiments))
    return result


def _jobs(root: Path) -> Iterator[_Job]:
    try:
        jobs = json.loads((root / "progress.json").read_text(encoding="utf-8"))["jobs"]
        for key, job in jobs.items():
            dataset, _, configuration = key.partition("|")
            yield _Job(dataset, configuration, int(job["next_phase"]), job.get("next_fold"), job.get("config") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OmnibenchError(
            f"{str(root)!r} holds no checkpoints of OmniRec that can be read (progress.json: {error!r}); give the directory that "
            "was its checkpoint_dir."
        ) from error


def _folds(job: _Job, root: Path) -> list[str]:
    """Return the directories of an experiment's folds, or of its single split, relative to its own.

    Raises:
        DataError: Predict has not ended in all of them.
    """
    directory = root / job.dataset / job.configuration
    if not directory.resolve().is_relative_to(root.resolve()):
        raise DataError("its name leads out of the checkpoint directory.")
    if job.next_fold is None:
        if job.next_phase < _EVAL:
            raise DataError("it has no complete predictions: Predict had not ended.")
        return ["."]
    numbers = sorted(int(path.name[5:]) for path in directory.glob("fold_*") if path.name[5:].isdigit())
    done = job.next_fold + (job.next_phase >= _EVAL)
    if not numbers or numbers[-1] + 1 != len(numbers):
        raise DataError("its folds are not all there.")
    if len(numbers) > done:
        raise DataError(f"it has complete predictions of {done} of {len(numbers)} folds only.")
    return [f"fold_{number}" for number in numbers]


def _parts(directory: Path | None) -> GivenParts:
    import pandas as pd

    if directory is None:
        raise DataError(
            "its predictions are there, but not the split that they were made on: OmniRec keeps it only in a directory that it "
            "was given as tmp_dir. If you have that, name it with --splits."
        )
    frames = []
    for name in ("train", "val", "test"):
        file = directory / f"{name}.csv"
        try:
            frame = pd.read_csv(file)
        except (OSError, ValueError) as error:
            raise DataError(f"its split cannot be read ({file}: {error}).") from error
        if not {"user", "item"} <= set(frame.columns):
            raise DataError(f"its split cannot be used: {file} has the columns {', '.join(map(str, frame.columns))}.")
        frames.append(frame[[column for column in ("user", "item", "timestamp") if column in frame.columns]])
    return GivenParts(*frames)


def _checked(job: _Job, root: Path, folds: list[str], parts: list[GivenParts]) -> Imported:
    """Return an experiment, when all of its predictions are recommendations that fit its split.

    Raises:
        DataError: They are not.
    """
    files: dict[str, Path] = {}
    predictions: dict[str, str] = {}
    length, held_out, unserved = 0, 0, 0
    for fold, fold_parts in zip(folds, parts, strict=True):
        file = root / job.dataset / job.configuration / fold / "predictions.json"
        content, frame = _read(file)
        length = max(length, _check_lists(frame, fold_parts, file))
        held_out += len(frame.merge(fold_parts.validation[["user", "item"]].drop_duplicates(), on=["user", "item"]))
        unserved += len(set(fold_parts.test["user"]) - set(frame["user"]))
        sha256 = hashlib.sha256(content).hexdigest()
        files[sha256] = file
        predictions[training_digest(fold_parts.train)] = sha256
    if len(predictions) < len(folds):
        raise DataError("two of its folds have the same training part, so they are no folds.")
    remarks = []
    if held_out:
        remarks.append(
            f"{held_out} recommendations are interactions of the validation part, which omnibench never recommends; they are left "
            "out, and the lists close up"
        )
    if unserved:
        remarks.append(
            f"{unserved} test users have no recommendations and count 0; OmniRec leaves them out of its means"
        )
    stem, _, last = job.configuration.rpartition("-")
    with_seed = last.isdigit() and "-" in stem and len(stem.rpartition("-")[2]) == 8  # noqa: PLR2004 - digits of its hash
    algorithm = stem.rpartition("-")[0] if with_seed else stem
    return Imported(
        job.name, algorithm, job.parameters, last if with_seed else "", files, predictions, length, tuple(remarks)
    )


def _read(file: Path) -> tuple[bytes, pd.DataFrame]:
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


def _check_lists(frame: pd.DataFrame, parts: GivenParts, file: Path) -> int:
    """Refuse lists that cannot be of this split; return the length of the longest."""
    if frame.empty:
        raise DataError(f"its predictions are empty ({file}).")
    if frame.duplicated(["user", "item"]).any() or frame.duplicated(["user", "rank"]).any():
        raise DataError(f"a list has an item, or a rank, twice ({file}).")
    if frame["rank"].isna().any() or frame["score"].isna().any():
        raise DataError(f"a recommendation has no rank or no score ({file}).")
    for column in ("user", "item"):
        split_ids = set(parts.train[column]) | set(parts.validation[column]) | set(parts.test[column])
        strangers = set(frame[column]) - split_ids
        if strangers:
            raise DataError(
                f"{len(strangers)} {column}s of its predictions are not in its split, so they were made on another ({file})."
            )
    seen = frame.merge(parts.train[["user", "item"]].drop_duplicates(), on=["user", "item"])
    if len(seen):
        raise DataError(
            f"{len(seen)} of {len(frame)} recommendations are in the user's training part, so the predictions were made on "
            f"another split ({file})."
        )
    return int(frame.groupby("user").size().max())
