"""What a run costs in which everything is cached, beside as many bare pytest items that do nothing.

    python benchmarks/harness/cached.py [--items 10000] [--repeat 3]

Prints CPU seconds (user and system, of the process and its children; the least of the repetitions, which alternate), the
ratios to the bare run, and the peak resident memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from omnibench.experiment import Experiment, eval_key, experiments
from omnibench.run import run_omnirec
from omnibench.store import CheckpointStore
from omnibench.store.reading import read_all

FOLDS = 5
BODIES = {"trivial": "...", "asserting": 'assert result["NDCG@10"] >= 0.0'}

PLAN = """
from omnibench import *
from popularity import Popularity

data = from_file("tiny.csv").pipe(UserCrossValidation({folds}))
plan = ExperimentPlan()
plan.add_algorithm(Popularity, {{"power": Grid(list(range({configurations})))}})
evaluator = Evaluator(NDCG([10, 20]), HR(10))
"""
BENCH = """
from omnibench import benchmark
from plan import data, evaluator, plan

@benchmark(data, plan, evaluator)
def bench_all(result):
    {body}
"""
OWN = """
class Popularity:
    def __init__(self, power=1): self.power = power
    def fit(self, train): self.top = list(train["item"].value_counts().index)
    def recommend(self, users, k): return {user: self.top for user in users}
"""
BARE = """
import pytest

@pytest.mark.parametrize("number", range({items}))
def test_nothing(number):
    pass
"""


def measure(command: list[str], directory: Path) -> tuple[float, float]:
    """Return CPU seconds and peak resident MB of a command and its children.

    Without the plugins that happen to be installed, and with bytecode, as everybody runs pytest.
    """
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with open(directory / "output.txt", "wb") as output:
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit((directory / "output.txt").read_text()[-3000:])
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def prepare(directory: Path, items: int) -> None:
    """Write bench files, run one configuration for real, and record all others like it."""
    (directory / "popularity.py").write_text(OWN)
    pairs = [(user, (user * 7 + number * number) % 25) for user in range(30) for number in range(10)]
    (directory / "tiny.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in pairs))
    (directory / "bare").mkdir()
    (directory / "bare" / "test_bare.py").write_text(BARE.format(items=items))
    (directory / "plan.py").write_text(PLAN.format(folds=FOLDS, configurations=items // FOLDS))
    for name, body in BODIES.items():
        (directory / name).mkdir()
        (directory / name / f"bench_{name}.py").write_text(BENCH.format(body=body))
    (directory / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = -p no:cacheprovider\n")
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    from plan import Popularity, data, evaluator, plan  # type: ignore[import-not-found]

    from omnibench import ExperimentPlan

    first = ExperimentPlan()
    first.add_algorithm(Popularity, {"power": 0})
    run_omnirec(data, first, evaluator)
    found = experiments(data, plan, evaluator.metrics, versions=lambda _: "", seed=42)
    known = read_all(directory / "checkpoints" / "store")
    models = {one.fold: one for one in found[:FOLDS]}
    store = CheckpointStore(directory / "checkpoints")
    for start in range(FOLDS, len(found), 1000):
        copies: dict[str, Any] = {}
        for one in found[start : start + 1000]:
            copies |= copied(known, models[one.fold], one, evaluator)
        store.records.commit(copies)
    store.close()


def copied(known: dict[str, Any], model: Experiment, other: Experiment, evaluator: Any) -> dict[str, Any]:
    """Return the records of a finished item under the keys and names of another item."""
    length = evaluator.list_length
    labels = {"item": other.name, "fit_key": other.fit_key, "algorithm": other.algorithm_name}
    fit = known[f"fit/{model.fit_key}"] | labels
    predict = known[f"predict/{model.predict_key(length)}"] | labels
    item = known[f"item/{model.fit_key}"] | labels | {"identity": other.recorded_identity}
    item["predict_key"] = other.predict_key(length)
    records = {f"fit/{other.fit_key}": fit, f"predict/{other.predict_key(length)}": predict}
    metrics = {}
    for metric, label in evaluator.columns:
        test = known[f"data/{model.dataset.key}"]["test"][model.fold]
        key = eval_key(other.fit_key, predict["predictions"]["sha256"], test, metric, label)
        metrics[label] = {**item["metrics"][label], "key": key}
        records[f"eval/{key}"] = known[f"eval/{item['metrics'][label]['key']}"] | labels
    return {**records, f"item/{other.fit_key}": item | {"metrics": metrics}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="keep the directory here, and use it again")
    parser.add_argument("--prepare", action="store_true", help="only fill the directory")
    given = parser.parse_args()
    directory = (given.keep or Path(tempfile.mkdtemp())).absolute()
    if given.prepare:
        prepare(directory, given.items)
        return
    if not (directory / "checkpoints").exists():
        directory.mkdir(exist_ok=True)
        # In another process, because what it has in memory would count as its later children's peak.
        subprocess.run(
            [sys.executable, __file__, "--items", str(given.items), "--keep", directory, "--prepare"], check=True
        )
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "xdist.plugin", "-p", "omnibench.plugin.hooks"]
    commands = {
        **{name: [*pytest, name] for name in ("bare", *BODIES)},
        **{f"{name} -n 2": [*pytest, name, "-n", "2"] for name in ("bare", *BODIES)},
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(given.repeat):
        for name, command in commands.items():
            if name.startswith("bare") and given.items > 20_000:
                continue  # half a minute per 10,000
            found[name].append(measure(command, directory))
    print(f"{given.items} items, CPU seconds (ratio to the bare run), peak memory")
    for name, measured in found.items():
        if not measured:
            continue
        seconds, memory = min(one[0] for one in measured), max(one[1] for one in measured)
        beside = found["bare -n 2" if name.endswith("-n 2") else "bare"]
        ratio = f"{seconds / min(one[0] for one in beside):6.3f}x" if beside else "      -"
        print(f"{name:16} {seconds:7.2f} s {ratio} {memory:7.0f} MB")
    if not given.keep:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
