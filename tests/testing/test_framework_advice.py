"""What the contract's checks advise whoever writes an adapter is about adapters, and not about classes."""

from __future__ import annotations

import pytest

from omnibench.testing import advice
from omnibench.testing.framework_advice import OF_FRAMEWORKS, to_change

OF_CLASSES = {
    "UNPAIRED": "classes alone have the two methods",
    "EARLY": "classes alone report iterations",
    "REFUSAL": "it is of frameworks, and says so itself",
    "FEATURES": "frames of features reach classes alone",
    "KILLED": "it holds for both",
}
"""What is said of no adapter, or alike of both, and why."""

CHANGES = [name for name in vars(advice) if name.isupper() and not name.startswith("_") and name not in OF_CLASSES]


@pytest.mark.parametrize("name", CHANGES)
def test_adapters_are_told_of_their_own_functions(name: str) -> None:
    """Nothing of `self`, `recommend` or frames; a class is told of these as before."""
    change = getattr(advice, name)
    told = to_change(change, is_class=False)
    assert told != change
    assert not [
        word
        for word in ("`self", " self.", "recommend(", "predict(", "report.iteration", "checkpoint_", "pandas")
        if word in told
    ]
    assert to_change(change, is_class=True) == change


def test_every_advice_to_adapters_is_used() -> None:
    """None is left over from a check that is gone."""
    assert {*OF_FRAMEWORKS} == {getattr(advice, name) for name in CHANGES}
