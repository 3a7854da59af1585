"""Pair the items of two stores that are about the same: by key, else by dataset, configuration and fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.keys import recorded_text

Facts = Mapping[str, Any]
"""The facts about an item; see ``facts.FactSource``."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The items of two stores.

    Attributes:
        pairs: Items that are about the same, of the first and of the second store.
        only_a: Items that only the first has.
        only_b: Items that only the second has.
    """

    pairs: tuple[tuple[Facts, Facts], ...]
    only_a: tuple[Facts, ...]
    only_b: tuple[Facts, ...]


def pair_items(a: Sequence[Facts], b: Sequence[Facts]) -> Pairs:
    """Pair the items of two stores.

    Items go by their keys. What is left goes by dataset and steps, algorithm, hyperparameters, fold, seed and device,
    then without device and seed: not by versions of frameworks, an own class's code, or the data itself, which are what
    one wants to hear of. Where a store has several such items, as of earlier versions of an own class, the latest
    counts.

    Args:
        a: The facts about each item of the first store.
        b: Likewise, of the second.
    """
    pairs: list[tuple[Facts, Facts]] = []
    for identify in _IDENTITIES:
        paired = {identify(item) for item, _ in pairs}  # other versions of what has its match are no match for others
        latest_a, latest_b = (
            _latest([item for item in items if identify(item) not in paired], identify) for items in (a, b)
        )
        pairs += [(item, latest_b[identity]) for identity, item in latest_a.items() if identity in latest_b]
    matched = {id(item) for pair in pairs for item in pair}
    only_a, only_b = (tuple(item for item in items if id(item) not in matched) for items in (a, b))
    return Pairs(tuple(pairs), only_a, only_b)


def _latest(items: Sequence[Facts], identify: Callable[[Facts], str]) -> dict[str, Facts]:
    ordered = sorted(items, key=lambda item: (item["status"] == "done", _finished(item)))
    return {identify(item): item for item in ordered}


def _finished(item: Facts) -> str:
    return max((str(phase["finished"]) for phase in item["phases"].values()), default="")


def _key(item: Facts) -> str:
    return str(item["fit_key"])


def _named(*more: str) -> Callable[[Facts], str]:
    """Return what identifies an item by its dataset's name and steps, its configuration and its fold."""

    def identify(item: Facts) -> str:
        dataset, algorithm = item["dataset"], item["algorithm"]
        settings = [algorithm.get(name) for name in more]
        return recorded_text([dataset["words"], algorithm["name"], algorithm["parameters"], item["fold"], settings])

    return identify


_IDENTITIES = (_key, _named("seed", "device", "threads"), _named("seed", "device"), _named("seed"), _named())
