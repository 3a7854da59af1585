"""``omnibench merge``: finished items of another store."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import add_parser, busy_sentence, complain, counted, say, warnings_said
from omnibench.errors import OmnibenchError
from omnibench.sharing.sources import Source, StoreSource
from omnibench.sharing.taking import Conflict, Outcome, take_over
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.exports import refresh_copies
from omnibench.terminal import command_line

_MOST_LISTED = 20
"""Items of a group that are listed."""


def merge(arguments: argparse.Namespace) -> int:
    """Take over what another store has and this one lacks; what they contradict each other in is shown and left alone."""
    directory, root = Path(arguments.other), Path(arguments.store)
    if directory.exists() and root.exists() and os.path.samefile(directory, root):
        raise OmnibenchError(f"{arguments.other!r} is the store itself; name another one, or --into another one.")
    source = StoreSource(directory)
    fit_keys = source.fit_keys()
    outcome = taken_into(root, source, fit_keys, models=arguments.models)
    unfinished = f"; {counted(source.unfinished, 'item')} of it not done" if source.unfinished else ""
    say(f"{root}: {outcome_text(outcome)}{unfinished} ({source.name})")
    return say_outcome(outcome, root, source.name)


def taken_into(root: Path, source: Source, fit_keys: Sequence[str], *, models: bool) -> Outcome:
    """Take items over into a store, which is made where there is none, and bring its readable copies up to date.

    Args:
        root: The store's directory.
        source: What they are taken from.
        fit_keys: The keys of the items.
        models: Whether models are taken over, too.
    """
    with (
        warnings_said(),
        closing(CheckpointStore(root, allow_network_fs=True, notify=complain)) as store,
    ):
        outcome = take_over(store, source, fit_keys, models=models)
    if outcome.gained or outcome.extended:
        trouble = refresh_copies(root, complain)
        if trouble:
            complain(trouble)
    return outcome


def outcome_text(outcome: Outcome) -> str:
    """Return how many items were taken over, and what became of the others."""
    parts = [f"{counted(len(outcome.gained), 'item')} taken over"]
    if outcome.extended:
        parts.append(f"{len(outcome.extended)} completed with what they lacked")
    if outcome.equal:
        parts.append(f"{outcome.equal} already here and equal")
    if outcome.conflicts:
        parts.append(f"{len(outcome.conflicts)} in conflict")
    if outcome.refused:
        parts.append(f"{len(outcome.refused)} refused")
    return ", ".join(parts)


def say_outcome(outcome: Outcome, root: Path, source: str) -> int:
    """Print conflicts, what was refused, and what was left where it is; return the exit status.

    Args:
        outcome: What came of taking items over.
        root: The store's directory.
        source: What people call the source.
    """
    for conflict in outcome.conflicts[:_MOST_LISTED]:
        _say_conflict(conflict, root, source)
    if len(outcome.conflicts) > _MOST_LISTED:
        say(f"  and {len(outcome.conflicts) - _MOST_LISTED} more conflicts")
    if outcome.conflicts:
        example = outcome.conflicts[0].fit_key[:12]
        command = command_line("omnibench", "reset", example, "--store", str(root))
        say(
            "  Items in conflict were left as they are here. To have the other's numbers instead of one's own, reset the item, "
            f"e.g. `{command}`, and do this again."
        )
    for title, reason in list(outcome.refused.items())[:_MOST_LISTED]:
        say(f"  refused   {title}: {reason}")
    if len(outcome.refused) > _MOST_LISTED:
        say(f"  and {len(outcome.refused) - _MOST_LISTED} more were refused")
    if outcome.models:
        say(
            f"  {counted(outcome.models, 'model')} left there, because loading one runs what is in it; --models takes them over"
        )
    if outcome.busy:
        say(f"  {busy_sentence(outcome.busy)}")
    return int(bool(outcome.conflicts or outcome.refused or outcome.busy))


def _say_conflict(conflict: Conflict, root: Path, source: str) -> None:
    say(f"  conflict  {conflict.fit_key[:8]}  {conflict.title}")
    for difference in conflict.differences:
        say(f"    {difference}")
    say(f"    here ({root}): {conflict.ours}")
    say(f"    there ({source}): {conflict.theirs}")


def add_into(parser: Any) -> None:
    """Declare the store that is written to."""
    parser.add_argument(
        "--into",
        "--store",
        dest="store",
        metavar="DIR",
        default=os.environ.get("OMNIREC_CHECKPOINT_DIR") or "checkpoints",
        help="the checkpoint directory that is written to (default: OMNIREC_CHECKPOINT_DIR, or checkpoints)",
    )


def add_models(parser: Any) -> None:
    """Declare whether models are taken over."""
    parser.add_argument(
        "--models",
        action="store_true",
        help="also models, of whose makers you are sure: loading one runs what is in it (default: results and predictions)",
    )


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "merge", merge, of_store=False)
    parser.add_argument("other", metavar="OTHER", help="another checkpoint directory; nothing is written there")
    add_into(parser)
    add_models(parser)
