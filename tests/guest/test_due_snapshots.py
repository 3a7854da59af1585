"""When a snapshot is due: by the clock, by iterations, at the beginning and the end, and after one that failed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench import Snapshots as Control
from omnibench.guest import snapshots
from omnibench.guest.snapshots import Snapshots


class Clock:
    """Stands for the module ``time`` in the guest, and shows what a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(
            snapshots, "time", SimpleNamespace(monotonic=lambda: self.now, perf_counter=lambda: self.now)
        )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Fit:
    """A Fit whose points a test passes one after the other.

    Args:
        control: When snapshots are taken; None where they are off.
        clock: The time.
        directory: Where they lie.
    """

    def __init__(self, control: Control | None, clock: Clock, directory: Path) -> None:
        request = (
            None if control is None else {**control.plain, "directory": str(directory), "ask": str(directory / "ask")}
        )
        self.sent: list[dict[str, Any]] = []
        self._clock, self._seconds = clock, 0.0
        self._snapshots = Snapshots(request, None, self.sent.append, lambda: {"name": "a"})

    def takes(self, iteration: int, at: float, *, fails: bool = False, seconds: float = 0.0) -> bool:
        """Pass a point, and return whether a snapshot was tried there.

        Args:
            iteration: The iterations that are finished, of 100.
            at: The time.
            fails: Whether it fails.
            seconds: How long it takes.
        """
        self._clock.now, tried = at, []

        def save(_: Path) -> None:
            tried.append(iteration)
            self._clock.now += seconds
            if fails:
                raise OSError(28, "No space left on device")

        self._snapshots.point(save, iteration=iteration, iterations=100)
        return bool(tried)


def test_by_the_clock(clock: Clock, tmp_path: Path) -> None:
    """More seconds than the interval have passed since the Fit began, or the last attempt ended; not just as many."""
    fit = Fit(Control(10), clock, tmp_path)
    assert [fit.takes(1, 4), fit.takes(2, 10), fit.takes(3, 10.5, seconds=2)] == [False, False, True]
    assert [fit.takes(4, 20.6), fit.takes(5, 22.5), fit.takes(6, 22.6)] == [False, False, True]


def test_a_failed_attempt_waits_for_a_whole_interval(clock: Clock, tmp_path: Path) -> None:
    """On a full disk nobody tries after each epoch."""
    fit = Fit(Control(10), clock, tmp_path)
    assert [fit.takes(1, 10.5, fails=True), fit.takes(2, 11), fit.takes(3, 20.5), fit.takes(4, 20.6)] == [
        True,
        False,
        False,
        True,
    ]
    fit = Fit(Control(every_iterations=3), clock, tmp_path)
    assert [fit.takes(number, 0, fails=number == 3) for number in range(1, 7)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]
    assert "No space left on device" in fit.sent[0]["snapshot"]["failed"]
    assert "failed" not in fit.sent[1]["snapshot"]


def test_by_iterations(clock: Clock, tmp_path: Path) -> None:
    """After as many as the interval has, counted from the last attempt, also where points are rarer."""
    fit = Fit(Control(every_iterations=3), clock, tmp_path)
    assert [number for number in range(11) if fit.takes(number, number)] == [3, 6, 9]
    fit = Fit(Control(every_iterations=3), clock, tmp_path)
    assert [number for number in range(0, 21, 5) if fit.takes(number, number)] == [5, 10, 15, 20]


def test_by_whichever_comes_first(clock: Clock, tmp_path: Path) -> None:
    """Each attempt begins both intervals anew."""
    fit = Fit(Control(10, 3), clock, tmp_path)
    tried = [fit.takes(1, 1), fit.takes(2, 11), fit.takes(3, 12), fit.takes(4, 13), fit.takes(5, 14), fit.takes(6, 24)]
    assert tried == [False, True, False, False, True, False]
    assert fit.takes(7, 24.5)


def test_at_the_beginning_and_the_end(clock: Clock, tmp_path: Path) -> None:
    """Only where they are asked for: an interval takes none after the last iteration, whose model follows anyway."""
    ends = Fit(Control(at_init=True, at_end=True), clock, tmp_path)
    assert [number for number in range(101) if ends.takes(number, number)] == [0, 100]
    often = Fit(Control(every_iterations=50, every_seconds=1000), clock, tmp_path)
    assert [number for number in range(101) if often.takes(number, number)] == [50]


def test_never(clock: Clock, tmp_path: Path) -> None:
    """Without an interval none is taken but on request; switched off, not even then."""
    for control, expected in ((Control(), True), (None, False)):
        fit = Fit(control, clock, tmp_path)
        assert not any(fit.takes(number, 1000 * number) for number in range(101))
        (tmp_path / "ask").write_text("request")
        assert fit.takes(7, 200_000) is expected


def test_a_fit_that_the_host_stops_does_not_go_on(tmp_path: Path) -> None:
    """Whatever its framework catches: the next point, and the end of the Fit, stop it again."""
    request = {**Control(every_iterations=1).plain, "directory": str(tmp_path), "ask": str(tmp_path / "ask")}
    taken = Snapshots(request, None, lambda _: None, lambda: {"stop": True, "value": 0.0})
    for iteration in (1, 2):
        with pytest.raises(snapshots.StoppedFit):
            taken.point(lambda _: None, iteration=iteration)
    with pytest.raises(snapshots.StoppedFit):
        taken.end()
