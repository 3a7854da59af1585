"""Search spaces of all forms, for properties."""

from __future__ import annotations

import warnings
from typing import Any

from hypothesis import strategies as st

from omnibench.tuning.conditions import When
from omnibench.tuning.distributions import Choice, Distribution, Float, Int, Log
from omnibench.tuning.space import Space

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=3),
)

_REALS = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def _ranges(draw: st.DrawFn) -> tuple[float, float]:
    low, high = sorted(draw(st.tuples(_REALS, _REALS).filter(lambda ends: ends[0] != ends[1])))
    return low, high


@st.composite
def _stepped(draw: st.DrawFn) -> Float:
    step = draw(st.sampled_from([0.1, 0.25, 0.001, 3.0]))
    low = draw(st.integers(-50, 50)) * 0.1
    high = low + step * draw(st.floats(1.01, 40))
    with warnings.catch_warnings(action="ignore"):  # of ends that steps do not reach
        return Float(low, high, step)


@st.composite
def _whole(draw: st.DrawFn) -> Int:
    low, width = draw(st.integers(-1000, 1000)), draw(st.integers(1, 200))
    step = draw(st.integers(1, width))
    with warnings.catch_warnings(action="ignore"):  # as above
        return Int(low, low + width, step)


@st.composite
def _whole_logs(draw: st.DrawFn) -> Log:
    low = draw(st.integers(1, 1000))
    return Log(low, low + draw(st.integers(1, 100_000)))


_REAL_LOGS = st.tuples(st.floats(-9, 9), st.floats(0.01, 9)).map(lambda ends: Log(10.0 ** ends[0], 10.0 ** sum(ends)))
CHOICES = st.lists(VALUES, min_size=1, max_size=5).map(Choice)
FINITE = st.one_of(CHOICES, _stepped(), _whole(), _whole_logs())
DISTRIBUTIONS: st.SearchStrategy[Distribution] = st.one_of(FINITE, _REAL_LOGS, _ranges().map(lambda ends: Float(*ends)))
NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta"])


@st.composite
def declarations(draw: st.DrawFn, distributions: st.SearchStrategy[Distribution] = DISTRIBUTIONS) -> dict[str, Any]:
    """Draw what a plan may declare: distributions, constants, and conditions up to two deep."""
    searched = draw(st.dictionaries(NAMES, distributions, min_size=1, max_size=3))
    constants = draw(st.dictionaries(st.sampled_from(["eta", "theta"]), st.one_of(st.integers(), st.text(max_size=3))))
    mapping: dict[str, Any] = {**searched, **constants}
    if draw(st.booleans()):
        names = draw(st.lists(st.text("abc", min_size=1, max_size=2), min_size=2, max_size=4, unique=True))
        mapping["solver"] = Choice(names)
        inner: dict[str, Any] = {"depth": draw(_whole()), "fixed": 3}
        if draw(st.booleans()):
            inner["deeper"] = When("depth", inner["depth"].low, {"leaf": draw(distributions)})
        mapping["first"] = When("solver", names[0], inner)
        mapping["leaf_of_rest"] = When("solver", names[1:], draw(distributions))
        if draw(st.booleans()):
            mapping["second"] = When("solver", names[1], {"depth": draw(_whole())})
    return mapping


SPACES = declarations().map(Space.of)
FINITE_SPACES = declarations(FINITE).map(Space.of)
