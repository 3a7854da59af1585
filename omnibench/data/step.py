"""Steps of a dataset's recipe: what all of them share, and the random numbers they draw."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

from omnibench.data.interactions import Interactions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


def random_keys(n: int, *entropy: int) -> npt.NDArray[np.uint64]:
    """Return n random 64-bit keys of a stream of their own.

    The raw stream of PCG64 is the part of numpy's random module that is promised never to change.

    Args:
        n: How many.
        entropy: Seed, step position, fold: what makes the stream its own.
    """
    return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(n)


def plain(value: Any) -> Any:
    """Return a number of numpy's as Python's own, and anything else as it is."""
    return value.item() if isinstance(value, Real) and hasattr(value, "item") else value


def is_int(value: object) -> bool:
    """Whether a step's argument is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether a step's argument is a number; True and False are none."""
    return is_int(value) or isinstance(value, float)


@dataclass(frozen=True)
class Step:
    """A step of a dataset's recipe. Its name, version and fields are part of the dataset's key.

    Attributes:
        version: Raised when the step's results change.
        later: Fields that came after the step itself; they are in the key only where they are not the default.
    """

    version: ClassVar[int] = 1
    later: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, plain(getattr(self, one.name)))
        self.check()

    def check(self) -> None:
        """Refuse arguments that no data could have.

        Raises:
            DataError: There is such an argument.
        """

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that the interactions must have, beside user and item."""
        return ()

    @property
    def identity(self) -> list[object]:
        """What the step adds to the key."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        defaults = {one.name: one.default for one in fields(self) if one.name in self.later}
        kept = {name: value for name, value in given.items() if name not in defaults or value != defaults[name]}
        return [type(self).__name__, self.version, kept]


@dataclass(frozen=True)
class Preprocessing(Step):
    """A step from interactions to interactions."""

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        """Return what is left.

        Args:
            interactions: What the steps before left: rows by user and time, of users and items that may have none.
            seed: The dataset's seed.
            position: The step's position in the recipe, so that equal steps draw differently.
        """
        raise NotImplementedError
