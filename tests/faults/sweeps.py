"""Sweeps: the same run again and again, disturbed at one point after the other, resumed, and checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from faults import invariants, plant
from faults.children import CRASHED, KILLED, Ended, run
from faults.damage import flip
from faults.points import CRASH, MOVED, Points, moved, operations
from omnibench.metrics.base import Metric

Mutation = Callable[[], None]
"""What a child does to omnibench before its run."""


def unchanged() -> None:
    """Leave omnibench as it is."""


@dataclass(frozen=True)
class Start:
    """What a disturbed run starts from and is asked to do.

    Attributes:
        name: What to call it.
        make: Makes the store of a copy of a finished one; None for no store at all.
        metrics: What is to be measured.
        reset: Items that the disturbed run resets first.
    """

    name: str
    make: Callable[[Path], None] | None
    metrics: tuple[Metric, ...] = plant.METRICS
    reset: tuple[int, ...] = ()


def _damage_files(root: Path) -> None:
    """Damage one item's predictions, and another's predictions and model."""
    for pattern in ("Popular-*/fold_0/predictions-*.npy", "Shuffled-*/fold_1/predictions-*.npy"):
        flip(next(root.glob(f"tiny-*/{pattern}")), -5)
    flip(next(root.glob("tiny-*/Shuffled-*/fold_1/model.pkl")), 10)


EMPTY = Start("from nothing", None)
NEW_METRIC = Start("a new metric", lambda _: None, plant.ONE_MORE)
DAMAGED = Start("damaged files", _damage_files, plant.ONE_MORE)
RESET = Start("a reset", lambda _: None, reset=(2,))
STARTS = (EMPTY, NEW_METRIC, DAMAGED, RESET)


@dataclass
class Tally:
    """How many points were tried, and what was found at which."""

    name: str
    tried: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}: {self.tried} tried, {len(self.violations)} violations"

    def take(self, point: str, violations: Iterable[str]) -> None:
        """Count a point and what is wrong at it."""
        self.tried += 1
        self.violations += [f"{point}: {violation}" for violation in violations]

    def add(self, tally: Tally) -> None:
        """Take in another tally."""
        self.tried += tally.tried
        self.violations += tally.violations

    def check(self) -> None:
        """Fail when there are violations, and say which."""
        assert not self.violations, "\n".join([str(self), *self.violations])


class Sweep:
    """One start, and the ways in which its run is disturbed.

    Args:
        start: What the runs start from.
        directory: An empty directory of its own.
        mutation: What the disturbed run (and what it is compared with) does to omnibench first.
        kinds: The words of the operations that are points; all of them if there are none.

    Attributes:
        start: What the runs start from.
        mutation: What they do to omnibench first.
        kinds: The words of the operations that are points; all of them if there are none.
        directory: Where all of it lies.
        before: The files that they start from.
        already: Those artifacts among them that are damaged.
        reference: What an undisturbed run comes to.
        operations: The operations of an undisturbed run.
        alone: The phases that it executes.
        finished: The files that it leaves.
    """

    def __init__(
        self, start: Start, directory: Path, mutation: Mutation = unchanged, kinds: tuple[str, ...] = ()
    ) -> None:
        directory.mkdir()
        self.start = start
        self.mutation = mutation
        self.kinds = kinds
        self.directory = directory
        self._pristine = directory / "pristine"
        if start.make is not None:
            finished = run(self.first_errand(self._pristine), directory / "log")
            assert finished.outcome is not None, finished.error
            start.make(self._pristine)
        self.before = invariants.files_of(self._pristine)
        records = invariants.records_of(self._pristine)
        self.already = invariants.damaged_artifacts(self._pristine, records)
        ended = self._disturb(Points(self.root, self.directory / "trail", kinds=self.kinds))
        assert ended.outcome is not None, ended.error
        assert not ended.outcome["failed"]
        self.reference: dict[str, Any] = ended.outcome
        self.operations = operations(self.directory / "trail")
        self.alone = plant.executed(self.directory / "work")
        self.finished = invariants.files_of(self.root)

    @property
    def root(self) -> Path:
        """The store of the point being tried."""
        return self.directory / "store"

    def fresh(self) -> None:
        """Make the store what runs start from, and forget what was executed."""
        for left in (self.root, moved(self.root)):
            shutil.rmtree(left, ignore_errors=True)
        (self.directory / "work").unlink(missing_ok=True)
        if self.start.make is not None:
            shutil.copytree(self._pristine, self.root)

    def first_errand(self, root: Path) -> plant.Errand:
        """Return the run that makes the finished store which the others start from."""
        return plant.Errand(root, self.directory / "work")

    def errand(self, *, resumed: bool = False) -> plant.Errand:
        """Return what the run does; the run after it resets nothing."""
        return plant.Errand(self.root, self.directory / "work", self.start.metrics, () if resumed else self.start.reset)

    def _disturb(self, points: Points) -> Ended:
        self.fresh()
        return run(partial(_disturbed, points, self.mutation, self.errand()), self.directory / "log")

    def point(self, number: int, how: str = CRASH, *, lasting: bool = False) -> list[str] | None:
        """Try one point of the in-process counter.

        Returns:
            What is wrong, or None when the run came to its end before that operation.
        """
        ended = self._disturb(Points(self.root, self.directory / "trail", number, how, lasting, self.kinds))
        if len(operations(self.directory / "trail")) < number:
            return None
        if moved(self.root).exists():  # somebody puts it back
            shutil.rmtree(self.root, ignore_errors=True)
            moved(self.root).rename(self.root)
        return self.check(ended, len(plant.items()) if lasting or how == MOVED else 1)

    def check(self, ended: Ended, spare: int = 1) -> list[str]:
        """Return what is wrong after a disturbed run, and after the one that follows it.

        Args:
            ended: How the disturbed run ended.
            spare: How many phases of each kind it may have had in flight.
        """
        crashed = ended.status in (CRASHED, KILLED) and not ended.hung
        violations = [] if crashed else invariants.broken_failure(ended, self.reference)
        violations += invariants.broken_store(self.root, self.before, self.finished, self.already)
        if any(violation.startswith("I0") for violation in violations):
            return violations
        done = invariants.committed(self.root)
        first = plant.executed(self.directory / "work")
        resumed = run(self.errand(resumed=True), self.directory / "log")
        violations += invariants.broken_end(self.root, resumed, self.reference)
        violations += invariants.broken_store(self.root, self.before, self.finished, set())
        violations += invariants.broken_agreement(self.root)
        second = plant.executed(self.directory / "work")[len(first) :]
        return violations + invariants.broken_work(first, second, self.alone, done, spare)

    def over(self, numbers: Iterable[int], how: str = CRASH, *, lasting: bool = False) -> Tally:
        """Try several points in order, until the run comes through."""
        tally = Tally(f"{'lasting ' if lasting else ''}{how} points, {self.start.name}")
        for number in numbers:
            violations = self.point(number, how, lasting=lasting)
            if violations is None:
                break
            name = operations(self.directory / "trail")[number - 1]
            tally.take(f"{self.start.name}, {how} at {number} ({name})", violations)
        return tally


def _disturbed(points: Points, mutation: Mutation, errand: plant.Errand) -> dict[str, Any]:
    mutation()
    points.plant()
    return errand()
