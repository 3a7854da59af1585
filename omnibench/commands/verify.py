"""``omnibench verify``: whether everything of a store is what was recorded, and repairing what is not."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, counted, say, say_text
from omnibench.sizes import size_text
from omnibench.store.advice import repair_command
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.damage import DamagedStoreError
from omnibench.store.item_names import title_of
from omnibench.store.queries import Store, open_store
from omnibench.store.repair import remedy, repair
from omnibench.store.schema import Record
from omnibench.store.verification import Damage, Part, Verification, database_damage, verify_store

_MOST_PASSES = 4
"""How often a store is looked at while it is repaired: what was set aside shows what was made of it."""


def verify(arguments: argparse.Namespace) -> int:
    """Check records, files, manifests, datasets and readable copies of a store; --repair has what is damaged made anew."""
    store = open_store(arguments.store)
    fit_keys = _chosen(store, arguments.items)
    skipped: list[str] = []
    verification = _look(store.root, fit_keys, skipped)
    damages = left = verification.damages
    titles = _titles(store) if damages else {}  # before a repair sets records aside
    repaired: list[Damage] = []
    if arguments.repair and damages:
        repaired, left = _repaired(store.root, fit_keys, damages, skipped)
    if arguments.json:
        listed = [{"part": damage.part, "name": damage.name, "trouble": damage.trouble} for damage in damages]
        counts = {"items": verification.items, "records": verification.records, "files": verification.files}
        say_text(json.dumps({**counts, "bytes": verification.size, "damages": listed, "left": len(left)}, indent=1))
        return int(bool(left))
    for damage in repaired or damages:
        title = titles.get(damage.fit_key)
        owner = f" ({title})" if title and damage.part is not Part.ITEM else ""
        outcome = f": {remedy(damage)}" if damage in repaired and damage not in left else ""
        say(f"  {damage.part:15}  {damage.name}{owner} {damage.trouble}{outcome}")
    busy = sum(damage in repaired for damage in left)
    command = repair_command(store.root, arguments.items)
    say(f"{store.root}: {_counts(verification)}: {_verdict(damages, left, busy, command, repairing=arguments.repair)}")
    if skipped and not left:
        copies = f"readable predictions of {counted(len(skipped), 'item')}"
        say(
            f"  the {copies} were not compared: that takes the dataset, which is not there until a run prepares it again"
        )
    return int(bool(left))


def _chosen(store: Store, texts: Sequence[str]) -> set[str] | None:
    """Return the keys of the items to look at; None where no item is named, which means all."""
    if not texts:
        return None
    items = store.brief_items()
    return {items[name]["fit_key"] for name in store.select(*texts)}


def _titles(store: Store) -> dict[str, str]:
    """Return what people call all items, by their keys; nothing where the database is damaged."""
    try:
        return {record["fit_key"]: title_of(record) for record in store.brief_items().values()}
    except DamagedStoreError:
        return {}


def _look(root: Path, fit_keys: Collection[str] | None, skipped: list[str]) -> Verification:
    """Look at everything once, and show how far that is on a terminal; add the items whose copies were not compared."""
    from omnibench.engine.readable import stale_copies  # imports numpy, which the command's help and completion save

    skipped.clear()
    progress = _Progress()

    def copies(records: Mapping[str, Record]) -> Iterator[Damage]:
        skipped.clear()
        return stale_copies(root, records, fit_keys, progress.of("readable copies", str), skipped)

    try:
        verification = verify_store(root, fit_keys, progress.of("bytes", size_text), copies)
    except DamagedStoreError as error:
        return Verification(damages=[database_damage(error)])
    progress.end()
    return verification


def _repaired(
    root: Path, fit_keys: Collection[str] | None, damages: list[Damage], skipped: list[str]
) -> tuple[list[Damage], list[Damage]]:
    """Repair a store; return all damages that were met, and those that are left."""
    from omnibench.engine.readable import write_copies_again  # as above

    met: list[Damage] = []
    for _ in range(_MOST_PASSES):
        if not damages:
            break
        met += [damage for damage in damages if damage not in met]
        with warnings.catch_warnings(), closing(CheckpointStore(root, allow_network_fs=True, notify=say)) as store:
            warnings.simplefilter("ignore")  # about what is listed below
            copies = [damage for damage in damages if damage.part is Part.COPY and damage.fit_key]
            busy = [*repair(store, damages), *write_copies_again(store, copies)]
        damages = _look(root, fit_keys, skipped).damages
        if damages and all(damage in busy for damage in damages):
            break
    return met, damages


def _counts(verification: Verification) -> str:
    files = f"{counted(verification.files, 'file')} ({size_text(verification.size)})"
    return f"{counted(verification.items, 'item')}, {counted(verification.records, 'record')}, {files}"


def _verdict(damages: Sequence[Damage], left: Sequence[Damage], busy: int, command: str, *, repairing: bool) -> str:
    if not damages:
        return "all as recorded"
    if not repairing:
        return (
            f"{len(damages)} damaged; `{command}` moves that aside or writes it again, and a run makes what is missing"
        )
    if not left:
        return f"{len(damages)} damaged and repaired; a run makes what is missing now"
    reason = "; some items are being computed right now, so try again when they are done" if busy else ""
    return f"{len(left)} of {len(damages)} damaged and not repaired{reason}"


class _Progress:
    """Says on a terminal how far a look is; nowhere else."""

    def __init__(self) -> None:
        self._line = ""
        self._is_shown = sys.stderr.isatty()

    def of(self, noun: str, text: Callable[[int], str]) -> Callable[[int, int], None]:
        """Return a function that takes how much was looked at, and how much there is."""

        def show(done: int, total: int) -> None:
            share = f"{100 * done // max(total, 1)} %"
            if self._is_shown and share not in self._line:
                self._write(f"verifying: {share} of {text(total)}{'' if noun == 'bytes' else f' {noun}'}")

        return show

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r{line:{len(self._line)}}")
        sys.stderr.flush()
        self._line = line

    def end(self) -> None:
        """Remove the line."""
        if self._line:
            sys.stderr.write(f"\r{'':{len(self._line)}}\r")
            sys.stderr.flush()


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "verify", verify)
    parser.add_argument("items", metavar="ITEM", nargs="*", help=f"{ITEM} (default: the whole store)")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="move aside what is damaged, so that the next run computes exactly that, and write readable copies again",
    )
    parser.add_argument("--json", action="store_true", help="for programs: what was looked at and what is damaged")
