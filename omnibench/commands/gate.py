"""``omnibench baseline | gate``: write a baseline of a store, or judge a store by a baseline."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import add_all, add_parser, say, say_text
from omnibench.engine.policy import share
from omnibench.gate.baseline import Baseline, write
from omnibench.gate.report import lines
from omnibench.gate.series import spread_notice, summary
from omnibench.gate.stores import MISSING, JudgedStore, compare_with_baseline, with_judged
from omnibench.provenance import git_of


def baseline(arguments: argparse.Namespace) -> int:
    """Write what the store's finished items measured into a file, to compare later runs with."""

    def write_judged(judged: JudgedStore) -> tuple[Baseline, dict[str, str], bool]:
        written = write(arguments.file, judged.source, judged.entries, git_of(Path.cwd()))
        return written, judged.left_out, bool(judged.plan)

    written, left_out, is_planned = with_judged(arguments.store, write_judged, all_items=arguments.all)
    size = written.path.stat().st_size
    say(f"{written.path}: {summary(written.entries)}, {size / 1024:.0f} KiB")
    notice = spread_notice(written.entries)
    if notice:
        say(f"  {notice}")
    reason = "for the last plan has it not" if is_planned else "for another version was finished later"
    for name, finished in left_out.items():
        say(f"  left out, {reason}: {name} ({finished})")
    return 0


def gate(arguments: argparse.Namespace) -> int:
    """Say what is significantly worse than in a baseline, or gone; the exit status is 1 if anything is."""
    verdict = compare_with_baseline(
        arguments.store,
        arguments.file,
        tolerance=share(arguments.tolerance),
        alpha=share(arguments.alpha),
        metrics=arguments.metric or (),
        missing=arguments.missing,
        all_items=arguments.all,
    )
    if arguments.json:
        say_text(json.dumps(verdict.to_dict(), indent=1))
    else:
        width = shutil.get_terminal_size().columns
        for line in lines(verdict, width, verbosity=arguments.verbose - arguments.quiet):
            say(line.text)
    return int(not verdict.passed)


def add_parsers(commands: Any) -> None:
    """Declare the commands to argparse."""
    file = "a Parquet file, e.g. baseline.parquet"
    writer = add_parser(commands, "baseline", baseline)
    writer.add_argument("file", metavar="FILE", help=file)
    add_all(writer)
    parser = add_parser(commands, "gate", gate)
    parser.add_argument("file", metavar="FILE", help=f"the baseline: {file}")
    parser.add_argument(
        "--tolerance",
        default="0",
        metavar="SHARE",
        help="the relative loss that is accepted, e.g. 0.01 or 1%% (default: 0)",
    )
    parser.add_argument(
        "--alpha", default="0.05", metavar="SHARE", help="the level, over all comparisons (default: 0.05)"
    )
    parser.add_argument(
        "--metric", action="append", metavar="LABEL", help="e.g. NDCG@10; may be repeated (default: all)"
    )
    parser.add_argument(
        "--missing", choices=MISSING, default="fail", help="what the baseline has and the plan lacks (default: fail)"
    )
    add_all(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("-v", "--verbose", action="store_true", help="also what has not changed")
    parser.add_argument("-q", "--quiet", action="store_true", help="only what fails")
