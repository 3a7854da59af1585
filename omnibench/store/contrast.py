"""The contrast between two items: what differs in their keys, in how they were computed, and in their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from omnibench.data.words import step_words
from omnibench.store.why import differences, formatted, without_long_digests

_LONGEST_VALUE = 100
"""Letters of a value that are shown."""

_PEAK = "peak_rss"
_NO_KEY_PARTS = ("name", "words", "label", "effective")


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that two items do not share.

    Attributes:
        part: What it is, e.g. ``algorithm.parameters.K``; None on a side stands for what is not there, or not recorded.
        a: The value of the first item.
        b: The value of the second.
    """

    part: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Contrast:
    """What two items do not share.

    Attributes:
        a: The name of the first item.
        b: The name of the second.
        titles: Their names for people.
        states: Their statuses.
        keys: What differs in the parts of their keys: dataset, fold, algorithm, hyperparameters, seed, versions, code.
        circumstances: What differs in how they were computed and is part of no key: hosts, threads, versions of other
            packages, digests of the data, effective hyperparameters.
        numbers: Those of their metrics and costs that differ.
        equal: The metrics whose values are the same to the last digit.
    """

    a: str
    b: str
    titles: tuple[str, str]
    states: tuple[str, str]
    keys: tuple[Difference, ...]
    circumstances: tuple[Difference, ...]
    numbers: tuple[Difference, ...]
    equal: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @property
    def metrics(self) -> tuple[Difference, ...]:
        """Those of the numbers that are metrics."""
        return tuple(number for number in self.numbers if number.part.startswith("metrics."))

    def lines(self) -> Iterator[str]:
        """Yield it as lines for people."""
        yield f"A: {self.titles[0]} ({self.a}, {self.states[0]})"
        yield f"B: {self.titles[1]} ({self.b}, {self.states[1]})"
        parts = (*self.keys, *self.circumstances, *self.numbers)
        width = max((len(difference.part) for difference in parts), default=0)
        if self.keys:
            yield "What their keys are made of differs in"
        else:
            yield "Nothing differs in what their keys are made of."
        yield from (f"  {difference_line(difference, width)}" for difference in self.keys)
        if self.circumstances:
            yield "How they were computed, which is part of no key, differs in"
            yield from (f"  {difference_line(difference, width)}" for difference in self.circumstances)
        if self.numbers:
            yield "Their numbers differ in"
            yield from (f"  {difference_line(difference, width)}" for difference in self.numbers)
        if self.equal:
            yield f"Equal to the last digit: {', '.join(self.equal)}"


def difference_line(difference: Difference, width: int) -> str:
    """Return ``part  a -> b``, and by how much numbers differ."""
    part, a, b = difference.part, difference.a, difference.b
    gain = f"  ({b - a:+.6g})" if isinstance(a, float) and isinstance(b, float) else ""
    return f"{part:{width}}  {_value(part, a)} -> {_value(part, b)}{gain}"


def _value(part: str, value: Any) -> str:
    if value is None:
        return "(not there)"
    if part.endswith(_PEAK):
        return f"{value / 2**20:.0f} MiB"
    if isinstance(value, float):
        return f"{value:.6g}"
    return formatted(without_long_digests(value), _LONGEST_VALUE)


def contrast(a: Mapping[str, Any], b: Mapping[str, Any]) -> Contrast:
    """Return what two items do not share.

    Args:
        a: The facts about the first item; see ``facts.FactSource``.
        b: Likewise, of the second.
    """
    labels = [*a["metrics"], *(label for label in b["metrics"] if label not in a["metrics"])]
    values = {label: (a["metrics"].get(label), b["metrics"].get(label)) for label in labels}
    return Contrast(
        a=a["item"],
        b=b["item"],
        titles=(a["title"], b["title"]),
        states=(a["status"], b["status"]),
        keys=_between(*_key_parts(a, b)),
        circumstances=(*_computed_otherwise(a, b), *_between(*_data_and_effects(a, b))),
        numbers=(
            *(Difference(f"metrics.{label}", *pair) for label, pair in values.items() if pair[0] != pair[1]),
            *_cost_differences(a, b),
        ),
        equal=tuple(label for label, pair in values.items() if pair[0] == pair[1]),
    )


def _between(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Difference, ...]:
    return tuple(Difference(part, *values) for part, *values in differences(a, b, absent=None))


def _key_parts(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the keys of two items are made of."""
    recipes = [facts["dataset"]["recipe"] for facts in (a, b)]
    step_by_step = None not in recipes and len({len(recipe["steps"]) for recipe in recipes}) == 1
    first, second = (
        {
            "dataset": _dataset_parts(facts["dataset"], step_by_step=step_by_step),
            "fold": facts["fold"],
            "algorithm": facts["algorithm"]["name"],
            **{name: value for name, value in facts["algorithm"].items() if name not in _NO_KEY_PARTS},
        }
        for facts in (a, b)
    )
    return first, second


def _dataset_parts(dataset: Mapping[str, Any], *, step_by_step: bool) -> dict[str, Any]:
    recipe = dataset["recipe"]
    if recipe is None:  # it was not recorded
        return {"key": dataset["key"]}
    steps: Any
    if step_by_step:
        steps = [{"name": name, "version": version, **parameters} for name, version, parameters in recipe["steps"]]
    else:
        steps = step_words(recipe["steps"])
    return {**recipe, "steps": steps}


def _data_and_effects(*items: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the digests of two items' data, as far as both have them: other releases have other files of the same data."""
    data = [facts["dataset"]["digests"] for facts in items]
    names = [name for name in data[0] if name in data[1]]
    return [
        {
            "data": {name: digests[name] for name in names},
            "predictions": facts["predictions"],
            "effective": _effective(facts["algorithm"]),
        }
        for facts, digests in zip(items, data, strict=True)
    ]


def _effective(algorithm: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters that nobody has chosen."""
    return {
        name: value for name, value in (algorithm["effective"] or {}).items() if name not in algorithm["parameters"]
    }


def _computed_otherwise(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the differences between the circumstances of phases; those that all phases share once, without the phase."""
    names = [name for name in a["phases"] if name in b["phases"]]
    by_phase: dict[str, dict[str, Difference]] = {}
    for name in names:
        old, new = (_comparable(facts["phases"][name]["circumstances"]) for facts in (a, b))
        for difference in _between(old, new):
            by_phase.setdefault(difference.part, {})[name] = difference
    for part, of_phases in by_phase.items():
        values = [(difference.a, difference.b) for difference in of_phases.values()]
        everywhere = len(of_phases) == len(names) or part == "threads"  # Eval has none
        if everywhere and all(pair == values[0] for pair in values):
            yield Difference(part, *values[0])
        else:
            yield from (Difference(f"{name}.{part}", value.a, value.b) for name, value in of_phases.items())


def _comparable(circumstances: Mapping[str, Any]) -> dict[str, Any]:
    command = circumstances["command"]
    return {
        **circumstances,
        "command": " ".join(map(str, command)) if command else None,
        "git": (circumstances["git"] or {}).get("commit"),
    }


def _cost_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Difference]:
    for name in a["phases"]:
        if name in b["phases"]:
            for cost in ("seconds", _PEAK):
                difference = Difference(f"{name}.{cost}", a["phases"][name][cost], b["phases"][name][cost])
                if _value(difference.part, difference.a) != _value(difference.part, difference.b):
                    yield difference
