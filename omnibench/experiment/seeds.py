"""The seeds of a benchmark: how many, or which, are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from omnibench.errors import PlanError

Seeds = int | Sequence[int]
"""How many seeds, from the run's seed on; or the seeds themselves."""

_END = 2**32
"""What every framework accepts lies below."""

_EXAMPLES = "give their number, e.g. seeds=5, or the seeds themselves, e.g. seeds=[1, 2, 3]"


def checked_seeds(seeds: Seeds, first: int) -> tuple[int, ...]:
    """Return the seeds that are meant, in their order.

    Args:
        seeds: How many, or which.
        first: The run's seed, which is the first of those that only their number is given of.

    Raises:
        PlanError: They are neither a positive number nor different integers from 0 to 2**32 - 1.
    """
    argument: Any = seeds
    if _is_integer(argument):
        count = int(argument)
        if count < 1:
            raise PlanError(f"seeds is {argument!r}; {_EXAMPLES}.")
        if first + count > _END:
            raise PlanError(
                f"seeds is {argument!r}, which from the seed {first} on goes beyond {_END - 1}; set a smaller random state, "
                "or give a list of seeds."
            )
        return tuple(range(first, first + count))
    if not isinstance(argument, Iterable) or isinstance(argument, str | bytes | dict | set | frozenset):
        raise PlanError(f"seeds is {argument!r}; {_EXAMPLES}.")
    listed = list(argument)
    if not listed:
        raise PlanError(f"seeds is empty; {_EXAMPLES}.")
    for seed in listed:
        if not _is_integer(seed) or not 0 <= int(seed) < _END:
            raise PlanError(f"seeds has {seed!r}; give integers from 0 to {_END - 1}.")
    whole = [int(seed) for seed in listed]
    repeated = next((seed for seed in whole if whole.count(seed) > 1), None)
    if repeated is not None:
        raise PlanError(f"seeds has {repeated} twice; give each seed once.")
    return tuple(whole)


def _is_integer(value: Any) -> bool:
    """Whether a value is an integer, of Python or numpy; a truth value is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)
