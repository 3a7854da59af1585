"""Several values of a hyperparameter: all of a list, or a random sample."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from omnibench.compat.omnirec.settings import get_random_state
from omnibench.errors import PlanError
from omnibench.experiment import grid as native

T = TypeVar("T")


class PlanComponentBase(ABC, Generic[T]):
    """Several values of a hyperparameter."""

    @abstractmethod
    def get_values(self) -> Iterable[T]:
        """Return the values."""


class Grid(native.Grid, Generic[T]):
    """All values of a list; a plan gets a configuration for each.

    Args:
        values: At least one value; repeated ones count once.

    Raises:
        PlanError: There is no value, or one that has no canonical form.
    """

    def __init__(self, values: Iterable[T]) -> None:
        is_text = isinstance(values, str | bytes)  # which the grid refuses, with the way out
        super().__init__(values if is_text or isinstance(values, Sequence) else list(values))  # type: ignore[arg-type]

    def get_values(self) -> Sequence[T]:
        """Return the values."""
        return self.values


PlanComponentBase.register(Grid)


class RandomBase(PlanComponentBase[T]):
    """A random sample, drawn once, with the random state of the moment at which it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = random.Random(get_random_state())  # noqa: S311 - a sample, no secret

    @abstractmethod
    def draw(self) -> list[T]:
        """Draw a sample."""

    @cached_property
    def _sample(self) -> list[T]:
        return self.draw()

    def get_values(self) -> list[T]:
        """Return the sample: the same at every call, so that a plan is the same at every run."""
        return self._sample


class RandomChoice(RandomBase[T]):
    """A random sample of a list, without repeats; the same that OmniRec draws with the same random state.

    Args:
        choices: The list.
        n: How many are drawn.

    Raises:
        PlanError: There are not so many.
    """

    def __init__(self, choices: Sequence[T], n: int) -> None:
        super().__init__()
        self.choices = choices
        self.n = n
        if not 1 <= n <= len(choices):
            raise PlanError(f"{self!r} is to draw {n} of {len(choices)} values; give an n from 1 to {len(choices)}.")

    def __repr__(self) -> str:
        return f"RandomChoice({self.choices!r}, n={self.n!r})"

    def draw(self) -> list[T]:
        """Draw a sample."""
        return self.rng.sample(self.choices, self.n)


class RandomRange(RandomBase[Any]):
    """Random numbers of a range; the same that OmniRec draws with the same random state.

    Args:
        start: The smallest number.
        end: The largest. Of two ints, ints are drawn without repeats, else floats.
        n: How many are drawn.

    Raises:
        PlanError: There are not so many.
    """

    def __init__(self, start: float, end: float, n: int) -> None:
        super().__init__()
        self.start = start
        self.end = end
        self.n = n
        of_ints = isinstance(start, int) and isinstance(end, int)
        if n < 1 or end < start or (of_ints and end - start + 1 < n):
            raise PlanError(f"{self!r} has no {n} numbers; give an end above the start, and a smaller n of at least 1.")

    def __repr__(self) -> str:
        return f"RandomRange({self.start!r}, {self.end!r}, n={self.n!r})"

    def draw(self) -> list[Any]:
        """Draw numbers."""
        if isinstance(self.start, int) and isinstance(self.end, int):
            return self.rng.sample(range(self.start, self.end + 1), self.n)
        return [self.rng.uniform(self.start, self.end) for _ in range(self.n)]


def expanded(value: Any) -> Any:
    """Return a hyperparameter's value as omnibench's plans take it: what has several values becomes a Grid."""
    if isinstance(value, native.Grid) or not callable(getattr(value, "get_values", None)):
        return value
    return Grid(value.get_values())
