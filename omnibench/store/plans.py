"""The plan of a store: which items bench functions and scripts have declared, as each was collected last.

A store keeps what was ever computed; its plan is what somebody still asks for. There is a record for each source (a
bench function, or a script), so that two runs of different files never overwrite each other's part. It has all items
that the source declares, also those that a run has deselected, and is written only when it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from omnibench.store.schema import Record, RecordType, timestamp

INTERACTIVE = "<interactive>"
"""The source of what was declared in a notebook or at a prompt."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The items that one source declares.

    Attributes:
        source: The node id of a bench function, e.g. ``benchmarks/bench_shop.py::bench_baselines``, or a script's path.
        root: The directory that the source is relative to.
        columns: The columns that are measured, and whether larger values are better; without what a fit costs.
        items: The fit keys of its items.
    """

    source: str
    root: str
    columns: Mapping[str, bool]
    items: frozenset[str]

    @property
    def file(self) -> str:
        """The source's file, relative to the root."""
        return file_of(self.source)

    @property
    def key(self) -> str:
        """The key of its record."""
        return RecordType.PLAN.key(self.source)

    @property
    def record(self) -> Record:
        """Its record, noted now."""
        return {
            "source": self.source,
            "root": self.root,
            "columns": dict(self.columns),
            "items": sorted(self.items),
            "noted": timestamp(),
        }


def file_of(source: str) -> str:
    """Return the file in a node id, or the script itself."""
    return source.partition("::")[0]


def plan_of(records: Iterable[tuple[str, Record]]) -> list[Planned]:
    """Return the plan that records hold; records of other types are passed over.

    Args:
        records: Keys and records.
    """
    return [
        Planned(record["source"], record["root"], record["columns"], frozenset(record["items"]))
        for key, record in records
        if RecordType.PLAN.has(key)
    ]


def plan_changes(
    recorded: Iterable[Planned], planned: Sequence[Planned], is_gone: Callable[[Planned], bool]
) -> tuple[dict[str, Record], list[str]]:
    """Return the records to be written, by key, and the keys to be forgotten; nothing where all is as recorded.

    Args:
        recorded: The plan that is recorded.
        planned: What was collected now.
        is_gone: Whether a recorded source that was not collected does not exist any more.
    """
    by_source = {part.source: part for part in recorded}
    new = {part.key: part.record for part in planned if by_source.get(part.source) != part}
    collected = {part.source for part in planned}
    gone = [part.key for part in by_source.values() if part.source not in collected and is_gone(part)]
    return new, gone
