"""What eight algorithms cost from Fit to published metrics, beside bare scripts: CPU seconds of each step at three sizes.

    python benchmarks/scale/eight_algorithms.py [--rows 20000000] [--only Pop ItemKNN ...] [--sizes 1 4 16]
        [--ways omnibench bare] [--write]

Generates interactions of the shape of MovieLens (power-law items, log-normal users) at a sixteenth, a quarter and all of the rows,
prepares each size once with omnibench, and runs each algorithm through omnibench's coordinator, with its framework in its guest,
and as a bare script in the same environment on the same split (``eight_bare.py``), one thread each. Fit and Predict are the CPU
seconds of the guest; checking, evaluating and publishing those of the host. What is measured is added to ``eight_algorithms.json``
with ``--write``, which also writes ``docs/scale.md`` anew; so a long measurement may be made in parts. What would need more memory
than the machine has is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import eight_estimates
import eight_limits
import eight_page
from eight_bare import SCRIPTS
from eight_disk import FRAMEWORK, bytes_under, plan_of
from handing import interactions

from omnibench import HR, NDCG, Coordinator, Evaluator, UserHoldout, from_frame
from omnibench.engine import attempt, phases
from omnibench.engine.checkpoint import ItemCheckpoints
from omnibench.engine.policy import Policy
from omnibench.guest.folds import Fold
from omnibench.memory import memory_capacity
from omnibench.runners.environments import environment_of
from omnibench.runners.registry import get_runner

K = 20
WAYS = ["omnibench", "bare"]
SINGLE = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")}
STEPS: dict[str, tuple[tuple[Any, str], ...]] = {
    "check": ((phases, "list_flaw"),),
    "evaluate": ((attempt, "evaluate"),),
    "publish": (
        (ItemCheckpoints, "save_model"),
        (attempt, "export_predictions"),
        (ItemCheckpoints, "save_export"),
        (ItemCheckpoints, "save_predictions"),
        (ItemCheckpoints, "save_metrics"),
    ),
}
"""The functions of the host whose CPU seconds a step is."""


@contextlib.contextmanager
def stopwatches(seconds: dict[str, float]) -> Iterator[None]:
    """Add the CPU seconds that this process spends in each of the steps."""

    def measured(function: Callable[..., Any], step: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                seconds[step] = seconds.get(step, 0.0) + time.process_time() - began

        return call

    with contextlib.ExitStack() as stack:
        for step, functions in STEPS.items():
            for owner, name in functions:
                stack.enter_context(mock.patch.object(owner, name, measured(getattr(owner, name), step)))
        yield


def ours(name: str, dataset: Any, store: Path) -> dict[str, Any]:
    """Return what an item of an algorithm costs with omnibench, in this process and in its guest."""
    seconds: dict[str, float] = {}
    evaluator = Evaluator(NDCG([10, 20]), HR(10))
    before = bytes_under(store)
    policy = Policy(device="cpu", snapshots="off", memory="ignore")
    with Coordinator(store, policy=policy, threads=1, notify=lambda _: None) as coordinator:
        began = time.process_time()
        with stopwatches(seconds):
            coordinator.run([dataset], plan_of(name), evaluator, quiet=True)
        host = time.process_time() - began
        records = coordinator.store.snapshot()
    result = next(iter(evaluator.results))
    identity = result.fit_key
    fit, predicted = (
        next(record for key, record in records.items() if key.startswith(kind) and record["fit_key"] == identity)
        for kind in ("fit/", "predict/")
    )
    seconds |= {"fit": fit["cpu_seconds"], "predict": predicted["cpu_seconds"]}
    seconds["rest"] = host - sum(seconds[step] for step in STEPS)
    peak = max(fit["peak_rss"], predicted["peak_rss"]) / 1e6
    metrics = {label: result.metrics[label] for label in ("NDCG@10", "HR@10")}
    return {"seconds": seconds, "peak": peak, "metrics": metrics, "bytes": bytes_under(store) - before}


def bare(name: str, split: Path) -> dict[str, Any]:
    """Return what an algorithm costs without omnibench, in a process of its own.

    Raises:
        SystemExit: It fails.
    """
    framework = FRAMEWORK.get(SCRIPTS[name][0].__name__)
    python = sys.executable if framework is None else str(environment_of(get_runner(framework)).ensure(print))
    script = Path(__file__).with_name("eight_bare.py")
    with tempfile.TemporaryDirectory() as work:
        command = [python, str(script), name, str(split)]
        done = subprocess.run(
            command, cwd=work, env={**os.environ, **SINGLE}, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"the bare script of {name} has failed:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def write_split(prepared: Path, directory: Path) -> Fold:
    """Write the columns of the prepared split as plain numpy files."""
    fold = Fold(prepared, 0)
    directory.mkdir(exist_ok=True)
    for name, part in (("train", fold.train), ("test", fold.test)):
        np.save(directory / f"{name}_user.npy", part.user)
        np.save(directory / f"{name}_item.npy", part.item)
    return fold


def measure(rows: int, names: list[str], scratch: Path, ways: list[str]) -> Iterator[dict[str, Any]]:
    """Yield for one algorithm after the other what it costs at a size, with or without omnibench, and the least that is needed."""
    dataset = from_frame(interactions(rows), f"rows{rows}").pipe(UserHoldout(0, 0.2))
    store = scratch / "checkpoints"
    began = time.process_time()
    with Coordinator(store, notify=lambda _: None) as coordinator:
        prepared = coordinator.workbench.datasets.get(dataset)
    seconds = time.process_time() - began
    fold = write_split(prepared, scratch / "split")
    size = {
        "rows": len(fold.train) + len(fold.test),
        "users": fold.n_users,
        "items": fold.n_items,
        "prepare": seconds,
        "bytes": bytes_under(store),
    }
    capacity = memory_capacity()
    for name in names:
        needed = eight_estimates.needed_memory(name, size)
        if needed is not None and capacity is not None and needed > capacity:
            print(
                f"{size['rows']:>12,} rows  {name:11}left out: it needs about {needed / 1e9:,.0f} GB of memory, and {capacity / 1e9:,.0f} are here",
                flush=True,
            )
            continue
        measured: dict[str, Any] = {}
        if "omnibench" in ways:
            measured["omnibench"] = ours(name, dataset, store)
            measured["least"] = eight_limits.least(name, fold, measured["omnibench"]["bytes"], K)
        if "bare" in ways:
            measured["bare"] = bare(name, scratch / "split")
        print(f"{size['rows']:>12,} rows  {eight_page.line(name, measured)}", flush=True)
        yield {**size, "algorithms": {name: measured}}


def main() -> None:
    """Measure and print; write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the largest size (default: 20,000,000)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 4, 16], help="sixteenths of the rows (default: 1 4 16)"
    )
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS), help="algorithms (default: all)")
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=WAYS, help="leave out one of the two, whose numbers stay as they are"
    )
    parser.add_argument(
        "--write", action="store_true", help="keep the numbers, and write the page of the documentation"
    )
    arguments = parser.parse_args()
    if any(os.environ.get(name) != count for name, count in SINGLE.items()):  # BLAS reads them when it is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **SINGLE})  # noqa: S606 - needs no shell
    for share in arguments.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            rows = arguments.rows * share // 16
            for measured in measure(rows, arguments.only, Path(scratch), arguments.ways):
                if arguments.write:  # each at once: the others may take hours
                    eight_page.add(measured)
                    eight_page.write()


if __name__ == "__main__":
    main()
