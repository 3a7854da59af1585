"""What a plan costs under omnibench beside a bare script that calls the frameworks: ``python benchmarks/harness/bare_script.py``.

The same items of LensKit and RecPack on the same prepared folds of MovieLens-100K, one after the other: in a script per
framework, in that framework's environment, which keeps nothing but the lists; and by pytest in one process, with
checkpoints, metrics and a table. Total seconds, the start of the processes included, the least of the repetitions.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import omnibench.guest
from omnibench.runners.environments import environment_of
from omnibench.runners.registry import get_runner

PLAN = {
    "LensKit": [["ItemKNNScorer", {"max_nbrs": 20}], ["ImplicitMFScorer", {"embedding_size": 50}]],
    "RecPack": [["ItemKNN", {"K": 100}], ["EASE", {"l2": 500.0}]],
}
FOLDS = 5

BARE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("guest", f"{sys.argv[1]}/__init__.py", submodule_search_locations=[sys.argv[1]])
sys.modules["guest"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["guest"])
adapter = importlib.import_module(f"guest.{sys.argv[2]}")
folds, base, ranking = map(importlib.import_module, ("guest.folds", "guest.base", "guest.ranking"))
import numpy as np

for number, (algorithm, parameters) in enumerate(json.loads(sys.argv[3])):
    for one in range(int(sys.argv[5])):
        fold = folds.Fold(sys.argv[4], one)
        task = base.Task(algorithm=algorithm, parameters=parameters, seed=42, device="cpu", threads=int(sys.argv[7]), k=20)
        model, _ = adapter.fit(task, fold)
        np.save(f"{sys.argv[6]}/{number}-{one}.npy", ranking.recommend(fold, adapter.score(model, task, fold), 20))
"""
BENCH = """
from omnibench import *

data = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(5), UserCrossValidation({folds}, validation_size=0.1))
plan = ExperimentPlan()
for framework, algorithms in {plan!r}.items():
    for algorithm, parameters in algorithms:
        plan.add_algorithm(f"{{framework}}.{{algorithm}}", parameters)
prepared = ExperimentPlan()
prepared.add_algorithm("LensKit.PopScorer")

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_plan(result): ...

@benchmark(data, prepared, Evaluator(NDCG(10)))
def bench_prepare(result): ...
"""


def bare(dataset: Path, threads: int, scratch: Path) -> float:
    """Run the plan as scripts; return the seconds."""
    started = time.perf_counter()
    guest = Path(omnibench.guest.__file__).parent
    for framework, algorithms in PLAN.items():
        python = environment_of(get_runner(framework)).ensure(print)
        given = [
            str(guest),
            framework.lower(),
            json.dumps(algorithms),
            str(dataset),
            str(FOLDS),
            str(scratch),
            str(threads),
        ]
        subprocess.run([python, "-c", BARE, *given], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=2)
    given = parser.parse_args()
    from omnibench.runners.machine import available_cores

    found: dict[str, list[float]] = {"bare script": [], "omnibench": []}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "bench_plan.py").write_text(BENCH.format(folds=FOLDS, plan=PLAN))
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "--rootdir",
            name,
            name,
        ]
        subprocess.run([*pytest, "-k", "bench_prepare"], check=True, cwd=name, stdout=subprocess.DEVNULL)
        shutil.copytree(directory / "checkpoints", directory / "prepared")
        (dataset,) = (directory / "prepared" / "datasets").glob("MovieLens100K-*")
        for _ in range(given.repeat):
            found["bare script"].append(bare(dataset, available_cores(), directory))
            shutil.rmtree(directory / "checkpoints")
            shutil.copytree(directory / "prepared", directory / "checkpoints")
            started = time.perf_counter()
            subprocess.run(
                [*pytest, "-k", "bench_plan and not bench_prepare"], check=True, cwd=name, stdout=subprocess.DEVNULL
            )
            found["omnibench"].append(time.perf_counter() - started)
    least = {name: min(seconds) for name, seconds in found.items()}
    items = FOLDS * sum(len(one) for one in PLAN.values())
    print(
        f"{items} items: bare script {least['bare script']:.1f} s, omnibench {least['omnibench']:.1f} s, "
        f"{least['omnibench'] / least['bare script']:.3f}x"
    )


if __name__ == "__main__":
    main()
