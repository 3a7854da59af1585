"""Damaged bytes on a copy of a store: what a run makes of them, and whether the run after it gets through."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from faults import damage, invariants, plant
from faults.children import CRASHED, Ended, run
from faults.points import Points, operations
from faults.sweeps import Mutation, Tally, unchanged
from omnibench.metrics.base import Metric

Damage = Callable[[Path], None]

_BITS = (0x01, 0x80, 0x02, 0x40, 0x04, 0x20, 0x08, 0x10)
"""The lowest makes another digit of a digit, the highest no text of a text."""

EVALUATIONS: dict[str, tuple[Metric, ...]] = {
    "the same": plant.METRICS,
    "one more": plant.ONE_MORE,
    "longer": plant.LONGER,
}
"""What the run after the damage measures: nothing new, from recorded predictions, from recorded models."""


@dataclass(frozen=True)
class Target:
    """A file to damage.

    Attributes:
        pattern: Where it lies in the store.
        evaluations: What the run after the damage measures, so that the file is used.
        unclean: Whether the store is one whose process was killed, so that there is a log of SQLite's.
    """

    pattern: str
    evaluations: tuple[str, ...]
    unclean: bool = False


TARGETS = (
    Target("store/cache.db", ("the same", "one more", "longer")),
    Target("store/cache.db", ("the same", "one more"), unclean=True),
    Target("store/cache.db-wal", ("the same", "one more", "longer"), unclean=True),
    Target("STORE.json", ("one more",)),
    Target("tiny-*/Popular-*/fold_0/model.pkl", ("longer",)),
    Target("tiny-*/Popular-*/fold_1/predictions-*.npy", ("one more",)),
    Target("tiny-*/Shuffled-*/fold_0/predictions.json", ("longer",)),
    Target("tiny-*/Shuffled-*/fold_1/per_user-*.parquet", ("one more",)),
    Target("tiny-*/Shuffled-*/.key", ("longer",)),
    Target("tiny-*/.key", ("longer",)),
    Target("datasets/tiny-*/.key", ("one more",)),
    Target("datasets/tiny-*/manifest.json", ("one more", "longer")),
    Target("datasets/tiny-*/item.npy", ("one more", "longer")),
    Target("datasets/tiny-*/items.*.npy", ("longer",)),
    Target("datasets/tiny-*/fold_1/parts.npy", ("one more", "longer")),
    Target("datasets/tiny-*/indptr.npy", ("longer",)),
    Target("leases/*.lock", ("longer",)),
    Target("progress.json", ("one more",)),
    Target("results.json", ("one more",)),
    Target("tiny-*/**/records.jsonl", ("one more", "longer")),
    Target("datasets/**/records.jsonl", ("one more", "longer")),
    Target("logs.db", ("one more",)),
)


_TRIES = 5


class Fuzz:
    """A finished store, copies of which are damaged.

    Args:
        directory: An empty directory of its own.
        mutation: What the runs after the damage do to omnibench first.
    """

    def __init__(self, directory: Path, mutation: Mutation = unchanged) -> None:
        directory.mkdir()
        self._directory = directory
        self._mutation = mutation
        self._clean, self._unclean = directory / "clean", directory / "unclean"
        self._run(self._clean, "the same")
        self.references: dict[str, dict[str, Any]] = {}
        for evaluation in EVALUATIONS:
            self._copy(self._clean)
            ended = self._run(self.root, evaluation)
            assert ended.outcome is not None, ended.error
            self.references[evaluation] = ended.outcome
        self._leave_unclean()

    @property
    def root(self) -> Path:
        """The store of the point being tried."""
        return self._directory / "store"

    def _run(self, root: Path, evaluation: str) -> Ended:
        errand = plant.Errand(root, self._directory / "work", EVALUATIONS[evaluation])
        return run(partial(_changed, self._mutation, errand), self._directory / "log")

    def _leave_unclean(self) -> None:
        """Make a store whose process ended after its last commit, before it closed the database."""
        log = self._unclean / "store" / "cache.db-wal"
        for _ in range(_TRIES):  # a heartbeat in one of the two runs alone moves the point to where the log is gone
            shutil.rmtree(self._unclean, ignore_errors=True)
            points = Points(self._unclean, self._directory / "trail")
            errand = plant.Errand(self._unclean, self._directory / "work")
            counted = run(partial(_planted, points, errand), self._directory / "log")
            assert counted.outcome is not None, counted.error
            shutil.rmtree(self._unclean)
            done = operations(self._directory / "trail")
            points.at = max(number for number, name in enumerate(done, start=1) if name == "sql after COMMIT")
            ended = run(partial(_planted, points, errand), self._directory / "log")
            if ended.status == CRASHED and log.exists():
                break
        assert ended.status == CRASHED
        assert log.stat().st_size > 0

    def _copy(self, source: Path) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(source, self.root)

    def files(self, target: Target) -> list[Path]:
        """Return the relative paths that a target stands for; the first few are enough of many alike."""
        base = self._unclean if target.unclean else self._clean
        return [path.relative_to(base) for path in sorted(base.glob(target.pattern)) if path.is_file()][:2]

    def size(self, target: Target, file: Path) -> int:
        """Return how many bytes a file has."""
        return ((self._unclean if target.unclean else self._clean) / file).stat().st_size

    def point(self, target: Target, file: Path, harm: Damage, evaluation: str) -> list[str]:
        """Damage one file of a fresh copy and run twice; return what is wrong."""
        self._copy(self._unclean if target.unclean else self._clean)
        harm(self.root / file)
        reference = self.references[evaluation]
        first = self._run(self.root, evaluation)
        violations = invariants.broken_failure(first, reference)
        second = self._run(self.root, evaluation)
        if second.hung or second.outcome is None or second.outcome["failed"]:
            # A store that says of itself that a newer omnibench made it is rightly refused.
            if not (target.pattern == "STORE.json" and "newer omnibench" in str(second.error.get("message"))):
                violations.append(f"I7 blocked for good: {second}")
        elif plant.as_text(second.outcome) != plant.as_text(reference):
            violations += [f"I2 {wrong}" for wrong in plant.wrong_numbers(second.outcome, reference)] or [
                "I2 another table"
            ]
        return violations

    def over(self, target: Target, points: int, step: int = 1, shift: int = 0) -> Tally:
        """Damage a target's files in several ways each, or a sample of these."""
        tally = Tally(f"{target.pattern}{' (unclean)' if target.unclean else ''}")
        ways = [(file, *way) for file in self.files(target) for way in harms(self.size(target, file), points)]
        for number, (file, name, harm) in list(enumerate(ways))[shift % min(step, max(1, len(ways))) :: step]:
            evaluation = target.evaluations[number % len(target.evaluations)]
            tally.take(f"{file}: {name}, then {evaluation}", self.point(target, file, harm, evaluation))
        return tally


def harms(size: int, points: int) -> Iterator[tuple[str, Damage]]:
    """Yield ways of damaging a file of a size, spread over its length."""
    for number in range(points):
        offset = min(size - 1, (2 * number + 1) * size // (2 * points))
        choice = number % 5
        if choice in (0, 2):
            bits = _BITS[number // 5 % 8]
            yield f"bits {bits:#04x} flipped at {offset}", partial(damage.flip, offset=offset, bits=bits)
        elif choice == 1:
            yield f"64 zeros at {offset}", partial(damage.zero, offset=offset)
        elif choice == 3:
            yield f"cut at {offset}", partial(damage.cut, length=offset)
        else:
            yield f"4096 zeros at {offset}", partial(damage.zero, offset=offset, length=4096)
    yield "emptied", partial(damage.cut, length=0)
    yield "extended", damage.extend
    yield "deleted", Path.unlink


def _changed(mutation: Mutation, errand: plant.Errand) -> dict[str, Any]:
    mutation()
    return errand()


def _planted(points: Points, errand: plant.Errand) -> dict[str, Any]:
    points.plant()
    return errand()
