"""The items of a store that are current: those of the last plan, and of own classes the latest version.

A store keeps what every earlier version of a class and every earlier plan has measured. Tables of all of it would rank
a class against its own drafts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from omnibench.keys import recorded_text
from omnibench.store.plans import INTERACTIVE, plan_of
from omnibench.store.schema import Record, RecordType, Status, configuration_in

_OWN = "Own"
"""The runner of users' own classes."""

_SETTINGS = ("algorithm", "parameters", "seed", "device", "threads", "salt", "refit")
"""What versions of an own class have in common; what else is configured says which version it is."""


class Current(NamedTuple):
    """The current items of a store.

    Attributes:
        items: Their records.
        left_out: How many items that are done are not among them.
        planned: Whether a plan is recorded, which decides.
    """

    items: list[Record]
    left_out: int
    planned: bool

    def notice(self) -> str:
        """Return how many items were left out, and why, as a sentence without its end; empty where none was."""
        if not self.left_out:
            return ""
        items = f"{self.left_out:,} done item{'' if self.left_out == 1 else 's'}"
        reason = (
            "not in the last plan (what bench files and scripts declared when they ran last)"
            if self.planned
            else "of earlier versions of own classes"
        )
        return f"{items} left out, {reason}"


def current_items(records: Mapping[str, Record]) -> Current:
    """Return the current items: those of the last plan, where one is recorded, in the latest version of each own class.

    Args:
        records: All records of a store.
    """
    plan = plan_of(records.items())
    items = [record for key, record in records.items() if RecordType.ITEM.has(key)]
    exact, interactive = (
        frozenset[str]().union(*(part.items for part in plan if (part.source == INTERACTIVE) is is_interactive))
        for is_interactive in (False, True)
    )
    # A file declares one version of a class; a notebook goes on declaring what its cells were before.
    latest = latest_versions([item for item in items if item["fit_key"] in interactive] if plan else items)
    current_keys = exact | {item["fit_key"] for item in latest}
    current = [item for item in items if item["fit_key"] in current_keys]
    done = sum(item["status"] == Status.DONE for item in items)
    return Current(current, done - sum(item["status"] == Status.DONE for item in current), bool(plan))


def latest_versions(items: Sequence[Record]) -> list[Record]:
    """Return items without those of earlier versions of users' own classes.

    Versions have dataset, name, hyperparameters, seed, device and refit in common, and differ in their code. The latest one is
    that of which an item was finished last; where none was, there is no telling, and all are returned.

    Args:
        items: The records of items.
    """
    versions = [_version_of(item) for item in items]
    latest: dict[str, tuple[str, str]] = {}
    for item, (series, version) in zip(items, versions, strict=True):
        finished = item.get("finished") or ""
        if (
            series and finished >= latest.get(series, ("1", ""))[0]
        ):  # of the same second the one that was recorded later
            latest[series] = finished, version
    return [
        item
        for item, (series, version) in zip(items, versions, strict=True)
        if series not in latest or latest[series][1] == version
    ]


def _version_of(item: Record) -> tuple[str, str]:
    """Return what versions of an item's own class have in common, and what tells them apart; nothing of other items."""
    configuration = configuration_in(item)
    if configuration.get("runner") != _OWN:
        return "", ""
    series = [item.get("data_key"), *(configuration.get(name) for name in _SETTINGS)]
    return recorded_text(series), recorded_text(configuration)


def names_of(items: Iterable[Record]) -> set[str]:
    """Return the names of items."""
    return {item["item"] for item in items}
