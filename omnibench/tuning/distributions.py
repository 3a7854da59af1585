"""The values that a hyperparameter can take in a search: some of a list, or a range of numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from omnibench.arguments import refuse_unknown
from omnibench.errors import PlanError
from omnibench.keys import canonical
from omnibench.tuning.edges import Side, side_of_linear_range, side_of_numbers, side_of_range
from omnibench.tuning.values import (
    check_order,
    exact,
    finite_number,
    in_words,
    is_integer,
    is_number,
    is_whole,
    plain_value,
    steps_within,
    tell_if_short,
    text_of,
    whole_number,
)

WHOLE = " (whole)"
"""What words say of a range whose values are whole numbers."""


class Distribution:
    """The values of a hyperparameter, and how to choose among them.

    Attributes:
        name: What its identity calls it.
        count: How many values there are; None for real numbers.
    """

    name: ClassVar[str]

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides its values, as JSON data."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """Its values in words, e.g. ``log 1 to 10000``."""
        raise NotImplementedError

    @property
    def count(self) -> int | None:
        raise NotImplementedError

    def __contains__(self, value: Any) -> bool:
        raise NotImplementedError

    def own(self, value: Any) -> Any:
        """Return one of its values with its own type: a real number where an algorithm's default is the integer 1000."""
        raise NotImplementedError

    def value(self, index: int) -> Any:
        """Return a value by its position; the distribution has a ``count``."""
        raise NotImplementedError

    def index(self, value: Any) -> int:
        """Return the position of one of its values; the distribution has a ``count``."""
        raise NotImplementedError

    def at(self, share: float) -> Any:
        """Return the value at a share of the distribution, from 0 to below 1: uniform shares make a sample of it."""
        raise NotImplementedError

    def side(self, value: Any) -> Side | None:
        """Return at which edge a value of a numeric range lies, if it does."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and canonical(self.identity) == canonical(other.identity)

    def __hash__(self) -> int:
        return hash(canonical(self.identity))


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Choice(Distribution):
    """A hyperparameter that takes one of several values, without an order: ``Choice([32, 64, 128])``.

    Args:
        values: At least one value: numbers, texts, truth values, None, or lists and dictionaries of these; repeated
            ones count once.

    Raises:
        PlanError: It is no list, or has a value that a trial's record cannot hold.
    """

    name: ClassVar[str] = "choice"
    values: tuple[Any, ...]
    _texts: tuple[str, ...]

    @refuse_unknown("Choice([32, 64, 128])")
    def __init__(self, values: Sequence[Any]) -> None:
        argument: Any = values  # sets, texts and arrays come from callers without a type checker
        if hasattr(argument, "tolist") and getattr(argument, "ndim", None) == 1:
            argument = argument.tolist()
        if isinstance(argument, set | frozenset):
            listed = ", ".join(sorted(map(repr, argument)))
            raise PlanError(f"Choice got a set, which has no order; give a list: Choice([{listed}]).")
        if isinstance(argument, str | bytes) or not isinstance(argument, Sequence):
            raise PlanError(f"Choice got {values!r}; give a list of values, e.g. Choice([32, 64, 128]).")
        if not argument:
            raise PlanError("Choice got no value; give a list of at least one, e.g. Choice([32, 64, 128]).")
        plain = [plain_value(value, f"Choice, value {number}") for number, value in enumerate(argument, 1)]
        unique = {canonical(value): value for value in plain}
        object.__setattr__(self, "values", tuple(unique.values()))
        object.__setattr__(self, "_texts", tuple(unique))

    @property
    def identity(self) -> dict[str, Any]:
        return {"type": self.name, "values": list(self.values)}

    @property
    def words(self) -> str:
        *first, last = map(in_words, self.values)
        return f"{', '.join(first)} or {last}" if first else last

    @property
    def count(self) -> int:
        return len(self.values)

    def __contains__(self, value: Any) -> bool:
        return self._position(value) is not None

    def own(self, value: Any) -> Any:
        return self.value(self.index(value))

    def value(self, index: int) -> Any:
        return json.loads(self._texts[index])  # a copy, which its receiver may change

    def index(self, value: Any) -> int:
        return cast("int", self._position(value))

    def _position(self, value: Any) -> int | None:
        """Return the position of a value; a number that has another type there is the same: 1.0 is 1."""
        text = text_of(value)
        if text in self._texts:
            return self._texts.index(text)
        if not is_number(value):
            return None
        equal = (index for index, number in enumerate(self.values) if is_number(number) and number == value)
        return next(equal, None)

    def at(self, share: float) -> Any:
        return self.value(min(int(share * self.count), self.count - 1))

    def side(self, value: Any) -> Side | None:
        return side_of_numbers(value, self.values) if value in self else None

    def __repr__(self) -> str:
        return f"Choice({list(self.values)!r})"


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Int(Distribution):
    """A whole number of a range, both ends included: ``Int(1, 90)``, ``Int(10, 200, step=10)``.

    Args:
        low: The smallest.
        high: The largest; above ``low``.
        step: The distance of two values.

    Raises:
        PlanError: The range is empty, or something is no whole number.
    """

    name: ClassVar[str] = "int"
    low: int
    high: int
    step: int = 1

    @refuse_unknown("Int(1, 90)")
    def __init__(self, low: int, high: int, step: int = 1) -> None:
        arguments = {"low": low, "high": high, "step": step}
        first, last, distance = (whole_number(value, f"Int: {name}", arguments) for name, value in arguments.items())
        check_order("Int", first, last)
        if distance < 1:
            raise PlanError(
                f"Int({first}, {last}, step={distance}): the step is not positive; leave it out for steps of 1."
            )
        if distance > last - first:
            raise PlanError(
                f"Int({first}, {last}, step={distance}) has one value only, because the step is larger than the range; give "
                f"a smaller step, or {first} itself."
            )
        object.__setattr__(self, "low", first)
        reached = first + (last - first) // distance * distance
        tell_if_short(f"Int({first}, {last}, step={distance})", reached, last, distance)
        object.__setattr__(self, "high", reached)
        object.__setattr__(self, "step", distance)

    @property
    def identity(self) -> dict[str, Any]:
        return {"type": self.name, "low": self.low, "high": self.high, "step": self.step}

    @property
    def words(self) -> str:
        steps = f" in steps of {self.step}" if self.step != 1 else ""
        return f"{self.low} to {self.high}{steps}{WHOLE}"

    @property
    def count(self) -> int:
        return (self.high - self.low) // self.step + 1

    def __contains__(self, value: Any) -> bool:
        return is_whole(value) and self.low <= value <= self.high and (int(value) - self.low) % self.step == 0

    def own(self, value: Any) -> int:
        return int(value)

    def value(self, index: int) -> int:
        return self.low + index * self.step

    def index(self, value: Any) -> int:
        return (int(value) - self.low) // self.step

    def at(self, share: float) -> int:
        return self.value(min(int(share * self.count), self.count - 1))

    def side(self, value: Any) -> Side | None:
        return side_of_linear_range(value, self.low, self.high) if value in self else None


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Float(Distribution):
    """A real number of a range: ``Float(0, 1)``, ``Float(0, 1, step=0.1)``.

    Args:
        low: The smallest.
        high: The largest; above ``low``.
        step: The distance of two values; None for all numbers of the range.

    Raises:
        PlanError: The range is empty, or something is no finite number.
    """

    name: ClassVar[str] = "float"
    low: float
    high: float
    step: float | None = None

    @refuse_unknown("Float(0, 1)")
    def __init__(self, low: float, high: float, step: float | None = None) -> None:
        first, last = finite_number(low, "Float: low"), finite_number(high, "Float: high")
        check_order("Float", first, last)
        distance = None if step is None else finite_number(step, "Float: step")
        if distance is not None:
            text = f"Float({in_words(first)}, {in_words(last)}, step={in_words(distance)})"
            if distance <= 0:
                raise PlanError(f"{text}: the step is not positive; leave it out for all numbers of the range.")
            steps = steps_within(first, last, distance)
            if steps < 1:
                raise PlanError(
                    f"{text} has one value only, because the step is larger than the range; give a smaller step, or "
                    f"{in_words(first)} itself."
                )
            reached = float(exact(first) + steps * exact(distance))
            tell_if_short(text, reached, last, distance)
            last = reached
        object.__setattr__(self, "low", first)
        object.__setattr__(self, "high", last)
        object.__setattr__(self, "step", distance)

    @property
    def identity(self) -> dict[str, Any]:
        return {"type": self.name, "low": self.low, "high": self.high, "step": self.step}

    @property
    def words(self) -> str:
        steps = "" if self.step is None else f" in steps of {in_words(self.step)}"
        return f"{in_words(self.low)} to {in_words(self.high)}{steps}"

    @property
    def count(self) -> int | None:
        if self.step is None:
            return None
        return steps_within(self.low, self.high, self.step) + 1

    def __contains__(self, value: Any) -> bool:
        if not is_number(value):
            return False
        if (count := self.count) is None:
            return bool(self.low <= value <= self.high)
        index = self.index(value)
        return 0 <= index < count and math.isclose(self.value(index), value, rel_tol=1e-9, abs_tol=1e-12)

    def own(self, value: Any) -> float:
        return float(value) if self.step is None else self.value(self.index(value))

    def value(self, index: int) -> float:
        return min(float(exact(self.low) + index * exact(self.step or 0.0)), self.high)

    def index(self, value: Any) -> int:
        return round((float(value) - self.low) / (self.step or math.inf))

    def at(self, share: float) -> float:
        if (count := self.count) is not None:
            return self.value(min(int(share * count), count - 1))
        return min(max(self.low * (1 - share) + self.high * share, self.low), self.high)

    def side(self, value: Any) -> Side | None:
        return side_of_linear_range(value, self.low, self.high) if value in self else None


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Log(Distribution):
    """A number of a range in which each order of magnitude counts the same: ``Log(1e-4, 1e-2)``.

    Its values are whole numbers where both ends are: ``Log(1, 1000)``; real ones otherwise: ``Log(1.0, 1000.0)``.

    Args:
        low: The smallest; above 0.
        high: The largest; above ``low``.

    Raises:
        PlanError: The range is empty or does not begin above 0, or something is no finite number.
    """

    name: ClassVar[str] = "log"
    low: float
    high: float

    @refuse_unknown("Log(1e-4, 1e-2)")
    def __init__(self, low: float, high: float) -> None:
        whole = is_integer(low) and is_integer(high)
        first, last = (finite_number(value, f"Log: {name}") for name, value in (("low", low), ("high", high)))
        if first <= 0:
            example = 1 if whole and last > 1 else 0.001
            raise PlanError(
                f"Log({in_words(first)}, {in_words(last)}): a logarithmic range begins above 0; give the smallest value that is "
                f"worth a try, e.g. Log({example}, {in_words(last) if last > example else 1}), or Float({in_words(first)}, "
                f"{in_words(last)})."
            )
        words = in_words if whole else repr  # Log(1, 1000) has other values than Log(1.0, 1000.0)
        check_order("Log", first, last, words)
        object.__setattr__(self, "low", whole_number(low, "Log: low", {}) if whole else first)
        object.__setattr__(self, "high", whole_number(high, "Log: high", {}) if whole else last)

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int)

    @property
    def identity(self) -> dict[str, Any]:
        return {"type": self.name, "low": self.low, "high": self.high}

    @property
    def words(self) -> str:
        return f"log {in_words(self.low)} to {in_words(self.high)}{WHOLE if self.is_whole else ''}"

    @property
    def count(self) -> int | None:
        return int(self.high - self.low) + 1 if self.is_whole else None

    def __contains__(self, value: Any) -> bool:
        return (is_whole(value) if self.is_whole else is_number(value)) and self.low <= value <= self.high

    def own(self, value: Any) -> float:
        return int(value) if self.is_whole else float(value)

    def value(self, index: int) -> int:
        return int(self.low) + index

    def index(self, value: Any) -> int:
        return int(value) - int(self.low)

    def at(self, share: float) -> float:
        margin = 0.5 if self.is_whole else 0.0  # so that both ends are as probable as their size says
        first, last = math.log(self.low - margin), math.log(self.high + margin)
        value = math.exp(first * (1 - share) + last * share)
        return min(max(round(value) if self.is_whole else value, self.low), self.high)

    def side(self, value: Any) -> Side | None:
        return side_of_range(math.log(value), math.log(self.low), math.log(self.high)) if value in self else None


_CLASSES: dict[str, type[Choice | Int | Float | Log]] = {
    definition.name: definition for definition in (Choice, Int, Float, Log)
}


def distribution_of(identity: Mapping[str, Any]) -> Distribution:
    """Return the distribution with an identity."""
    arguments = {name: value for name, value in identity.items() if name not in ("type", "when")}
    return _CLASSES[identity["type"]](**arguments)
