"""Snapshots of running Fits that are ended or refused at any operation: the older one is intact, and the model is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faults import disks, fit_disks
from faults.children import Child
from faults.fit_sweeps import GUEST, HOWS, RUNS, SCENES, FitSweep, Scene
from faults.points import BROKEN, CRASH, FULL
from faults.sweeps import Tally
from omnibench.engine.checkpoint import ItemCheckpoints
from omnibench.store import snapshots as stored

_SAMPLE = 2
"""Points per scene and kind of fault that are tried before each release."""

_EACH = 4
"""Of the scenes, every fourth is tried before each release; the full sweeps have all."""

mounts = pytest.mark.skipif(bool(disks.why_not()), reason=disks.why_not() or "never")


def _scenes(*scenes: Scene) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", scenes, ids=lambda scene: scene.name.replace(" ", "-").replace(",", ""))


def test_a_fit_ended_while_it_takes_a_snapshot(directory: Path) -> None:
    """Killed in the middle of the second: the first is intact, the next run goes on from it, and ends as if nothing had happened."""
    sweep = FitSweep(RUNS[1], directory / "sweep")
    before, after = sweep.window(CRASH).takes[1]
    sweep.over(CRASH, numbers=[(before + after) // 2]).check()


@pytest.mark.slow
@_scenes(*SCENES[::_EACH])
def test_a_sample_of_the_operations_of_snapshots(directory: Path, scene: Scene) -> None:
    """Some points of each kind of fault."""
    sweep, tally = FitSweep(scene, directory / "sweep"), Tally(scene.name)
    for how in (*HOWS, GUEST):
        if how != GUEST or scene.has_guest:
            tally.add(sweep.over(how, _SAMPLE))
    assert tally.tried >= _SAMPLE * len(HOWS)
    tally.check()


def _hasty() -> None:
    """Remove older snapshots before the new one is recorded."""
    commit = ItemCheckpoints.replace_snapshots

    def replace(checkpoints: ItemCheckpoints, records: Any, spare: Any, forget: Any = None) -> None:
        stored.remove_files(checkpoints.store, spare)
        commit(checkpoints, records, spare, forget)

    namespace: Any = ItemCheckpoints
    namespace.replace_snapshots = replace


def _forgetful() -> None:
    """Remember no folder outside of the store that comes or goes."""
    namespace: Any = stored
    namespace.leaving = lambda _: {}


@pytest.mark.slow
@pytest.mark.parametrize(("mutation", "scene"), [(_hasty, RUNS[1]), (_forgetful, RUNS[2])])
def test_mistakes_with_snapshots_are_noticed(
    directory: Path, mutation: Callable[[], None], scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep that could not fail would prove nothing."""
    sweep = FitSweep(scene, directory / "sweep", mutation)
    before, after = sweep.window(CRASH).takes[1]
    tally = sweep.over(CRASH, numbers=range(before + 1, after + 1, 4))
    with capsys.disabled():
        print(f"\n{mutation.__name__}: {tally}")
    assert tally.violations


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
    if how == GUEST and not scene.has_guest:
        pytest.skip("there is no guest that may die")
    tally = FitSweep(scene, directory / "sweep").over(how, lasting=lasting)
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()


def _troubled(directory: Path, trouble: str, free: int, members: Mapping[str, Any]) -> dict[str, Any]:
    ended = Child(partial(fit_disks.troubled, directory / "inside", trouble, free, members), directory / "log").wait(
        300
    )
    return disks.ended_of(ended)


@pytest.mark.slow
@mounts
@pytest.mark.parametrize("free", [0, 4096, 12_288, 30_000])
def test_the_disk_of_snapshots_is_full(directory: Path, free: int) -> None:
    """The Fit goes on, each snapshot that fails is said, and nothing is left of it that takes room."""
    outcome = _troubled(directory, fit_disks.FULL, free, {"keep_past": 0})
    assert not outcome["violations"], outcome
    assert outcome["complete"], outcome
    assert any("napshot" in warning for warning in outcome["warnings"])


@pytest.mark.slow
@mounts
@pytest.mark.parametrize("is_resumed", [False, True], ids=["from nothing", "going on"])
def test_the_disk_of_snapshots_is_readonly(directory: Path, is_resumed: bool) -> None:
    """The Fit goes on without any, and says so once; from a snapshot that is there it goes on all the same."""
    outcome = _troubled(directory, fit_disks.READ_ONLY, int(is_resumed), {})
    assert not outcome["violations"], outcome
    assert outcome["complete"], outcome
    (warning,) = [text for text in outcome["warnings"] if "snapshots cannot be written" in text]
    assert "The Fit goes on without any" in warning


@pytest.mark.slow
@mounts
@pytest.mark.parametrize(
    ("trouble", "free"), [(fit_disks.READ_ONLY, 0), *((fit_disks.FULL, free) for free in (0, 20_000, 80_000, 200_000))]
)
def test_the_store_of_an_interrupted_fit_is_on_a_disk_in_trouble(directory: Path, trouble: str, free: int) -> None:
    """The run ends clearly, or comes through; the snapshots stay, and the next run goes on from them."""
    action = partial(fit_disks.troubled_store, directory / "inside", trouble, free)
    outcome = disks.ended_of(Child(action, directory / "log").wait(300))
    assert not outcome["violations"], outcome


@pytest.mark.slow
@mounts
@pytest.mark.parametrize("trouble", [fit_disks.FULL, fit_disks.READ_ONLY])
def test_strict_snapshots_end_a_fit_whose_disk_refuses_them(directory: Path, trouble: str) -> None:
    """The run ends or the item fails, clearly; when the disk is well again, the next run is right."""
    outcome = _troubled(directory, trouble, 0, {"strict": True})
    assert not outcome["violations"], outcome
    assert not outcome["complete"], outcome
    assert "snapshot" in outcome["came"]
