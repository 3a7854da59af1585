"""What eight algorithms leave on disk with the omnibench that is installed, which may be an earlier one.

    python benchmarks/scale/eight_disk.py [--rows 20000000] [--sizes 1 4 16] [--only Pop ItemKNN ...] [--write]

Data and algorithms are those of ``eight_algorithms.py``: the bytes of the prepared data, and of each algorithm's item (predictions,
readable copy, values per user, records, the model where it is kept). ``--write`` keeps them in ``eight_disk.json``, from which
``eight_page.py`` takes what stores took before. Those were measured with commit 9d52222, the last one before anything was done
about sizes, in an environment of its own and a directory without sources of omnibench; its locks of frameworks had been replaced by
the present ones, which have the same packages and more. So nothing is used here that this commit lacks.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from eight_bare import SCRIPTS
from eight_own import MostPopular
from handing import interactions

from omnibench import HR, NDCG, Coordinator, Evaluator, ExperimentPlan, Policy, UserHoldout, from_frame

NUMBERS = Path(__file__).with_name("eight_disk.json")
FRAMEWORK = {"lenskit": "LensKit", "recpack": "RecPack", "recbole": "RecBole"}


def plan_of(name: str) -> ExperimentPlan:
    """Return a plan of one algorithm."""
    script, algorithm, settings = SCRIPTS[name]
    plan = ExperimentPlan(name)
    if script.__name__ == "own":
        plan.add_algorithm(MostPopular)
    else:
        plan.add_algorithm(f"{FRAMEWORK[script.__name__]}.{algorithm.split(':')[-1]}", settings)
    return plan


def bytes_under(folder: Path) -> int:
    """Return the bytes of all files of a directory."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def left(rows: int, name: str) -> dict[str, Any]:
    """Return what one algorithm leaves in a store of its own.

    Args:
        rows: How many rows are generated; a few of them are equal and drop out.
        name: The algorithm.

    Returns:
        The rows, the bytes of the prepared data (``prepared``: all files below ``datasets``), and those of the item
        (``item``: everything else that an empty store lacks).
    """
    frame = interactions(rows)
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "checkpoints"
        with Coordinator(store, policy=Policy(device="cpu"), threads=1, notify=lambda _: None) as coordinator:
            empty = bytes_under(store)
            dataset = from_frame(frame, f"rows{rows}").pipe(UserHoldout(0, 0.2))
            with contextlib.redirect_stdout(io.StringIO()):  # the table
                coordinator.run([dataset], plan_of(name), Evaluator(NDCG([10, 20]), HR(10)))
        prepared = bytes_under(store / "datasets")
        return {"rows": len(frame), "prepared": prepared, "item": bytes_under(store) - prepared - empty}


def read() -> list[dict[str, Any]]:
    """Return what was left by size, the smallest first: ``rows``, ``prepared``, and ``items`` by name."""
    return json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else []


def add(name: str, found: dict[str, Any]) -> None:
    """Keep what an algorithm has left."""
    sizes = {size["rows"]: size for size in read()}
    size = sizes.setdefault(found["rows"], {"rows": found["rows"], "items": {}})
    size["prepared"] = found["prepared"]
    size["items"][name] = found["item"]
    NUMBERS.write_text(json.dumps([sizes[rows] for rows in sorted(sizes)], indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Print a line for each size and algorithm; write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the largest size (default: 20,000,000)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 4, 16], help="sixteenths of the rows (default: 1 4 16)"
    )
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS), help="algorithms (default: all)")
    parser.add_argument("--write", action="store_true", help="keep the numbers")
    arguments = parser.parse_args()
    for share in arguments.sizes:
        for name in arguments.only:
            found = left(arguments.rows * share // 16, name)
            print(
                f"{found['rows']:>12,} rows  {name:11}{found['item'] / 1e6:10.1f} MB, data {found['prepared'] / 1e6:.1f} MB",
                flush=True,
            )
            if arguments.write:
                add(name, found)


if __name__ == "__main__":
    main()
