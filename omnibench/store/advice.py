"""The next step that an error names, as a command that can be copied."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from omnibench.terminal import command_line

DEFAULT_DIRECTORY = "checkpoints"
"""The store that the command looks into where nobody says otherwise."""


def repair_command(root: Path, items: Sequence[str] = ()) -> str:
    """Return the command that has what is damaged made anew.

    Args:
        root: The store's directory.
        items: The names of the items; none for the whole store.
    """
    default = Path(os.environ.get("OMNIREC_CHECKPOINT_DIR") or DEFAULT_DIRECTORY)
    elsewhere = [] if os.path.abspath(default) == os.path.abspath(root) else ["--store", str(root)]
    return command_line("omnibench", "verify", *items, "--repair", *elsewhere)
