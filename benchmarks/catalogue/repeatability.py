"""Whether results depend on the seed, on the number of threads, or differ from run to run, of every algorithm.

``python benchmarks/catalogue/repeatability.py --users 250 --raw sample.json`` fits every algorithm of the catalogues
(a) with two seeds on 1 thread, (b) with 1, 2 and 4 threads, (c) twice on 2 threads, and compares the sha256 of what was
predicted: lists and scores, to the last bit. Small matrices are computed by a single thread whatever the number, so only
``--users all`` can show that results do not depend on it. The matrices of networks that learn by batches, and score users by
batches, are those of all data as soon as a batch is full: ``--users 300 --share 0.13`` fills one of each, for networks that would
need minutes for an epoch of all data. What an algorithm cannot do within ``--limit`` seconds stays
unknown. ``columns.py`` makes the catalogue's columns of the files that this writes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omnibench import CorePruning, MakeImplicit, RecSysDataSet, Subsample, UserHoldout, load_dataset
from omnibench.data.prepare import prepare
from omnibench.runners.environments import Environments
from omnibench.runners.info import GUEST_FOLDER, RunnerInfo, algorithm_info
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables

FITS = Path(__file__).with_name("fits.py")
SCRIPTS = Path(__file__).parents[2] / "tests" / "runners" / "scripts"
"""Where ``guest_package`` lies, which opens an adapter where omnibench is not installed."""

PASSES = {
    "reference": (1, 7),
    "again": (1, 7),
    "seed": (1, 8),
    "2 threads": (2, 7),
    "2 threads again": (2, 7),
    "4 threads": (4, 7),
}
"""Threads and seed of each process; all are compared with the first."""

PATIENCE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
"""Threads that wait for each other without computing: more of them than cores would take ten times as long."""

FEW_EPOCHS = {
    "RecBole": {"epochs": 2},
    "RecPack": {"max_epochs": 2},
    "LensKit": {"iterations": 2},
    "Implicit": {"iterations": 2},
    "Cornac": {"max_iter": 2, "n_epochs": 2, "num_epochs": 2},
    "Surprise": {"n_epochs": 2},
    "RecTools": {"epochs": 2, "model.iterations": 2},
}
"""What makes those quick that learn by epochs: what two of them do not show, one fit in many could."""

NEEDED: dict[str, dict[str, Any]] = {
    "LensKit.TimeBoundedPopScore": {"cutoff": "1998-03-01"},
    "LensKit.NMFScorer": {"embedding_size": 20},
    "RecPack.ItemPNN": {"K": 20, "pdf": "softmax_empirical"},
    "RecBole.NCL": {"num_clusters": 20, "warm_up_step": 1},
    "RecBole.RaCT": {"pretrain_epochs": 2, "critic_pretrain": {"pretrain_epochs": 2, "learning_rate": 0.0001}},
    "RecBole.S3Rec": {"pretrain_epochs": 1, "item_attribute": "genres", "MAX_ITEM_LIST_LENGTH": 10},
    "RecTools.PopularInCategoryModel": {"category_feature": "genres"},
}
"""What algorithms get that cannot learn from these data by their defaults."""

FEATURES = {
    "user_features": ["age", "gender", "occupation"],
    "item_features": ["genres"],
    "selected_features": ["genres"],
}
"""What is learned from by which hyperparameter: by default a model takes the titles, too, of which each film has its own."""


def datasets(users: str, share: float = 0.8) -> dict[str, RecSysDataSet]:
    """MovieLens-100K with its features, all of it or some users, as rankers and as rating models see it.

    Args:
        users: How many users, or ``all``.
        share: The share of each user's interactions that is learned from.
    """
    raw = load_dataset("MovieLens100K").with_features()
    some = [] if users == "all" else [Subsample(int(users), of="users")]
    split = UserHoldout(0.0, round(1 - share, 10))
    return {
        "ranking": raw.pipe(MakeImplicit(3), CorePruning(5), *some, split),
        "ratings": raw.pipe(*some, split),
    }


def experiments(runner: RunnerInfo, names: Sequence[str], folder: Path) -> list[tuple[str, dict[str, Any], str]]:
    """Every algorithm on the data that it takes; on both where it takes both."""
    chosen = []
    for name in names:
        info = algorithm_info(runner, name)
        few = {**FEW_EPOCHS[runner.name], **FEATURES}
        parameters: dict[str, Any] = {key: value for key, value in few.items() if key in info["parameters"]}
        if runner.name == "RecBole" and not info["gpu"]:
            parameters = {}  # in closed form
        parameters.update(NEEDED.get(f"{runner.name}.{name}", {}))
        chosen += [(name, parameters, str(folder / data)) for data in ("ranking", "ratings") if info[data]]
    return chosen


def answers(runner: RunnerInfo, chosen: Sequence[Any], threads: int, seed: int, limit: int) -> Iterator[dict[str, Any]]:
    """Yield what ``fits.py`` says of each experiment, of one process after another where one dies."""

    def died(experiment: Any, status: int) -> dict[str, Any]:
        name, _, data = experiment
        return {"algorithm": name, "dataset": Path(data).name, "error": f"died with {status}"}

    variables = {**thread_variables(threads), "PYTHONHASHSEED": "0", **PATIENCE}
    return answers_of_script(runner, FITS, (threads, seed, limit), chosen, variables, died)


def answers_of_script(
    runner: RunnerInfo,
    script: Path,
    arguments: Sequence[int],
    tasks: Sequence[Any],
    variables: Mapping[str, str],
    died: Callable[[Any, int], dict[str, Any] | None],
) -> Iterator[dict[str, Any]]:
    """Yield what a script says of each task, in a framework's environment, of one process after another where one ends.

    Args:
        runner: The framework.
        script: The script; it gets the guest's folder, the framework's adapter and the arguments, and reads the tasks as JSON.
        arguments: What else it gets.
        tasks: What it is asked; each is answered by a line of JSON.
        variables: Environment variables beside those of this process.
        died: Returns the answer to a task at which a process has ended, by its exit status; None of one to be asked again.
    """
    environment = {**os.environ, **variables, "PYTHONPATH": str(SCRIPTS), "CUDA_VISIBLE_DEVICES": ""}
    python = Environments.parse("isolated").python(runner, print)
    command = [str(python), str(script), str(GUEST_FOLDER), runner.adapter, *map(str, arguments)]
    while tasks:
        with tempfile.TemporaryDirectory() as work:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=work, env=environment
            )  # fmt: skip
            with process:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(tasks))
                process.stdin.close()
                n_answers = 0
                for line in process.stdout:
                    n_answers += 1
                    yield json.loads(line)
        tasks = tasks[n_answers:]
        answer = died(tasks[0], process.returncode) if tasks else None
        if answer is not None:
            yield answer
            tasks = tasks[1:]


def main() -> None:
    """Measure, and write what was found after each fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", default="all", help="how many users, or all")
    parser.add_argument("--share", type=float, default=0.8, help="the share of each user's interactions to learn from")
    parser.add_argument("--limit", type=int, default=120, help="seconds of a fit and its predictions")
    parser.add_argument("--raw", type=Path, required=True, help="the file that is written; what it has already is kept")
    parser.add_argument("--only", nargs="*", default=[], help="e.g. LensKit or RecBole.BPR (default: everything)")
    parser.add_argument("--skip", nargs="*", default=[], help="e.g. RecBole.NAIS")
    parser.add_argument("--passes", nargs="*", default=list(PASSES), choices=PASSES, help="what is measured of it")
    given = parser.parse_args()
    found: dict[str, Any] = json.loads(given.raw.read_text()) if given.raw.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, dataset in datasets(given.users, given.share).items():
            folder = Path(scratch, name)
            folder.mkdir()
            prepare(dataset, folder)
        for framework in ("LensKit", "RecPack", "RecBole", "Implicit", "Cornac", "Surprise", "RecTools"):
            runner = get_runner(framework)
            names = [
                name
                for name in runner.catalogue["algorithms"]
                if (not given.only or framework in given.only or f"{framework}.{name}" in given.only)
                and f"{framework}.{name}" not in given.skip
            ]
            chosen = experiments(runner, names, Path(scratch))
            for label, (threads, seed) in PASSES.items():
                if label not in given.passes:
                    continue
                for answer in answers(runner, chosen, threads, seed, given.limit):
                    key = f"{framework}.{answer.pop('algorithm')}"
                    found.setdefault(key, {}).setdefault(answer.pop("dataset"), {})[label] = answer
                    print(key, label, answer, file=sys.stderr, flush=True)
                    given.raw.write_text(json.dumps(found, indent=1) + "\n")
                failed = {
                    key for key, sets in found.items() if any("error" in runs.get(label, {}) for runs in sets.values())
                }
                chosen = [one for one in chosen if f"{framework}.{one[0]}" not in failed]


if __name__ == "__main__":
    main()
