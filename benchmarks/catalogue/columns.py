"""Write ``omnibench/runners/measured`` from what ``repeatability.py`` and ``seed_spread.py`` have found.

``python benchmarks/catalogue/columns.py --raw sample.json --whole all.json --spread spread.json`` takes an algorithm for
deterministic where two seeds made the same predictions, to the last bit, wherever both were tried, and for independent of
threads where 1, 2 and 4 made them, of some users and of all of MovieLens-100K, or of full batches of it. Where anything is
not known the careful answer stands: it depends. What no file has keeps its columns.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from omnibench.runners.info import RunnerInfo
from omnibench.runners.registry import runners

REFERENCE, SEED = "reference", "seed"
THREADS = ("2 threads", "4 threads")
SAME = {"again": REFERENCE, "2 threads again": "2 threads"}
"""What has the seed and the threads of an earlier run."""


def joined(paths: list[Path]) -> dict[str, Any]:
    """What stands in several files of the same users; of an algorithm that is in two, what the later has."""
    return {name: runs for path in paths for name, runs in json.loads(path.read_text()).items()}


def equal(runs: list[dict[str, Any]], *labels: str) -> bool:
    """Whether all of these runs were measured, and made the predictions of the reference."""
    return bool(runs) and all(
        "sha256" in run.get(REFERENCE, {}) and run.get(label, {}).get("sha256") == run[REFERENCE]["sha256"]
        for run in runs
        for label in labels
    )


def columns(found: list[dict[str, Any]], whole: dict[str, Any], name: str) -> dict[str, Any]:
    """The columns of an algorithm."""
    runs = [run for part in found for run in part.get(name, {}).values() if "error" not in run.get(REFERENCE, {})]
    on_whole = list(whole.get(name, {}).values())
    seeded = [run for run in runs if SEED in run]
    return {
        "deterministic": equal(seeded, SEED),
        "threads": not (equal(runs, *THREADS) and equal(on_whole, *THREADS)),
    }


def is_known(found: list[dict[str, Any]], whole: dict[str, Any], name: str) -> bool:
    """Whether other numbers of threads were tried on all of the data, or have made a difference."""
    runs = [run for part in found for run in part.get(name, {}).values() if "sha256" in run.get(REFERENCE, {})]
    differs = any(
        "sha256" in run.get(label, {}) and run[label]["sha256"] != run[REFERENCE]["sha256"]
        for run in runs
        for label in THREADS
    )
    on_whole = whole.get(name, {}).values()
    return differs or (bool(on_whole) and all("sha256" in run.get(label, {}) for run in on_whole for label in THREADS))


def measured(
    runner: RunnerInfo,
    present: dict[str, Any],
    found: list[dict[str, Any]],
    whole: dict[str, Any],
    spread: dict[str, Any],
) -> Any:
    """What stands in a framework's file: of an algorithm that was not measured anew, what has stood there."""
    algorithms, unknown = {}, []
    for name in runner.catalogue["algorithms"]:
        full_name = f"{runner.name}.{name}"
        before = present["algorithms"].get(name)
        is_new = before is None or any(full_name in part for part in found)
        stated = (
            columns(found, whole, full_name) if is_new else {key: before[key] for key in ("deterministic", "threads")}
        )
        seed_spread = spread.get(full_name, (before or {}).get("seed_spread"))
        if not stated["deterministic"] and seed_spread:
            stated["seed_spread"] = seed_spread
        described = runner.catalogue["algorithms"][
            name
        ]  # benchmarks/scale/memory.py and refused_values.py measure these
        algorithms[name] = {**stated, **{key: described[key] for key in ("memory", "refuses") if described.get(key)}}
        if not is_known(found, whole, full_name) if is_new else name in present["unknown"]:
            unknown.append(name)
    memory = runner.catalogue.get("memory")
    of_all = {"memory": memory} if memory else {}
    return {"version": runner.catalogue["version"], "unknown": unknown, **of_all, "algorithms": algorithms}


def main() -> None:
    """Read, write, and print what was not repeatable."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--whole", type=Path, nargs="+", required=True, help="the files of --users all, or of full batches"
    )
    parser.add_argument("--spread", type=Path)
    given = parser.parse_args()
    whole = joined(given.whole)
    found = [joined(given.raw), whole]
    spread = json.loads(given.spread.read_text()) if given.spread else {}
    measured_names = {name.partition(".")[0] for part in found for name in part}
    for runner in runners():
        assert runner.measured_file is not None
        if runner.name not in measured_names:
            continue
        present = json.loads(runner.measured_file.read_text(encoding="utf-8"))
        text = json.dumps(measured(runner, present, found, whole, spread), indent=2)
        runner.measured_file.write_text(text + "\n", encoding="utf-8")
    for part in found:
        for name, sets in part.items():
            for data, run in sets.items():
                for again, label in SAME.items():
                    first, second = (run.get(part, {}).get("sha256") for part in (label, again))
                    if first and second and first != second:
                        print(f"{name} differs from run to run: {again} ({data})")
                for label, answer in run.items():
                    if "error" in answer:
                        print(f"{name} {label} ({data}): {answer['error']}")


if __name__ == "__main__":
    main()
