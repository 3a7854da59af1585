"""Which lines of a Fit count: what was printed behind the snapshot that a later attempt went on from is superseded.

Nothing is deleted because a Fit goes on, or begins anew: a line of the log says by which entry it is superseded. All of it
follows from the lines themselves, so going on from a snapshot that was passed over before makes its lines count again.
"""

from __future__ import annotations

import bisect
import itertools
import re
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from omnibench.guest.snapshots import RESUMED_LINE, SNAPSHOT_LINE
from omnibench.store.schema import Phase

OWN = "omnibench"
"""The logger of what omnibench itself says of an item."""

BEGINS = "begins"
"""What the log says first of an attempt at an item."""


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(line.format(name="(?P<name>.+)", progress="(?P<progress>.+?)"))  # progress has no such words


_SNAPSHOT, _RESUMED = _pattern(SNAPSHOT_LINE), _pattern(RESUMED_LINE)


def guest_logger(stream: str, trial: int | None) -> str:
    """Return the logger of what a guest prints.

    Args:
        stream: ``out`` or ``err``.
        trial: The number of the trial of a search that it computes, or None.
    """
    return f"guest.std{stream}{'' if trial is None else f'#{trial}'}"


def phase_words(phase: str, seconds: float) -> str:
    """Return what the log says of a phase that has ended."""
    return f"{phase} took {seconds:.3f} s"


def anew_words(trial: int | None) -> str:
    """Return what the log says of a Fit that an earlier attempt has begun, and that goes on from no snapshot.

    Args:
        trial: The number of the trial of a search that is fitted, or None.
    """
    fit = "Fit" if trial is None else f"Fit of trial {trial}"
    return f"{fit} begins anew: no snapshot of an earlier attempt can be gone on from"


def trial_words(number: int, parameters: str, ending: str) -> str:
    """Return what the log says of a trial that has ended."""
    return f"trial {number} ({parameters}): {ending}"


def is_snapshot_line(line: str) -> bool:
    """Whether a line says that a snapshot was taken, or that a Fit goes on from one."""
    return bool(_SNAPSHOT.fullmatch(line) or _RESUMED.fullmatch(line))


def resumed_progress(line: str, snapshot: str) -> str:
    """Return how far a Fit was that goes on from a snapshot; empty where a line does not say so.

    Args:
        line: A line of a guest.
        snapshot: The name of the snapshot.
    """
    match = _RESUMED.fullmatch(line)
    return match["progress"] if match and match["name"] == snapshot else ""


def resumed_words(snapshot: str, progress: str) -> str:
    """Return what out.log and err.log say above a Fit that goes on from a snapshot."""
    return (
        f"omnibench: what stands above of this item and was printed after snapshot {snapshot} (after {progress}) is "
        "superseded by what follows"
    )


ANEW_WORDS = (
    "omnibench: what stands above of this item and was printed by a Fit that did not end is superseded by what follows"
)
"""What out.log and err.log say above a Fit that begins anew."""


@dataclass(frozen=True, slots=True)
class FitBeginning:
    """The beginning of a Fit that supersedes lines of earlier attempts.

    Attributes:
        item: The item.
        trial: The number of the trial of a search that is fitted, or None.
        snapshot: The name of the snapshot that it goes on from; empty where it begins anew.
        is_shared: Whether the search is that of all folds, so that an earlier attempt may have been at another one's item.
    """

    item: str
    trial: int | None
    snapshot: str = ""
    is_shared: bool = False


class LogLine(NamedTuple):
    """A line of a guest, or an entry of omnibench's own, about an item.

    Attributes:
        id: Its id.
        worker: The worker.
        item: The item.
        logger: Its source.
        message: Its text.
        superseded: The id of the entry that supersedes it, or None.
    """

    id: int
    worker: str
    item: str
    logger: str
    message: str
    superseded: int | None


@dataclass(slots=True)
class _Part:
    """The lines of a Fit in one process, from its beginning or from a snapshot on.

    Attributes:
        ids: The ids of its lines.
        snapshot: What was printed with the snapshot that it goes on from; empty for none.
    """

    ids: list[int] = field(default_factory=list)
    snapshot: str = ""


def supersede(connection: sqlite3.Connection, entry: int, beginning: FitBeginning) -> None:
    """Mark the lines that the beginning of a Fit supersedes, and those that count again.

    Where a Fit begins anew and there is nothing to supersede, its entry says nothing and goes.

    Args:
        connection: The log, in a transaction.
        entry: The id of the entry that says so.
        beginning: The beginning.
    """
    lines = _lines_before(connection, entry, beginning)
    counting = counting_lines(lines, beginning)
    changed = [
        (None if line.id in counting else entry, line.id)
        for line in lines
        if line.logger != OWN and (line.superseded is None) != (line.id in counting)
    ]
    connection.executemany("UPDATE logs SET superseded = ? WHERE id = ?", changed)
    if not changed and not beginning.snapshot:
        connection.execute("DELETE FROM logs WHERE id = ?", (entry,))


def _lines_before(connection: sqlite3.Connection, entry: int, beginning: FitBeginning) -> list[LogLine]:
    """Return the lines about a Fit that is not finished, in their order, up to an entry."""
    loggers = [guest_logger(stream, beginning.trial) for stream in ("out", "err")]
    query = (
        "SELECT id, worker, item, logger, message, superseded FROM logs WHERE id <= ? AND logger IN (?, ?, ?) "
        "AND (item = ? OR ? AND substr(item, 1, ?) = ?) ORDER BY id"
    )
    configuration = beginning.item.rpartition("/")[0] + "/"
    shared = (beginning.is_shared and beginning.trial is not None, len(configuration), configuration)
    rows = connection.execute(query, (entry, *loggers, OWN, beginning.item, *shared))
    lines = [LogLine(*row) for row in rows]
    finished = _finished(beginning.trial)
    last = max((line.id for line in lines if line.logger == OWN and line.message.startswith(finished)), default=0)
    return [line for line in lines if line.id > last]


def _finished(trial: int | None) -> str:
    """Return how an entry begins that says that a Fit has come to its end."""
    return phase_words(Phase.FIT.value, 0.0).partition("0.")[0] if trial is None else f"trial {trial} ("


def _origin(line: LogLine) -> str:
    """Return what was printed with the snapshot from which a Fit goes on by a line; empty for other lines."""
    match = _RESUMED.fullmatch(line.message) if line.logger.startswith(guest_logger("out", None)) else None
    return SNAPSHOT_LINE.format(**match.groupdict()) if match else ""


def counting_lines(lines: Sequence[LogLine], beginning: FitBeginning) -> set[int]:
    """Return the ids of the lines that belong to the history of a Fit that begins, or goes on, with the last one.

    Args:
        lines: The lines about the Fit, in their order; the last one says that it begins.
        beginning: The beginning.
    """
    if not lines:
        return set()
    snapshots = {line.id: line.message for line in lines if line.logger == guest_logger("out", beginning.trial)}
    parts = _parts(
        lines, beginning.trial, {*snapshots.values()} | ({_origin(lines[-1])} if beginning.snapshot else set())
    )
    position_of = {number: position for position, part in enumerate(parts) for number in part.ids}
    printed: dict[str, list[int]] = {}  # by message, in order: a night's kills make many parts, looked through once
    for number in position_of:
        if number in snapshots:
            printed.setdefault(snapshots[number], []).append(number)
    counting = set(parts[-1].ids)
    position, snapshot = len(parts) - 1, parts[-1].snapshot
    while snapshot and position > 0:
        numbers = printed.get(snapshot, [])
        count = bisect.bisect_left(numbers, parts[position].ids[0])
        if not count:
            return counting | _until_first(parts[:position], snapshot, lines)
        last = numbers[count - 1]
        position = position_of[last]
        counting.update(number for number in parts[position].ids if number <= last)
        snapshot = parts[position].snapshot
    return counting


def _until_first(parts: Iterable[_Part], snapshot: str, lines: Iterable[LogLine]) -> set[int]:
    """Return the ids of the lines that count and were printed before a Fit went on from a snapshot for the first time.

    The last lines before a kill are lost, and with them that of the snapshot: what there is was printed before it.
    """
    before = itertools.takewhile(lambda part: part.snapshot != snapshot, parts)
    counting = {line.id for line in lines if line.superseded is None}
    return {number for part in before for number in part.ids} & counting


def _parts(lines: Iterable[LogLine], trial: int | None, snapshots: Collection[str]) -> list[_Part]:
    """Return the lines of guests by the Fits that have printed them.

    Args:
        lines: The lines.
        trial: The number of the trial that they are about, or None.
        snapshots: What was printed with the snapshots that were taken: a user's own line that looks like ours names none.
    """
    parts: list[_Part] = []
    attempts: dict[tuple[str, str], int] = {}
    current: tuple[str, str, int] | None = None
    has_begun = False
    for line in lines:
        attempt = (line.worker, line.item)
        is_own, origin = line.logger == OWN, _origin(line)
        if is_own and line.message == BEGINS:
            attempts[attempt] = attempts.get(attempt, 0) + 1
        is_anew = is_own and line.message == anew_words(trial)
        if is_own and not is_anew:
            continue
        begins = is_anew or (bool(origin) and origin in snapshots)
        process = (*attempt, attempts.get(attempt, 0))
        if process != current or (
            begins and has_begun
        ):  # what a process prints first, while it starts, belongs to its Fit
            parts.append(_Part())
            current, has_begun = process, False
        parts[-1].ids.append(line.id)
        if begins:
            has_begun, parts[-1].snapshot = True, origin
    return parts
