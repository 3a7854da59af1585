"""States of training on disk: what is stored by name only, and what is found out without writing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.guest import states


class Model:
    """An object with an array."""

    def __init__(self) -> None:
        self.array = np.arange(1000.0)


def test_what_is_shared_goes_by_name_with_its_arrays(tmp_path: Path) -> None:
    """The object that is given at loading takes the place, also of a view that shows the same memory."""
    matrix, matrix_of_later = Model(), Model()
    states.save(tmp_path, {"matrix": matrix, "values": matrix.array[:], "own": np.ones(3)}, {"matrix": matrix})
    assert (tmp_path / states.ARRAYS).stat().st_size < 100
    state = states.load(tmp_path, {"matrix": matrix_of_later})
    assert state["matrix"] is matrix_of_later
    assert state["values"] is matrix_of_later.array
    assert state["own"].tolist() == [1, 1, 1]
    with pytest.raises(LookupError, match="the state names 'matrix"):
        states.load(tmp_path)


def test_what_is_alone_keeps_its_arrays(tmp_path: Path) -> None:
    """An instance may be named in the state of its own attributes, which are in the state nevertheless."""
    model: Any = Model()
    model.itself = model
    states.save(tmp_path, vars(model), alone={"self": model})
    made: Any = Model.__new__(Model)
    vars(made).update(states.load(tmp_path, alone={"self": made}))
    assert made.itself is made
    assert made.array.tolist() == model.array.tolist()


def test_what_cannot_be_pickled_is_found_without_writing() -> None:
    """And all objects of a graph can be visited."""
    parts: list[object] = []
    lock = threading.Lock()
    generator = np.random.default_rng(1)
    states.check({"fine": [generator]}, visit=parts.append)
    assert any(part is generator for part in parts)
    with pytest.raises(TypeError, match="cannot pickle"):
        states.check({"broken": lock})
    states.check({"broken": lock}, alone={"lock": lock})


def test_the_types_of_arrays_are_numpys_own(tmp_path: Path) -> None:
    """So that a model made of what was read back is pickled to the same bytes."""
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "number": np.zeros(2),
        "count": np.zeros(2, dtype=np.int32),
        "pair": np.zeros(2, dtype="i4,f8"),
    }
    states.save(tmp_path, arrays)
    state = states.load(tmp_path)
    assert state["number"].dtype is np.dtype("f8")
    assert state["count"].dtype is np.dtype("i4")
    assert state["pair"].dtype == arrays["pair"].dtype
