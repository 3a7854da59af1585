"""``omnibench status | why | show``: what a checkpoint store knows."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, counted, say, say_text
from omnibench.store.advice import repair_command
from omnibench.store.facts import fact_lines
from omnibench.store.item_names import asks_once, call_text
from omnibench.store.plans import STEADY_DATA
from omnibench.store.queries import Store, open_store
from omnibench.store.schema import MAX_ATTEMPTS, SEARCHED, START, Phase, Status
from omnibench.store.search_words import seconds_text
from omnibench.store.sizes import Sizes, size_text, sizes_text
from omnibench.store.stops import STOPPED
from omnibench.store.tuned_items import tuned_items
from omnibench.tables.names import recorded_names

_MOST_ALGORITHMS = 5
"""Algorithms that a line names."""


def status(arguments: argparse.Namespace) -> int:
    """Show what is done, failed, interrupted, running and pending, and who computes."""
    store = open_store(arguments.store)
    items, counts = store.items(), store.summary()
    sizes, unsteady = store.sizes(), store.unsteady
    if arguments.json:
        statuses = {name: item["status"] for name, item in items.items()}
        say_text(json.dumps({**counts, "bytes": sizes.parts, "items": statuses, "unsteady": unsteady}, indent=1))
        return int(bool(unsteady))
    took = f"; {seconds_text(counts['elapsed'])} computed in all" if counts["elapsed"] else ""
    tally = {word.value: counts["completed" if word is Status.DONE else word.value] for word in Status}
    listed = ", ".join(f"{count} {word}" for word, count in tally.items())
    say(f"{store.root}: {counts['total']} items: {listed}{took}")
    say(f"  {sizes_text(sizes)}")
    names = recorded_names(items.values())
    searches = {} if arguments.json else _searches(store, items)
    for item in items.values():
        if item["status"] != Status.DONE or arguments.all:
            size = _size(item, sizes) if arguments.all else ""
            say(
                f"  {item['status']:11}  {item['fit_key'][:8]}  {names.recorded_item(item)}{_remark(item, searches)}{size}"
            )
    for line in _lacking(items):
        say(f"  {line}")
    for line in _equal_seeds(items):
        say(f"  {line}")
    for line in _prospect(items, frozenset(store.remaining)):
        say(f"  {line}")
    for worker in store.workers(active=not arguments.all):
        current = names.recorded_item(items[worker["item"]]) if worker["item"] in items else worker["item"]
        activity = (
            f"{current} ({worker['phase'] or 'between phases'})"
            if worker["item"]
            else "idle"
            if worker["alive"]
            else "ended"
        )
        if worker["item"] and not worker["alive"]:
            activity = f"killed while it computed {activity}"
        beat = f"heartbeat {_ago(worker['heartbeat'])}" if worker["heartbeat"] else "no heartbeat"
        host, since = worker["host"] or "an unknown host", worker["started"] or "an unknown time"
        say(f"  worker {worker['id']}: process {worker['pid'] or 'unknown'} on {host}, since {since}, {beat}")
        say(f"    {worker['completed'] or 0} items completed; {activity}")
    for label, source in unsteady.items():
        say(
            f"  the data {label} of {source} differs from process to process, so its last run was refused. {STEADY_DATA}"
        )
    return int(bool(unsteady))


def _size(item: dict[str, Any], sizes: Sizes) -> str:
    parts = sizes.items.get(item.get("directory") or item["item"], {})
    if not parts:
        return ""
    model = f", its model {size_text(parts['models'])}" if parts.get("models") else ""
    return f"  ({size_text(sum(parts.values()))}{model})"


def _searches(store: Store, items: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return how far searches are that have not come to their end, by the names of their items."""
    if not any(item.get(SEARCHED) and item["status"] != Status.DONE for item in items.values()):
        return {}
    tuned = tuned_items(store.records(), items)
    return {each.item["item"]: each.progress_text for each in tuned if each.trials and each.item["phase"] == Phase.TUNE}


def _remark(item: dict[str, Any], searches: Mapping[str, str] = MappingProxyType({})) -> str:
    search = f": {searches[item['item']]}" if item["item"] in searches else ""
    if item["status"] == Status.RUNNING:
        return f"  ({item['holder']}{search})"
    if item["status"] == Status.DONE and item.get("as_seed") is not None:
        return f"  (as seed_{item['as_seed']})"
    if item["status"] == Status.FAILED:
        deaths = f", its process died {_times(item['deaths'])}" if item.get("deaths") else ""
        error = item["error"] or {}
        parts = (error.get("phase"), (error.get("message") or "no reason is recorded").partition("\n")[0])
        return f"  ({': '.join(filter(None, parts))}{deaths})"
    return f"  (in {item['phase']}{search})" if item["status"] == Status.INTERRUPTED else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


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


def show(arguments: argparse.Namespace) -> int:
    """Show everything that is known of an item: state, metrics, phases, files, where its numbers come from."""
    store = open_store(arguments.store)
    item = store.find(arguments.item)
    provenance, facts = store.provenance(arguments.item), store.describe(arguments.item)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is damaged is said below
        paths = store.files(arguments.item)
    if arguments.json:
        files = [str(path) for path in paths]
        say(json.dumps({"record": item, "facts": facts, "provenance": provenance, "files": files}))
        return 0
    say(f"{facts['title']}: {item['status']}{_remark(item)}")
    say(f"  item             {item['item']}")
    for line in fact_lines(facts):
        say(f"  {line}")
    for label, metric in item.get("metrics", {}).items():
        say(f"  {label:16} {metric['value']:.6f}")
    phases = store.phases()
    for phase in phases[phases["item"] == item["item"]].to_dict("records"):
        _show_phase(phase, facts["algorithm"]["name"].partition(".")[0])
    for line in (item["error"]["details"] if item.get("error") else "").strip().splitlines():
        say(f"  | {line}".rstrip())
    damages = {damage.name: damage.trouble for damage in store.verify(arguments.item)}
    for path in paths:
        trouble = damages.get(path.relative_to(store.root).as_posix())
        say(f"  {path}{f'  ({trouble})' if trouble else ''}")
    if damages:
        say(f"  damaged: `{repair_command(store.root, [arguments.item])}`, and the next run computes it again")
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
        user, host = run["user"] or "an unknown user", run["host"] or "an unknown host"
        say(f"  run {run['id']} by {user} on {host}{git}; {versions}")
    return 0


def _show_phase(phase: dict[str, Any], framework: str) -> None:
    """Print what a phase has cost, and below it how long its framework's process took to start."""
    finished = phase["finished"] if isinstance(phase["finished"], str) else "at an unknown time"
    ending = "" if phase["status"] == Status.DONE else f"  {phase['status']}"
    if phase["phase"] == Phase.PREDICT and phase["status"] == Status.DONE and math.isnan(phase["seconds"] or math.nan):
        say(f"  {phase['phase']:16} taken over from another seed  {finished}")
        return
    wall, cpu = (_number(phase[name], "{:.3f} s") for name in ("seconds", "cpu_seconds"))
    peak = _number(phase["peak_rss"], "{:.0f} MiB", 2**20)
    if phase["phase"] == Phase.TUNE:  # several trials may be computed at a time, so it is no wall time
        say(f"  {phase['phase']:16} {wall} in all trials together, peak {peak}  {finished}{ending}")
        return
    if phase["start_seconds"] and not math.isnan(phase["start_seconds"]):
        say(f"  {START:16} {phase['start_seconds']:.3f} s until the process of {framework} ran")
    say(f"  {phase['phase']:16} {wall} wall, {cpu} CPU, peak {peak}  {finished}{ending}")


def _number(value: Any, template: str, unit: float = 1.0) -> str:
    return template.format(value / unit) if isinstance(value, int | float) and not math.isnan(value) else "unknown"


def add_parsers(commands: Any) -> None:
    """Declare the commands to argparse."""
    parsers = {name: add_parser(commands, name, run) for name, run in _COMMANDS.items()}
    parsers["status"].add_argument("--all", action="store_true", help="also list what is done, and workers that ended")
    parsers["why"].add_argument("item", metavar="ITEM", help=f"{ITEM}, or a pytest node id")
    parsers["why"].add_argument("other", metavar="ITEM", nargs="?", help="the item to compare it with")
    parsers["show"].add_argument("item", metavar="ITEM", help=ITEM)
    for name in ("status", "show", "why"):
        parsers[name].add_argument("--json", action="store_true", help="for programs")


_COMMANDS = {"status": status, "why": why, "show": show}
