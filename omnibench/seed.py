"""The process-wide random state: the default seed of datasets and runs."""

from __future__ import annotations

from omnibench.arguments import checked_call

DEFAULT_RANDOM_STATE = 42

_random_state = DEFAULT_RANDOM_STATE


@checked_call
def set_random_state(seed: int = DEFAULT_RANDOM_STATE) -> None:
    """Set the seed of everything random from here on: splits, samples, model initialisation.

    It is read when a dataset is created and when a benchmark or run is declared, and it is part of their
    keys. Every bench file starts with the default of 42, whatever the file before it has set.

    Args:
        seed: A non-negative integer below 2**32 (what every framework accepts).

    Raises:
        TypeError, ValueError: The seed is no such integer.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"the random state is {seed!r}; give a non-negative integer")
    if not 0 <= seed < 2**32:
        raise ValueError(f"the random state is {seed}; give an integer from 0 to {2**32 - 1}")
    global _random_state  # noqa: PLW0603 - the one process-wide setting that OmniRec's interface asks for
    _random_state = seed


def get_random_state() -> int:
    """Return the seed that a dataset or run created now would use."""
    return _random_state
