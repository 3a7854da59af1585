"""The next step that an error names, as a command that can be copied."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from omnibench.store.schema import Phase
from omnibench.terminal import command_line

DEFAULT_DIRECTORY = "checkpoints"
"""The store that the command looks into where nobody says otherwise."""


def repair_command(root: Path, items: Sequence[str] = ()) -> str:
    """Return the command that has what is damaged made anew.

    Args:
        root: The store's directory.
        items: The names of the items; none for the whole store.
    """
    return command_line("omnibench", "verify", *items, "--repair", *_elsewhere(root))


def search_advice(root: Path, item: str) -> str:
    """Return what to do about a search whose trials have all failed.

    Args:
        root: The store's directory.
        item: The name of the tuned item.
    """
    listing = command_line("omnibench", "tuning", item, *_elsewhere(root))
    again = command_line("omnibench", "reset", item, "--what", Phase.TUNE.value, *_elsewhere(root))
    return f"`{listing}` lists its trials; `{again}` has the next run compute them again."


def snapshots_command(root: Path, *words: str) -> str:
    """Return the command that lists snapshots, or chooses one of them.

    Args:
        root: The store's directory.
        words: What it is given beside the store.
    """
    return command_line("omnibench", "snapshots", *words, *_elsewhere(root))


def refit_command(root: Path, item: str) -> str:
    """Return the command that has an item fitted again, from the beginning.

    Args:
        root: The store's directory.
        item: The item's name.
    """
    return command_line("omnibench", "reset", item, "--what", Phase.FIT.value, *_elsewhere(root))


def _elsewhere(root: Path) -> list[str]:
    """Return the arguments that name a store which commands would not look into by themselves."""
    default = Path(os.environ.get("OMNIREC_CHECKPOINT_DIR") or DEFAULT_DIRECTORY)
    return [] if os.path.abspath(default) == os.path.abspath(root) else ["--store", str(root)]
