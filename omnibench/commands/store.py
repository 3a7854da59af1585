"""``omnibench status | why | show | logs | reset | rebuild | gc``: what a checkpoint store knows, and keeping it tidy."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omnibench.engine.policy import seconds
from omnibench.errors import OmnibenchError
from omnibench.store import gc, leases, recovery
from omnibench.store.checkpoints import PRESENCE
from omnibench.store.queries import open_store
from omnibench.store.schema import RESETS, Status


def _say(line: str = "") -> None:
    print(line, flush=True)  # noqa: T201 - this is the command's output


def status(given: argparse.Namespace) -> int:
    """Show what is done, failed, interrupted, running and pending, and who computes."""
    store = open_store(given.store)
    items, counts = store.items(), store.summary()
    if given.json:
        _say(json.dumps({**counts, "items": {name: one["status"] for name, one in items.items()}}, indent=1))
        return 0
    took = f"; {counts['elapsed']:.0f} s computed in all" if counts["elapsed"] else ""
    words = (
        (Status.DONE, "completed"),
        (Status.FAILED, "failed"),
        (Status.INTERRUPTED, "interrupted"),
        (Status.RUNNING, "running"),
    )
    told = ", ".join(f"{counts[name]} {word}" for word, name in (*words, (Status.PENDING, "pending")))
    _say(f"{store.root}: {counts['total']} items: {told}{took}")
    for name, one in items.items():
        if one["status"] != Status.DONE or given.all:
            _say(f"  {one['status']:11}  {one['fit_key'][:8]}  {name}{_remark(one)}")
    for worker in store.workers(active=not given.all):
        at = f"{worker['item']} ({worker['phase']})" if worker["item"] else "idle" if worker["alive"] else "ended"
        beat = f"heartbeat {_ago(worker['heartbeat'])}"
        _say(f"  worker {worker['id']}: process {worker['pid']} on {worker['host']}, since {worker['started']}, {beat}")
        _say(f"    {worker['completed']} items completed; {at}")
    return 0


def _remark(item: dict[str, Any]) -> str:
    if item["status"] == Status.RUNNING:
        return f"  ({item['holder']})"
    if item["status"] == Status.FAILED:
        deaths = f", its process died {item['deaths']} times" if item.get("deaths") else ""
        return f"  ({item['error']['phase']}: {item['error']['message'].splitlines()[0]}{deaths})"
    return f"  (in {item['phase']})" if item["status"] == Status.INTERRUPTED else ""


def _ago(moment: str) -> str:
    then = datetime.fromisoformat(moment)
    return f"{max(0.0, (datetime.now(UTC) - then).total_seconds()):.0f} s ago"


def why(given: argparse.Namespace) -> int:
    """Say why an item is or would be computed: the parts of its key that differ from the nearest record."""
    if "::" in given.item:  # only pytest can tell what a node id stands for
        where = ["--omnirec-checkpoint-dir", given.store]
        command = [sys.executable, "-m", "pytest", given.item, "--omnirec-plan", "-v", *where]
        return subprocess.run(command, check=False).returncode
    _say(open_store(given.store).why(given.item))
    return 0


def show(given: argparse.Namespace) -> int:
    """Show everything that is known of an item: state, metrics, phases, files, where its numbers come from."""
    store = open_store(given.store)
    item = store.find(given.item)
    provenance = store.provenance(given.item)
    if given.json:
        _say(json.dumps({"record": item, "provenance": provenance, "files": [str(p) for p in store.files(given.item)]}))
        return 0
    _say(f"{item['item']}: {item['status']}{_remark(item)}")
    for label, metric in item.get("metrics", {}).items():
        _say(f"  {label:16} {metric['value']:.6f}")
    phases = store.phases()
    for phase in phases[phases["item"] == item["item"]].to_dict("records"):
        wall, cpu = (_number(phase[name], "{:.3f} s") for name in ("seconds", "cpu_seconds"))
        peak = _number(phase["peak_rss"], "{:.0f} MiB", 2**20)
        _say(f"  {phase['phase']:16} {wall} wall, {cpu} CPU, peak {peak}  {phase['finished']}")
    for path in store.files(given.item):
        _say(f"  {path}")
    _say(f"  key {provenance['sha256']} is the sha256 of")
    _say(f"  {provenance['configuration_json']}")
    run = provenance["run"]
    if run:
        git = f", git {run['git']['commit'][:12]}{' (changed)' if run['git']['dirty'] else ''}" if run["git"] else ""
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        _say(f"  run {run['id']} by {run['user']} on {run['host']}{git}; {versions}")
    return 0


def _number(value: Any, how: str, unit: float = 1.0) -> str:
    return how.format(value / unit) if isinstance(value, int | float) and not math.isnan(value) else "unknown"


def logs(given: argparse.Namespace) -> int:
    """Show the log: what happened, by run, worker and item."""
    store = open_store(given.store)
    seen, level = given.since, logging.getLevelNamesMapping()[given.level]
    while True:
        for entry in store.logs(seen, item=given.item, min_level=level):
            seen = entry["id"]
            about = f" {entry['item']}" if entry["item"] else ""
            _say(f"{seen} {entry['time']} {entry['level_name']} {entry['logger']}{about}: {entry['message']}")
        if not given.follow:
            return 0
        time.sleep(1)


def reset(given: argparse.Namespace) -> int:
    """Have items computed anew by the next run."""
    store = open_store(given.store)
    chosen = [store.find(item)["item"] for item in given.items] or list(store.items())
    if not given.yes and not given.items and given.what == "all":
        if not sys.stdin.isatty():
            raise OmnibenchError("this would reset every item; say so with --yes, or name the items.")
        _say(f"Compute all {len(chosen)} items of {store.root} anew? [y/N] ")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 1
    done = store.reset(chosen, given.what)
    _say(f"{len(done.items)} items were reset; their old files stay until `omnibench gc`.")
    if done.busy:
        _say(f"{len(done.busy)} items are being computed right now and were left alone.")
    return int(bool(done.busy))


def rebuild(given: argparse.Namespace) -> int:
    """Put records back from the manifests beside the files, where the database lacks them."""
    root = Path(given.store)
    if not (root / "STORE.json").exists() and not (root / "store").exists():
        raise OmnibenchError(f"there are no checkpoints in {str(root)!r}; give the directory that a run wrote to.")
    with leases.alone(root / PRESENCE):
        records, told = recovery.open_records(root)
        try:
            for sentence in told:
                _say(sentence)
            _say(f"{recovery.rebuild(records, root)}.")
            records.checkpoint()
        finally:
            records.close()
    return 0


def collect(given: argparse.Namespace) -> int:
    """Remove what no record names any more: earlier generations that were reset, and left-over files."""
    older = None if given.damaged is None else seconds(given.damaged)
    root = Path(given.store)
    found = gc.collect(root, dry_run=given.dry_run, kept=given.kept, planned=given.planned, aside_older_than=older)
    for path in found.files:
        _say(f"  {path}")
    _say(f"{'would remove' if given.dry_run else 'removed'} {found}")
    return 0


def add_parser(commands: Any, name: str, run: Callable[[argparse.Namespace], int]) -> Any:
    """Declare a command that looks into a store to argparse, and return its parser."""
    described = (run.__doc__ or "").splitlines()[0]
    parser = commands.add_parser(name, help=described, description=described)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--store",
        metavar="DIR",
        default=os.environ.get("OMNIREC_CHECKPOINT_DIR") or "checkpoints",
        help="the checkpoint directory (default: OMNIREC_CHECKPOINT_DIR, or checkpoints)",
    )
    return parser


def add_parsers(commands: Any) -> None:
    """Declare the commands to argparse."""
    parsers = {name: add_parser(commands, name, run) for name, run in _COMMANDS.items()}
    item = "its name as in the table, or the beginning of its key"
    parsers["status"].add_argument("--all", action="store_true", help="also list what is done, and workers that ended")
    parsers["why"].add_argument("item", metavar="ITEM", help=f"{item}, or a pytest node id")
    parsers["show"].add_argument("item", metavar="ITEM", help=item)
    for name in ("status", "show"):
        parsers[name].add_argument("--json", action="store_true", help="for programs")
    parsers["logs"].add_argument("item", metavar="ITEM", nargs="?", help=item)
    parsers["logs"].add_argument("--since", type=int, default=0, metavar="ID", help="only entries after this one")
    parsers["logs"].add_argument("--follow", action="store_true", help="go on with what is logged from now on")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parsers["logs"].add_argument("--level", default="DEBUG", choices=levels, help="only entries from this level on")
    parsers["reset"].add_argument("items", metavar="ITEM", nargs="*", help=f"{item} (default: all)")
    parsers["reset"].add_argument("--what", default="all", choices=RESETS, help="which of them, or from which phase on")
    parsers["reset"].add_argument("--yes", action="store_true", help="do not ask")
    parsers["gc"].add_argument("--dry-run", action="store_true", help="only tell what would be removed")
    parsers["gc"].add_argument("--kept", action="store_true", help="also what --omnirec-resume=fresh has put aside")
    parsers["gc"].add_argument("--planned", action="store_true", help="also items that were planned and never begun")
    parsers["gc"].add_argument(
        "--damaged", metavar="AGE", help="also what was set aside as damaged this long ago, e.g. 30d (0s: all of it)"
    )


_COMMANDS = {
    "status": status,
    "why": why,
    "show": show,
    "logs": logs,
    "reset": reset,
    "rebuild": rebuild,
    "gc": collect,
}
