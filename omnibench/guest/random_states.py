"""The states of the global random generators of this process: Python's, numpy's and PyTorch's, those of GPUs included."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any


def capture() -> dict[str, Any]:
    """Return the states of all global generators by the names of their packages; PyTorch's where it is imported."""
    import numpy as np  # not above: the command imports this module by way of what it names, and no numpy

    states: dict[str, Any] = {"python": random.getstate(), "numpy": np.random.get_state()}
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore(states: dict[str, Any]) -> None:
    """Put the global generators into states that ``capture`` has returned, in this process or in another.

    Args:
        states: The states by package; generators that are not among them stay as they are.
    """
    import numpy as np

    random.setstate(_as_tuple(states["python"]))
    np.random.set_state(states["numpy"])
    if "torch" in states:
        import torch

        torch.set_rng_state(states["torch"])
        if "cuda" in states:
            torch.cuda.set_rng_state_all(states["cuda"])


def _as_tuple(state: Any) -> Any:
    """Return a state of Python's generator with the tuples that it insists on."""
    version, numbers, gauss = state
    return version, tuple(numbers), gauss


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the global generators as they were, whatever is drawn from them meanwhile."""
    states = capture()
    try:
        yield
    finally:
        restore(states)
