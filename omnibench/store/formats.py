"""Store formats: which this omnibench reads, and the refusal of stores that a newer one has made.

Whoever opens a store, to write or only to look, passes ``refuse_newer`` or ``refuse_newer_database`` first: a newer
format may mean something else by the same records.
"""

from __future__ import annotations

import json
from pathlib import Path

from omnibench import __version__
from omnibench.errors import StoreError
from omnibench.store.beneath import LinkedFileError, read_bytes

SEALED_SINCE = 2
"""The store format (SQLite's ``user_version``) since which every record has a checksum."""

FORMAT = SEALED_SINCE
"""The newest format that this omnibench reads, and the one that it writes: 1 had no checksums and no manifests."""

MARKER = "STORE.json"
"""The file that notes the format, beside the database, which notes it as well."""

_LARGEST_MARKER = 4096
"""Bytes of the marker that are read; ours has about 13."""

_LARGEST_PLAUSIBLE = 999
"""A database that notes a larger format is damaged: no omnibench wrote that."""


class NewerStoreError(StoreError):
    """A store has a newer format than this omnibench reads."""


def refuse_newer(root: Path) -> None:
    """Refuse a store whose marker notes a newer format; a marker that is missing or damaged says nothing.

    Args:
        root: The store's directory, which need not exist.

    Raises:
        NewerStoreError: A newer omnibench has made the store.
    """
    noted = marked_format(root)
    if noted is not None:
        refuse_format(root, noted)


def refuse_newer_database(root: Path, version: int) -> None:
    """Refuse a store whose database notes a newer format, unless that number can only be damage.

    Args:
        root: The store's directory.
        version: The format that the database notes.

    Raises:
        NewerStoreError: A newer omnibench has made the store.
    """
    if version <= _LARGEST_PLAUSIBLE:
        refuse_format(root, version)


def refuse_format(root: Path, store_format: int) -> None:
    """Refuse a newer format than this omnibench reads.

    Args:
        root: The store's directory.
        store_format: Its format.

    Raises:
        NewerStoreError: It is newer.
    """
    if store_format > FORMAT:
        raise NewerStoreError(
            f"{root} was made by a newer omnibench (store format {store_format}; this one, {__version__}, reads up to "
            f"{FORMAT}), so nothing of it is read or changed. Upgrade omnibench, or choose another directory "
            "(--omnirec-checkpoint-dir, or --store of a command)."
        )


def marked_format(root: Path) -> int | None:
    """Return the format that a store's marker notes, or None where it is missing or damaged."""
    try:
        return int(json.loads(read_bytes(root, MARKER, _LARGEST_MARKER))["format"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, LinkedFileError):
        return None
