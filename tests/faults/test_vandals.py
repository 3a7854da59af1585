"""Files that change while they are in use: no number that was computed from them is recorded, and no failure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from faults import disks, invariants, plant
from faults.children import run
from faults.sweeps import Tally
from faults.vandals import FILES, OF_ITEMS, Vandal

_PHASES = 3 * len(plant.items())


def _strike(directory: Path, strikes: Iterable[tuple[str, int, bool, bool]]) -> Tally:
    """Let a vandal strike in a run of its own each time; look at its numbers, and at those of the run behind it."""
    log = directory / "log"
    reference = disks.ended_of(run(plant.Errand(directory / "reference", directory / "work"), log))
    tally = Tally("files changed in mid-run")
    noticed = 0
    for number, (pattern, moment, behind, cuts) in enumerate(strikes):
        errand = plant.Errand(directory / str(number), directory / "work")
        outcome = disks.ended_of(run(Vandal(errand, pattern, moment, behind, cuts), log))
        violations = [f"I2 {wrong}" for wrong in plant.wrong_numbers(outcome, reference)]
        violations += [f"I7 {name} is told as failed: {message}" for name, message in outcome["failed"].items()]
        violations += invariants.broken_end(errand.root, run(errand, log), reference)
        tally.take(f"{pattern}, phase {moment}, behind it: {behind}, cut: {cuts}", violations)
        noticed += any("changed while it was in use" in line for line in outcome["told"])
    assert noticed, "nobody noticed anything"
    tally.name += f" ({noticed} noticed while in use)"
    return tally


def test_files_that_change_while_they_are_in_use(directory: Path) -> None:
    """One strike at each kind of file, early, late, before and behind a phase."""
    _strike(
        directory,
        [
            ("datasets/tiny-*/item.npy", 1, False, False),
            ("datasets/tiny-*/fold_1/parts.npy", 6, False, False),
            ("datasets/tiny-*/manifest.json", 4, False, True),
            ("tiny-*/*/fold_*/predictions-*.npy", 3, False, False),
            ("tiny-*/*/fold_*/model.pkl", 2, False, False),
        ],
    ).check()


@pytest.mark.faults
def test_files_that_change_at_any_moment(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file, before and behind every phase of every item, flipped and cut."""
    moments = range(1, _PHASES + 1)
    tally = _strike(
        directory,
        [
            (pattern, moment, behind, cuts)
            for pattern in (*FILES, *OF_ITEMS)
            for moment in moments
            for behind in (False, True)
            for cuts in (False, True)
        ],
    )
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()
