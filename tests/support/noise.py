"""A module that draws from states that nobody can see from outside."""

from __future__ import annotations

import random

import numpy as np

generator = np.random.default_rng(5)
key = 1
_hidden = [random.Random(3)]


def drawn() -> float:
    """Return a number that depends on all states, and change them."""
    global key  # noqa: PLW0603 - as modules do that keep random state
    key = key * 48271 % 2147483647
    return float(generator.random()) + key / 2147483647 + _hidden[0].random()


def position() -> object:
    """Return the state of the hidden generator."""
    return _hidden[0].getstate()


def go_to(state: object) -> None:
    """Set it."""
    _hidden[0].setstate(state)  # type: ignore[arg-type]


def reset() -> None:
    """Set all states to what they are after the import."""
    global key  # noqa: PLW0603 - as above
    key = 1
    generator.bit_generator.state = np.random.default_rng(5).bit_generator.state
    _hidden[0].seed(3)
