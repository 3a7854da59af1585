"""SQL views over the records: ``sqlite3 checkpoints/store/cache.db 'SELECT * FROM items'`` works without omnibench.

Records are JSON texts in diskcache's own table; a view is a SELECT over ``json_extract``, so it costs nothing
until somebody asks. They cannot compare a record with its checksum: ``queries.Store.sql`` shows the same views over
the records that are sound.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from omnibench.errors import StoreError
from omnibench.store.schema import (
    COMPUTED,
    COSTS,
    DROPPED,
    FOR_TUNE,
    GUEST_MEMBERS,
    PHASE_OF,
    SEARCHED,
    WORKED,
    WORKER_COLUMNS,
    Phase,
    Record,
    RecordType,
    Status,
)
from omnibench.store.schema_changes import change_once
from omnibench.store.snapshot_views import attempts_of_fits, files_of_snapshots, in_fit, is_continued, snapshots
from omnibench.store.view_parts import LABELS, SOUND, member, members, text, view, within

_OF_TRIAL = f"json_extract(value, '$.{SEARCHED}')"
"""SQL for the search whose trial has made a model that belongs to no item."""

_PHASE_MEMBERS = (*COSTS, *GUEST_MEMBERS, "finished", "run", "worker")


def _position(phase: str) -> str:
    """Return SQL for the position among ``WORKED`` of what a worker says; see ``schema.position_of``."""
    cases = " ".join(f"WHEN {phase} = {text(worked)} THEN {position}" for position, worked in enumerate(WORKED))
    for_tune = f"WHEN {phase} LIKE {text('%' + FOR_TUNE)} THEN {WORKED.index(Phase.TUNE)}"
    return f"CASE {cases} {for_tune} ELSE {WORKED.index(Phase.FIT)} END"


def _items() -> str:
    """Return the view of items: ``schema.status_of`` in SQL, as far as records alone can tell.

    Whether somebody computes an item right now takes a look at its lease; until then such an item counts as
    interrupted.
    """
    status = _item_status()
    own = f"'{RecordType.ITEM.prefix}' || substr(key, {len(RecordType.FIT.prefix) + 1})"
    keys = f"SELECT key FROM Cache WHERE {within(RecordType.ITEM)}"  # noqa: S608 - of constants
    of_items = f"CASE WHEN json_valid(value) THEN {_OF_TRIAL} END IS NULL"
    orphans = f"SELECT key FROM Cache WHERE {within(RecordType.FIT)} AND {of_items} AND {own} NOT IN ({keys})"  # noqa: S608 - likewise
    return (
        f"{_standing(RecordType.ITEM, status)} UNION ALL "
        f"{_standing(RecordType.FIT, text(Status.PENDING), f' AND key IN ({orphans})')}"  # items whose own record is damaged
    )


def _item_status() -> str:
    """Return SQL for an item's recorded status: it is done when it has metrics, as ``stops.settled`` reads it."""
    status, done = "json_extract(record.value, '$.status')", text(Status.DONE)
    stopped = f"{status} IN ({text(Status.FAILED)}, {text(Status.INTERRUPTED)})"
    has_metrics = "coalesce(json_extract(record.value, '$.metrics'), '{}') <> '{}'"
    return f"CASE WHEN {stopped} AND {has_metrics} THEN {done} ELSE {status} END"


def _exists(record_type: RecordType, member: str) -> str:
    """Return the condition that there is a record of a type about what a member of ``record`` says."""
    key = f"'{record_type.prefix}' || json_extract(record.value, '$.{member}')"
    with_file = (
        ""
        if record_type is not RecordType.FIT
        else "".join(f" AND json_extract(other.value, '$.{member}') IS NULL" for member in (DROPPED, SEARCHED))
    )
    return f"EXISTS (SELECT 1 FROM Cache AS other WHERE other.key = {key} AND other.raw = 1{with_file})"  # noqa: S608 - of constants


def _following() -> str:
    """Return the position of the phase behind those of Fit and Predict that are recorded, or -1."""
    fit_key, predict_key = (f"json_extract(record.value, '$.{name}')" for name in ("fit_key", "predict_key"))
    predictions = view(RecordType.PREDICT, "json_extract(value, '$.fit_key')")
    return (
        f"CASE WHEN CASE WHEN {predict_key} <> '' THEN {_exists(RecordType.PREDICT, 'predict_key')} "
        f"ELSE {fit_key} IN ({predictions}) END THEN {WORKED.index(Phase.EVAL)} "
        f"WHEN {_exists(RecordType.FIT, 'fit_key')} THEN {WORKED.index(Phase.PREDICT)} ELSE -1 END"
    )


def _last_seen() -> str:
    """Return the position of the phase in which a worker is that has not ended, or -1."""
    item, phase = "json_extract(value, '$.item')", "json_extract(value, '$.phase')"
    at_work = " AND json_extract(value, '$.ended') IS NULL"
    items = view(RecordType.WORKER, item, condition=f"{at_work} AND {item} IS NOT NULL AND {phase} IS NOT NULL")
    same = f"{at_work} AND {item} = json_extract(record.value, '$.item')"
    furthest = view(RecordType.WORKER, f"max({_position(phase)})", condition=same)
    return f"CASE WHEN json_extract(record.value, '$.item') IN ({items}) THEN coalesce(({furthest}), -1) ELSE -1 END"


def _tuned() -> str:
    """Return the position of Tune where an item's search has begun, or -1; others may share it, which have not."""
    same = " AND json_extract(other.value, '$.item') = json_extract(record.value, '$.item')"
    exists = f"{_exists(RecordType.SEARCH, SEARCHED).removesuffix(')')}{same})"
    return f"CASE WHEN {exists} THEN {WORKED.index(Phase.TUNE)} ELSE -1 END"


def _standing(record_type: RecordType, status: str, condition: str = "") -> str:
    """Return a SELECT of how items stand that have a record of a type, which is called ``record``."""
    pending, interrupted = text(Status.PENDING), text(Status.INTERRUPTED)
    stopped_in = _position("json_extract(record.value, '$.phase')")
    recorded = f"CASE {status} WHEN {interrupted} THEN {stopped_in} ELSE -1 END"
    # Where an item goes on, as a position among phases; -1 for what was never begun, nothing for what has ended.
    position = f"CASE WHEN {status} IN ({pending}, {interrupted}) THEN max({_following()}, {_last_seen()}, {_tuned()}, {in_fit()}, {recorded}) END"
    names = " ".join(f"WHEN {number} THEN {text(phase)}" for number, phase in enumerate(WORKED))
    columns = (
        *(LABELS, f"{status} AS status", members("phase", "generation", "failures", "deaths")),
        *(member("error.message", "error"), members("finished", "run", "worker", "fit_key", "parameters")),
    )
    records = view(record_type, *columns, f"{position} AS position", condition=condition, table="Cache AS record")
    return (
        "SELECT item, dataset, algorithm, fold, "  # noqa: S608 - of constants
        f"CASE WHEN position >= 0 THEN {interrupted} ELSE status END AS status, "
        f"CASE WHEN status = {text(Status.DONE)} THEN {text(Phase.DONE)} "
        f"WHEN position IS NULL THEN phase ELSE CASE position {names} END END AS phase, "
        f"generation, failures, deaths, CASE WHEN status <> {text(Status.DONE)} THEN error END AS error, "
        f"finished, run, worker, fit_key, parameters FROM ({records})"
    )


def _phase(record_type: RecordType) -> str:
    phase = f"'{PHASE_OF[record_type].value}' AS phase"
    # An evaluation has a record per metric, each with what the batch cost.
    batches = " GROUP BY json_extract(value, '$.batch'), json_extract(value, '$.fit_key')"
    condition = batches if record_type is RecordType.EVAL else ""
    status = f"'{Status.DONE.value}' AS status"
    return view(record_type, LABELS, phase, status, members(*_PHASE_MEMBERS, "fit_key"), condition=condition)


def _attempts() -> str:
    """Return a SELECT of the phases that failed or were interrupted, which the records of items keep."""
    columns = members("phase", "status", *_PHASE_MEMBERS).replace("json_extract(value,", "json_extract(attempt.value,")
    return _member_rows("attempts", "attempt", columns, f" AND NOT {is_continued()}")


def _metrics() -> str:
    is_done = f" AND {_item_status()} = {text(Status.DONE)}"
    return _member_rows(
        "metrics", "metric", "metric.key AS metric, json_extract(metric.value, '$.value') AS value", is_done
    )


def _member_rows(
    member: str, alias: str, columns: str, condition: str = "", record_type: RecordType = RecordType.ITEM
) -> str:
    """Return a SELECT of what stands in a member of the records of a type, a row for each."""
    labels = LABELS.replace("json_extract(value,", "json_extract(record.value,")
    is_sound = SOUND.replace("value", "record.value")
    is_of_type = within(record_type).replace("key", "record.key")
    return (
        f"SELECT {labels}, {columns}, "  # noqa: S608 - of constants
        "json_extract(record.value, '$.fit_key') AS fit_key FROM Cache AS record, "
        f"json_each(CASE WHEN json_valid(record.value) THEN record.value ELSE '{{}}' END, '$.{member}') AS {alias} "
        f"WHERE {is_sound} AND {is_of_type}{condition}"
    )


def _files(record_type: RecordType, role: str) -> str:
    phase = f"'{PHASE_OF[record_type].value}' AS phase"
    columns = (member(f"{role}.path"), member("item"), phase, members(f"{role}.size", f"{role}.sha256", "fit_key"))
    with_file = f" AND json_extract(value, '$.{DROPPED}') IS NULL" if record_type is RecordType.FIT else ""
    return view(record_type, *columns, condition=with_file).replace("SELECT ", "SELECT DISTINCT ", 1)


def _trials() -> str:
    """Return the view of trials: a row for each item whose budget pays for one, and for those that no item has any more."""
    limit, of_item = "tuning.budget.trials", "identity[1].configuration[1].search."
    identity = member(f"{of_item}tuning", "tuning"), member(f"{of_item}{limit}", "budget")
    choice = member("chosen.number", "number"), member("chosen.trials", "paid")
    items = view(RecordType.ITEM, LABELS, member(SEARCHED), *choice, *identity)
    searches = view(RecordType.SEARCH, members(SEARCHED, "dataset", "algorithm", "fold"), member(limit, "budget"))
    seconds = (member(f"phases.{phase}", f"{phase.lower()}_seconds") for phase in COMPUTED)
    tried = view(
        RecordType.TRIAL,
        members(SEARCHED, "number", "status", "metric", "value", "parameters", "seconds"),
        *seconds,
        *(member("epochs"), member("pruned.epoch", "pruned_epoch"), member("pruned.value", "pruned_value")),
        "coalesce(json_extract(value, '$.pruned.reason'), json_extract(value, '$.error.message')) AS reason",
        members("reused", "threads", "peak_rss", "fit_key", "finished", "run", "worker"),
    )
    labels = ", ".join(f"coalesce(tuned.{name}, begun.{name}) AS {name}" for name in ("dataset", "algorithm", "fold"))
    once = " LIMIT -1 OFFSET 0"  # read once, and looked up by an index of SQLite's own, not read again for every trial
    budget = "CASE WHEN tuned.tuning IS NULL THEN begun.budget ELSE tuned.budget END"
    return (
        f"SELECT tuned.item AS item, {labels}, tried.*, coalesce(tried.number = tuned.number, 0) AS chosen "  # noqa: S608 - of constants
        f"FROM ({tried}) AS tried LEFT JOIN ({searches}{once}) AS begun ON begun.{SEARCHED} = tried.{SEARCHED} "
        f"LEFT JOIN ({items}{once}) AS tuned ON tuned.{SEARCHED} = tried.{SEARCHED} "
        f"AND tried.number < coalesce(tuned.paid, {budget}, tried.number + 1)"
    )


def _epochs() -> str:
    """Return the view of epochs: a row for each that an item's Fit has reported, of its newest snapshot while it has not ended."""
    of_fit = "json_extract(record.value, '$.fit_key')"
    snapshots, behind = (f"'{RecordType.SNAPSHOT.prefix}' || {of_fit} || '{end}'" for end in "/0")
    newer = (
        f"SELECT 1 FROM Cache AS other WHERE other.key >= {snapshots} AND other.key < {behind} AND other.raw = 1 "  # noqa: S608 - of constants
        "AND json_valid(other.value) AND json_extract(other.value, '$.passed_over') IS NULL "
        "AND json_extract(other.value, '$.number') > json_extract(record.value, '$.number')"
    )
    newest = (
        f"json_extract(record.value, '$.passed_over') IS NULL AND NOT EXISTS ({newer}) "
        f"AND {_has_record(RecordType.ITEM, of_fit)} AND NOT {_has_record(RecordType.FIT, of_fit)}"
    )
    value = "json_extract(epoch.value, '$[{}]')".format
    columns = (
        f"{value(0)} AS epoch, json_extract(epoch.value, '$[1].loss') AS loss, "
        f"json_extract(epoch.value, '$[1].validation') AS validation, {value(1)} AS numbers, "
        "json_extract(record.value, '$.name') AS snapshot"
    )
    of_item = f" AND json_extract(record.value, '$.{SEARCHED}') IS NULL"
    recorded = _member_rows("series", "epoch", columns, of_item, RecordType.SERIES)
    return f"{recorded} UNION ALL {_member_rows('series', 'epoch', columns, f' AND {newest}', RecordType.SNAPSHOT)}"


def _has_record(record_type: RecordType, fit_key: str) -> str:
    key = f"'{record_type.prefix}' || {fit_key}"
    return f"EXISTS (SELECT 1 FROM Cache AS other WHERE other.key = {key} AND other.raw = 1)"  # noqa: S608 - of constants


_ROLES = {RecordType.FIT: "model", RecordType.PREDICT: "predictions", RecordType.EVAL: "per_user"}

VIEWS = {
    # One row per item, with its status as records alone can tell it.
    "items": _items(),
    # One row per phase of an item that has ended, with its status: wall and CPU seconds, peak memory in bytes.
    "phases": " UNION ALL ".join([*(_phase(record_type) for record_type in _ROLES), _attempts()]),
    # One row per metric of a done item.
    "metrics": _metrics(),
    # One row per file of an item, so that a path leads back to what made it.
    "files": " UNION ALL ".join(
        [*(_files(record_type, role) for record_type, role in _ROLES.items()), files_of_snapshots()]
    ),
    # One row per snapshot of a Fit, and per attempt at a Fit that went on from one.
    "snapshots": snapshots(),
    "attempts": attempts_of_fits(),
    # One row per trial of every tuned item, as `Store.trials()` has them.
    "trials": _trials(),
    # One row per epoch that the Fit of an item has reported, as `Store.epochs()` has them.
    "epochs": _epochs(),
    "datasets": view(
        RecordType.DATA,
        members("name", "directory", "users", "items", "interactions", "seconds", "finished"),
        f"substr(key, {len(RecordType.DATA.prefix) + 1}) AS data_key",
    ),
    "runs": view(
        RecordType.RUN,
        members("id", "started", "ended", "host", "pid", "user", "items", "pending"),
        member("versions.omnibench", "omnibench"),
        member("git.commit", "git_commit"),
        member("git.dirty", "git_dirty"),
    ),
    "workers": view(RecordType.WORKER, members(*WORKER_COLUMNS)),
}


def create_views(connection: sqlite3.Connection) -> None:
    """Create the views, or renew those of another version of omnibench; no write when they are as they should be."""
    statements = {name: f'CREATE VIEW "{name}" AS {select}' for name, select in VIEWS.items()}

    def existing() -> dict[str, str]:
        return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall())

    def renew() -> None:
        for name in {*existing(), *statements}:
            connection.execute(f'DROP VIEW IF EXISTS "{name}"')
        for sql in statements.values():
            connection.execute(sql)

    change_once(connection, lambda: existing() == statements, renew)


def select(
    records: Iterable[tuple[str, Record]], query: str, parameters: Iterable[Any]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows of a query over the views of some records, in a database of their own.

    SQLite keeps it in a file of its own that nobody sees, which it does not write as long as little is in it.

    Args:
        records: Keys and records, which are not kept.
        query: The query, in SQL.
        parameters: The values for its question marks.

    Raises:
        StoreError: The query is broken.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE Cache (key TEXT PRIMARY KEY, raw INT, mode INT, value TEXT)")
        connection.execute("BEGIN")
        rows = ((key, json.dumps(record)) for key, record in records)
        connection.executemany("INSERT INTO Cache VALUES (?, 1, 1, ?)", rows)
        connection.execute("COMMIT")
        try:
            create_views(connection)
            connection.execute("PRAGMA query_only = 1")
            cursor = connection.execute(query, tuple(parameters))
            return [column[0] for column in cursor.description or ()], cursor.fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{query!r} cannot be answered ({error}).") from error
