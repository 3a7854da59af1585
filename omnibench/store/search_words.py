"""What the record of a search says of its space, its budget and its sampler, in words; a record may be anybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omnibench.naming import full_value_text
from omnibench.store.schema import Record, TrialStatus

if TYPE_CHECKING:  # few items are tuned
    from omnibench.tuning.space import Space

_WHOLE_FROM, _WHOLE_TO = 1000, 10_000_000
"""Numbers between them are shown without digits behind the point."""

_WHOLE_SECONDS = 10
"""Seconds from which on tenths are not shown."""

UNREADABLE = "unknown"
"""Stands for what this version cannot read, e.g. of a later one."""


@dataclass(frozen=True, slots=True)
class SearchWords:
    """How a search is set up, for people.

    Attributes:
        space: What is searched in words, by hyperparameter, e.g. ``{"l2": "log 1 to 10000"}``.
        logarithmic: The hyperparameters whose ranges are logarithmic.
        categories: The hyperparameters that are chosen from values without an order.
        constants: The hyperparameters that the space gives the same value in all trials.
        budget: ``trials`` and ``seconds``, None where it is not limited so.
        budget_text: The budget in words, e.g. ``30 trials``.
        sampler: What proposes trials, e.g. ``tpe``.
        pruner: What ends trials early; empty where nothing does.
        parallel: How many trials are proposed together, or None where no trial depends on another.
        refit: What the chosen configuration is fitted on for the test, where the search says it.
        per_fold: Whether each fold has a search of its own.
    """

    space: Mapping[str, str] = field(default_factory=dict)
    logarithmic: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    constants: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    budget_text: str = UNREADABLE
    sampler: str = UNREADABLE
    pruner: str = ""
    parallel: int | None = None
    refit: str = ""
    per_fold: bool = True

    @property
    def space_text(self) -> str:
        """The search space in one line, e.g. ``l2: log 1 to 10000``."""
        return "; ".join(f"{name}: {words}" for name, words in self.space.items()) or UNREADABLE

    @property
    def sampler_text(self) -> str:
        """Sampler and pruner in one line, e.g. ``tpe in rounds of 4, halving``."""
        rounds = "" if self.parallel is None else f" in rounds of {self.parallel}"
        return f"{self.sampler}{rounds}, {self.pruner or 'no pruner'}"


def space_of(search: Mapping[str, Any]) -> Space | None:
    """Return the search space of a search's record, or None where this version cannot read it."""
    from omnibench.tuning.space import Space

    with suppress(Exception):  # whatever a hostile identity leads to
        space = Space.from_identity(search["space"])
        return space if all(isinstance(words, str) for words in space.plain.values()) else None
    return None


def edges_of(search: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """Return the hyperparameters that lie at an edge of their range: name, value, ``low`` or ``high``."""
    with suppress(Exception):  # as above
        space = space_of(search)
        return [] if space is None else [(name, value, str(side)) for name, value, side in space.at_edge(parameters)]
    return []


def search_words(search: Record, tuning: Any = None) -> SearchWords:
    """Return how a search is set up; what cannot be read of it is ``unknown``.

    Args:
        search: The record of the search; empty where there is none yet.
        tuning: The identity of budget and sampler, where an item has others than the search began with.
    """
    from omnibench.tuning.budget import Tuning
    from omnibench.tuning.distributions import Choice, Log

    words: dict[str, Any] = {}
    space = space_of(search)
    if space is not None:
        members = {Log: "logarithmic", Choice: "categories"}
        for distribution, member in members.items():
            words[member] = frozenset(
                dimension.name for dimension in space.dimensions if isinstance(dimension.distribution, distribution)
            )
        words |= {"space": dict(space.plain), "constants": dict(space.constants)}
    with suppress(Exception):  # as above
        read = Tuning.from_identity(tuning or search["tuning"])
        texts = (read.budget_words, read.sampler_words, read.pruner_words, read.refit or "")
        if all(isinstance(text, str) for text in texts):
            words |= dict(zip(("budget_text", "sampler", "pruner", "refit"), texts, strict=True))
        words |= {"budget": _budget(read.budget), "parallel": read.round_size, "per_fold": bool(read.per_fold)}
    return SearchWords(**words)


def _budget(budget: Mapping[str, Any]) -> dict[str, float]:
    """Return the limits that are numbers."""
    return {name: limit for name, limit in budget.items() if type(limit) in (int, float)}


def shortfall_sentence(trials: int, budget: Mapping[str, Any]) -> str:
    """Return why a search has ended with fewer trials than its budget allows; nothing where it has not.

    Args:
        trials: How many it has.
        budget: Its ``trials`` and ``seconds``.
    """
    limit, seconds = budget.get("trials"), budget.get("seconds")
    if not isinstance(limit, int) or trials >= limit:
        return ""
    if isinstance(seconds, int | float):
        return f"the search was cut short: its {seconds:g} s were spent after {trials} of {limit} trials"
    return f"the search space has no more than {trials} points, for a budget of {limit} trials"


def ended_words(counts: Mapping[str, Any]) -> list[str]:
    """Return how many trials came to nothing, e.g. ``2 failed``; nothing of what there is none of.

    Args:
        counts: ``pruned`` and ``failed``.
    """
    statuses = (TrialStatus.PRUNED.value, TrialStatus.FAILED.value)
    return [f"{counts[status]} {status}" for status in statuses if counts.get(status)]


def survivor_sentence(choice: Mapping[str, Any]) -> str:
    """Return that the defaults were chosen because nothing else has a value; nothing where it is otherwise.

    Args:
        choice: ``number`` (of the chosen trial), ``trials`` (how many there are), ``pruned`` and ``failed``.
    """
    trials, ended = choice.get("trials") or 0, ended_words(choice)
    lost = sum(choice.get(status.value) or 0 for status in (TrialStatus.PRUNED, TrialStatus.FAILED))
    if choice.get("number") != 0 or not ended or trials - lost != 1:
        return ""
    return f"only the defaults have a value, so nothing was tuned: of {trials} trials {' and '.join(ended)}"


def short_value(value: Any) -> str:
    """Return the value of a hyperparameter with the digits that people read, e.g. ``512.3`` or ``10000``."""
    if not isinstance(value, float):
        return full_value_text(value)
    return f"{value:.0f}" if _WHOLE_FROM <= abs(value) < _WHOLE_TO else f"{value:.4g}"


def values_text(parameters: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> str:
    """Return chosen hyperparameters for people, e.g. ``l2=512.3`` or, without any, ``the defaults (l2=1000)``.

    Args:
        parameters: The hyperparameters by name; none of the trial that has the defaults.
        defaults: What the searched ones are by default, where that is recorded.
    """
    if parameters:
        return ", ".join(f"{name}={short_value(value)}" for name, value in parameters.items())
    return f"the defaults ({values_text(defaults)})" if defaults else "the defaults"


def seconds_text(seconds: float) -> str:
    """Return seconds with the digits that people read, e.g. ``0.4 s`` or ``137 s``."""
    return f"{seconds:.0f} s" if seconds >= _WHOLE_SECONDS else f"{seconds:.2g} s"


def edge_sentence(name: str, values: Sequence[Any], side: str) -> str:
    """Return what to do about values at the edge of their range, e.g. ``l2 = 10000 lies at the upper edge ...``.

    Args:
        name: The hyperparameter.
        values: What was chosen, in one fold or in several.
        side: ``low`` or ``high``.
    """
    edge = "lower" if side == "low" else "upper"
    chosen = ", ".join(dict.fromkeys(map(short_value, values)))
    return f"{name} = {chosen} lies at the {edge} edge of its range: widen it"
