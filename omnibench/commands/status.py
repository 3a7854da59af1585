"""``omnibench status | why | show | logs``: what a checkpoint store knows."""

from __future__ import annotations

import argparse
import json
import logging
import math
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, say
from omnibench.store.queries import open_store
from omnibench.store.schema import Status
from omnibench.store.sizes import Sizes, size_text, sizes_text


def status(arguments: argparse.Namespace) -> int:
    """Show what is done, failed, interrupted, running and pending, and who computes."""
    store = open_store(arguments.store)
    items, counts = store.items(), store.summary()
    sizes = store.sizes()
    if arguments.json:
        statuses = {name: item["status"] for name, item in items.items()}
        say(json.dumps({**counts, "bytes": sizes.parts, "items": statuses}, indent=1))
        return 0
    took = f"; {counts['elapsed']:.0f} s computed in all" if counts["elapsed"] else ""
    tally = {word.value: counts["completed" if word is Status.DONE else word.value] for word in Status}
    listed = ", ".join(f"{count} {word}" for word, count in tally.items())
    say(f"{store.root}: {counts['total']} items: {listed}{took}")
    say(f"  {sizes_text(sizes)}")
    for name, item in items.items():
        if item["status"] != Status.DONE or arguments.all:
            say(
                f"  {item['status']:11}  {item['fit_key'][:8]}  {name}{_remark(item)}{_size(item, sizes) if arguments.all else ''}"
            )
    for worker in store.workers(active=not arguments.all):
        activity = f"{worker['item']} ({worker['phase']})" if worker["item"] else "idle" if worker["alive"] else "ended"
        beat = f"heartbeat {_ago(worker['heartbeat'])}"
        say(f"  worker {worker['id']}: process {worker['pid']} on {worker['host']}, since {worker['started']}, {beat}")
        say(f"    {worker['completed']} items completed; {activity}")
    return 0


def _size(item: dict[str, Any], sizes: Sizes) -> str:
    parts = sizes.items.get(item.get("directory") or item["item"], {})
    if not parts:
        return ""
    model = f", its model {size_text(parts['models'])}" if parts.get("models") else ""
    return f"  ({size_text(sum(parts.values()))}{model})"


def _remark(item: dict[str, Any]) -> str:
    if item["status"] == Status.RUNNING:
        return f"  ({item['holder']})"
    if item["status"] == Status.FAILED:
        deaths = f", its process died {item['deaths']} times" if item.get("deaths") else ""
        return f"  ({item['error']['phase']}: {item['error']['message'].splitlines()[0]}{deaths})"
    return f"  (in {item['phase']})" if item["status"] == Status.INTERRUPTED else ""


def _ago(moment: str) -> str:
    past = datetime.fromisoformat(moment)
    return f"{max(0.0, (datetime.now(UTC) - past).total_seconds()):.0f} s ago"


def why(arguments: argparse.Namespace) -> int:
    """Say why an item is or would be computed: the parts of its key that differ from the nearest record."""
    if "::" in arguments.item:  # only pytest can tell what a node id stands for
        directory = ["--omnirec-checkpoint-dir", arguments.store]
        command = [sys.executable, "-m", "pytest", arguments.item, "--omnirec-plan", "-v", *directory]
        return subprocess.run(command, check=False).returncode
    say(open_store(arguments.store).why(arguments.item))
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show everything that is known of an item: state, metrics, phases, files, where its numbers come from."""
    store = open_store(arguments.store)
    item = store.find(arguments.item)
    provenance = store.provenance(arguments.item)
    if arguments.json:
        say(
            json.dumps(
                {"record": item, "provenance": provenance, "files": [str(p) for p in store.files(arguments.item)]}
            )
        )
        return 0
    say(f"{item['item']}: {item['status']}{_remark(item)}")
    for label, metric in item.get("metrics", {}).items():
        say(f"  {label:16} {metric['value']:.6f}")
    phases = store.phases()
    for phase in phases[phases["item"] == item["item"]].to_dict("records"):
        wall, cpu = (_number(phase[name], "{:.3f} s") for name in ("seconds", "cpu_seconds"))
        peak = _number(phase["peak_rss"], "{:.0f} MiB", 2**20)
        say(f"  {phase['phase']:16} {wall} wall, {cpu} CPU, peak {peak}  {phase['finished']}")
    for path in store.files(arguments.item):
        say(f"  {path}")
    if provenance["dropped"]:
        say(
            f"  its model was dropped {provenance['dropped']} to save space; longer lists or other candidates fit it again"
        )
    say(f"  key {provenance['sha256']} is the sha256 of")
    say(f"  {provenance['configuration_json']}")
    run = provenance["run"]
    if run:
        git = f", git {run['git']['commit'][:12]}{' (changed)' if run['git']['dirty'] else ''}" if run["git"] else ""
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        say(f"  run {run['id']} by {run['user']} on {run['host']}{git}; {versions}")
    return 0


def _number(value: Any, template: str, unit: float = 1.0) -> str:
    return template.format(value / unit) if isinstance(value, int | float) and not math.isnan(value) else "unknown"


def logs(arguments: argparse.Namespace) -> int:
    """Show the log: what happened, by run, worker and item."""
    store = open_store(arguments.store)
    seen, level = arguments.since, logging.getLevelNamesMapping()[arguments.level]
    while True:
        for entry in store.logs(seen, item=arguments.item, min_level=level):
            seen = entry["id"]
            about = f" {entry['item']}" if entry["item"] else ""
            say(f"{seen} {entry['time']} {entry['level_name']} {entry['logger']}{about}: {entry['message']}")
        if not arguments.follow:
            return 0
        time.sleep(1)


def add_parsers(commands: Any) -> None:
    """Declare the commands to argparse."""
    parsers = {name: add_parser(commands, name, run) for name, run in _COMMANDS.items()}
    parsers["status"].add_argument("--all", action="store_true", help="also list what is done, and workers that ended")
    parsers["why"].add_argument("item", metavar="ITEM", help=f"{ITEM}, or a pytest node id")
    parsers["show"].add_argument("item", metavar="ITEM", help=ITEM)
    for name in ("status", "show"):
        parsers[name].add_argument("--json", action="store_true", help="for programs")
    parsers["logs"].add_argument("item", metavar="ITEM", nargs="?", help=ITEM)
    parsers["logs"].add_argument("--since", type=int, default=0, metavar="ID", help="only entries after this one")
    parsers["logs"].add_argument("--follow", action="store_true", help="go on with what is logged from now on")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parsers["logs"].add_argument("--level", default="DEBUG", choices=levels, help="only entries from this level on")


_COMMANDS = {"status": status, "why": why, "show": show, "logs": logs}
