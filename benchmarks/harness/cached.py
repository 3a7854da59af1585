"""What a run costs in which everything is cached, beside as many bare pytest items that do nothing.

    python benchmarks/harness/cached.py [--items 10000] [--repeat 3]

Prints CPU seconds (user and system, of the process and its children; the least of the repetitions, which alternate), the
ratios to the bare run, and the peak resident memory. The first table of a store is apart: it tests which configurations are
not significantly worse than the best, which later ones look up.
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

from project import BODIES, FOLDS, measure, write_project

from omnibench.engine.script import run_omnirec
from omnibench.experiment.experiment import Experiment, eval_key
from omnibench.experiment.planning import experiments
from omnibench.store import CheckpointStore
from omnibench.store.reading import read_all


def prepare(directory: Path, items: int) -> None:
    """Write bench files, run one configuration for real, and record all others like it."""
    write_project(directory, items)
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    from plan import Popularity, data, evaluator, plan  # type: ignore[import-not-found]

    from omnibench import ExperimentPlan

    first = ExperimentPlan()
    first.add_algorithm(Popularity, {"power": 0})
    run_omnirec(data, first, evaluator)
    found = experiments(data, plan, evaluator.metrics, versions=lambda _: "", seeds=[42])
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
    seconds, memory = measure(commands[next(iter(BODIES))], directory)
    print(f"the first table: {seconds:.2f} s, {memory:.0f} MB (once; less if the store was kept)")
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
