"""Changes of what a database is made of (views, triggers, indexes), by whichever process comes to it first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable


def change_once(connection: sqlite3.Connection, is_changed: Callable[[], bool], change: Callable[[], None]) -> None:
    """Change a database in one transaction; no write, and no lock, where that was done already.

    Args:
        connection: A connection in which nobody has begun a transaction.
        is_changed: Whether the database is as it should be; asked again under the lock.
        change: Makes it so.

    Raises:
        sqlite3.Error: It cannot be changed, and stays as it was.
    """
    if is_changed():
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not is_changed():  # another process may have had the lock since the look
            change()
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
