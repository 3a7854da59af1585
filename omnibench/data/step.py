"""Steps of a dataset's recipe: their base classes, and the random numbers that they draw."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from omnibench.data.interactions import Interactions
from omnibench.data.own_code import codes_within, own_code

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


def random_keys(n: int, *entropy: int) -> npt.NDArray[np.uint64]:
    """Return n random 64-bit keys from the stream that the entropy seeds.

    The raw stream of PCG64 is the part of numpy's random module that is promised never to change.

    Args:
        n: The number of keys.
        entropy: Seed, step position, fold: what makes the stream its own.
    """
    return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(n)


@contextmanager
def seeded_generators(*entropy: int) -> Iterator[None]:
    """Seed the global generators of Python and numpy while a step is at work, and put back what they were.

    A user's step that draws from them (``frame.sample(frac=0.5)``) would make other data under the same key elsewhere.

    Args:
        entropy: Seed and step position.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    seed = int(random_keys(1, *entropy)[0]) >> 32
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def plain(value: Any) -> Any:
    """Return a numpy number as Python's own type, and anything else unchanged."""
    return value.item() if isinstance(value, Real) and hasattr(value, "item") else value


def is_int(value: object) -> bool:
    """Return whether an argument is a whole number; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Return whether an argument is a number; True and False are not."""
    return is_int(value) or isinstance(value, float)


@dataclass(frozen=True)
class Step:
    """A step of a dataset's recipe. Its name, version and fields are part of the dataset's key.

    Attributes:
        version: Raised when the step's results change. A user's class that sets it answers for its code by itself.
        later: Fields that came after the step itself; they are in the key only where they are not the default.
    """

    version: ClassVar[int] = 1
    later: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        written = {field.name: getattr(self, field.name) for field in fields(self)}
        self.check()
        present = {name: getattr(self, name) for name in written}
        respelled = {
            name: value
            for name, value in written.items()
            if value == present[name] and type(value) is not type(present[name])
        }
        object.__setattr__(self, "_respelled", respelled)

    def check(self) -> None:
        """Refuse arguments that no data could have.

        Raises:
            DataError: There is such an argument.
        """

    def as_recorded(self) -> Self:
        """Return the step as earlier releases identified it, when 0 and 0.0 were different arguments."""
        recorded = copy.copy(self)
        for name, value in vars(self).get("_respelled", {}).items():
            object.__setattr__(recorded, name, value)
        return recorded

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that the interactions must have, beside user and item."""
        return ()

    @property
    def needs_order(self) -> bool:
        """Whether it matters in which order interactions of one user and moment come; of the user's own steps it may."""
        return type(self).__module__.partition(".")[0] != "omnibench"

    @property
    def identity(self) -> list[object]:
        """The step's part of the key: name, version and parameters."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self) if field.name in self.later}
        parameters = {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}
        return [type(self).__name__, self.version, parameters]

    @property
    def keyed_identity(self) -> list[object]:
        """The identity, and of a user's class what identifies its code; of its arguments' classes with methods, too.

        Raises:
            DataError: The source of a user's class cannot be read.
        """
        return [*self.identity, *own_code(type(self)), *codes_within(self.arguments)]

    @property
    def arguments(self) -> dict[str, Any]:
        """The values that the step was made with and whose classes' code matters: another step, or rules with methods."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Preprocessing(Step):
    """A step from interactions to interactions."""

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        """Return the interactions after this step.

        Args:
            interactions: What the steps before left: rows by user and time, of users and items that may have none.
            seed: The dataset's seed.
            position: The step's position in the recipe, so that equal steps draw differently.
        """
        raise NotImplementedError
