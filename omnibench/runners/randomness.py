"""The part of chance in an algorithm: whether its lists depend on the seed, and how much that changes a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnibench.errors import OmnibenchError


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """The spread of an algorithm's metric over seeds, as it was measured once, with default hyperparameters.

    Attributes:
        metric: The metric's label.
        deviation: The standard deviation (n - 1) over seeds of the mean over users, divided by the mean over seeds.
        differing: The share of pairs of seeds that a paired test over users calls different at 5 %; None where that was
            not measured.
        seeds: How many seeds were tried.
        data: The data, for people.
    """

    metric: str
    deviation: float
    differing: float | None
    seeds: int
    data: str


def is_deterministic(algorithm: str, stated: bool = False) -> bool:
    """Whether an algorithm gives equal lists whatever the seed; not where nothing says so.

    Args:
        algorithm: Its name, e.g. ``RecBole.BPR``; of a user's own class its name alone.
        stated: Whether the user's own class, or the record of an item, says that it is.
    """
    return stated or bool(_described(algorithm).get("deterministic"))


def seed_spread(algorithm: str) -> SeedSpread | None:
    """Return how much an algorithm varies over seeds, or None where the catalogue does not say.

    Args:
        algorithm: Its name, e.g. ``RecBole.BPR``.
    """
    measured: Mapping[str, Mapping[str, Any]] = _described(algorithm).get("seed_spread") or {}
    for metric, figures in measured.items():
        return SeedSpread(
            metric, figures["relative_sd"], figures.get("differs"), figures["seeds"], figures["data"].partition(",")[0]
        )
    return None


def _described(algorithm: str) -> Mapping[str, Any]:
    """Return what the catalogue of a framework says of an algorithm; nothing of a user's own class."""
    framework, _, name = algorithm.partition(".")
    if not name:
        return {}
    from omnibench.runners.registry import get_runner  # seventy milliseconds, for which most have nothing to ask

    try:
        runner = get_runner(framework)  # this one alone: what others say wrongly is nothing to whoever did not use them
    except OmnibenchError:
        return {}  # it was used by a run of another day
    described: Mapping[str, Any] = runner.catalogue["algorithms"].get(name, {}) if runner.distribution else {}
    return described
