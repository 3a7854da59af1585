"""Plain data arrives in guests and workers as it was sent, whole numbers of every size included."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import execnet
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.projects import Project

from omnibench.guest.messages import packed, received, sendable, unpacked

WHOLE = st.integers() | st.sampled_from([-(2**31) - 1, -(2**31), 2**31, 2**53 + 1, -(2**63), 2**64, -(10**30)])
SCALARS = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False) | st.text() | st.binary()
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner), max_leaves=20
)


def typed(data: Any) -> Any:
    """Return data with the type of each value beside it."""
    if isinstance(data, dict):
        return {key: typed(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data), [typed(value) for value in data]
    return type(data), data


@given(PLAIN)
def test_plain_data_arrives_as_it_was_sent(data: Any) -> None:
    """With its types, through what execnet lets pass; alone it fails for whole numbers below -2**31."""
    assert typed(received(execnet.loads(execnet.dumps(sendable(data))))) == typed(data)


@given(PLAIN)
def test_guests_get_what_their_host_sends(data: Any) -> None:
    """With its types, as one byte string."""
    assert typed(unpacked(packed(data))) == typed(data)


@pytest.mark.parametrize(
    "value", [np.float64(1.5), np.arange(3), Path("model.pkl"), print, KeyError], ids=lambda value: type(value).__name__
)
def test_what_is_no_plain_data_is_not_sent(value: object) -> None:
    """It is refused where it is sent, and what names something to import, where it arrives."""
    with pytest.raises(TypeError, match=f"a {type(value).__name__} is no plain data"):
        packed({"values": [value]})
    with pytest.raises(pickle.UnpicklingError, match="names"):
        unpacked(pickle.dumps([value]))


def test_execnet_alone_does_not_carry_them() -> None:
    """When this fails, their tag is of no use any more."""
    with pytest.raises(Exception, match="format requires"):
        execnet.dumps(-(2**31) - 1)


ECHO = """
class Echo:
    def __init__(self, whole=0, real=0.0, flag=False, nothing=0):
        self.values = [whole, real, flag, nothing]
    def fit(self, train, report):
        with open(FILE, "a") as file:
            print(repr(self.values), file=file)
        report(epoch=1, low=-2**40, high=2**70, loss=float("nan"))
        self.items = train["item"].value_counts().index.tolist()
    def recommend(self, users, k):
        return {user: self.items for user in users}
"""

VALUES: list[list[Any]] = [
    [-(2**63), 5e-324, True, None],
    [2**70, 1e300, False, 1],
    [-(2**31) - 1, -math.inf, True, 2**53 + 1],
]


def test_hyperparameters_reach_a_class_with_every_digit(project: Project, tmp_path: Path) -> None:
    """Whole numbers of any size, the smallest and largest floats, infinity; from here and from a worker of xdist."""
    project.pytester.makepyfile(echo=f"FILE = {str(tmp_path / 'values')!r}\n{ECHO}")
    names = ("whole", "real", "flag", "nothing")
    lines = [f"plan.add_algorithm(Echo, {dict(zip(names, values, strict=True))!r})" for values in VALUES]
    project.bench(plan="from echo import Echo\ninf = float('inf')\n" + "\n".join(lines))
    for arguments in ((), ("-n", "1", "--omnirec-resume=fresh")):
        (tmp_path / "values").unlink(missing_ok=True)
        result = project.run_process(*arguments)
        result.assert_outcomes(passed=6)
        written = (tmp_path / "values").read_text().splitlines()
        assert sorted(set(written)) == sorted(repr(values) for values in VALUES)
