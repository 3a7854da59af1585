"""What stands below a table with several configurations of one algorithm: to pick the best of them is tuning on the test part."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from omnibench.code import SEED_NAMES
from omnibench.naming import first_few
from omnibench.results import Result
from omnibench.tables.conditional import algorithm_of

_MOST_NAMED = 3
"""Algorithms that the sentence names."""

_MOST_VALUES = 10
"""Values of a hyperparameter that are listed; of more numbers it is the range."""

_IMPORTED = ("LensKit", "RecBole", "RecPack", "Implicit", "Cornac", "Surprise", "RecTools")
"""Frameworks whose algorithms are written without quotes."""

_WIDE = 100
"""From how large a ratio on numbers are searched by their logarithms."""

Values = list[tuple[Hashable, Any]]
"""Different values of a hyperparameter, with what tells each from the others."""

_PLAIN = frozenset({bool, int, str, type(None)})


class Picking(NamedTuple):
    """That configurations of an algorithm were compared on the test part, and how to choose among them instead.

    Attributes:
        sentence: What not to do, without its end.
        call: What to do instead, as code of a bench file.
    """

    sentence: str
    call: str


def picking(visible: Iterable[Result], unlisted: Iterable[Result] = ()) -> Picking | None:
    """Return what there is to say of a table's configurations; None where none has a rival of its own algorithm.

    Configurations that differ by label, seed, or in what they are fitted on are no choice of hyperparameters, nor is a
    tuned one.

    Args:
        visible: A result of each row.
        unlisted: Results of configurations that are not shown, for the values that are searched.
    """
    several = {name: rows for name, rows in _by_algorithm(visible).items() if len(rows) > 1}
    if not several:
        return None
    first, rows = next(iter(several.items()))
    hidden = [  # there may be thousands
        result.parameters
        for result in unlisted
        if not result.tuned
        and result.configuration.startswith(first[0])
        and (algorithm_of(result), result.module) == first
    ]
    names = list(dict.fromkeys(name for name, _ in several))
    listed = names[0] if len(names) == 1 else f"{first_few(names[:-1], _MOST_NAMED - 1)} or {names[-1]}"
    if len(names) > _MOST_NAMED:
        listed = first_few(names, _MOST_NAMED)
    example = "" if len(names) == 1 else ", e.g."
    return Picking(
        f"picking the best {listed} by these numbers is tuning on the test part; to choose on validation data{example}",
        _call(first[0], [*rows.values(), *hidden]),
    )


def _by_algorithm(results: Iterable[Result]) -> dict[tuple[str, str], dict[str, Mapping[str, Any]]]:
    """Return the different hyperparameters of each algorithm, by what tells them apart."""
    groups: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for result in results:
        if not result.tuned:
            values = {name: value for name, value in result.parameters.items() if name not in SEED_NAMES}
            groups.setdefault((algorithm_of(result), result.module), {})[repr(sorted(values.items()))] = values
    return groups


def _call(algorithm: str, configurations: Sequence[Mapping[str, Any]]) -> str:
    """Return the call of ``plan.tune`` that searches what some configurations have."""
    names = dict.fromkeys(name for values in configurations for name in values if name not in SEED_NAMES)
    values_of = {name: _different(values[name] for values in configurations if name in values) for name in names}
    everywhere = {name for name in names if all(name in values for values in configurations)}
    fixed = {name: values[0][1] for name, values in values_of.items() if name in everywhere and len(values) == 1}
    entries = []
    for name, values in values_of.items():
        if name not in fixed:
            distribution = _distribution(values, exact=name in everywhere)
            condition = "" if name in everywhere else _condition(name, configurations, everywhere - fixed.keys())
            entries.append(f"{_literal(name)}: {condition.replace('...', distribution) if condition else distribution}")
    rest = f", fixed={_literal(fixed)}" if fixed else ""
    is_imported = "." not in algorithm or algorithm.partition(".")[0] in _IMPORTED
    return f"plan.tune({algorithm if is_imported else _literal(algorithm)}, {{{', '.join(entries)}}}{rest})"


def _different(values: Iterable[Any]) -> Values:
    """Return different values, numbers in order, others as they come."""
    unique: dict[Hashable, Any] = {
        (type(value), value if type(value) in _PLAIN else repr(value)): value for value in values
    }
    if all(_is_number(value) for value in unique.values()):
        return sorted(unique.items(), key=lambda pair: pair[1])
    return list(unique.items())


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _distribution(values: Values, *, exact: bool) -> str:
    """Return a distribution of some values as code.

    Args:
        values: The values.
        exact: Whether all configurations have one, so that a condition cannot depend on those between them.
    """
    numbers = [value for _, value in values]
    if not exact or len(numbers) <= _MOST_VALUES or not all(map(_is_number, numbers)):
        return f"Choice({_literal(numbers)})"
    low, high = numbers[0], numbers[-1]
    if low > 0 and high / low >= _WIDE:
        return f"Log({_literal(low)}, {_literal(high)})"
    return f"{'Int' if all(type(number) is int for number in numbers) else 'Float'}({_literal(low)}, {_literal(high)})"


def _condition(name: str, configurations: Sequence[Mapping[str, Any]], deciding: Iterable[str]) -> str:
    """Return the condition on which a hyperparameter is there, with ``...`` for its values; empty where none is known."""
    for parent in sorted(deciding):
        present = _different(values[parent] for values in configurations if name in values)
        absent = _different(values[parent] for values in configurations if name not in values)
        if not {identity for identity, _ in present} & {identity for identity, _ in absent}:
            values = [value for _, value in present]
            return f"When({_literal(parent)}, {_literal(values[0] if len(values) == 1 else values)}, ...)"
    return ""


def _literal(value: Any) -> str:
    """Return a value as code, with the quotation marks of bench files."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(name)}: {_literal(inner)}' for name, inner in value.items())}}}"
    return repr(value)
