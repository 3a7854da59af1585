"""What reading a file costs beside its peers: ``python benchmarks/data/reading.py [--interactions 20000000]``.

Seeded interactions, once with integers as MovieLens has them (sorted by user), and half as many with texts as ids as shops
have them (in no order), are written as CSV and as Parquet. pyarrow, polars and DuckDB each read a file and code its ids, in
the fastest of the ways that their documentation has: pyarrow encodes dictionaries, polars takes dense ranks or categories,
DuckDB joins the tables of different ids. The line "omnibench" does the same; it also looks whether each id is written as
integers are, which the others do not (7 and 007 are two users). The line "omnibench, canonical" makes the canonical arrays:
what the line before does, then sorted by user, time, item and rating, coded in that order, and looked through for repeated
pairs, of which the texts have some. The others were asked for nothing of that, and its quotient is of their reading all the
same: at most 1.2x and below 6x the bytes of the columns is what omnibench wants.

Each is a process of its own, and rounds take turns, so that a busy machine is busy for all; told are the CPU seconds, of the
system as well, without imports (that of numba and of what it compiled before among them), the best of some rounds, and the largest resident memory. A quotient is of the fastest peer.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

IDS = ("user", "item")


def write(directory: Path, interactions: int) -> list[Path]:
    """Write the files; return their paths."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    generator = np.random.default_rng(1)
    users = max(interactions // 144, 1)
    shares = np.clip(generator.lognormal(4.4, 1.1, users), 20, 9254)
    user = np.repeat(np.arange(users) + 1, np.ceil(shares * interactions / shares.sum()).astype(int))[:interactions]
    catalogue = np.sort(generator.choice(131_262, 26_744, replace=False)) + 1
    pairs = np.unique(user.astype(np.int64) * 26_744 + (26_744 * generator.power(0.35, len(user))).astype(int))
    user, item = pairs // 26_744, catalogue[pairs % 26_744]  # nobody rates a movie twice
    movielens = {
        "user": user,
        "item": item,
        "rating": generator.integers(1, 11, len(pairs)) / 2,
        "timestamp": generator.integers(789_652_009, 1_427_784_002, len(pairs)),
    }
    half = interactions // 2
    shop = {
        "user": np.char.add("u", generator.integers(0, max(half // 10, 1), half).astype(str)),
        "item": np.char.add("B0", (200_000 * generator.power(0.4, half)).astype(int).astype(str)),
        "timestamp": generator.integers(789_652_009, 1_427_784_002, half),
    }
    paths = []
    for name, columns in (("integers", movielens), ("texts", shop)):
        table = pa.table(columns)
        paths += [directory / f"{name}.csv", directory / f"{name}.parquet"]
        csv.write_csv(table, paths[-2], csv.WriteOptions(quoting_style="none", include_header=False))
        content = paths[-2].read_bytes()
        paths[-2].write_bytes(",".join(columns).encode() + b"\n" + content)
        pq.write_table(table, paths[-1])
    return paths


def with_pyarrow(path: str) -> None:
    """Read with pyarrow; integers are coded afterwards, texts while they are read or afterwards, whichever is faster."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    table = csv.read_csv(path) if path.endswith("csv") else pq.read_table(path)
    for name in table.column_names:
        if name in IDS:
            coded = table[name].dictionary_encode()
            pa.chunked_array([chunk.indices for chunk in coded.chunks]).to_numpy()
        else:
            table[name].to_numpy()


def with_pyarrow_dictionaries(path: str) -> None:
    """Read a CSV file with pyarrow, ids as dictionaries."""
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.dictionary(pa.int32(), pa.string()) for name in IDS}
    table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=types))
    for name in table.column_names:
        column = table[name].unify_dictionaries() if name in IDS else table[name]
        (pa.chunked_array([chunk.indices for chunk in column.chunks]) if name in IDS else column).to_numpy()


def with_polars(path: str) -> None:
    """Read with polars; the dense rank of an integer is its code, the physical value of a category that of a text."""
    import polars as pl

    frame = pl.read_csv(path) if path.endswith("csv") else pl.read_parquet(path)
    for name in frame.columns:
        column = frame[name]
        if name in IDS and column.dtype == pl.String:
            column = column.cast(pl.Categorical).to_physical()
        elif name in IDS:
            column = (column.rank("dense") - 1).cast(pl.Int32)
        column.to_numpy()


def with_polars_categories(path: str) -> None:
    """Read a CSV file with polars, ids as categories."""
    import polars as pl

    frame = pl.read_csv(path, schema_overrides=dict.fromkeys(IDS, pl.Categorical))
    for name in frame.columns:
        (frame[name].to_physical() if name in IDS else frame[name]).to_numpy()


def with_duckdb(path: str) -> None:
    """Read with DuckDB into a table; the row numbers of the different ids are their codes."""
    import duckdb

    reader = "read_csv" if path.endswith("csv") else "read_parquet"
    connection = duckdb.connect()
    connection.execute(f"create temp table t as select * from {reader}('{path}')")  # noqa: S608 - our own names
    names = [row[0] for row in connection.execute("describe t").fetchall()]
    for name in IDS:
        different = f"(select distinct {name} from t)"  # noqa: S608
        codes = f"select {name}, (row_number() over () - 1)::int as code from {different}"  # noqa: S608
        connection.execute(f"create temp table {name}s as {codes}")
    rest = "".join(f", t.{name}" for name in names if name not in IDS)
    joined = "t join users on t.user = users.user join items on t.item = items.item"
    connection.execute(f"select users.code as u, items.code as i{rest} from {joined}").fetchnumpy()  # noqa: S608


def with_omnibench(path: str) -> None:
    """Read and code the ids, as the others do."""
    from omnibench import from_file

    from_file(path).source.load()


def canonical(path: str) -> None:
    """Make the canonical arrays."""
    import warnings

    from omnibench import from_file

    with warnings.catch_warnings(action="ignore"):  # repeated pairs
        from_file(path).interactions()


LIBRARIES: dict[str, Callable[[str], None]] = {
    "pyarrow": with_pyarrow,
    "pyarrow, dictionaries": with_pyarrow_dictionaries,
    "polars": with_polars,
    "polars, categories": with_polars_categories,
    "DuckDB": with_duckdb,
    "omnibench": with_omnibench,
    "omnibench, canonical": canonical,
}
IMPORTS = {"pyarrow": ("pyarrow.parquet", "pyarrow.csv"), "polars": ("polars",), "DuckDB": ("duckdb",)}
OURS = ("pandas", "pyarrow.parquet", "pyarrow.csv", "omnibench.data.from_file")


def largest_memory() -> int:
    """Return the largest resident memory of this process in bytes (Linux; ``ru_maxrss`` would be the parent's at least)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def measure(name: str, path: str) -> None:
    """Read a file in this process; print what that took as JSON."""
    for module in IMPORTS.get(name.split(",", maxsplit=1)[0], OURS):
        importlib.import_module(module)
    if name.startswith("omnibench") and path.endswith("integers.csv"):  # nothing else is read with it
        importlib.import_module("omnibench.data.loops.compiling").are_compiled()
    before = resource.getrusage(resource.RUSAGE_SELF)
    LIBRARIES[name](path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "peak": largest_memory()}))


def measured(names: list[str], path: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Return the least CPU seconds of some rounds by library, and the memory of that round."""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as cache:  # where nothing is remembered of the file
        for name in names * rounds:
            process = subprocess.run(
                [sys.executable, __file__, "--measure", name, str(path)],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "OMNIBENCH_CACHE_DIR": cache},
            )
            answers[name].append(json.loads(process.stdout.splitlines()[-1]))
    return {name: min(each, key=lambda answer: float(answer["seconds"])) for name, each in answers.items()}


def main() -> None:
    """Write, read, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    with tempfile.TemporaryDirectory() as directory:
        for path in write(Path(directory), options.interactions):
            rows = options.interactions // (2 if path.stem == "texts" else 1)
            size = rows * (16 if path.stem == "texts" else 20)
            names = [
                name
                for name in LIBRARIES
                if path.suffix == ".csv" or name not in ("pyarrow, dictionaries", "polars, categories")
            ]
            answers = measured(names, path, options.rounds)
            fastest = min(answer["seconds"] for name, answer in answers.items() if not name.startswith("omnibench"))
            print(f"{path.name}: {rows:,} interactions, {size / 1e6:,.0f} MB as canonical columns")
            for name, answer in answers.items():
                quotient, memory = answer["seconds"] / fastest, answer["peak"] / size
                print(
                    f"  {name:22}{answer['seconds']:7.2f} s{quotient:7.2f}x  {answer['peak'] / 1e6:7,.0f} MB{memory:5.1f}x"
                )


if __name__ == "__main__":
    main()
