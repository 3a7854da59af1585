"""SQL views over the records: ``sqlite3 checkpoints/store/cache.db 'SELECT * FROM items'`` works without omnibench.

Records are JSON texts in diskcache's own table; a view is a SELECT over ``json_extract``, so it costs nothing
until somebody asks. They cannot compare a record with its checksum: ``query.Store.sql`` shows the same views over
the records that are sound.
"""

from __future__ import annotations

import sqlite3


def _member(name: str, alias: str = "") -> str:
    return f"json_extract(value, '$.{name}') AS \"{alias or name.rpartition('.')[2]}\""


_LABELS = ", ".join(_member(name) for name in ("item", "dataset", "algorithm", "fold"))


def _view(prefix: str, *members: str) -> str:
    """Return a SELECT over the records whose keys begin with a prefix (which is a range of the key's index)."""
    return (
        f"SELECT {', '.join(members)} FROM Cache "  # noqa: S608 - made of the constants below
        f"WHERE raw = 1 AND mode = 1 AND json_valid(value) AND key >= '{prefix}/' AND key < '{prefix}0'"  # '0' follows '/'
    )


def _phase(prefix: str) -> str:
    names = ("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "python_peak", "finished", "run", "worker", "fit_key")
    return _view(prefix, _LABELS, f"'{prefix.capitalize()}' AS phase", *(_member(name) for name in names))


VIEWS = {
    # One row per item as it is recorded. Who computes it right now, and which pending ones a kill has interrupted,
    # only `omnibench status` knows: that takes a look at the locks.
    "items": _view(
        "item",
        _LABELS,
        _member("status"),
        _member("phase"),
        _member("generation"),
        _member("failures"),
        _member("deaths"),
        _member("error.message", "error"),
        _member("finished"),
        _member("run"),
        _member("worker"),
        _member("fit_key"),
        "json_extract(value, '$.parameters') AS parameters",
    ),
    # One row per finished phase of an item: wall and CPU seconds, peak memory in bytes.
    "phases": " UNION ALL ".join(
        [
            _phase("fit"),
            _phase("predict"),
            # An evaluation has a record per metric, each with what the batch cost.
            _phase("eval") + " GROUP BY json_extract(value, '$.batch'), json_extract(value, '$.fit_key')",
        ]
    ),
    # One row per metric of a done item.
    "metrics": (
        f"SELECT {_LABELS}, metric.key AS metric, json_extract(metric.value, '$.value') AS value, "  # noqa: S608
        "json_extract(Cache.value, '$.fit_key') AS fit_key "
        "FROM Cache, json_each(CASE WHEN json_valid(Cache.value) THEN Cache.value ELSE '{}' END, '$.metrics') AS metric "
        "WHERE raw = 1 AND mode = 1 AND json_valid(Cache.value) AND Cache.key >= 'item/' AND Cache.key < 'item0' "
        "AND json_extract(Cache.value, '$.status') = 'done'"
    ).replace("json_extract(value,", "json_extract(Cache.value,"),
    # One row per file of an item, so that a path leads back to what made it.
    "files": " UNION ALL ".join(
        _view(
            prefix,
            _member(f"{role}.path"),
            _member("item"),
            f"'{prefix.capitalize()}' AS phase",
            _member(f"{role}.size"),
            _member(f"{role}.sha256"),
            _member("fit_key"),
        ).replace("SELECT ", "SELECT DISTINCT ", 1)
        for prefix, role in (("fit", "model"), ("predict", "predictions"), ("eval", "per_user"))
    ),
    "datasets": _view(
        "data",
        *(_member(name) for name in ("name", "directory", "users", "items", "interactions", "seconds", "finished")),
        "substr(key, 6) AS data_key",
    ),
    "runs": _view(
        "run",
        *(_member(name) for name in ("id", "started", "ended", "host", "pid", "user", "items", "pending")),
        _member("versions.omnibench", "omnibench"),
        _member("git.commit", "git_commit"),
        _member("git.dirty", "git_dirty"),
    ),
    "workers": _view(
        "worker",
        *(
            _member(name)
            for name in ("id", "run", "pid", "host", "started", "heartbeat", "item", "phase", "completed", "ended")
        ),
    ),
}


def create_views(connection: sqlite3.Connection) -> None:
    """Create the views, or renew those of another version of omnibench; no write when they are as they should be."""
    wanted = {name: f'CREATE VIEW "{name}" AS {select}' for name, select in VIEWS.items()}
    there = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall())
    if there == wanted:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for name in {*there, *wanted}:
            connection.execute(f'DROP VIEW IF EXISTS "{name}"')
        for sql in wanted.values():
            connection.execute(sql)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
