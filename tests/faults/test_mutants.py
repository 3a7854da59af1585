"""The harness has teeth: protocols that are wrong on purpose do not get through it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from faults import mutants
from faults.points import CRASH
from faults.sweeps import NEW_METRIC, RESET, Mutation, Start, Sweep

MUTANTS = [
    (mutants.record_before_artifact, NEW_METRIC, "I1"),
    (mutants.write_in_place, NEW_METRIC, "I5"),
    (mutants.reset_with_rmtree, RESET, "I1"),
]
_MOVING = ("write", "replace", "rename", "rmdir")
"""Operations before which a file may lack what a record says of it; the sweep over all needs no such hint."""

mutations = pytest.mark.parametrize(
    ("mutation", "start", "invariant"), MUTANTS, ids=[mutation.__name__ for mutation, _, _ in MUTANTS]
)


@mutations
def test_a_wrong_protocol_is_found(directory: Path, mutation: Mutation, start: Start, invariant: str) -> None:
    """In the second half of a run there is a point after which the store is not what it should be."""
    sweep = Sweep(start, directory / "sweep", mutation, _MOVING)
    n_moves = len(sweep.operations)
    tried = (sweep.point(number, CRASH) for number in range(n_moves // 2, n_moves + 1))
    first = next((violations for violations in tried if violations), [])
    assert any(violation.startswith(invariant) for violation in first), first


@pytest.mark.faults
@mutations
def test_how_often_a_wrong_protocol_shows(
    directory: Path, mutation: Mutation, start: Start, invariant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over all points, for comparison with the right protocol's none."""
    tally = Sweep(start, directory / "sweep", mutation).over(itertools.count(1))
    with capsys.disabled():
        print(f"\n{mutation.__name__}: {tally}")
    assert any(invariant in violation for violation in tally.violations)
