"""Examples of two users, on which users' own metrics are tried before anything is fitted."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt

_LENGTH = 100
"""The length of the lists in an example, longer than what most metrics look at."""


def hits_example(k: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return the hits of two users, shape (2, k), the second without any, and how many items are relevant for each."""
    hits = np.zeros((2, k), dtype=bool)
    hits[0, 0] = True
    return hits, np.array([1, 3], dtype=np.int64)


def ranking_example() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the recommendations for two users, and their test part."""
    import pandas as pd

    rank = np.arange(1, _LENGTH + 1)
    predictions = pd.DataFrame(
        {"user": np.repeat([1, 2], _LENGTH), "item": [*rank, *(rank + 1)], "score": np.tile(1 / rank, 2)}
    ).assign(rank=np.tile(rank, 2))
    return predictions, pd.DataFrame({"user": [1, 1, 2], "item": [1, 5, 3]})


def rating_example() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predicted ratings for two users, and their test part."""
    import pandas as pd

    pairs = pd.DataFrame({"user": [1, 1, 2], "item": [1, 5, 3]})
    return pairs.assign(rating=[3.5, 2.0, 4.5]), pairs.assign(rating=[4.0, 2.0, 5.0])


@contextmanager
def trial(calculator: Any) -> Iterator[Callable[..., Any]]:
    """Give the ``calculate`` of a copy, where the object can be copied, and keep quiet about odd numbers."""
    try:
        tried = copy.deepcopy(calculator)
    except Exception:  # it may hold anything, such as a lock
        tried = calculator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tried.calculate
