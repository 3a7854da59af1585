"""What it costs to merge, publish and pull many items, beside a bare copy of the same files.

    python benchmarks/sharing/merging.py [--items 10000] [--scratch DIR]

Makes a store of made-up items, each with two files of its own as small ones have, and does in processes of their own: a copy of
its directory (``shutil.copytree``, and the same with each file synced to the disk, which a store has to do), a merge into an
empty store, the merge again, publishing, and pulling what was published into an empty store. Prints CPU seconds (user and
system), wall seconds, peak memory, and the ratio of CPU to the bare copy.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent.parent / "tests"

PREPARE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from support import shared_items
from omnibench.store import CheckpointStore
store = CheckpointStore(sys.argv[1])
for number in range(int(sys.argv[2])):
    shared_items.record_item(store, f"A{{number}}", metrics={{"NDCG@10": number / 1e6}}, predictions=number)
store.close()
"""
COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"
SYNCED = """
import os, shutil, sys
shutil.copytree(sys.argv[1], sys.argv[2])
for directory, _, names in os.walk(sys.argv[2]):
    for name in [".", *names]:
        descriptor = os.open(os.path.join(directory, name), os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
"""
COMMAND = "import sys; from omnibench.commands.main import main; sys.exit(main(sys.argv[1:]))"


def cost_of(code: str, *arguments: str) -> tuple[float, float, float]:
    """Return CPU seconds, wall seconds and peak megabytes of a Python process.

    Raises:
        SystemExit: It fails.
    """
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-P", "-c", code, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} has failed")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss / 1000


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--scratch", type=Path, help="a directory on the disk that is to be measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as name:
        scratch = Path(name)
        store, table = scratch / "store", scratch / "table"
        cost_of(PREPARE, str(store), str(arguments.items))
        files = sum(path.is_file() for path in store.rglob("*"))
        size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
        print(f"{arguments.items:,} items, {files:,} files, {size / 1e6:,.0f} MB")
        ways = {
            "copy": (COPY, str(store), str(scratch / "copy")),
            "copy, each file synced": (SYNCED, str(store), str(scratch / "synced")),
            "merge": (COMMAND, "merge", str(store), "--into", str(scratch / "merged")),
            "merge again": (COMMAND, "merge", str(store), "--into", str(scratch / "merged")),
            "publish predictions": (COMMAND, "publish", str(table), "--store", str(store), "--what", "predictions"),
            "publish again": (COMMAND, "publish", str(table), "--store", str(store), "--what", "predictions"),
            "pull": (COMMAND, "pull", str(table), "--all", "--into", str(scratch / "pulled")),
        }
        bare = 0.0
        for way, (code, *words) in ways.items():
            seconds, wall, megabytes = cost_of(code, *words)
            bare = bare or seconds
            each = 1000 * seconds / arguments.items
            print(
                f"{way:24} {seconds:8.2f} s CPU {wall:8.2f} s wall {megabytes:6.0f} MB {each:7.2f} ms an item {seconds / bare:6.1f} x"
            )
            for copy in ("copy", "synced"):
                shutil.rmtree(scratch / copy, ignore_errors=True)


if __name__ == "__main__":
    main()
