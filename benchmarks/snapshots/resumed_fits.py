"""Are Fits that were killed and went on from a snapshot those that nobody killed? One row of a table for each algorithm.

python resumed_fits.py RecBole BPR LightGCN ...      (all iterative algorithms of the framework by default)
python resumed_fits.py RecBole --write               (also puts the rows into resumed_fits.json, for docs/resumed_fits.py)

Each algorithm is fitted on a small data set with and without a validation part: once without interruption, and three times
killed by SIGKILL after a snapshot: in the first epoch, in the middle (where possible between two batches), and before the
last epoch. Each goes on in another process, with another seed of Python's hashes. Compared are the bytes of everything in
the model, the files of predictions of all items, the metrics, and the series of losses and validation values.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import omnibench
from omnibench.data.prepare import prepare
from omnibench.engine.evaluation import evaluate
from omnibench.guest.folds import Fold
from omnibench.runners.environments import environment_of
from omnibench.runners.info import learns_from_features
from omnibench.runners.registry import get_runner

HERE = Path(__file__).parent
GUEST = Path(omnibench.__path__[0]) / "guest"
SEED = 42
USERS, ITEMS, EACH = 60, 90, 20
"""The size of the small data set: users, items, and interactions of each user."""

RESULTS = HERE / "resumed_fits.json"
"""The rows of the documentation by algorithm; written by ``--write``."""

METRICS = (omnibench.NDCG(10), omnibench.Recall(20), omnibench.ItemCoverage(10))
PARTS = ("parameters", "predictions", "metrics", "series", "went on")
"""What is compared."""

RATING_METRICS = (omnibench.RMSE(), omnibench.MAE())
WITHOUT_VALIDATION, WITH_VALIDATION = "without validation", "with validation"


@dataclass(frozen=True)
class Place:
    """Where a Fit is killed.

    Attributes:
        name: The name of the place.
        point: The number of the point where the snapshot is taken, from 1.
        iteration: The iterations that are finished there.
        within: Whether it is between two batches.
    """

    name: str
    point: int
    iteration: int
    within: bool

    def __str__(self) -> str:
        return f"{self.iteration}{'+' if self.within else ''}"


@dataclass(frozen=True)
class Comparison:
    """A Fit that went on, against the one without interruption.

    Attributes:
        algorithm: The name of the algorithm, with its framework.
        data: With or without validation.
        iterations: How many iterations the Fit without interruption has had.
        place: Where the other was killed.
        equal: What was compared, and whether it is equal to the byte.
        size: The bytes of the snapshot.
        seconds: What it took to write it.
        memory: The peak of the guest's memory during the snapshot, as a multiple of what it had before.
        error: Why there is nothing to compare; empty where there is.
    """

    algorithm: str
    data: str
    iterations: int
    place: Place
    equal: dict[str, bool]
    size: int
    seconds: float
    memory: float
    error: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether everything is equal."""
        return not self.error and all(self.equal.values())


def tastes(*, ratings: bool = False, features: bool = False) -> omnibench.RecSysDataSet:
    """Return what users with tastes like most, of items that few others like.

    Args:
        ratings: Whether they say how much, from 1 to 5.
        features: Whether items have kinds and texts, and users cities.
    """
    rng = np.random.default_rng(7)
    taste, nature = rng.normal(size=(USERS, 4)), rng.normal(size=(ITEMS, 4))
    liked = taste @ nature.T + rng.gumbel(size=(USERS, ITEMS))
    item = np.argsort(-liked, axis=1)[:, :EACH]
    user = np.repeat(np.arange(USERS), EACH)
    frame = pd.DataFrame({"user": user, "item": item.ravel(), "timestamp": np.arange(len(user))})
    if ratings:
        frame["rating"] = 5.0 - np.tile(np.arange(EACH) // (EACH // 5), USERS)
    if not features:
        return omnibench.from_frame(frame, "tastes")
    return omnibench.from_frame(frame, "tastes", items=_items(nature), users=_users(taste))


def _items(nature: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Return the kind of each item, which is its strongest trait, and a text with a word for each trait that it has."""
    text = [" ".join(f"{'more' if value > 0 else 'less'}{trait}" for trait, value in enumerate(row)) for row in nature]
    return pd.DataFrame({"item": np.arange(ITEMS), "kind": [f"kind{kind}" for kind in nature.argmax(1)], "text": text})


def _users(taste: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Return the city of each user, where people of the same taste live."""
    return pd.DataFrame({"user": np.arange(USERS), "city": [f"city{kind}" for kind in taste.argmax(1)]})


def published(directory: Path, *, ratings: bool = False, features: bool = False) -> dict[str, Path]:
    """Publish the data set with and without validation, and return the directories.

    Args:
        directory: An empty directory.
        ratings: Whether it has ratings.
        features: Whether it has features of items and users.
    """
    directories = {}
    for name, share in ((WITHOUT_VALIDATION, 0), (WITH_VALIDATION, 0.1)):
        directories[name] = directory / name.replace(" ", "_")
        directories[name].mkdir()
        prepare(tastes(ratings=ratings, features=features).pipe(omnibench.UserHoldout(share, 0.2)), directories[name])
    return directories


def run_jobs(framework: str, jobs: Sequence[Mapping[str, Any]], work: Path, hash_seed: int) -> list[dict[str, Any]]:
    """Run jobs of ``guest_fits.py`` in the framework's environment, and return the answers.

    Args:
        framework: The framework.
        jobs: The jobs.
        work: An empty directory.
        hash_seed: The seed of Python's hashes.
    """
    work.mkdir(parents=True)
    (work / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    python = environment_of(get_runner(framework)).ensure(lambda line: print(line, file=sys.stderr))
    single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")}
    command = [python, HERE / "guest_fits.py", GUEST, framework.lower(), "jobs.json", "answers"]
    with (work / "log").open("wb") as log:
        subprocess.run(
            [str(word) for word in command],
            cwd=work,
            env={**os.environ, **single, "PYTHONHASHSEED": str(hash_seed)},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    answers = [json.loads(line) for line in (work / "answers").read_text(encoding="utf-8").splitlines()]
    if len(answers) != len(jobs):
        raise RuntimeError(f"{len(answers)} of {len(jobs)} jobs are answered; see {work / 'log'}")
    return answers


def places(points: Sequence[tuple[int, bool]]) -> list[Place]:
    """Choose three points: an early one, one in the middle of an iteration if there is any, and the last before one.

    Args:
        points: The points of a Fit: the finished iterations, and whether it is within the next one.
    """
    numbers = range(1, len(points))  # the last point is behind the last iteration
    early, late = 2 if len(points) > 2 else 1, [number for number in numbers if not points[number - 1][1]][-1]
    others = [number for number in numbers if number not in (early, late)] or list(numbers)
    within = [number for number in others if points[number - 1][1]] or others
    middle = min(within, key=lambda number: abs(number - len(points) / 2))
    chosen = {"early": early, "middle": middle, "late": late}
    return [Place(name, number, *points[number - 1]) for name, number in chosen.items()]


def job(
    algorithm: str,
    parameters: Mapping[str, Any],
    dataset: Path,
    directory: Path,
    *,
    take: Iterable[int] = (),
    kill: int | None = None,
    resume: str | None = None,
    off: bool = False,
) -> dict[str, Any]:
    """Return a job of ``guest_fits.py``, whose files go into a directory of its own."""
    request = {
        "algorithm": algorithm,
        "parameters": dict(parameters),
        "seed": SEED,
        "device": "cpu",
        "threads": 1,
        "dataset": str(dataset),
        "fold": 0,
        "output": str(directory / "model"),
        "fit_key": algorithm,
    }
    predict = {"k": Fold(dataset, 0).n_items, "output": str(directory / "predictions.npy")}
    places = {"take": list(take), "kill": kill, "resume": resume, "published": str(directory / "snapshots")}
    return {"request": request, "predict": predict, **places, "off": off}


def compare(
    framework: str, algorithms: Mapping[str, Mapping[str, Any]], directories: Mapping[str, Path], work: Path
) -> Iterator[Comparison]:
    """Yield the comparisons of algorithms: for each of the data sets, three places.

    Args:
        framework: The framework.
        algorithms: The algorithms and their hyperparameters.
        directories: The directories of published data sets by any names.
        work: A directory for all files.
    """
    cases = [(name, data) for name in algorithms for data in directories]

    def job_of(case: tuple[str, str], name: str, **options: Any) -> dict[str, Any]:
        directory = work / f"{case[0]}-{case[1].replace(' ', '_')}-{name}"
        return job(case[0], algorithms[case[0]], directories[case[1]], directory, **options)

    whole = run_jobs(framework, [job_of(case, "whole") for case in cases], work / "run-whole", 1)
    tries = [
        (case, answer, place)
        for case, answer in zip(cases, whole, strict=True)
        if "error" not in answer and answer["points"]
        for place in places(answer["points"])
    ]
    killed_jobs = [
        job_of(case, f"{place.name}-killed", take=[place.point], kill=min(place.point + 2, len(answer["points"])))
        for case, answer, place in tries
    ]
    killed = run_jobs(framework, killed_jobs, work / "run-killed", 1)
    taken = [answer.get("snapshots") or [{"directory": None}] for answer in killed]
    resumed_jobs = [
        job_of(case, place.name, resume=snapshots[0]["directory"])
        for (case, _, place), snapshots in zip(tries, taken, strict=True)
    ]
    resumed = run_jobs(framework, resumed_jobs, work / "run-resumed", 2)
    for case, answer in zip(cases, whole, strict=True):
        if "error" in answer or not answer["points"]:
            error = answer.get("error", "it has no points")
            yield Comparison(f"{framework}.{case[0]}", case[1], 0, Place("", 0, 0, False), {}, 0, 0.0, 0.0, error)
    for (case, answer, place), killed_answer, other in zip(tries, killed, resumed, strict=True):
        yield _comparison(framework, case, place, directories[case[1]], work, answer, killed_answer, other)


def _comparison(
    framework: str,
    case: tuple[str, str],
    place: Place,
    dataset: Path,
    work: Path,
    whole: Mapping[str, Any],
    killed: Mapping[str, Any],
    resumed: Mapping[str, Any],
) -> Comparison:
    name, data = f"{framework}.{case[0]}", case[1]
    iterations = whole["points"][-1][0]
    if "error" in resumed or not killed.get("snapshots"):
        error = resumed.get("error") or "; ".join(killed.get("failures", ["no snapshot was taken"]))
        return Comparison(name, data, iterations, place, {}, 0, 0.0, 0.0, error)
    files = [work / f"{case[0]}-{data.replace(' ', '_')}-{part}" / "predictions.npy" for part in ("whole", place.name)]
    snapshot = killed["snapshots"][0]
    equal = {
        "parameters": whole["digest"] == resumed["digest"],
        "predictions": files[0].read_bytes() == files[1].read_bytes(),
        "metrics": _metrics(dataset, files[0]) == _metrics(dataset, files[1]),
        "series": [whole[part] for part in ("series", "history", "epochs")]
        == [resumed[part] for part in ("series", "history", "epochs")],
        "went on": len(resumed["points"]) < len(whole["points"]),
    }
    return Comparison(
        name, data, iterations, place, equal, snapshot["bytes"], snapshot["seconds"], snapshot.get("memory", 1.0)
    )


def _metrics(dataset: Path, predictions: Path) -> list[bytes]:
    """Return the bytes of what metrics say of predictions, of each user and altogether."""
    metrics: Sequence[Any] = RATING_METRICS if Fold(dataset, 0).explicit else METRICS
    columns = [(metric, metric.labels[0]) for metric in metrics]
    evaluation = evaluate(dataset, 0, predictions, columns)
    values = [evaluation.values[label] for _, label in columns]  # noqa: PD011 - a dict
    return [np.array(values).tobytes(), evaluation.per_user.tobytes()]


def markdown(comparisons: Iterable[Comparison]) -> str:
    """Return the table: a row for each algorithm and data set, which says what is equal."""
    rows = [
        "| Algorithm | validation | epochs | killed after | parameters | predictions | metrics | losses | bytes | seconds |",
        "| :-- | :-- | --: | :-- | :-- | :-- | :-- | :-- | --: | --: |",
    ]
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault((comparison.algorithm, comparison.data), []).append(comparison)
    for (algorithm, data), group in groups.items():
        errors = [entry.error for entry in group if entry.error]
        validation = "yes" if data == WITH_VALIDATION else "no"
        if errors:
            rows.append(f"| {algorithm} | {validation} | | | {errors[0].strip().splitlines()[-1]} | | | | | |")
            continue
        yes = [
            _yes(entry.equal[name] for entry in group) for name in ("parameters", "predictions", "metrics", "series")
        ]
        killed = ", ".join(str(entry.place) for entry in group)
        sizes, seconds = max(entry.size for entry in group), max(entry.seconds for entry in group)
        cells = [algorithm, validation, group[0].iterations, killed, *yes, f"{sizes:,}", f"{seconds:.3f}"]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def rows(comparisons: Iterable[Comparison]) -> dict[str, list[dict[str, Any]]]:
    """Return what the documentation has of comparisons, by algorithm: an entry for each of the data sets.

    Args:
        comparisons: The comparisons of all three places for each algorithm and data set.
    """
    by_algorithm: dict[str, dict[str, list[Comparison]]] = {}
    for comparison in comparisons:
        by_algorithm.setdefault(comparison.algorithm, {}).setdefault(comparison.data, []).append(comparison)
    return {
        name: [
            {
                "data": data,
                "iterations": group[0].iterations,
                "killed": [str(entry.place) for entry in group],
                "equal": {part: [entry.equal.get(part, False) for entry in group] for part in PARTS},
                "errors": [entry.error for entry in group if entry.error],
                "bytes": max(entry.size for entry in group),
                "seconds": round(max(entry.seconds for entry in group), 3),
                "memory": round(max(entry.memory for entry in group), 2),
            }
            for data, group in groups.items()
        ]
        for name, groups in by_algorithm.items()
    }


def write(comparisons: Iterable[Comparison]) -> None:
    """Put the rows of algorithms into the file of results, in the place of earlier ones.

    Args:
        comparisons: Their comparisons.
    """
    present = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    lines = [
        f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted({**present, **rows(comparisons)}.items())
    ]
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _yes(values: Iterable[bool]) -> str:
    answers = list(values)
    return "yes" if all(answers) else "**no** " + ", ".join("yes" if value else "no" for value in answers)


SETTINGS: dict[str, Any] = {
    "epochs": 4,
    "max_epochs": 4,
    "n_epochs": 4,
    "max_iter": 4,
    "iterations": 4,
    "model.iterations": 4,
    "train_batch_size": 256,
    "stopping_step": 1,
}
"""Hyperparameters of all algorithms that have them, for a few small epochs."""

_AUTOENCODERS = ("MultiVAE", "MultiDAE", "MacridVAE", "CDAE", "RecVAE", "ENMF", "DiffRec", "LDiffRec")

SEQUENTIAL = (
    "GRU4Rec",
    "SASRecModel",
    "BERT4RecModel",
    "HSTUModel",
    "GRU4RecCrossEntropy",
    "GRU4RecNegSampling",
    "Prod2VecClustered",
)
"""The sequential models that are tried: RecTools' and RecPack's, and of RecBole's one; ``digest`` has no end where a layer refers
to itself, as RecBole's attention does."""

OF_FEATURES = (
    "LR",
    "FM",
    "NFM",
    "DeepFM",
    "AFM",
    "FFM",
    "FwFM",
    "FNN",
    "PNN",
    "DSSM",
    "WideDeep",
    "DCN",
    "DCNV2",
    "AutoInt",
    "xDeepFM",
    "FiGNN",
    "EulerNet",
    "CTR",
    "HFT",
    "VBPR",
    "AMR",
    "DSSMModel",
)
"""The models with features that are tried: all of RecBole's and Cornac's, and RecTools' DSSM."""

SETTINGS_OF: dict[str, dict[str, Any]] = {
    **{f"RecBole.{name}": {"train_batch_size": 16} for name in _AUTOENCODERS},  # of users
    "LensKit.FlexMFExplicitScorer": {"batch_size": 200},
    "LensKit.FlexMFImplicitScorer": {"batch_size": 200},
    "LensKit.FunkSVDScorer": {"embedding_size": 4},
    "LensKit.LightGCNScorer": {"batch_size": 200},
    "RecPack.MultVAE": {"batch_size": 16},
    "RecPack.RecVAE": {"batch_size": 16},
    "RecPack.BPRMF": {"batch_size": 200},
    "RecPack.Prod2Vec": {"batch_size": 500, "num_components": 16},
    "RecPack.Prod2VecClustered": {"batch_size": 500, "num_components": 16},
    "RecPack.GRU4RecCrossEntropy": {"batch_size": 16, "hidden_size": 12, "num_components": 10, "dropout": 0.1},
    "RecPack.GRU4RecNegSampling": {"batch_size": 16, "hidden_size": 12, "num_components": 10, "bptt": 3},
    "RecPack.WeightedMatrixFactorization": {"num_components": 8},
    "RecBole.RaCT": {
        "train_batch_size": 16,
        "pretrain_epochs": 2,
        "metrics_k": 20,
        "mlp_hidden_size": [20],
        "latent_dimension": 8,
        "critic_pretrain": {"pretrain_epochs": 2, "learning_rate": 0.0001},
        "finetune": {"learning_rate": 0.0001},
    },
    "RecBole.KD_DAGFM": {"epochs": 2, "embedding_size": 4},
    "RecBole.NCL": {"num_clusters": 8, "m_step": 2, "warm_up_step": 1},
    "RecPack.NMF": {"num_components": 8, "seed": SEED},
    "RecPack.NMFItemToItem": {"num_components": 8, "seed": SEED},
    "RecPack.SLIM": {},
    "Cornac.VAECF": {"batch_size": 16},
    "Cornac.BiVAECF": {"batch_size": 16},
    **{f"Cornac.{name}": {"vocab_size": 40, "k": 8} for name in ("HFT",)},
    "RecTools.DSSMModel": {"n_factors": 16, "batch_size": 16},
    "RecBole.GRU4Rec": {"hidden_size": 16, "MAX_ITEM_LIST_LENGTH": 8},
    **{
        f"RecTools.{name}": {"n_factors": 16, "session_max_len": 8, "batch_size": 16}
        for name in ("SASRecModel", "BERT4RecModel", "HSTUModel")
    },
}
"""Those of single algorithms; also those are here that compute in steps which are no epochs."""


def iterative(framework: str) -> dict[str, dict[str, Any]]:
    """Return the algorithms of a framework that train in steps and can go on, with hyperparameters for a few small ones."""
    chosen = {}
    for name, info in get_runner(framework).catalogue["algorithms"].items():
        own = SETTINGS_OF.get(f"{framework}.{name}")
        is_sampled = info.get("sequential") or learns_from_features(info)
        is_tried = "not_resumable" not in info and (not is_sampled or name in (*SEQUENTIAL, *OF_FEATURES))
        if own is not None or ("epochs" in info and is_tried):
            general = {setting: value for setting, value in SETTINGS.items() if setting in info["parameters"]}
            chosen[name] = {**general, **(own or {})}
    return chosen


def compare_all(framework: str, algorithms: Mapping[str, Mapping[str, Any]], work: Path) -> Iterator[Comparison]:
    """Yield the comparisons of algorithms on data that they take: what ranks by likes, what only rates by ratings, with features.

    Args:
        framework: The framework.
        algorithms: The algorithms and their hyperparameters.
        work: A directory for all files.
    """
    offered = get_runner(framework).catalogue["algorithms"]
    for ratings, features in itertools.product((False, True), repeat=2):
        chosen = {
            name: options
            for name, options in algorithms.items()
            if offered[name]["ranking"] is not ratings and bool(offered[name].get("needs_features")) is features
        }
        if chosen:
            directory = work / f"{'ratings' if ratings else 'likes'}{'-of-features' if features else ''}"
            directory.mkdir(parents=True)
            data = published(directory, ratings=ratings, features=features)
            yield from compare(framework, chosen, data, directory)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("algorithms", nargs="*")
    parser.add_argument("--work", type=Path, help="keep all files here")
    parser.add_argument("--set", type=json.loads, default={}, help="more hyperparameters, as JSON")
    parser.add_argument("--write", action="store_true", help=f"put the rows into {RESULTS.name}")
    options = parser.parse_args()
    offered = iterative(options.framework)
    chosen = {name: {**offered[name], **options.set} for name in options.algorithms or offered}
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        comparisons = list(compare_all(options.framework, chosen, work))
    print(markdown(comparisons))
    if options.write:
        write(comparisons)
    for comparison in comparisons:
        if not comparison.is_exact:
            print(f"\n{comparison.algorithm} ({comparison.data}, {comparison.place.name}): {comparison.equal}")
            print(comparison.error)


if __name__ == "__main__":
    main()
