"""SQL views of snapshots, of their files, and of the attempts at Fits that went on from them."""

from __future__ import annotations

from omnibench.store.schema import PASSED_OVER, WORKED, Phase, RecordType
from omnibench.store.snapshot_files import FOLDER
from omnibench.store.view_parts import LABELS, SOUND, member, members, text, view, within


def is_continued() -> str:
    """Return the condition that a Fit went on from an ``attempt`` of the item ``record``, as ``frames.phase_rows`` sees it."""
    same = " AND ".join(
        f"json_extract(part.value, '$.{name}') IS json_extract(attempt.value, '$.{name}')" for name in ("run", "worker")
    )
    key = f"'{RecordType.FIT.prefix}' || json_extract(record.value, '$.fit_key')"
    parts = "json_each(CASE WHEN json_valid(fit.value) THEN fit.value ELSE '{}' END, '$.attempts') AS part"
    is_fit = f"json_extract(attempt.value, '$.phase') = {text(Phase.FIT)}"
    return (
        f"({is_fit} AND EXISTS (SELECT 1 FROM Cache AS fit, {parts} WHERE fit.key = {key} AND fit.raw = 1 AND {same}))"  # noqa: S608 - of constants
    )


def snapshots() -> str:
    """Return the view of snapshots: a row each, with where it lies; of trials' too, under the names of these."""
    outside = "json_extract(value, '$.outside.folder')"
    name = "json_extract(value, '$.name')"
    first = "json_extract(value, '$.files[0].path')"
    return view(
        RecordType.SNAPSHOT,
        LABELS,
        *(members("name", "number"), member("finished", "made"), members("iteration", "iterations", "unit", "size")),
        members("seconds", "fit_seconds", "reason", PASSED_OVER, "run", "worker"),
        f"coalesce({outside}, substr({first}, 1, instr({first}, '/{FOLDER}/') + {len(FOLDER) + 1}) || {name}) AS folder",
        members("fit_key"),
    )


def attempts_of_fits() -> str:
    """Return the view of the attempts at Fits that went on from snapshots: a row each, and the iterations it went through."""
    labels = LABELS.replace("json_extract(value,", "json_extract(fit.value,")
    costs = members("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "run", "worker")
    columns = ", ".join([costs, member("from", "from_iteration"), member("to", "to_iteration")])
    columns = columns.replace("json_extract(value,", "json_extract(part.value,")
    return (
        f"SELECT {labels}, part.key + 1 AS attempt, {columns}, json_extract(fit.value, '$.fit_key') AS fit_key "  # noqa: S608 - of constants
        "FROM Cache AS fit, "
        "json_each(CASE WHEN json_valid(fit.value) THEN fit.value ELSE '{}' END, '$.attempts') AS part "
        f"WHERE {SOUND.replace('value', 'fit.value')} AND {within(RecordType.FIT).replace('key', 'fit.key')}"
    )


def files_of_snapshots() -> str:
    """Return a SELECT of the files of snapshots, as that of other files."""
    phase = f"'{Phase.FIT.value}' AS phase"
    size, sha256 = (f"json_extract(file.value, '$.{name}') AS {name}" for name in ("size", "sha256"))
    outside = "json_extract(record.value, '$.outside.folder')"
    path = (
        f"CASE WHEN {outside} IS NULL THEN '' ELSE {outside} || '/' END || json_extract(file.value, '$.path') AS path"
    )
    item, fit_key = (f"json_extract(record.value, '$.{name}') AS {name}" for name in ("item", "fit_key"))
    sound = "CASE WHEN json_valid(record.value) THEN record.value ELSE '{}' END"
    files = f"CASE WHEN json_type({sound}, '$.outside') = 'object' THEN '$.outside.files' ELSE '$.files' END"
    return (
        f"SELECT DISTINCT {path}, {item}, {phase}, {size}, {sha256}, {fit_key} "  # noqa: S608 - of constants
        f"FROM Cache AS record, json_each({sound}, {files}) AS file "
        f"WHERE {SOUND.replace('value', 'record.value')} AND {within(RecordType.SNAPSHOT).replace('key', 'record.key')}"
    )


def in_fit() -> str:
    """Return the position of Fit where there is a snapshot of an item's, or -1."""
    prefix = f"'{RecordType.SNAPSHOT.prefix}' || json_extract(record.value, '$.fit_key')"
    condition = f"other.key >= {prefix} || '/' AND other.key < {prefix} || '0' AND other.raw = 1"  # "0" follows "/"
    exists = f"EXISTS (SELECT 1 FROM Cache AS other WHERE {condition})"  # noqa: S608 - of constants
    return f"CASE WHEN {exists} THEN {WORKED.index(Phase.FIT)} ELSE -1 END"
