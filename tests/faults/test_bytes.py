"""Damaged bytes anywhere in a store: never a wrong number, never another error than omnibench's, never a dead end."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import mutants
from faults.fuzz import TARGETS, Fuzz, Target
from faults.sweeps import Tally

_EVERYDAY, _FULL = 5, 60
"""Places per file that are damaged; of the everyday ones, each target takes every twelfth."""


def test_a_sample_of_damage(directory: Path) -> None:
    """Every kind of file, damaged in a few ways: the same numbers or a clear error, and the next run gets through."""
    fuzz = Fuzz(directory / "fuzz")
    tally = Tally("damaged bytes")
    for number, target in enumerate(TARGETS):
        tally.add(fuzz.over(target, _EVERYDAY, step=12, shift=number))
    assert tally.tried >= len(TARGETS) - 1, "all but a file that this store may lack"
    tally.check()


@pytest.mark.faults
@pytest.mark.parametrize(
    "target", TARGETS, ids=lambda target: f"{target.pattern}{'-unclean' if target.unclean else ''}"
)
def test_damage_all_over(directory: Path, target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """Many places of each kind of file."""
    fuzz = Fuzz(directory / "fuzz")
    points = _FULL * (6 if target.pattern.startswith("store/") else 1)
    tally = fuzz.over(target, points)
    if not tally.tried:
        pytest.skip("this omnibench has no such file")
    with capsys.disabled():
        print(f"\ndamaged bytes, {tally}")
    tally.check()


def test_unverified_reuse_is_found(directory: Path) -> None:
    """A store that uses files without looking at them gets numbers wrong, and the harness sees it."""
    fuzz = Fuzz(directory / "fuzz", mutants.without_verification)
    (target,) = (target for target in TARGETS if "predictions-" in target.pattern)
    tallies = (fuzz.over(target, 40, step=15, shift=shift) for shift in range(15))
    assert any(" I2 " in violation for tally in tallies for violation in tally.violations)
