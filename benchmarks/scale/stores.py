"""What questions to stores of three sizes cost, beside reading all records once: CPU seconds, peak memory, growth.

    python benchmarks/scale/stores.py [--items 2500]

Makes stores of a sixteenth, a quarter and all of the items (see made_store.py), and asks each in a process of its own.
The exponent is that of the growth from the smallest to the largest: 1 grows as the store does, 0 not at all.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MAKER = Path(__file__).resolve().with_name("made_store.py")
COMMAND = (
    "import sys; from omnibench.commands.main import main; sys.exit(main(sys.argv[2:] + ['--store', sys.argv[1]]))"
)
QUESTIONS = {
    "all records": "import sys; from omnibench import open_store; open_store(sys.argv[1]).records()",
    "results()": "import sys; from omnibench import open_store; open_store(sys.argv[1]).results()",
    "phases()": "import sys; from omnibench import open_store; open_store(sys.argv[1]).phases()",
    "sql": "import sys; from omnibench import open_store; open_store(sys.argv[1]).sql('SELECT count(*) FROM items')",
    "status": COMMAND,
    "export csv": COMMAND,
    "export json": COMMAND,
    "export parquet": COMMAND,
    "export html": COMMAND,
    "baseline": COMMAND,
    "show": COMMAND,
    "why": COMMAND,
    "logs": COMMAND,
}


def cost_of(code: str, *arguments: str) -> tuple[float, float]:
    """Return the CPU seconds and the peak megabytes of a Python process.

    Raises:
        SystemExit: It fails.
    """
    process = subprocess.Popen([sys.executable, "-P", "-c", code, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} has failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def words_of(question: str, item: str, directory: Path) -> list[str]:
    """Return the arguments of the command that asks a question, about an item or into a file of a directory."""
    command, _, ending = question.partition(" ")
    if command in ("export", "baseline"):
        return [command, str(directory / f"{command}.{ending or 'parquet'}")]
    return [command] if command == "status" else [command, item]


def main() -> None:
    """Print a line per question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2500, help="items of the largest store (default: 2500)")
    sizes = [parser.parse_args().items // divisor for divisor in (16, 4, 1)]
    costs: dict[str, list[tuple[float, float]]] = {question: [] for question in QUESTIONS}
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            directory = Path(scratch) / str(size)
            directory.mkdir()
            command = [sys.executable, str(MAKER), str(directory), "--items", str(size)]
            subprocess.run(command, check=True, capture_output=True)
            store = directory / "checkpoints"
            code = "import sys; from omnibench import open_store; print(open_store(sys.argv[1]).completed[0])"
            item = subprocess.run(
                [sys.executable, "-P", "-c", code, str(store)], check=True, capture_output=True, text=True
            ).stdout.strip()
            for question, code in QUESTIONS.items():
                words = [] if code != COMMAND else words_of(question, item, directory)
                costs[question].append(cost_of(code, str(store), *words))
    print(f"{'':16}" + "".join(f"{size:>10,} items      " for size in sizes) + "exponent")
    for question, pairs in costs.items():
        cells = "".join(f"{seconds:8.2f} s {megabytes:6.0f} MB   " for seconds, megabytes in pairs)
        exponent = math.log(pairs[-1][0] / pairs[0][0]) / math.log(sizes[-1] / sizes[0])
        print(f"{question:16}{cells}{exponent:8.2f}")


if __name__ == "__main__":
    main()
