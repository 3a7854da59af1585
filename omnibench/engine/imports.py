"""What of OmniRec's checkpoints can be trusted: experiments whose predictions fit the split that they were made on.

OmniRec keeps predictions in its checkpoint directory, and the splits they were made on only in the directory that was
given as ``tmp_dir``, or in what ``dataset.save`` has written. Its names do not identify data (their hash is of the
number of rows), so everything is looked at by content: the parts of all experiments of a dataset have to be equal, and
lists may hold nothing that their user has in training. Numbers that OmniRec computed are not taken over; the
predictions are evaluated anew. Where it has written down numbers that its predictions do not have on their split, that
is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from omnibench.data.given import GivenParts, dataset_of_parts
from omnibench.engine.omnirec_files import Splits, check_folds, check_lists, disagreements, held_out, read_lists
from omnibench.errors import DataError, OmnibenchError
from omnibench.experiment.imported import training_digest
from omnibench.store.beneath import has_link
from omnibench.store.checks import abridged, is_natural, object_of, of_type, optional

if TYPE_CHECKING:
    import pandas as pd

    from omnibench.data.dataset import RecSysDataSet

_EVAL = 2
"""The number of OmniRec's phase Eval: predictions are complete from there on."""

_RANKING = frozenset({"NDCG", "HR", "Recall", "Precision"})
"""OmniRec's metrics of recommendations."""


@dataclass(frozen=True)
class Imported:
    """An experiment whose predictions can be evaluated.

    Attributes:
        name: Its name in OmniRec, ``dataset-hash/algorithm-hash-seed``.
        algorithm: The algorithm, with its framework.
        configuration: Its hyperparameters.
        seed: The random state of its run, or nothing.
        files: The files of predictions by sha256.
        predictions: The sha256 of each fold's file, by the digest of its training part; also those of the same
            configuration on other datasets.
        length: The rank up to which it has recommendations.
        metrics: Its metrics in OmniRec's results, by name and k.
        remarks: What is worth knowing about it.
    """

    name: str
    algorithm: str
    configuration: Mapping[str, Any]
    seed: str
    files: Mapping[str, Path]
    predictions: Mapping[str, str]
    length: int
    metrics: frozenset[tuple[str, int]] = frozenset()
    remarks: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The text by which configurations of OmniRec are equal: algorithm, hyperparameters and random state."""
        return json.dumps([self.algorithm, self.configuration, self.seed], sort_keys=True)

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
        splits: The directory that was OmniRec's ``tmp_dir`` or a ``.rsds`` file, or None where there is neither.

    Raises:
        OmnibenchError: These are no checkpoints of OmniRec, or no splits.
    """
    result = Importable()
    jobs = list(_jobs(root))
    split_files = None if splits is None else Splits(splits)
    recorded = _recorded(root)
    by_split: dict[tuple[str, tuple[str, ...]], tuple[list[GivenParts], list[Imported]]] = {}
    for job in jobs:
        try:
            folds = _folds(job, root)
            parts = _parts(job, folds, split_files)
            rows = [row for row in recorded if (row["dataset"], row["algorithm"]) == (job.dataset, job.configuration)]
            experiment = _checked(job, root, folds, parts, rows)
        except DataError as error:
            result.refused[job.name] = str(error)
            continue
        identity = (job.dataset, tuple(experiment.predictions))
        by_split.setdefault(identity, (parts, []))[1].append(experiment)
    for (namehash, _), (parts, experiments) in by_split.items():
        try:
            dataset = dataset_of_parts(parts, namehash.rpartition("-")[0], folded=len(parts) > 1)
        except DataError as error:
            result.refused |= {experiment.name: str(error) for experiment in experiments}
            continue
        result.datasets.append((dataset, experiments))
    result.datasets = _as_configurations(result.datasets)
    return result


def _as_configurations(
    datasets: list[tuple[RecSysDataSet, list[Imported]]],
) -> list[tuple[RecSysDataSet, list[Imported]]]:
    """Return experiments that are one configuration on all of their datasets, as they were in OmniRec.

    The predictions are a part of the configuration; so each of its experiments names those of all datasets. Where the
    same training part has two files, e.g. under two names of a dataset, they cannot be told apart and stay
    configurations of their own.
    """
    shared: dict[str, dict[str, str]] = {}
    ambiguous: set[str] = set()
    for _, experiments in datasets:
        for experiment in experiments:
            predictions = shared.setdefault(experiment.origin, {})
            if any(predictions.get(digest, sha256) != sha256 for digest, sha256 in experiment.predictions.items()):
                ambiguous.add(experiment.origin)
            predictions.update(experiment.predictions)
    return [
        (
            dataset,
            [
                experiment
                if experiment.origin in ambiguous
                else replace(experiment, predictions=dict(sorted(shared[experiment.origin].items())))
                for experiment in experiments
            ],
        )
        for dataset, experiments in datasets
    ]


_is_job = object_of(
    {"next_phase": is_natural}, {"next_fold": optional(is_natural), "config": of_type(dict, type(None))}
)


def _jobs(root: Path) -> Iterator[_Job]:
    try:
        jobs = json.loads((root / "progress.json").read_text(encoding="utf-8"))["jobs"]
        for key, job in jobs.items():
            dataset, _, configuration = key.partition("|")
            if not _is_job(job) or "\0" in key:
                raise ValueError(f"the job {key!r} is {abridged(job)}")  # noqa: TRY301 - told as what cannot be read at all
            yield _Job(dataset, configuration, int(job["next_phase"]), job.get("next_fold"), job.get("config") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OmnibenchError(
            f"{str(root)!r} holds no checkpoints of OmniRec that can be read (progress.json: {error!r}); give the directory that "
            "was its checkpoint_dir."
        ) from error


def _recorded(root: Path) -> list[dict[str, Any]]:
    """Return the rows of OmniRec's results that are of recommendations, with their dataset; none where they cannot be read."""
    try:
        results = json.loads((root / "results.json").read_text(encoding="utf-8"))
        return [
            {**row, "dataset": dataset, "k": int(row["k"]), "value": float(row["value"])}
            for dataset, rows in results.items()
            for row in rows
            if row["name"] in _RANKING and row["k"] and "algorithm" in row
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return []


def _parts(job: _Job, folds: list[int | None], splits: Splits | None) -> list[GivenParts]:
    """Return the split of an experiment, fold by fold.

    Raises:
        DataError: It is not there, or has other folds.
    """
    if splits is None:
        way_out = (
            "run your script once more with tmp_dir='splits': OmniRec computes nothing anew, and writes it there."
            if folds == [None]
            else "dataset.save('split.rsds') in your script, after the step that splits, writes it into a file, which --splits "
            "takes as well."
        )
        raise DataError(
            "its predictions are there, but not the split that they were made on: OmniRec keeps it only in a directory that it "
            f"was given as tmp_dir. If you have that, name it with --splits. If not, {way_out}"
        )
    parts = [splits.parts(job.name, fold) for fold in folds]
    if job.next_fold is not None:
        check_folds(parts)
    return parts


def _folds(job: _Job, root: Path) -> list[int | None]:
    """Return the numbers of an experiment's folds; None for its single split.

    Raises:
        DataError: Predict has not ended in all of them.
    """
    relative = PurePath(job.dataset, job.configuration)
    if relative.is_absolute() or ".." in relative.parts:
        raise DataError("its name leads out of the checkpoint directory.")
    if has_link(root, relative):
        raise DataError("its directory is a link, or reached through one, which is not followed.")
    directory = root / relative
    if job.next_fold is None:
        if job.next_phase < _EVAL:
            raise DataError("it has no complete predictions: Predict had not ended.")
        return [None]
    numbers = sorted(int(path.name[5:]) for path in directory.glob("fold_*") if path.name[5:].isdigit())
    done = job.next_fold + (job.next_phase >= _EVAL)
    if not numbers or numbers[-1] + 1 != len(numbers):
        raise DataError("its folds are not all there.")
    if len(numbers) > done:
        raise DataError(f"it has complete predictions of only {done} of the {len(numbers)} folds that had begun.")
    return list(numbers)


def _checked(
    job: _Job, root: Path, folds: list[int | None], parts: list[GivenParts], recorded: list[dict[str, Any]]
) -> Imported:
    """Return an experiment, when all of its predictions are recommendations that fit its split.

    Raises:
        DataError: They are not.
    """
    directory = root / job.dataset / job.configuration
    paths = [(directory if fold is None else directory / f"fold_{fold}") / "predictions.json" for fold in folds]
    if any(has_link(root, path.relative_to(root)) for path in paths):
        raise DataError("its predictions.json is a link, or reached through one, which is not followed.")
    contents = [read_lists(path) for path in paths]
    files = {hashlib.sha256(content).hexdigest(): path for path, (content, _) in zip(paths, contents, strict=True)}
    predictions = {
        training_digest(fold_parts.train): hashlib.sha256(content).hexdigest()
        for (content, _), fold_parts in zip(contents, parts, strict=True)
    }
    lengths = [
        check_lists(frame, fold_parts, path)
        for (_, frame), fold_parts, path in zip(contents, parts, paths, strict=True)
    ]
    if len(predictions) < len(folds):
        raise DataError("two of its folds have the same training part, so they are no folds.")
    # OmniRec asks for as many recommendations as its largest k, and no list need have that many.
    length = max([*lengths, *(row["k"] for row in recorded)])
    stem, _, last = job.configuration.rpartition("-")
    with_seed = last.isdigit() and "-" in stem and len(stem.rpartition("-")[2]) == 8  # noqa: PLR2004 - digits of its hash
    return Imported(
        job.name,
        stem.rpartition("-")[0] if with_seed else stem,
        job.parameters,
        last if with_seed else "",
        files,
        predictions,
        length,
        frozenset((row["name"], row["k"]) for row in recorded),
        tuple(_remarks(folds, parts, [frame for _, frame in contents], recorded, length)),
    )


def _remarks(
    folds: list[int | None],
    parts: list[GivenParts],
    frames: list[pd.DataFrame],
    recorded: list[dict[str, Any]],
    length: int,
) -> Iterator[str]:
    """Say what is worth knowing about an experiment's lists."""
    counts = [held_out(frame, fold_parts, length) for frame, fold_parts in zip(frames, parts, strict=True)]
    items, lists = (sum(numbers) for numbers in zip(*counts, strict=True))
    if items:
        yield (
            f"{items:,} recommendations are interactions of the validation part, which omnibench never recommends; they are left "
            f"out, and {lists:,} of {sum(frame['user'].nunique() for frame in frames):,} lists close up and end before rank "
            f"{length}: values at k near {length} are too low for them"
        )
    unserved = sum(
        len(set(fold_parts.test["user"]) - set(frame["user"])) for frame, fold_parts in zip(frames, parts, strict=True)
    )
    if unserved:
        yield f"{unserved:,} test users have no recommendations and count 0; OmniRec leaves them out of its means"
    for fold, fold_parts, frame in zip(folds, parts, frames, strict=True):
        rows = [row for row in recorded if row.get("fold") == fold]
        differences = disagreements(frame, fold_parts.test, rows)
        if differences:
            yield (
                f"OmniRec's results.json says {differences[0]}, which these lists have on this split"
                f"{'' if fold is None else f' (fold {fold})'}: results, lists and split are not all of one run"
            )
