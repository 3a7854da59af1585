"""What questions to stores of three sizes cost, beside reading all records once: CPU seconds, peak memory, growth.

    python benchmarks/scale/stores.py [--items 2500]
    python benchmarks/scale/stores.py --stores 10k/checkpoints 100k/checkpoints [--only show why]

Makes stores of a sixteenth, a quarter and all of the items (see made_store.py), or takes some that were made before, and asks each
in a process of its own. The exponent is that of the growth from the smallest to the largest: 1 grows as the store does, 0 not at all.

CPU seconds and peak MB of November 2026, 2 shared cores, each store measured alone. "Before" is of the commit in which every question
read all records (a quiet machine at 10,000 items, a busy one at 100,000); "between" of a busy machine (load 6 to 10), "now" of a busier
one (load 9 to 18), which makes CPU seconds 1.5 to 2 times as many; the exponent is that of "now", from 1,000 to 100,000 items:

                       1,000: now    10,000: before      now         100,000: between       now       exponent
    show                0.21   26      0.40     34     0.22   30       0.39     66       0.29   66       0.07
    why                 0.19   27      0.33     30     0.25   30       0.38     67       0.26   67       0.07
    logs                0.18   25      0.27     30     0.21   30       0.38     67       0.24   66       0.06
    why, failed         0.25   28      3.04    393     0.46   30      10.72     67       2.78   67       0.52
    status              0.26   31                      0.97   51       9.47    272       6.91  251       0.71
    results()           0.83  126      2.54    162     2.20  143      13.39    307      16.49  241       0.65
    show of a pattern   0.29   31     11.99   1201     1.37   50      11.42    405      10.63  243       0.78
    run files           0.61   50      3.85    412     1.34   68       8.98    452       7.57  257       0.55
    compare two         0.88   65      4.07    142     3.06   87      32.19    810      25.10  311       0.73
    export csv          0.90   48      5.17     84     5.26   79      47.07    325      54.70  300       0.89
    export parquet      1.55  149      6.25    194     5.79  179      38.71    419      45.61  368       0.73
    baseline            1.40   99      5.51    202     8.69  173      51.63   1268      82.11  857       0.88
    gate                0.81   89      5.04    192     3.74  152      42.21   1152      33.47  751       0.81

Since then the numbers of phases are read in one pass over their records, cells that rows of CSV share are written once, and a
baseline's content is not copied. Of 100,000 items, load 9 to 11, the commit of the table and the one behind it in one run:

                     table         behind it
    export csv       43.69  299    27.25  296    the same bytes
    status            6.81  253     6.74  253
    results()                      11.36  253    load 10; 9.1 beside 10.6 at load 4
    export parquet                 20 to 24  390    98 MB are pandas and pyarrow
    baseline                       52.19  882
    gate                           21.51  770

Then small entries of a baseline share row groups of Parquet (format 2, each row group cost 2 ms and 8 KB), entries keep packed
scores, the gate and baselines go through items one at a time, and exports to Parquet do without pandas. Of 10,000 items in one run at
load 11, of 100,000 at load 6 to 8, not in one run; a baseline of 2,000 configurations has 0.5 MB instead of 6.4:

                     10,000: before         now        100,000: before         now
    export csv         2.39   72      2.30   71          22.69  300
    export parquet     2.64  180      2.33  142          20.25  391
    baseline           5.21  172      3.07  114          39.88  881      28.62  272
    gate               2.41  151      2.10  105          20.93  770      18.01  303
    diff              10.88  806     11.15  514

Then rows of phases are cut out of the texts of records and kept packed, and ``diff`` makes the facts about an item when it is asked
for, so that its memory does not grow with the store; both sides one after the other at load 10 to 12:

                      1,000: before        now        10,000: before         now        100,000: before         now
    phases()           0.75  131    0.68  125                                             19.61  346   11.22  267
    diff               1.28   77    1.20   34          12.03  514   11.09   58

On a quieter machine (load 3 to 9) the commit before that took of 100,000 items: status 6.60 254, results() 9.82 253, export csv 22.09 296,
export parquet 22.36 365, compare two 17.03 288, baseline 30.01 272, gate 20.25 302.

What is left of CSV: 2.4 s to match items, 5 s to read and search the records of phases (a full scan with checksums is 1.9 s), 1 s to
make facts of them, the rest rows and cells. A baseline opens every file of values
(100,000 of them, beneath directories that are no links) and looks up every evaluation by its key.

Not measured again, as of "between":

                         10,000: before        after      100,000: before        after
    logs of an item        0.43     33                      0.50     70      0.34     27
    gc --dry-run           3.72    431   5.91     71                        55.51    107
    verify                22.59    803  42.14    200
    delete --dry-run       7.37    604   7.94    130
    phases()               3.90    163    2.59   155        23.66    360      19.93    354
    sql                    6.09    141                      > 60    361
    export json            4.14     65                     42.28    321
    export html            3.20    113                     13.15    334
    merge                  6.51     74

Made stores have no manifests of the items that are not computed, so ``verify`` names all of their records there.
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
