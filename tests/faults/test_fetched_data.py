"""A data set that is downloaded, read and kept: ended or refused at an operation, the next run has the same rows."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalogues import begin_project, define
from support.servers import FileServer, breaking_off, file_server

from faults.children import Ended, run
from faults.points import BROKEN, CRASH, FULL, Points, operations
from omnibench import load_dataset

_SAMPLE = 6
"""Points per kind of fault."""

_ROWS = b"".join(b"%d::i%d::%d::%d\n" % (row % 50, row % 97, row % 5 + 1, row) for row in range(2_000))
_TERMS = '[licence]\nname = "own"\nurl = "https://example.org/terms"\naccept = true\n'


@pytest.fixture
def server(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server, and a project in memory whose data set has terms, and a mirror with another file."""
    begin_project(directory, monkeypatch)
    monkeypatch.setenv("OMNIBENCH_ACCEPT_LICENCES", "all")
    with file_server() as files:
        yield files


def _define(server: FileServer) -> None:
    server.cleared()
    wrong, good = server.add("/wrong/shop.dat", _ROWS[:999]), server.add("/shop.dat", _ROWS, breaking_off(2, 15_000))
    define(wrong, good, sha256=hashlib.sha256(_ROWS).hexdigest(), evidence="its makers", more=_TERMS)


def _loading(points: Points | None = None) -> Callable[[], dict[str, Any]]:
    def load() -> dict[str, Any]:
        if points is not None:
            points.plant()
        dataset = load_dataset("Shop")
        return {"key": dataset.key, "rows": len(dataset.interactions())}

    return load


class _Sweep:
    """Runs that are ended or refused, and those behind them."""

    def __init__(self, server: FileServer, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self.expected = self._run(Points(self._cache, self._trail)).outcome
        self.count = len(operations(self._trail))
        self._files = self._names()
        assert self.expected is not None

    @property
    def _cache(self) -> Path:
        return self._directory / "cache"

    @property
    def _trail(self) -> Path:
        return self._directory / "trail"

    def _run(self, points: Points | None) -> Ended:
        if points is not None:
            shutil.rmtree(self._cache, ignore_errors=True)
            _define(self._server)
        return run(_loading(points), self._directory / "log")

    def _names(self) -> set[str]:
        # A digest is remembered of a file that is some seconds old, as it is on a slow machine alone.
        directories = [(Path(directory).name, names) for directory, _, names in os.walk(self._cache)]
        return {name for directory, names in directories if directory != "digests" for name in names}

    def check(self, number: int, how: str, *, lasting: bool) -> None:
        """Plant a fault: either all is well, or a sentence says what is wrong; behind it nothing is lost or left."""
        ended = self._run(Points(self._cache, self._trail, number, how, lasting))
        label = f"{number} {operations(self._trail)[-1]} {how}: {ended}"
        assert ended.outcome in (None, self.expected), label
        assert ended.outcome is not None or how == CRASH or ended.error["expected"], label
        assert self._run(None).outcome == self.expected, label
        left = {name for name in self._names() - self._files if not name.startswith(".licences.json.")}
        assert not left, label


@pytest.mark.slow
@pytest.mark.parametrize(("how", "lasting"), [(CRASH, False), (FULL, False), (FULL, True), (BROKEN, False)])
def test_a_sample_of_operations(server: FileServer, directory: Path, how: str, lasting: bool) -> None:
    """From the first byte to the last that is kept."""
    sweep = _Sweep(server, directory)
    step = sweep.count // _SAMPLE
    for number in range(1 + step // 2, sweep.count, step):
        sweep.check(number, how, lasting=lasting)


@pytest.mark.faults
@pytest.mark.parametrize(("how", "lasting"), [(CRASH, False), (FULL, False), (FULL, True), (BROKEN, False)])
def test_every_operation_of_a_download(server: FileServer, directory: Path, how: str, lasting: bool) -> None:
    """All of them."""
    sweep = _Sweep(server, directory)
    for number in range(1, sweep.count - 4):  # how many writes there are differs with what arrives at once
        sweep.check(number, how, lasting=lasting)
