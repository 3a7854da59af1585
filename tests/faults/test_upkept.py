"""On a disk without a single free page, the commands that make room do, and a kill in the midst of it loses nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from faults import disks, plant, upkept
from faults.children import Child, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(disks.why_not()), reason=disks.why_not() or "never"),
]

COMMANDS = (["gc"], ["reset", "--yes"], ["rebuild"], ["delete", "*", "--yes"])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_upkeep_of_a_full_disk(words: list[str], directory: Path) -> None:
    """The command ends well, and the next run is right."""
    reference = disks.ended_of(run(plant.Errand(directory / "reference", directory / "uncounted"), directory / "log"))
    action = partial(upkept.tidied, directory / "inside", reference, words)
    outcome = disks.ended_of(Child(action, directory / "log").wait(300))
    assert not outcome["violations"], outcome
    assert outcome["status"] == 0, outcome["printed"]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_upkeep_of_a_full_disk_is_killed(words: list[str], directory: Path) -> None:
    """Whenever the kill comes, the records are whole, and no record is left of a file that is gone."""
    reference = disks.ended_of(run(plant.Errand(directory / "reference", directory / "uncounted"), directory / "log"))
    action = partial(upkept.killed, directory / "inside", reference, words, 10)
    outcome = disks.ended_of(Child(action, directory / "log").wait(600))
    assert not outcome["violations"], outcome
    assert outcome["hits"]
