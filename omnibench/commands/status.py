"""``omnibench status | why``: what a checkpoint store knows."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omnibench.cluster.detached import detached_run
from omnibench.commands.parsing import ITEM, add_parser, counted, say, say_text
from omnibench.commands.remarks import remark
from omnibench.errors import ClusterError
from omnibench.sizes import size_text
from omnibench.store.item_names import asks_once, call_text
from omnibench.store.light_records import light_records
from omnibench.store.overview import remaining_of, summary_of, workers_of
from omnibench.store.plans import STEADY_DATA, unsteady_in
from omnibench.store.queries import open_store
from omnibench.store.reading import read
from omnibench.store.resumption import newest_members, resumable
from omnibench.store.schema import MAX_ATTEMPTS, SEARCHED, Phase, Record, RecordType, Status
from omnibench.store.search_words import seconds_text
from omnibench.store.sizes import Sizes, sizes_text
from omnibench.store.states import RecordsInMemory
from omnibench.store.stops import STOPPED
from omnibench.store.taken import taken_origins, taken_sentence
from omnibench.store.tuned_items import tuned_items
from omnibench.tables.names import recorded_names

_FOLLOW_SECONDS = 5.0

_DONE = Status.DONE.value

_OF_WORKERS = (Status.DONE, Status.PENDING, Status.RUNNING)
"""What is not listed item by item while a run is followed: it is counted, and the workers say what runs."""

_MOST_ALGORITHMS = 5
"""Algorithms that a line names."""


def status(arguments: argparse.Namespace) -> int:
    """Show what is done, failed, interrupted, running and pending, and who computes; again and again where that is asked for."""
    holder = _holder(arguments)
    exit_status = _show(arguments)
    while arguments.follow and (holder or _is_computing(arguments)):
        time.sleep(_FOLLOW_SECONDS)
        if not arguments.json:
            say()  # else nobody sees at a glance where what is newest begins
        holder = _holder(arguments)
        exit_status = _show(arguments)
    return exit_status


def _holder(arguments: argparse.Namespace) -> str:
    """Say which job of SLURM holds a run of the store, and return its state; nothing where none does."""
    run = detached_run(Path(arguments.store))
    try:
        state = "" if run is None else run.state()
    except ClusterError:  # this is no machine of the cluster
        return ""
    if run is not None and state and not arguments.json:
        say(f"job {run.job} holds a run ({state}: {run.command}); what it prints is in {run.output}")
    return state


def _is_computing(arguments: argparse.Namespace) -> bool:
    store = open_store(arguments.store)
    return any(worker["alive"] for worker in workers_of(store.root, light_records(store.root).records, active=True))


def _show(arguments: argparse.Namespace) -> int:
    store = open_store(arguments.store)
    light = light_records(store.root)
    records, items = light.records, store.items_in(light.records)
    # Most records are those of items that are done, of which nothing is said: to pass over them takes as long as to read them.
    notable = {name: item for name, item in items.items() if _is_notable(item)}
    lean_records = {key: record for key, record in records.items() if not RecordType.ITEM.has(key)}
    remaining = remaining_of(lean_records, notable)
    counts, sizes = summary_of(store.root, light, items, remaining), store.sizes()
    unsteady, origins = unsteady_in(lean_records), read(store.root / "store", taken_origins)
    unfinished = (item for item in notable.values() if item["status"] != Status.DONE)
    snapshots = resumable(RecordsInMemory(lean_records), unfinished)
    if arguments.json:
        statuses = {name: item["status"] for name, item in items.items()}
        newest = {name: newest_members(snapshot) for name, snapshot in snapshots.items()}
        items_by_key = {item["fit_key"]: name for name, item in items.items()}
        facts: dict[str, Any] = {"bytes": sizes.parts, "items": statuses, "snapshots": newest, "unsteady": unsteady}
        facts["taken"] = {
            items_by_key[key]: [asdict(origin) for origin in its] for key, its in origins.items() if key in items_by_key
        }
        say_text(json.dumps({**counts, **facts}, indent=1))
        return int(bool(unsteady))
    took = f"; {seconds_text(counts['elapsed'])} computed in all" if counts["elapsed"] else ""
    tally = {word.value: counts["completed" if word is Status.DONE else word.value] for word in Status}
    listed = ", ".join(f"{count} {word}" for word, count in tally.items())
    say(f"{store.root}: {counts['total']} items: {listed}{took}")
    say(f"  {sizes_text(sizes)}")
    names = recorded_names(items.values())
    searches = _searches(records, items, notable)
    unlisted = () if arguments.all else _OF_WORKERS if arguments.follow else (Status.DONE,)
    for item in (items if arguments.all else notable).values():
        if item["status"] not in unlisted:
            size = _size(item, sizes) if arguments.all else ""
            say(
                f"  {item['status']:11}  {item['fit_key'][:8]}  {names.recorded_item(item)}"
                f"{remark(item, searches, snapshots.get(item['item']))}{size}"
            )
    for line in _lacking(notable):
        say(f"  {line}")
    for line in (*_equal_seeds(notable), *filter(None, [taken_sentence(origins.values(), len(items))])):
        say(f"  {line}")
    for line in _prospect(notable, frozenset(remaining)):
        say(f"  {line}")
    for worker in workers_of(store.root, lean_records, active=not arguments.all):
        current = names.recorded_item(items[worker["item"]]) if worker["item"] in items else worker["item"]
        short_name = _short_name(worker, lean_records) if arguments.follow else ""
        for line in _worker_lines(worker, current, short_name):
            say(f"  {line}")
    for label, source in unsteady.items():
        say(
            f"  the data {label} of {source} differs from process to process, so its last run was refused. {STEADY_DATA}"
        )
    return int(bool(unsteady))


def _is_notable(item: Record) -> bool:
    """Whether anything is said of an item by its name: it is not done, lacks something, or stands for several seeds."""
    return item["status"] != _DONE or STOPPED in item or "as_seed" in item or "seeds" in item


def _worker_lines(worker: dict[str, Any], current: str, short_name: str) -> Iterator[str]:
    """Yield what a worker does, in a single line if it lives and has a short name.

    Args:
        worker: What is shown of its record, and whether it is alive.
        current: The name of its item.
        short_name: See ``_short_name``; nothing for all that is known.
    """
    activity = (
        f"{current} ({worker['phase'] or 'between phases'})"
        if worker["item"]
        else "idle"
        if worker["alive"]
        else "ended"
    )
    if worker["item"] and not worker["alive"]:
        activity = f"killed while it computed {activity}"
    completed = f"{counted(worker['completed'] or 0, 'item')} completed; {activity}"
    if short_name and worker["alive"]:
        yield f"{short_name}: {completed}"
        return
    beat = f"heartbeat {_ago(worker['heartbeat'])}" if worker["heartbeat"] else "no heartbeat"
    host, since = worker["host"] or "an unknown host", worker["started"] or "an unknown time"
    yield f"worker {worker['id']}: process {worker['pid'] or 'unknown'} on {host}, since {since}, {beat}"
    yield f"  {completed}"


def _short_name(worker: dict[str, Any], records: Mapping[str, Record]) -> str:
    """Return which worker of its run one is, e.g. ``gw3``, and the machine of its guest where that is known to be another one."""
    name = str(worker["id"]).removeprefix(f"{worker['run']}.").rpartition(".")[0] or str(worker["id"])
    machine = records.get(RecordType.WORKER.key(worker["id"]), {}).get("at")
    return f"{name} on {machine}" if machine else name


def _size(item: dict[str, Any], sizes: Sizes) -> str:
    parts = sizes.items.get(item.get("directory") or item["item"], {})
    if not parts:
        return ""
    model = f", its model {size_text(parts['models'])}" if parts.get("models") else ""
    return f"  ({size_text(sum(parts.values()))}{model})"


def _searches(records: dict[str, Record], items: dict[str, Record], notable: dict[str, Record]) -> dict[str, str]:
    """Return how far searches are that have not come to their end, by the names of their items.

    Args:
        records: All records.
        items: Those of the items, by name.
        notable: Those of them that are not done, at least.
    """
    if not any(item.get(SEARCHED) and item["status"] != Status.DONE for item in notable.values()):
        return {}
    tuned = tuned_items(records, items)
    return {
        search.item["item"]: search.progress_text
        for search in tuned
        if search.trials and search.item["phase"] == Phase.TUNE
    }


def _prospect(items: dict[str, dict[str, Any]], remaining: frozenset[str]) -> Iterator[str]:
    """Yield what the next run will do about items that failed, and that nobody asks for what it will leave."""
    failed = [name for name, item in items.items() if item["status"] == Status.FAILED]
    spent = [name for name in failed if items[name].get("deaths", 0) >= MAX_ATTEMPTS]
    retried = [name for name in failed if name in remaining]
    if retried:
        more = len(remaining) - len(retried)
        rest = f", and computes {more} more" if more else ""
        yield f"the next run tries {len(retried)} of the failed items again{rest} (not with --omnirec-failed=skip)"
    if spent:
        yield (
            f"not tried again: {len(spent)} of the failed items, of which a process died {MAX_ATTEMPTS} "
            f"times in a row; --omnirec-max-attempts={MAX_ATTEMPTS + 1} tries once more, "
            "--omnirec-reset=failed forgets it"
        )
    unfinished = [name for name, item in items.items() if item["status"] != Status.DONE and name not in spent]
    if forgotten := len(unfinished) - len(remaining):
        noun, verb = ("item", "is") if forgotten == 1 else ("items", "are")
        yield (
            f"{forgotten} unfinished {noun} {verb} not in the last plan (e.g. of earlier versions of a class), so no run computes "
            "them; `omnibench prune --plan benchmarks` removes what your bench files do not name"
        )


def _lacking(items: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield what done items lack because a later attempt at it failed."""
    by_failure: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for name, item in items.items():
        failure = item.get(STOPPED) if item["status"] == Status.DONE else None
        if failure and failure["error"]:
            reason = (failure["phase"], failure["error"]["message"].partition("\n")[0], tuple(failure["metrics"] or ()))
            by_failure.setdefault(reason, []).append(name)
    for (phase, message, metrics), names in by_failure.items():
        lack = f"without {', '.join(metrics)}" if metrics else "without what was asked for later"
        yield f"{counted(len(names), 'done item')} {lack}, which failed ({phase}: {message}); what was recorded before holds"


def _equal_seeds(items: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield which items stand for several seeds, and which were not fitted because the seed changes nothing."""
    once = [item for item in items.values() if asks_once(item)]
    alike = [item for item in items.values() if item["status"] == Status.DONE and item.get("as_seed") is not None]
    if once:
        yield f"deterministic: fitted once, for several seeds: {_counted(once)}"
    if alike:
        yield f"deterministic: equal predictions with another seed: {_counted(alike)}"


def _counted(items: list[dict[str, Any]]) -> str:
    """Return how many items there are of which algorithms."""
    names = dict.fromkeys(call_text(item) for item in items)
    listed = ", ".join(list(names)[:_MOST_ALGORITHMS]) + (", ..." if len(names) > _MOST_ALGORITHMS else "")
    return f"{len(items)} item{'' if len(items) == 1 else 's'} of {listed}"


def _ago(moment: str) -> str:
    past = datetime.fromisoformat(moment)
    return f"{max(0.0, (datetime.now(UTC) - past).total_seconds()):.0f} s ago"


def why(arguments: argparse.Namespace) -> int:
    """Say what an item was made of, or why it would be computed; of two items, what differs between them."""
    if "::" in arguments.item and arguments.other is None:  # only pytest can tell what a node id stands for
        directory = ["--omnirec-checkpoint-dir", arguments.store]
        command = [sys.executable, "-m", "pytest", arguments.item, "--omnirec-plan", "-v", *directory]
        return subprocess.run(command, check=False).returncode
    store = open_store(arguments.store)
    if arguments.other is not None:
        contrast = store.contrast(arguments.item, arguments.other)
        for line in [json.dumps(contrast.as_json())] if arguments.json else contrast.lines():
            say(line)
    else:
        facts = {"why": store.why(arguments.item), **store.describe(arguments.item)} if arguments.json else {}
        say_text(json.dumps(facts) if arguments.json else store.why(arguments.item))
    return 0


def add_parsers(commands: Any) -> None:
    """Declare the commands to argparse."""
    parsers = {name: add_parser(commands, name, run) for name, run in _COMMANDS.items()}
    parsers["status"].add_argument("--all", action="store_true", help="also list what is done, and workers that ended")
    parsers["why"].add_argument("item", metavar="ITEM", help=f"{ITEM}, or a pytest node id")
    parsers["why"].add_argument("other", metavar="ITEM", nargs="?", help="the item to compare it with")
    parsers["status"].add_argument(
        "--follow", action="store_true", help="say it again every few seconds until nothing runs any more"
    )
    for name in ("status", "why"):
        parsers[name].add_argument("--json", action="store_true", help="for programs")


_COMMANDS = {"status": status, "why": why}
