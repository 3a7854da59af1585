"""What was taken over from another store: which numbers of an item, from where, computed by whom, and when.

It is a record of its own, so that a store in which nothing was taken over pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType, timestamp

_MOST_SOURCES = 3
"""Sources that a sentence names."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where metrics of an item were taken over from.

    Attributes:
        source: The store's directory, or the address.
        by: Who has computed them, as the other store says it; empty where it does not.
        time: When they were taken over, as an ISO timestamp.
        sha256: The digest of the text that was taken over and found to be sound.
        labels: The metrics.
    """

    source: str
    by: str
    time: str
    sha256: str
    labels: tuple[str, ...]

    @property
    def text(self) -> str:
        """The origin in words."""
        return (
            f"from {self.source} at {self.time}{f', computed by {self.by}' if self.by else ''}; verified "
            f"sha256 {self.sha256[:12]}"
        )


def mark(source: str, by: str, sha256: str, metrics: Mapping[str, str]) -> Record:
    """Return the mark of what is taken over now.

    Args:
        source: The store's directory, or the address without passwords.
        by: Who has computed it; empty where that is not said.
        sha256: The digest of its text.
        metrics: The keys of the evaluations, by label.
    """
    return {"from": source, "by": by, "time": timestamp(), "sha256": sha256, "metrics": dict(metrics)}


def computed_by(run: Record) -> str:
    """Return who a run was of, from its record; empty where that is not recorded."""
    return " on ".join(filter(None, (str(run.get("user") or ""), str(run.get("host") or ""))))


def origins_of(record: Record | None, item: Record) -> list[Origin]:
    """Return where the metrics come from that an item has and that were taken over.

    What was computed here since has other keys, or none of these.

    Args:
        record: The record of what was taken over, or None.
        item: The item's record.
    """
    current = {label: metric["key"] for label, metric in (item.get("metrics") or {}).items()}
    origins = []
    for part in record["marks"] if record is not None else ():
        labels = tuple(label for label, key in part["metrics"].items() if current.get(label) == key)
        if labels:
            origins.append(Origin(part["from"], part["by"], part["time"], part["sha256"], labels))
    return origins


def origin_lines(record: Record | None, item: Record) -> Iterator[str]:
    """Yield lines for people that say which metrics of an item were taken over."""
    origins = origins_of(record, item)
    for origin in origins:
        metrics = f"{', '.join(origin.labels)}: " if len(origin.labels) < len(item["metrics"]) else ""
        yield f"{metrics}{origin.text}"


def taken_origins(reader: Reader, fit_keys: Collection[str] | None = None) -> dict[str, list[Origin]]:
    """Return where items come from of which something was taken over, by their keys.

    Args:
        reader: The records, of which only these are read.
        fit_keys: The keys of the items to look at; all by default.
    """
    origins = {}
    for key, record in reader.records(RecordType.TAKEN.prefix):
        fit_key = RecordType.TAKEN.identity(key)
        item = reader.get(RecordType.ITEM.key(fit_key)) if fit_keys is None or fit_key in fit_keys else None
        if item is not None and (of_item := origins_of(record, item)):
            origins[fit_key] = of_item
    return origins


def taken_sentence(origins: Iterable[Iterable[Origin]], total: int) -> str:
    """Return how many items were taken over from where; empty where none were.

    Args:
        origins: The origins of each item that has some.
        total: How many items there are.
    """
    all_origins = [list(of_item) for of_item in origins]
    sources: dict[str, int] = {}
    people: dict[str, None] = {}
    for of_item in all_origins:
        for name in dict.fromkeys(origin.source for origin in of_item):
            sources[name] = sources.get(name, 0) + 1
        people |= dict.fromkeys(origin.by for origin in of_item if origin.by)
    if not sources:
        return ""
    listed = [f"{count} from {name}" for name, count in list(sources.items())[:_MOST_SOURCES]]
    more = [f"{len(sources) - _MOST_SOURCES} more sources"] if len(sources) > _MOST_SOURCES else []
    names = [*list(people)[:_MOST_SOURCES], *(["others"] if len(people) > _MOST_SOURCES else [])]
    by = f", computed by {', '.join(names)}" if names else ""
    verb = "was" if len(all_origins) == 1 else "were"
    return f"{len(all_origins)} of {total} item{'' if total == 1 else 's'} {verb} taken over, not computed here: {', '.join([*listed, *more])}{by}"


def taken_sentences(root: Path, fit_keys: Collection[str], *, untouched: bool = False) -> list[str]:
    """Return which of some items were taken over, in a sentence or none.

    Args:
        root: The store's directory.
        fit_keys: The keys of the items.
        untouched: Whether nothing in the checkpoint directory may be written for it.
    """
    try:
        origins = read(root / "store", lambda reader: taken_origins(reader, frozenset(fit_keys)), untouched=untouched)
    except StoreError:  # whoever needed more of it has said so
        return []
    return list(filter(None, [taken_sentence(origins.values(), len(fit_keys))]))
