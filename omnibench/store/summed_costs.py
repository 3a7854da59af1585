"""What the phases of items have cost, summed up: of half a million, a thousand at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from omnibench.store.checks import is_cost
from omnibench.store.phase_costs import BlockOfCosts, PhaseCosts, members_in
from omnibench.store.schema import Status

_BEHIND_LARGEST = 2.0**63
"""A cost is less; see ``checks.is_cost``."""


@dataclass(slots=True)
class Costs:
    """What the phases took that are done, in seconds.

    Attributes:
        seconds: Of all.
        starting: Of waiting for frameworks' processes.
        by_item: Of each item, by its name.
    """

    seconds: array[float] = field(default_factory=lambda: array("d"))
    starting: array[float] = field(default_factory=lambda: array("d"))
    by_item: dict[str, float] = field(default_factory=dict)

    def add(self, seconds: float | None, start_seconds: float | None, item: str | None = None) -> None:
        """Add a phase; one that is not done belongs to no item."""
        self.seconds.append(seconds or 0.0)
        self.starting.append(start_seconds or 0.0)
        if item is not None:
            self.by_item[item] = self.by_item.get(item, 0.0) + (seconds or 0.0)

    def add_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows as ``frames.phase_rows`` returns them."""
        for row in rows:
            item = row["item"] if row["status"] == Status.DONE else None
            self.add(row.get("seconds"), row.get("start_seconds"), item)


def rows_beside(blocks: Iterable[BlockOfCosts], names: Mapping[str, str], costs: Costs) -> list[int]:
    """Add the costs of the phases of items, and return the numbers of the rows of others, by type and as they were written.

    Args:
        blocks: The costs of all phases; see ``phase_costs.blocks_of_costs``.
        names: The names of the items, by key.
        costs: What their costs are added to.
    """
    of_items = _CostsOfItems(names, costs)
    for block in blocks:
        of_items.add(block)
    return of_items.rows_of_others


class _CostsOfItems:
    """Adds the costs of the phases of items.

    Args:
        names: The names of the items, by key.
        costs: What their costs are added to.
    """

    def __init__(self, names: Mapping[str, str], costs: Costs) -> None:
        self._names = names
        self._costs = costs
        self._batches: set[int] = set()
        self._of_others: list[tuple[int, int]] = []

    @property
    def rows_of_others(self) -> list[int]:
        """The numbers of the rows of phases that are not the items', by type and in the order in which they were written."""
        return [number for _, number in sorted(self._of_others)]

    def add(self, block: BlockOfCosts) -> None:
        """Add the costs of some phases, of which others have to be left."""
        if block.texts is None or not self._add_usual(block.texts):
            self._add_rows(block.rows())

    def _add_usual(self, texts: list[bytes]) -> bool:
        """Add the costs of some phases by column, and return True; nothing where they have to be looked at one by one.

        What this adds has to be what ``_add_rows`` would add, in its order: sums of floats depend on it.
        """
        different = dict.fromkeys(texts)  # metrics that were computed together have the same
        try:
            keys, seconds, waits, batches, searches = zip(*members_in([*different]), strict=True)
        except ValueError:
            return False
        if (
            set(map(type, keys)) != {str}
            or not set(map(type, batches)) <= {str, type(None)}
            or searches.count(None) < len(searches)
            or not (_are_usual_costs(seconds) and _are_usual_costs(waits))
        ):
            return False
        names = [name for name in map(self._names.get, keys) if name is not None]
        without_batch = batches.count(None)
        parts = {hash(part) for part in zip(keys, batches, strict=True) if part[1] is not None}
        are_counted_once = len(parts) == len(keys) - without_batch and self._batches.isdisjoint(parts)
        # Two phases of no batch may have cost the same.
        of_no_batch = {text for text, batch in zip(different, batches, strict=True) if batch is None}
        are_met_once = sum(map(of_no_batch.__contains__, texts)) == without_batch
        if len(names) < len(keys) or not are_counted_once or not are_met_once:
            return False
        self._batches |= parts
        costs, by_item = self._costs, self._costs.by_item
        numbers = [number or 0.0 for number in seconds]
        costs.seconds.extend(numbers)
        costs.starting.extend([number or 0.0 for number in waits])
        for name, number in zip(names, numbers, strict=True):
            by_item[name] = by_item.get(name, 0.0) + number
        return True

    def _add_rows(self, rows: Iterable[tuple[int, int, bytes | None]]) -> None:
        """Add the costs of phases one by one; see ``BlockOfCosts.rows``."""
        block = list(rows)
        texts = list(dict.fromkeys([text for _, _, text in block]))
        members_of = dict(zip(texts, members_in(texts), strict=True))
        for number, position, text in block:
            fit_key, seconds, start_seconds, batch, search = members_of[text] or PhaseCosts()
            name = self._names.get(fit_key) if type(fit_key) is str else None
            if name is None or search is not None:
                self._of_others.append((position, number))
                continue
            if batch is not None:
                part = hash((fit_key, batch))
                if part in self._batches:
                    continue  # the metrics that one Eval computed share its costs
                self._batches.add(part)
            if is_cost(seconds) and is_cost(start_seconds):
                self._costs.add(seconds, start_seconds, name)


def _are_usual_costs(numbers: tuple[Any, ...]) -> bool:
    """Whether all numbers are costs, floats or None."""
    types = set(map(type, numbers))
    if not types <= {float, type(None)}:
        return False
    floats = numbers if types == {float} else [number for number in numbers if number is not None]
    return not floats or (min(floats) >= 0 and max(floats) < _BEHIND_LARGEST and not any(map(isnan, floats)))
