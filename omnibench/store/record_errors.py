"""What SQLite refuses of the records, as errors that say what it was and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.guest.disk import current_trouble
from omnibench.limits import limit_error
from omnibench.store.damage import DamagedStoreError, check_header, is_damage, primary_code


def opening_error(directory: Path, error: Exception) -> Exception:
    """Return the error to raise when the records cannot be opened.

    Args:
        directory: The directory of the records.
        error: What was raised.

    Raises:
        DamagedStoreError: The database's first bytes are damaged, which SQLite calls read-only.
    """
    if is_damage(error):
        return DamagedStoreError(f"the checkpoint records in {directory} are damaged ({error})")
    if isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_READONLY:
        check_header(directory / "cache.db")
    trouble = current_trouble(directory)
    return limit_error(error) or StoreError(
        f"the checkpoint records in {directory} cannot be opened ({type(error).__name__}: {error}{trouble}). Choose "
        f"another place with --omnirec-checkpoint-dir, or {'mend that' if trouble else 'make this one writable'}."
    )


def trouble_of(directory: Path, verb: str, error: Exception) -> Exception:
    """Return the error to raise when something cannot be done with records that are open.

    Args:
        directory: The directory of the records.
        verb: What cannot be done, e.g. ``written``.
        error: What was raised; a StoreError is returned as it is.
    """
    if isinstance(error, StoreError):
        return error
    if is_damage(error):
        return DamagedStoreError(
            f"the checkpoint records in {directory} are damaged ({error}). Run again: they will be set aside "
            "and rebuilt from the manifests beside the files."
        )
    return limit_error(error) or StoreError(
        f"the checkpoint records in {directory} cannot be {verb} ({error}{current_trouble(directory)}). What was "
        "recorded is safe; mend that, and run again."
    )
