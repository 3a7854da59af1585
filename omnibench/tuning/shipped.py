"""The search spaces that omnibench ships, each with where it was published; the numbers lie in ``spaces/*.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omnibench.arguments import checked_call
from omnibench.errors import PlanError
from omnibench.tuning.conditions import When
from omnibench.tuning.distributions import Choice, Distribution, Float, Int, Log
from omnibench.tuning.space import Space

_FOLDER = Path(__file__).parent / "spaces"

_FRAMEWORKS = ("LensKit", "RecBole", "RecPack", "RecTools", "Implicit", "Cornac", "Surprise")
"""The frameworks whose algorithms have spaces, each in a file of its name."""

_RANGES: Mapping[str, type[Int | Float | Log]] = {"int": Int, "float": Float, "log": Log}


@dataclass(frozen=True, slots=True)
class ShippedSpace:
    """A search space that the authors of an algorithm, of its framework, or of a tuning study have published.

    Attributes:
        algorithm: Its full name, e.g. ``RecBole.BPR``.
        entries: What ``Space.of`` takes: by hyperparameter its distribution, its constant, or a ``When``.
        space: The space.
        source: Title, authors, year, and page or file of what published it.
        note: Where it differs from its source, and why; empty where it does not.
    """

    algorithm: str
    entries: Mapping[str, Any]
    space: Space
    source: str
    note: str


def shipped_space(algorithm: str) -> ShippedSpace | None:
    """Return the search space that omnibench ships for an algorithm.

    Args:
        algorithm: Its full name, e.g. ``RecBole.BPR``.

    Returns:
        The space; None where there is no published one that omnibench knows of.
    """
    framework, _, name = algorithm.partition(".")
    return _spaces(framework).get(name) if framework in _FRAMEWORKS else None


def shipped_spaces() -> list[ShippedSpace]:
    """Return all search spaces that omnibench ships."""
    return [space for framework in _FRAMEWORKS for space in _spaces(framework).values()]


@checked_call
def space_of(algorithm: str | type) -> dict[str, Any]:
    """Return the search space that omnibench ships for an algorithm, to change some of it.

    ``plan.tune(RecBole.BPR)`` searches it as it is; this one with another range of one hyperparameter::

        plan.tune(RecBole.BPR, space_of(RecBole.BPR) | {"learning_rate": Log(1e-4, 1e-2)})

    ``omnibench envs spaces RecBole.BPR`` shows it, and where it was published.

    Args:
        algorithm: An algorithm, e.g. ``RecBole.BPR``; for a class of your own there is none.

    Returns:
        A new dictionary: by hyperparameter its distribution or its constant; what depends on another hyperparameter is a
        ``When``.

    Raises:
        PlanError: There is none.
    """
    argument: Any = algorithm
    is_own = isinstance(argument, type)
    name = argument.__name__ if is_own else argument
    if not isinstance(name, str):
        raise PlanError(f"{argument!r} is no algorithm; give a member such as RecBole.BPR, or its name 'RecBole.BPR'.")
    shipped = None if is_own else shipped_space(name)
    if shipped is None:
        reason = "it is a class of your own" if is_own else "it knows of no published one"
        raise PlanError(
            f"omnibench ships no search space for {name}, because {reason}. Give the hyperparameters "
            f'their ranges yourself: plan.tune({name}, {{"name": Log(0.001, 1.0)}}). `omnibench envs spaces` lists the '
            "algorithms that have one."
        )
    return dict(shipped.entries)


@cache
def _spaces(framework: str) -> dict[str, ShippedSpace]:
    """Return a framework's spaces by the name of the algorithm, read from its file once."""
    import tomllib  # every plan imports this module, and few search a space that omnibench ships

    described = tomllib.loads((_FOLDER / f"{framework.lower()}.toml").read_text(encoding="utf-8"))
    return {name: _shipped(f"{framework}.{name}", entry) for name, entry in described.items()}


def _shipped(algorithm: str, described: Mapping[str, Any]) -> ShippedSpace:
    entries = {name: _entry(entry) for name, entry in described["space"].items()}
    return ShippedSpace(
        algorithm, entries, Space.of(entries, algorithm), described["source"], described.get("note", "")
    )


def _entry(entry: Any) -> Any:
    """Return what an entry of a file says: a distribution, a ``When``, or a constant as it is."""
    if not isinstance(entry, dict):
        return entry
    if "when" not in entry:
        return _distribution(entry)
    ((parameter, values),) = entry["when"].items()
    rest = {name: value for name, value in entry.items() if name != "when"}
    return When(parameter, values, _distribution(rest) or {name: _dependent(value) for name, value in rest.items()})


def _dependent(entry: Any) -> Any:
    """Return what a table with a condition says of a hyperparameter; a list is its only value."""
    return Choice([entry]) if isinstance(entry, list) else _entry(entry)


def _distribution(entry: Mapping[str, Any]) -> Distribution | None:
    """Return the distribution that a table describes; None if it describes none."""
    if "choice" in entry:
        return Choice(entry["choice"])
    steps = {name: entry[name] for name in ("step",) if name in entry}
    return next((each(*entry[name], **steps) for name, each in _RANGES.items() if name in entry), None)
