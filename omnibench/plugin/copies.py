"""The readable copies of the records, where a run has found everything done and so has opened no store."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.copies import are_current
from omnibench.store.formats import SEALED_SINCE
from omnibench.store.reading import read


def refresh_stale_copies(directory: Path, notify: Callable[[str], None]) -> None:
    """Write progress.json and results.json again where they are behind the records, damaged or gone.

    A run that was killed behind its last commit leaves them so, and the next one finds nothing else to do.

    Args:
        directory: The checkpoint directory.
        notify: Called with a line when something is worth telling.
    """
    with suppress(StoreError, OSError):
        version, revision = read(directory / "store", lambda reader: (reader.version, reader.revision))
        # A store that would have to be migrated first, or is somebody else's, is left as it is.
        if version < SEALED_SINCE or are_current(directory, revision) or not os.access(directory, os.W_OK):
            return
        from omnibench.store.exports import refresh_copies  # half a second of imports, which other cached runs save

        trouble = refresh_copies(directory, notify)
        if trouble:
            notify(trouble)
