"""A disk without room is nobody's failure but the disk's: with room, the next run computes what it has stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faults import disks, starving
from faults.children import Child

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(bool(disks.why_not()), reason=disks.why_not() or "never"),
]


def _starve(directory: Path, plan: str, trouble: Callable[[Path], Callable[[], None]]) -> dict[str, Any]:
    ended = Child(partial(starving.starved, directory, plan, trouble), directory / "log").wait(500)
    outcome = disks.ended_of(ended)
    assert not outcome["violations"], "\n".join(outcome["violations"])
    return outcome


@pytest.mark.slow
def test_a_disk_without_room_for_the_data(directory: Path) -> None:
    """While a dataset is prepared, the disk is full: every item says so, and none is recorded as failed."""
    reasons = []
    for size in range(280_000, 440_000, 30_000):  # where the records have room and the data have none, SQLite decides
        inside = directory / str(size)
        inside.mkdir()
        reasons += _starve(inside, starving.OWN, partial(disks.tiny_disk, size))["reasons"]
    assert any("Prepare was given up because there is too little room" in reason for reason in reasons), reasons


@pytest.mark.slow
@pytest.mark.parametrize("size", [2_500_000, 5_000_000])
def test_a_disk_without_room_for_the_models_of_frameworks(
    directory: Path, size: int, environment_python: Callable[[str], Path]
) -> None:
    """PyTorch says "unexpected pos 64 vs 0"; the run says that there is no room, and where."""
    for framework in ("LensKit", "RecPack", "RecBole"):
        environment_python(framework)
    outcome = _starve(directory, starving.LARGE, partial(disks.tiny_disk, size))
    assert not outcome["complete"]
    # In which phase the room ends depends on when the records grow.
    assert any("because there is too little room" in reason for reason in outcome["reasons"]), outcome["reasons"]


@pytest.mark.slow
@pytest.mark.parametrize("inodes", [20, 28, 36, 44])
def test_a_disk_without_inodes(directory: Path, inodes: int) -> None:
    """No further file can be made; that is said."""
    outcome = _starve(directory, starving.OWN, partial(disks.few_inodes, inodes))
    assert not outcome["complete"]
