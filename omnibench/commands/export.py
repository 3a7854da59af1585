"""``omnibench export``: results as files."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import ITEM, add_all, add_parser, add_test, complain, note_left_out, say
from omnibench.errors import ExportError
from omnibench.report.choices import DEFAULT_LIMIT
from omnibench.report.export import export_results
from omnibench.report.files import SUFFIXES
from omnibench.store.queries import open_store

_FRUGAL = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_THREAD_TIMEOUT": "4"}
"""Arrow, for Parquet, keeps twenty megabytes for later in an allocator of its own. The threads that numpy's OpenBLAS starts look for
work without a pause before they sleep, a tenth of a CPU second each; here after 2 to the power of 4 cycles."""


def export(arguments: argparse.Namespace) -> int:
    """Write the results of a store into files: for a paper, a pull request, an analysis, or for looking at."""
    if not arguments.files and arguments.run_files is None:
        raise ExportError(
            f"nothing says where to write; name a file that ends in {', '.join(SUFFIXES)}, or a directory: --run-files DIR."
        )
    if arguments.run_files is not None:
        _export_runs(arguments)
    if not arguments.files:
        return 0
    with _frugal_libraries():
        problems = export_results(
            arguments.store,
            *arguments.files,
            datasets=arguments.dataset,
            algorithms=arguments.algorithm,
            metrics=arguments.metric,
            sort=arguments.sort,
            top=arguments.top,
            alpha=arguments.alpha,
            test=arguments.test,
            better=arguments.better,
            all_items=arguments.all,
            paths=arguments.paths,
            notify=note_left_out,
        )
    for problem in problems:
        complain(problem)
    for file in dict.fromkeys(arguments.files):
        say(f"{file}: {Path(file).stat().st_size:,} bytes")
    return int(bool(problems))


@contextlib.contextmanager
def _frugal_libraries() -> Iterator[None]:
    """Have libraries that are imported meanwhile, and read variables then, take less; what the user has chosen stays."""
    unset = [name for name in _FRUGAL if name not in os.environ]
    os.environ |= {name: _FRUGAL[name] for name in unset}
    try:
        yield
    finally:
        for name in unset:
            del os.environ[name]


def _export_runs(arguments: argparse.Namespace) -> None:
    """Write trec_eval's files."""
    from omnibench.scoring.run_files import write_run_files  # which imports numpy

    written = write_run_files(
        open_store(arguments.store),
        Path(arguments.run_files),
        datasets=arguments.dataset,
        algorithms=arguments.algorithm,
        all_items=arguments.all,
        notify=note_left_out,
    )
    for note in written.notes:
        complain(note)
    for file in written.files:
        say(f"{file}: {file.stat().st_size:,} bytes")


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "export", export)
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help=f"where to write; the ending says the format: {', '.join(SUFFIXES)}"
    )
    parser.add_argument(
        "--run-files",
        metavar="DIR",
        help="write the lists as runs of trec_eval, and the test parts as its qrels, into this directory",
    )
    only = {"action": "append", "default": []}
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="only this one, by its name, with or without the hash; may be repeated",
        **only,
    )
    parser.add_argument("--algorithm", metavar="ITEM", help=f"only what is named by {ITEM}; may be repeated", **only)
    parser.add_argument("--metric", metavar="LABEL", help="only this one, e.g. NDCG@10; may be repeated", **only)
    parser.add_argument(
        "--sort", metavar="LABEL", default="", help="sort tables by a metric, best first (default: by name)"
    )
    parser.add_argument(
        "--top",
        type=int,
        default=DEFAULT_LIMIT,
        metavar="N",
        help=f"tables show, and test, the best N configurations of a dataset (default: {DEFAULT_LIMIT})",
    )
    add_test(parser)
    add_all(parser)
    parser.add_argument(
        "--paths",
        action="store_true",
        help="keep directories and the names of users and hosts in the reasons of missing items (default: leave them out)",
    )
    parser.add_argument(
        "--better", choices=["higher", "lower"], help="which values are better of metrics not omnibench's own"
    )
