"""Names of snapshots: what a naming format makes of a moment and a count, and which names it may have made.

A format has the keys of GloMPO's CheckpointingControl. Everything else in it stands for itself, unknown keys too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from omnibench.errors import OmnibenchError

COUNT = "count"
_DATES = {
    "date": ("%Y%m%d", 8),
    "year": ("%Y", 4),
    "yr": ("%y", 2),
    "month": ("%m", 2),
    "day": ("%d", 2),
    "time": ("%H%M%S", 6),
    "hour": ("%H", 2),
    "min": ("%M", 2),
    "sec": ("%S", 2),
}
"""Of each key what strftime calls it, and how many digits it has."""

KEYS = (*_DATES, COUNT)

_STEPS = (
    (("time", "sec"), timedelta(seconds=1)),
    (("min",), timedelta(minutes=1)),
    (("hour",), timedelta(hours=1)),
    (("date", "day"), timedelta(days=1)),
    (("month",), timedelta(days=28)),
    (("year", "yr"), timedelta(days=365)),
)
"""The finest part of a moment that a format has, and how far it is to the next name."""

_MOST_STEPS = 100_000
"""More than a day has seconds."""

_KEY = re.compile(rf"%\(({'|'.join(KEYS)})\)")


def keys_of(naming_format: str) -> frozenset[str]:
    """Return the keys of a format."""
    return frozenset(_KEY.findall(naming_format))


def matches(naming_format: str, name: str) -> bool:
    """Return whether a format may have made a name, from its first to its last character.

    Args:
        naming_format: The format, e.g. ``snapshot_%(date)_%(time)``.
        name: The name of a snapshot, or of whatever else lies beside it.
    """
    return _pattern(naming_format).fullmatch(name) is not None


def next_count(naming_format: str, names: Iterable[str]) -> int:
    """Return the count of a new name: the one after the largest there is, or 0.

    Args:
        naming_format: The format.
        names: The names there are; those that the format cannot have made do not count.
    """
    pattern = _pattern(naming_format)
    if COUNT not in pattern.groupindex:
        return 0
    counts = [int(match[COUNT]) for name in names if (match := pattern.fullmatch(name))]
    return max(counts, default=-1) + 1


def free_name(naming_format: str, moment: datetime, names_in_use: Collection[str]) -> str:
    """Return the name of a new snapshot, which is not in use.

    The count goes on from the largest there is. Where a name without a count is taken, the name of the next second is
    returned (or of the next minute, hour, ... if the format has no seconds): a snapshot never overwrites another.

    Args:
        naming_format: The format.
        moment: When the snapshot is taken, in local time.
        names_in_use: The names of the snapshots there are, in any order.

    Raises:
        OmnibenchError: All names that the format can make are taken.
    """
    count, keys = next_count(naming_format, names_in_use), keys_of(naming_format)
    step = next((step for names, step in _STEPS if keys.intersection(names)), None)
    for number in range(_MOST_STEPS if step else 1):
        try:
            name = _filled(naming_format, moment + (step or timedelta()) * number, count)
        except OverflowError:
            break
        if name not in names_in_use:
            return name
    raise OmnibenchError(
        f"naming_format is {naming_format!r}, and all names that it makes are taken; add %(count), or %(date)_%(time)."
    )


def surplus(naming_format: str, names_newest_first: Iterable[str], keep_past: int) -> list[str]:
    """Return which snapshots are to go, once the newest is complete.

    Args:
        naming_format: The format; names that it cannot have made neither count nor go.
        names_newest_first: The names of the snapshots there are, from the newest, which stays, to the oldest.
        keep_past: How many stay beside the newest; -1 for all.
    """
    if keep_past < 0:
        return []
    return [name for name in names_newest_first if matches(naming_format, name)][keep_past + 1 :]


def _filled(naming_format: str, moment: datetime, count: int) -> str:
    def value(key: re.Match[str]) -> str:
        if key[1] == COUNT:
            return f"{count:03}"
        directive, digits = _DATES[key[1]]
        return moment.strftime(directive).zfill(digits)  # some C libraries do not pad years before 1000

    return _KEY.sub(value, naming_format)


@functools.lru_cache
def _pattern(naming_format: str) -> re.Pattern[str]:
    """Return what the names of a format match; its group ``count`` has the count, which is the same wherever it stands."""
    parts, has_count = [], False
    for position, part in enumerate(_KEY.split(naming_format)):
        if position % 2 == 0:  # between two keys
            parts.append(re.escape(part))
        elif part != COUNT:
            parts.append(f"[0-9]{{{_DATES[part][1]}}}")
        elif has_count:
            parts.append(f"(?P={COUNT})")
        else:
            parts.append(f"(?P<{COUNT}>[0-9]{{3}}|[1-9][0-9]{{3,}})")
            has_count = True
    return re.compile("".join(parts), re.DOTALL)
