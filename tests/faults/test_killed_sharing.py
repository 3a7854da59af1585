"""A merge, a pull or a publish that is killed leaves both sides good, and done again it completes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.shared_items import RUN, assert_sound, record_item, substance

from faults.children import CRASHED, run
from faults.points import CRASH, Points
from omnibench.commands.main import main
from omnibench.sharing.directories import DirectoryLocation
from omnibench.sharing.layout import MARKER
from omnibench.sharing.sources import PublishedSource
from omnibench.sharing.taking import take_over
from omnibench.store import CheckpointStore
from omnibench.store.verification import Part, verify_store

BOB = {**RUN, "id": "20260202T000000Z-4567cdef", "user": "bob", "host": "laptop"}

COMMANDS = {
    "merge": ["merge", "anns", "--into", "own", "--models"],
    "pull": ["pull", "table", "--into", "own", "--all"],
    "publish": ["publish", "shared", "--store", "own", "--what", "all"],
    "complete": ["publish", "table", "--store", "own", "--what", "all"],
}
"""By name; the last one adds an item, and metrics and models to another, where somebody else has published before."""


@pytest.fixture
def sides(tmp_path: Path) -> Path:
    """Two stores that have an item each of their own and a metric each of a third, and what one of them has published."""
    for name, item, label in (("anns", "A", "NDCG@10"), ("own", "B", "HR@10")):
        with closing(CheckpointStore(tmp_path / "sides" / name)) as store:
            record_item(store, item, metrics={label: 0.5}, run=RUN if name == "anns" else BOB)
            record_item(store, "C", metrics={label: 0.25}, run=RUN if name == "anns" else BOB)
    assert main(["publish", str(tmp_path / "sides" / "table"), "--store", str(tmp_path / "sides" / "anns")]) == 0
    return tmp_path / "sides"


def words(command: str, sides: Path) -> list[str]:
    names = ("anns", "own", "table", "shared")
    return [str(sides / word) if word in names else word for word in COMMANDS[command]]


def errand(command: str, sides: Path, trail: Path, at: int) -> Callable[[], dict[str, Any]]:
    """Return what a child does: the command, with a crash before one of its operations on a disk."""

    def act() -> dict[str, Any]:
        points = Points(sides, trail, at, CRASH)
        points.plant()
        return {"status": main(words(command, sides)), "seen": points.seen}

    return act


def contents(directory: Path) -> dict[str, bytes]:
    """What is published, without what is half done."""
    paths = (path for path in directory.rglob("*") if path.is_file() and ".partial" not in path.parts)
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def outcome_of(sides: Path) -> Any:
    """What all sides say in the end."""
    told = []
    for name in ("anns", "own"):
        with closing(CheckpointStore(sides / name)) as store:
            told.append(substance(store))
    return told, sorted(contents(sides / "table")), sorted(contents(sides / "shared"))


def assert_opens(published: Path, store: Path) -> None:
    """Assert that whatever is published is whole: whoever pulls it is refused nothing. Before the marker, nothing is."""
    if not (published / MARKER).exists():
        return
    source = PublishedSource(DirectoryLocation(published))
    with closing(CheckpointStore(store)) as puller:
        outcome = take_over(puller, source, source.fit_keys() or (), models=True)
    assert (outcome.refused, outcome.conflicts, outcome.absent) == ({}, [], 0)
    assert_sound(store)
    shutil.rmtree(store)


def try_at(command: str, sides: Path, scratch: Path, points: list[int], expected: Any) -> None:
    for at in points:
        copy = Path(shutil.copytree(sides, scratch / str(at)))
        ended = run(errand(command, copy, scratch / "trail", at), scratch / "log")
        where = (scratch / "trail").read_text().splitlines()[-1]
        assert ended.status == CRASHED, f"{where}: {ended}"
        for name in ("anns", "own"):
            damages = verify_store(copy / name).damages
            assert not [damage for damage in damages if damage.part is not Part.COPY], (
                where
            )  # of made-up items there are none
        for name in ("table", "shared"):
            assert_opens(copy / name, scratch / "puller")
        assert main(words(command, copy)) == 0, where
        assert outcome_of(copy) == expected, where
        for name in ("anns", "own"):
            assert_sound(copy / name)
        shutil.rmtree(copy)


def uninterrupted(command: str, sides: Path, scratch: Path) -> tuple[int, Any]:
    """Return how many operations a command takes, and what it leads to."""
    copy = Path(shutil.copytree(sides, scratch / "whole"))
    ended = run(errand(command, copy, scratch / "trail", 0), scratch / "log")
    assert ended.outcome is not None, (scratch / "log").read_text()
    assert ended.outcome["status"] == 0, (scratch / "log").read_text()
    return ended.outcome["seen"], outcome_of(copy)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_at_a_few_moments(command: str, sides: Path, tmp_path: Path) -> None:
    """In the middle, and before one of the last operations."""
    (tmp_path / "scratch").mkdir()
    count, expected = uninterrupted(command, sides, tmp_path / "scratch")
    try_at(command, sides, tmp_path / "scratch", [count // 2, count * 4 // 5], expected)


@pytest.mark.faults
@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_at_any_moment(command: str, sides: Path, tmp_path: Path) -> None:
    """Before each of its operations."""
    (tmp_path / "scratch").mkdir()
    count, expected = uninterrupted(command, sides, tmp_path / "scratch")
    try_at(command, sides, tmp_path / "scratch", list(range(1, count)), expected)
