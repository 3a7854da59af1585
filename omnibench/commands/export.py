"""``omnibench export``: results as files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import ITEM, add_all, add_parser, add_test, complain, note_left_out, say
from omnibench.report.export import export_results
from omnibench.report.files import SUFFIXES
from omnibench.report.sections import DEFAULT_LIMIT


def export(arguments: argparse.Namespace) -> int:
    """Write the results of a store into files: for a paper, a pull request, an analysis, or for looking at."""
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


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "export", export)
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help=f"where to write; the ending says the format: {', '.join(SUFFIXES)}"
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
