"""What questions to stores of three sizes cost, beside reading all records once: CPU seconds, peak memory, growth.

    python benchmarks/scale/stores.py [--items 2500]
    python benchmarks/scale/stores.py --stores 10k/checkpoints 100k/checkpoints [--only show why]

Makes stores of a sixteenth, a quarter and all of the items (see made_store.py), or takes some that were made before, and asks each
in a process of its own. The exponent is that of the growth from the smallest to the largest: 1 grows as the store does, 0 not at all.

CPU seconds and peak MB of November 2026, 2 shared cores. "Before" is of the commit in which every question read all records, at
100,000 items of the first that was measured there; "now" of a machine at load 6 to 10, which makes CPU seconds 1.3 to 2 times as
many. A target of memory is 300 MB for all:

                         10,000: before        now        100,000: before        now      target
    show                   0.40     34    0.20   30          0.39     66    0.29   66       0.3
    why                    0.33     30    0.25   30          0.38     67    0.26   67       0.3
    logs                   0.27     30    0.21   30          0.38     67    0.24   66       0.3
    why, failed            3.04    393    0.24   31         10.72     67    0.25   67       0.3
    status                10.4     484    0.67   50        124      4500    5.75  213       5
    results()              2.54    162    1.06  150         13.39    307    8.19  250      10
    phases()               3.90    163    1.43  142         23.66    360   10.96  269      10
    show of a pattern     11.99   1201    0.94   51         11.42    405   10.63  243
    export csv             5.17     84    1.55   80         47.07    325   12.52  224      10
    export parquet         6.25    194    1.59  124         38.71    419          278      10
    export json            4.14     65    1.55   69         42.28    321          232      10
    export html            3.20    113    1.42   96         13.15    334    6.30  237      10
    compare two            4.07    142    1.71   85         32.19    810   17.03  288
    baseline               5.51    202    3.07  114         51.63   1268   28.62  272
    gate                   5.04    192    2.10  105         42.21   1152   18.36  297
    diff                  10.88    806   11.09   58
    gc --dry-run           3.72    431    2.42   71                        55.51  107
    verify                22.59    803   10.40   76
    delete --dry-run       7.37    604    3.76   94
    sql                    6.09    141                      > 60      361
    merge                  6.51     74

The rows of status, results(), exports, verify, and of 10,000 items of compare, gc and delete, were measured anew, at load 5 to 18, by turns with the commit before,
which took then at 100,000 items: status 6.18 s, csv 15.37, json 16.08, parquet 14.67 (331 MB), results() 8.24 and now 8.19, phases()
10.03 and now 10.26; at 10,000: verify 26.4 s and 202 MB, gc 4.67, delete 4.93, compare 2.08, baseline 3.29 and now 3.14, gate 2.03 and now 2.00. All have
the same output to the last byte.

Since then documents look up the phases of what they show, and ``why`` of an item without a model ends at the first fit that differs in one
place, unless another could differ in none (where none differs in one place, all are looked at: 1.6 s). Exports look for no evaluations of
other items, keys without seeds are made only where seeds differ, records are read by the hundred. By turns with the commit before at load 7
to 10, 100,000 items: HTML 6.30 and 6.43 s (11.20 and 11.32 before), why .25 (1.59), CSV 10.09 and 10.32 (10.52 and 10.90), JSON 10.49 and 10.76
(11.19 and 11.31), Parquet 10.10 and 10.28 (10.46 and 11.21), status 5.67 and 5.75 (5.86 and 5.99). Files are the same to the last byte. No gain: checksums compared by longer texts or formatted by ``%``;
less than 1 % of a process is spent after its command has ended.

Late in November 2026, on a machine that nobody else used, at 100,000 items: status 5.01 s and 213 MB, CSV 10.18 s and 224 MB, JSON 10.85 s and
222 MB, Parquet 10.87 s and 272 MB, results() 6.56 s, phases() 9.12 s, show of a pattern 6.49 s. Since then what is an item's own is matched in one go,
and records of folds are copies of their configuration's; at load 3 to 5, by turns with the commit before: status 4.88 and 4.97 s (5.00 and 5.29 before),
CSV 11.10 and 11.75 s (11.05 and 11.76), which is none the less. The 10 s of CSV are .2 imports, 3.2 items (.5 SQLite, .4 checksums,
1.3 matching, .4 rows of phases of others), .5 their order, 3.7 phases (1.0 SQLite, 1.0 checksums, 1.2 searching), 2.7 lines (.6 of them means), of
all this 1.0 in the kernel, which reads pages. Tried without a gain: the same look at rows of others in Python instead of SQL; items in the pass of the
phases (CSV 12.8 s beside 12.4, JSON 11.8 beside 11.9, Parquet 12.7 beside 11.8, once, at load 4 to 5 with tests beside, and 13 MB more);
objects that no longer have themselves, so that no collector has to look for them in the end.

Since then numbers that are written as usual have patterns of their own (a fifth less for each phase), rows of numbers that follow
each other are taken together, deviations of 500 configurations are made by numpy (1.4 us each, exact all the same, 3.2 before), Arrow
parses what becomes columns of Parquet (.15 us a number, .48 before), and JSON makes no encoder for each value. At load 6 to 8, by turns
with the commit before, the least and the median of what 10,000 items took: CSV 1.18 and 1.30 s (1.29 and 1.36 before), JSON 1.22 and 1.30 (1.45 and
1.51), Parquet, of seven turns, 1.36 and 1.41 (1.54 and 1.55), status .58 and .64 (.58 and .61). 100,000 items on a quiet machine (load 1), the commit before and this one one
after the other: status 5.23 and 4.87 s, CSV 11.09 and 9.63, JSON 11.90 and 10.15, Parquet 12.36 and 10.34, at most 270 MB; three hours
earlier the machine was a twelfth faster (the commit before: 4.77, 9.96, 10.80, 11.42). Files are the same to the last byte. Of a phase's 6 us
2.0 are SQLite's and 1.3 its checksum's: nothing gets below. No gain: checksums of a block compared at once, SHA-256 without OpenSSL or from
a copied state, searches for shorter words, items in the order of the table. Reading pages by mmap counts as memory.

Where the time of CSV went before that, of 10,000 items and 1.5 s: 0.2 s imports, 0.3 s items (a third of it rows and checksums), 0.35 s the records
of phases (0.19 of it rows and checksums, which nothing gets below), 0.1 s results, 0.1 s facts about them, 0.1 s what configurations
have in common, 0.1 s lines. Numbers stay the texts that they are in the records: a float takes 0.27 us to parse and 0.6 us to write.
Records that are read in blocks of a hundred take as long as single ones, and so do searches in joined texts: a block of a megabyte leaves
the processor's caches. A copy of the numbers that we write would save another 2 us of each of 500,000 records. Parquet's memory is pyarrow's 35 MB beside 1.9 KB
per item that is read, which Python does not give back for what comes later, and 45 MB of phases. A baseline opens every
file of values (100,000 of them, beneath directories that are no links) and looks up every evaluation by its key. Of what ``verify``,
``diff``, ``merge`` and ``delete`` take, parsing each record (10 us) and looking over its form (9 to 12 us) are most.

Made stores have no manifests of the items that are not computed, so ``verify`` names all of their records there.

Since then costs are summed by column and status looks at notable items alone: status 4.39 to 4.60 s where the code before took 5.07 to 5.19
(three turns each, quiet), 185 MB instead of 209; exports show no difference beyond the noise of this machine (csv 8.9 to 10.8 s).
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
