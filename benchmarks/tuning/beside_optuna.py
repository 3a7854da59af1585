"""What a search costs beside a bare Optuna script: ``python benchmarks/tuning/beside_optuna.py``.

Two searches, of LensKit's ItemKNNScorer and of RecPack's EASE, each of 20 trials on one fold of MovieLens-100K, one
after the other. The script asks Optuna for the trials and calls the framework on the same prepared fold, in that
framework's environment (Optuna is this one's): it fits, ranks the validation users, computes NDCG@10 with numpy, keeps the
best model, and ranks the test users with it; no file but the lists. So that both compute the same, its study has the
configurations queued that omnibench has tried. By pytest in one process there are checkpoints, records and a table as well.
Total seconds, the start of all processes included; the least of the repetitions.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import optuna
from measured import Cost, least, measured

import omnibench.guest
from omnibench import open_store
from omnibench.runners.environments import environment_of
from omnibench.runners.machine import available_cores
from omnibench.runners.registry import get_runner

TRIALS = 20
SPACES: dict[str, dict[str, tuple[float, float]]] = {
    "LensKit.ItemKNNScorer": {"max_nbrs": (5, 200), "min_sim": (1e-6, 0.1)},
    "RecPack.EASE": {"l2": (1.0, 1e4)},
}
"""Bounds by hyperparameter: whole numbers, or numbers on a logarithmic scale."""

BARE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("guest", f"{sys.argv[1]}/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules["guest"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["guest"])
adapter = importlib.import_module(f"guest.{sys.argv[2]}")
folds, base, ranking = map(importlib.import_module, ("guest.folds", "guest.base", "guest.ranking"))
import numpy as np
sys.path.append(sys.argv[7])  # behind the framework's own packages
import optuna

algorithm, configurations = sys.argv[3], json.loads(sys.argv[4])
train = folds.Fold(sys.argv[5], 0)
validation = folds.Fold(sys.argv[5], 0, judged="validation")
discounts = 1 / np.log2(np.arange(2, 12))
relevant = {}
for user, item in zip(validation.test.user.tolist(), validation.test.item.tolist()):
    relevant.setdefault(user, set()).add(item)
best = (-1.0, None)

def task(parameters):
    return base.Task(algorithm=algorithm, parameters=parameters, seed=42, device="cpu", threads=int(sys.argv[6]), k=10)

def objective(trial):
    global best
    parameters = {}
    for name, (low, high) in json.loads(sys.argv[8]).items():
        if name in configurations[trial.number]:  # the defaults are the first
            suggest = trial.suggest_int if isinstance(low, int) else lambda *given: trial.suggest_float(*given, log=True)
            parameters[name] = suggest(name, low, high)
    model, _ = adapter.fit(task(parameters), train)
    lists = ranking.recommend(validation, adapter.score(model, task(parameters), validation), 10)
    value = float(np.mean([sum(discounts[rank] for rank, item in enumerate(row) if item in relevant[user])
                           / discounts[:len(relevant[user])].sum() for user, row in zip(lists["user"].tolist(), lists["item"].tolist())]))
    if value > best[0]:
        best = value, (model, parameters)
    return value

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=42))
for parameters in configurations:
    study.enqueue_trial(parameters)
study.optimize(objective, n_trials=len(configurations))
model, parameters = best[1]
np.save("lists.npy", ranking.recommend(train, adapter.score(model, task(parameters), train), 10))
print(json.dumps(study.best_value))
"""

BENCH = """
from omnibench import *

data = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(5), UserHoldout(validation_size=0.1, test_size=0.2))
plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials={trials}))
{tuned}
prepared = ExperimentPlan()
prepared.add_algorithm("LensKit.PopScorer")

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_tuned(result): ...

@benchmark(data, prepared, Evaluator(NDCG(10)))
def bench_prepare(result): ...
"""


def tuned(name: str) -> str:
    """Return the line of the plan that tunes an algorithm."""
    space = (
        f'"{parameter}": {"Int" if isinstance(low, int) else "Log"}({low}, {high})'
        for parameter, (low, high) in SPACES[name].items()
    )
    return f"plan.tune({name}, {{{', '.join(space)}}})"


def with_omnibench(directory: Path) -> tuple[Cost, dict[str, list[dict[str, Any]]], dict[str, float]]:
    """Run the plan; return its cost, what it has tried of each algorithm, and the best values."""
    shutil.rmtree(directory / "checkpoints")
    shutil.copytree(directory / "prepared", directory / "checkpoints")
    cost = measured([*_PYTEST, "-k", "bench_tuned and not bench_prepare"], directory)
    records = open_store(directory / "checkpoints").records()
    searches = {record["search"]: record for key, record in records.items() if key.startswith("search/")}
    tried: dict[str, list[dict[str, Any]]] = {}
    best: dict[str, float] = {}
    for key, record in sorted(records.items()):
        if key.startswith("trial/"):
            name = searches[record["search"]]["label"].partition(" ")[0]
            tried.setdefault(name, []).append(record["parameters"])
            best[name] = max(best.get(name, 0.0), record["value"])
    return cost, tried, best


def bare(directory: Path, dataset: Path, tried: dict[str, list[dict[str, Any]]], best: dict[str, float]) -> Cost:
    """Run the scripts, one for each framework; return what they cost together."""
    wall = cpu = 0.0
    for name, configurations in tried.items():
        framework, _, algorithm = name.partition(".")
        python = environment_of(get_runner(framework)).ensure(print)
        guest, optuna_home = Path(omnibench.guest.__file__).parent, Path(optuna.__file__).parents[1]
        arguments = [guest, framework.lower(), algorithm, json.dumps(configurations), dataset, available_cores()]
        arguments += [optuna_home, json.dumps(SPACES[name])]
        cost = measured([python, "-c", BARE, *map(str, arguments)], directory)
        value = float((directory / "output.txt").read_text().split()[-1])
        assert abs(value - best[name]) < 1e-6, f"{name}: {value} is not {best[name]}"
        wall, cpu = wall + cost.wall, cpu + cost.cpu
    return Cost(wall, cpu)


_PYTEST: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--trials", type=int, default=TRIALS)
    arguments = parser.parse_args()
    costs: dict[str, list[Cost]] = {"bare Optuna": [], "omnibench": []}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        lines = "\n".join(map(tuned, SPACES))
        (directory / "bench_plan.py").write_text(BENCH.format(trials=arguments.trials, tuned=lines))
        measured([*_PYTEST, "-k", "bench_prepare"], directory)
        shutil.copytree(directory / "checkpoints", directory / "prepared")
        (dataset,) = (directory / "prepared" / "datasets").glob("MovieLens100K-*")
        for _ in range(arguments.repeat):
            cost, tried, best = with_omnibench(directory)
            costs["omnibench"].append(cost)
            costs["bare Optuna"].append(bare(directory, dataset, tried, best))
    found = {name: least(each) for name, each in costs.items()}
    ours, theirs = found["omnibench"], found["bare Optuna"]
    print(
        f"{arguments.trials} trials each of {', '.join(SPACES)}: bare Optuna {theirs.wall:.1f} s (CPU {theirs.cpu:.1f} s), "
        f"omnibench {ours.wall:.1f} s (CPU {ours.cpu:.1f} s): {ours.wall / theirs.wall:.3f}x (CPU {ours.cpu / theirs.cpu:.3f}x)"
    )


if __name__ == "__main__":
    main()
