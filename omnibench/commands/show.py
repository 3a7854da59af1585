"""``omnibench show``: everything that is known of an item."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, say
from omnibench.commands.remarks import remark
from omnibench.store.advice import repair_command, snapshots_command
from omnibench.store.facts import FactSource, fact_lines, provenance_of
from omnibench.store.frames import phases_of
from omnibench.store.item_files import files_of_item
from omnibench.store.queries import Store, open_store
from omnibench.store.resumption import attempt_lines, resumable, snapshot_line
from omnibench.store.schema import START, Phase, Record, RecordType, Status
from omnibench.store.states import RecordsInMemory
from omnibench.store.taken import origin_lines, origins_of

_MOST_SNAPSHOTS = 10
"""Snapshots that are shown: the newest."""


_WIDEST = 40
"""Characters of a label up to which the values of all metrics stand in line."""


def show(arguments: argparse.Namespace) -> int:
    """Show everything that is known of an item: state, metrics, phases, files, where its numbers come from."""
    store = open_store(arguments.store)
    item, records = store.about(arguments.item)
    provenance, facts = provenance_of(item, records), FactSource(records).facts_of(item)
    paths = files_of_item(store.root, records, item["fit_key"])
    marks = records.get(RecordType.TAKEN.key(item["fit_key"]))
    if arguments.json:
        files = [str(path) for path in paths]
        origins = [asdict(origin) for origin in origins_of(marks, item)]
        say(json.dumps({"record": item, "facts": facts, "provenance": provenance, "files": files, "taken": origins}))
        return 0
    snapshot = resumable(RecordsInMemory(records), [item]).get(item["item"]) if item["status"] != Status.DONE else None
    say(f"{facts['title']}: {item['status']}{remark(item, snapshot=snapshot)}")
    _show_activity(store, item)
    say(f"  item             {item['item']}")
    for line in fact_lines(facts):
        say(f"  {line}")
    for line in origin_lines(marks, item):
        say(f"  taken over       {line}")
    metrics = item.get("metrics", {})
    width = max([16, *(len(label) for label in metrics if len(label) <= _WIDEST)])
    for label, metric in metrics.items():
        say(f"  {label:{width}} {metric['value']:.6f}")
    _show_phases(records, item, facts)
    for line in (item["error"]["details"] if item.get("error") else "").strip().splitlines():
        say(f"  | {line}".rstrip())
    _show_files(store, item["item"], arguments.item, paths, facts["snapshots"])
    if provenance["dropped"] and marks is not None:
        say("  its model stayed where it was fitted; longer lists or other candidates fit it again")
    elif provenance["dropped"]:
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


def _show_activity(store: Store, item: Record) -> None:
    """Print what workers are doing with an item right now, e.g. what they wait for."""
    for worker in store.workers() if item["status"] == Status.RUNNING else ():
        if worker["item"] == item["item"] and worker["phase"]:
            say(f"  now              {worker['phase']}")


def _show_phases(records: Mapping[str, Record], item: Record, facts: Mapping[str, Any]) -> None:
    """Print what the phases of an item have cost, and each attempt at a Fit that goes on from a snapshot, or went."""
    phases, is_fitted = phases_of(item["item"], records), Phase.FIT in facts["phases"]
    for phase in phases:
        _show_phase(phase, facts["algorithm"]["name"].partition(".")[0], facts["attempts"] if is_fitted else ())
    if facts["attempts"] and not is_fitted:
        say(f"  {Phase.FIT:16} until the snapshot that it goes on from:")
        _show_attempts(facts["attempts"])


def _show_phase(phase: dict[str, Any], framework: str, attempts: Sequence[Record] = ()) -> None:
    """Print what a phase has cost, how long its framework's process took to start, and each attempt where there were several."""
    finished = phase["finished"] if isinstance(phase["finished"], str) else "at an unknown time"
    ending = "" if phase["status"] == Status.DONE else f"  {phase['status']}"
    if phase["phase"] == Phase.PREDICT and phase["status"] == Status.DONE and math.isnan(phase["seconds"] or math.nan):
        say(f"  {phase['phase']:16} taken over from another seed  {finished}")
        return
    wall, cpu = (_number(phase[name], "{:.3f} s") for name in ("seconds", "cpu_seconds"))
    peak = _number(phase["peak_rss"], "{:.0f} MiB", 2**20)
    if phase["phase"] == Phase.TUNE:  # several trials may be computed at a time, so it is no wall time
        trials = "in the trials, beside the Fit" if phase["status"] == Status.DONE else "in all trials together"
        say(f"  {phase['phase']:16} {wall} {trials}, peak {peak}  {finished}{ending}")
        return
    if phase["start_seconds"] and not math.isnan(phase["start_seconds"]):
        say(f"  {START:16} {phase['start_seconds']:.3f} s until the process of {framework} ran")
    say(f"  {phase['phase']:16} {wall} wall, {cpu} CPU, peak {peak}  {finished}{ending}")
    if phase["phase"] == Phase.FIT and phase["status"] == Status.DONE and len(attempts) > 1:
        _show_attempts(attempts)


def _show_attempts(attempts: Iterable[Record]) -> None:
    for line in attempt_lines(attempts):
        say(f"    {line}")


def _show_files(
    store: Store, name: str, item: str, paths: Iterable[Path], snapshots: Iterable[Mapping[str, Any]]
) -> None:
    """Print the snapshots and the files of an item, and which of them are damaged.

    Args:
        store: The item's store.
        name: The item's name.
        item: What the user calls it.
        paths: Its files.
        snapshots: Its snapshots, as ``resumption.snapshot_rows`` has them.
    """
    damages = {damage.name: damage.trouble for damage in store.verify(name)}
    rows = list(snapshots)
    if len(rows) > _MOST_SNAPSHOTS:
        earlier = f"{len(rows) - _MOST_SNAPSHOTS} earlier ones; `{snapshots_command(store.root, item)}` lists them"
        say(f"  {'snapshots':16} {earlier}")
    for row in rows[-_MOST_SNAPSHOTS:]:
        damaged = any(name == row["folder"] or name.startswith(f"{row['folder']}/") for name in damages)
        say(f"  {'snapshot':16} {snapshot_line(row)}{'  (damaged)' if damaged else ''}")
        say(f"  {'':16} {store.root / row['folder']}")
    folders = [store.root / row["folder"] for row in rows]
    for path in (path for path in paths if not any(path.is_relative_to(folder) for folder in folders)):
        trouble = damages.get(path.relative_to(store.root).as_posix())
        say(f"  {path}{f'  ({trouble})' if trouble else ''}")
    if damages:
        say(f"  damaged: `{repair_command(store.root, [item])}`, and the next run computes it again")


def _number(value: Any, template: str, unit: float = 1.0) -> str:
    return template.format(value / unit) if isinstance(value, int | float) and not math.isnan(value) else "unknown"


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "show", show)
    parser.add_argument("item", metavar="ITEM", help=ITEM)
    parser.add_argument("--json", action="store_true", help="for programs")
