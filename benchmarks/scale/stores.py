"""What questions to stores of three sizes cost, beside reading all records once: CPU seconds, peak memory, growth.

    python benchmarks/scale/stores.py [--items 2500]
    python benchmarks/scale/stores.py --stores 10k/checkpoints 100k/checkpoints [--only show why]

Makes stores of a sixteenth, a quarter and all of the items (see made_store.py), or takes some that were made before, and asks each
in a process of its own. The exponent is that of the growth from the smallest to the largest: 1 grows as the store does, 0 not at all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAKER = Path(__file__).resolve().with_name("made_store.py")
COMMAND = "import sys; from omnibench.commands.main import main; sys.exit(main(sys.argv[1:]))"
METHODS = {
    "all records": "records()",
    "results()": "results()",
    "phases()": "phases()",
    "summary()": "summary()",
    "completed": "completed",
    "sql": "sql('SELECT count(*) FROM items')",
}
"""What is asked in Python."""
COMMANDS = {
    "show": ["show", "{done}"],
    "show of a pattern": ["show", "*/{label}/fold_0"],
    "why": ["why", "{done}"],
    "why, failed": ["why", "{failed}"],
    "why of two": ["why", "{done}", "{other}"],
    "logs": ["logs"],
    "logs of an item": ["logs", "{done}"],
    "status": ["status"],
    "tuning": ["tuning"],
    "export csv": ["export", "{scratch}/results.csv"],
    "export json": ["export", "{scratch}/results.json"],
    "export parquet": ["export", "{scratch}/results.parquet"],
    "export html": ["export", "{scratch}/results.html"],
    "export md": ["export", "{scratch}/results.md"],
    "run files": ["export", "--run-files", "{scratch}/runs", "--algorithm", "{algorithm}"],
    "compare two": ["compare", "{algorithm}", "{rival}"],
    "baseline": ["baseline", "{scratch}/baseline.parquet"],
    "gate": ["gate", "{scratch}/baseline.parquet"],
    "diff": ["diff", "{store}", "{store}"],
    "delete --dry-run": ["delete", "{done}", "--dry-run"],
    "gc --dry-run": ["gc", "--dry-run"],
    "verify": ["verify"],
    "merge": ["merge", "{store}", "--into", "{copy}"],
}
"""The words of each command; what stands in braces depends on the store."""
EVERYWHERE = ("diff", "merge")
"""Commands that take no ``--store``."""


@dataclass(frozen=True)
class Cost:
    """What a process has cost: CPU seconds, peak memory in megabytes, its exit status."""

    seconds: float
    megabytes: float
    status: int

    def __str__(self) -> str:
        mark = "" if self.status in (0, 1) else f"({self.status})"
        return f"{self.seconds:9.2f} s {self.megabytes:6.0f} MB{mark:>4}"


def cost_of(code: str, *arguments: str, limit: int) -> Cost:
    """Return what a Python process costs; it ends after so many CPU seconds."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),  # noqa: PLW1509 - there are no threads
    )
    _, status, usage = os.wait4(process.pid, 0)
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, os.waitstatus_to_exitcode(status))


def words_in(store: Path) -> dict[str, str]:
    """Return what the questions to a store are about: items that are done, one that has failed, two configurations."""
    code = (
        "import json, sys; from omnibench import open_store; store = open_store(sys.argv[1]); done = store.completed; "
        "print(json.dumps([done[0], done[-1], next(iter(store.failed))]))"
    )
    answer = subprocess.run([sys.executable, "-P", "-c", code, str(store)], check=True, capture_output=True, text=True)
    done, other, failed = json.loads(answer.stdout)
    algorithm, rival = (name.split("/")[1] for name in (done, other))
    label = algorithm.rpartition("-")[0] + "(power=0)"
    names = {"done": done, "other": other, "failed": failed, "algorithm": algorithm, "rival": rival, "label": label}
    return {"store": str(store), **names}


def asked(store: Path, questions: Sequence[str], scratch: Path, limit: int) -> dict[str, Cost]:
    """Return what each question to a store costs."""
    words = {**words_in(store), "scratch": str(scratch), "copy": str(scratch / "copy")}
    costs = {}
    for question in questions:
        if question in METHODS:
            code = f"import sys; from omnibench import open_store; open_store(sys.argv[1]).{METHODS[question]}"
            costs[question] = cost_of(code, str(store), limit=limit)
        else:
            if question == "merge":
                shutil.copytree(store, scratch / "copy")
            command = [word.format(**words) for word in COMMANDS[question]]
            of_store = [] if command[0] in EVERYWHERE else ["--store", str(store)]
            costs[question] = cost_of(COMMAND, *command, *of_store, limit=limit)
        print(f"  {question:18}{costs[question]}", file=sys.stderr, flush=True)
    return costs


def made(items: int, directory: Path) -> Path:
    """Make a store of so many items and return its directory."""
    directory.mkdir()
    command = [sys.executable, str(MAKER), str(directory), "--items", str(items)]
    subprocess.run(command, check=True, capture_output=True)
    return directory / "checkpoints"


def items_in(store: Path) -> int:
    """Return how many items a store has."""
    code = "import sys; from omnibench import open_store; print(open_store(sys.argv[1]).summary()['total'])"
    answer = subprocess.run([sys.executable, "-P", "-c", code, str(store)], check=True, capture_output=True, text=True)
    return int(answer.stdout)


def main() -> None:
    """Print a line per question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2500, help="items of the largest store (default: 2500)")
    parser.add_argument("--stores", type=Path, nargs="+", metavar="DIR", help="made stores, the smallest first")
    parser.add_argument("--only", nargs="+", metavar="QUESTION", help=f"of {', '.join([*METHODS, *COMMANDS])}")
    parser.add_argument("--limit", type=int, default=300, help="CPU seconds that a question may take (default: 300)")
    arguments = parser.parse_args()
    questions = arguments.only or [*METHODS, *COMMANDS]
    costs: list[dict[str, Cost]] = []
    with tempfile.TemporaryDirectory() as scratch:
        stores = [store.absolute() for store in arguments.stores or ()]
        if not stores:
            sizes = [arguments.items // divisor for divisor in (16, 4, 1)]
            stores = [made(size, Path(scratch) / str(size)) for size in sizes]
        sizes = [items_in(store) for store in stores]
        for size, store in zip(sizes, stores, strict=True):
            print(f"{size:,} items", file=sys.stderr)
            directory = Path(scratch) / f"of {size}"
            directory.mkdir()
            costs.append(asked(store, questions, directory, arguments.limit))
    print(f"{'':18}" + "".join(f"{size:>14,} items    " for size in sizes) + ("exponent" if len(sizes) > 1 else ""))
    for question in questions:
        row = [of_store[question] for of_store in costs]
        growth = math.log(row[-1].seconds / row[0].seconds) / math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else None
        print(f"{question:18}{''.join(map(str, row))}{'' if growth is None else f'{growth:8.2f}'}")


if __name__ == "__main__":
    main()
