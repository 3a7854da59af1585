"""Snapshots of running Fits that are ended or refused at any operation: the older one is intact, and the model is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.fit_sweeps import GUEST, HOWS, SCENES, FitSweep, Scene
from faults.points import BROKEN, FULL

_SAMPLE = 5
"""Points per scene and kind of fault in the everyday suite."""


def _scenes(*scenes: Scene) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", scenes, ids=lambda scene: scene.name.replace(" ", "-"))


@pytest.mark.faults
@_scenes(*SCENES)
@pytest.mark.parametrize("how", [*HOWS, GUEST])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_every_operation_of_snapshots(
    directory: Path, scene: Scene, how: str, lasting: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """All points of one kind of fault."""
    if lasting and how not in (FULL, BROKEN):
        pytest.skip("it lasts anyway")
    if how == GUEST and scene.words is not None:
        pytest.skip("no guest")
    tally = FitSweep(scene, directory / "sweep").over(how, lasting=lasting)
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()
