"""Where the processor time of a small item goes: controller, worker and guest, beside a bare test and a bare script.

    python benchmarks/harness/item_costs.py [--items 300] [--workers 0 1 2] [--counts] [--profiles DIRECTORY]

The items are those of an own class that fits in a millisecond. Each figure is the difference between a run of few and one of
many items, so that starting counts for nothing, in CPU milliseconds per item: wall time says little on a busy machine.
``bare`` are as many tests of pytest that do nothing, ``floor`` a script that makes the same files and records with the same
syncs and does nothing else. What runs by the clock is apart, and in no sum: the ``copies`` of the records, progress.json and
results.json, and the ``display`` of a run. On a busy machine (load 7 to 9 on two cores, in memory) an item took 15.6 to 15.8 ms without
workers and 17.9 with one, of which guests took 3.5 and the controller 2.3, when it made 11 syncs; since then it makes 1.1. ``--counts`` adds what else costs, per item: syncs (by strace), files, statements, messages.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from project import FOLDS, write_project

FEW = 50
ROLES = ("main", "controller", "worker", "guests", "copies", "display")
SYNCS = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(fsync|fdatasync|syncfs)\s*$", re.MULTILINE)
FLOOR = """
import os, sqlite3, sys

items, artifacts = int(sys.argv[1]), (200, 5000, 5000, 1600)
connection = sqlite3.connect("floor.db", isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT)")
connection.execute("CREATE TABLE contents (number INTEGER PRIMARY KEY, content BLOB)")
for item in range(items):
    directory = f"floor/{item // 5}/{item}"
    os.makedirs(directory)
    for phase, files in enumerate((artifacts[:1], artifacts[1:3], artifacts[3:])):
        for number, size in enumerate(files):
            with open(f"{directory}/partial", "xb") as file:
                file.write(b"x" * size)
            os.replace(f"{directory}/partial", f"{directory}/{phase}-{number}")
        with open(f"{directory}/records.jsonl", "ab") as file:
            file.write(b"x" * 2000)
        connection.execute(f"PRAGMA synchronous = {'FULL' if phase == 2 else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        for size in files:
            connection.execute("INSERT INTO contents (content) VALUES (?)", (b"x" * size,))
        if phase == 0 and item % 150 == 149:
            os.sync()
            connection.execute("DELETE FROM contents")
        for record in range((1, 1, 4)[phase]):
            connection.execute("INSERT INTO records VALUES (?, ?)", (f"{item}-{phase}-{record}", "x" * 1200))
        connection.execute("COMMIT")
"""


def run(directory: Path, command: list[str], **variables: str) -> dict[str, Any]:
    """Run a command, and return CPU seconds and counts by the role of the process.

    Raises:
        SystemExit: It fails.
    """
    costs = directory / "costs.jsonl"
    costs.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(Path(__file__).parent),
        "PROCESS_COSTS": str(costs),
        **variables,
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(directory / "output.txt", "wb") as output:
        ended = subprocess.run(
            command, cwd=directory, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False
        )
    if ended.returncode:
        raise SystemExit((directory / "output.txt").read_text()[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds: defaultdict[str, float] = defaultdict(float)
    seconds["all"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    counts: Counter[str] = Counter()
    for line in map(json.loads, costs.read_text().splitlines() if costs.exists() else ()):
        seconds[line["role"]] += line["seconds"]
        seconds["guests"] += line.get("guests", 0.0)
        for part, apart in line["apart"].items():
            seconds[part] += apart
        counts.update({f"{line['role']}: {name}": count for name, count in line["counts"].items()})
    return {"seconds": seconds, "counts": counts}


def measure(name: str, items: int, workers: int, *, counts: bool = False, profiles: Path | None = None) -> Any:
    """Return what a run of so many items used: of our own, of bare tests, or of the floor.

    Args:
        name: ``trivial``, ``bare``, or ``floor``.
        items: How many items.
        workers: How many processes of pytest-xdist, or 0 for none.
        counts: Whether to count in the place of measuring.
        profiles: A directory for profiles.
    """
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        write_project(directory, items)
        if name == "floor":
            (directory / "floor.py").write_text(FLOOR)
            return run(directory, [sys.executable, "floor.py", str(items)])
        plugins = [
            word for plugin in ("xdist.plugin", "omnibench.plugin.hooks", "process_costs") for word in ("-p", plugin)
        ]
        command = [sys.executable, "-m", "pytest", "-q", *plugins, name, *(["-n", str(workers)] if workers else [])]
        if not counts:
            return run(directory, command, **({} if profiles is None else {"PROCESS_PROFILES": str(profiles)}))
        trace = directory / "trace.txt"
        traced = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-c",
            "-e",
            "trace=fsync,fdatasync,syncfs",
            "-o",
            str(trace),
            *command,
        ]
        measured = run(directory, traced, PROCESS_COUNTS="1")
        measured["counts"].update({f"all: {call}": int(number) for number, call in SYNCS.findall(trace.read_text())})
        return measured


def per_item(few: Mapping[str, float], many: Mapping[str, float], items: int) -> dict[str, float]:
    """Return the differences of two runs, per item that one of them has more."""
    return {name: (many[name] - few.get(name, 0)) / items for name in sorted(many)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--repeat", type=int, default=1, help="repetitions, of which the least counts")
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--no-bare", action="store_true")
    parser.add_argument("--profiles", type=Path, help="write profiles of the main threads here, and nothing else")
    arguments = parser.parse_args()
    more = arguments.items // FOLDS * FOLDS
    if arguments.profiles:
        arguments.profiles.mkdir(exist_ok=True)
        for workers in arguments.workers:
            measure("trivial", FEW + more, workers, profiles=arguments.profiles.absolute())
        return
    runs = [("trivial", workers) for workers in arguments.workers]
    if not arguments.no_bare:
        runs += [*(("bare", workers) for workers in arguments.workers), ("floor", 0)]
    for name, workers in runs:
        label = "floor" if name == "floor" else f"{name} -n {workers}"
        print(f"{label:12} {_costs(name, workers, more, arguments.repeat)}", flush=True)
        if arguments.counts and name == "trivial":
            few, many = (measure(name, items, workers, counts=True)["counts"] for items in (FEW, FEW + more))
            for label, count in per_item(few, many, more).items():
                if count >= 0.005:  # the others happen once per run
                    print(f"    {label:44} {count:9.2f}", flush=True)


def _costs(name: str, workers: int, more: int, repeat: int) -> str:
    """Measure so many items more, and return what each takes."""
    sizes: tuple[list[Any], list[Any]] = ([], [])
    for _ in range(repeat):
        for measured, items in zip(sizes, (FEW, FEW + more), strict=True):
            measured.append(measure(name, items, workers)["seconds"])
    for each in (*sizes[0], *sizes[1]):
        each["all"] -= each["copies"] + each["display"]
    least = [{role: min(each[role] for each in size) for role in size[0]} for size in sizes]
    cost = per_item(least[0], least[1], more)
    parts = ", ".join(f"{role} {1000 * cost[role]:.1f}" for role in ROLES if role in cost)
    return f"{1000 * cost['all']:6.1f} ms CPU per item{f' ({parts})' if parts else ''}"


if __name__ == "__main__":
    main()
