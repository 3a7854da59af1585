"""The function by which a user's own class reports its progress, and marks the points where a snapshot may be taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, NoReturn, TypeGuard

from omnibench.guest.base import Task
from omnibench.runners.own_calls import VALIDATION

BEST_EPOCH = "best_epoch"
"""The name under which a report says which epoch a class keeps, where that is not the last."""

_COUNTS = ("epoch", "epochs", "iteration", "iterations", BEST_EPOCH)
_LARGEST_COUNT = 2**63

_STEPS_TO_TELL = 3
"""After so many reports it is clear that a class reports e.g. every tenth iteration."""

_SECONDS_BETWEEN = 0.1
"""The host is told of progress this often at most; the log has all of it."""

HOW_TO_MARK = "report(iteration=..., iterations=...) at the end of each iteration marks where a snapshot may be taken"
"""What a class has to do that has no snapshots."""

HOW_TO_LOOP = (
    "its loop goes on from a snapshot if it is like `for iteration in range(report.iteration + 1, n + 1)`, and reports each "
    "iteration once, at its end"
)
"""What a class has to do that does not go on behind the last iteration."""

HOW_TO_COUNT = "count from 1, so that it is the number of finished iterations: report(iteration=number + 1) where a loop counts from 0"
"""What a class has to do whose first iteration is 0."""


class BeginsAgainError(BaseException):
    """Ends a Fit that was to go on, and begins again or leaves iterations out; no ``Exception``, so that a class lets it through."""


def _nothing(*_: Any) -> None:
    """Do nothing."""


class ProgressReport:
    """What ``fit`` may call to report its progress.

    Args:
        name: The class's name, for the log.
        task: The Fit: hears of progress.
        mark: Marks a point after so many iterations of so many, if that is known, where a snapshot may be taken.
        reading: Is called when the class reads ``iteration``, with the frame that does.

    Attributes:
        failure: Why a Fit that was to go on does not; empty while it does.
        marks: Whether points are marked.
        is_first: Whether no iteration was reported yet, in this process.
        must_read: Whether the class has yet to read ``iteration`` where its loop begins.
    """

    def __init__(
        self,
        name: str,
        task: Task,
        mark: Callable[[int, int | None], None] = _nothing,
        reading: Callable[[FrameType], None] = _nothing,
    ) -> None:
        self.failure = ""
        self.marks = self.is_first = True
        self._name, self._task, self._mark, self._reading = name, task, mark, reading
        self._last_sent = -_SECONDS_BETWEEN
        self._is_resumed = self.must_read = False
        self._iteration = 0
        self._epoch_count, self._steps = _EpochCount(), _Steps()

    def go_on(self, state: Mapping[str, Any], *, must_read: bool) -> None:
        """Go on with the report of another process.

        Args:
            state: What its ``state`` was.
            must_read: Whether the class reads ``iteration`` where its loop begins, as it did there.
        """
        self._is_resumed, self.must_read = True, must_read
        self._iteration = state["iteration"]
        self._epoch_count, self._steps = _EpochCount(state["kept"]), _Steps(state["steps"])
        if self._epoch_count.number is not None:
            self._task.keep(self._epoch_count.number)

    @property
    def iteration(self) -> int:
        """The last iteration that is finished: 0 from the beginning, else at first that of the snapshot which is gone on from.

        Begin the loop with it, as in ``for iteration in range(report.iteration + 1, self.iterations + 1)``.
        """
        caller = sys._getframe(1)  # noqa: SLF001 - CPython's, which the standard library relies on likewise
        self._reading(caller)
        return self._iteration

    @property
    def state(self) -> dict[str, Any]:
        """What a report of another process needs to go on, as plain data."""
        return {"iteration": self._iteration, "steps": self._steps.state, "kept": self._epoch_count.state}

    def __call__(self, **values: Any) -> None:
        """Report progress as numbers and short texts, e.g. ``report(iteration=3, iterations=20, loss=0.4, validation=0.31)``.

        ``iteration`` marks the end of an iteration, counted from 1: a snapshot may be taken there.
        """
        if self.failure:
            raise BeginsAgainError(self.failure)
        plain = {key: value if type(value) in _PLAIN else _plain(key, value) for key, value in values.items()}
        for name in _COUNTS:
            if isinstance(count := plain.get(name), int) and count >= _LARGEST_COUNT:
                raise ValueError(
                    f"report({name}={count}) is no number that a record holds; it takes numbers below 2**63."
                )
        is_point = "iteration" in plain and self._is_point(plain["iteration"])
        if (epochs := self._epoch_count.after(plain)) is not None:
            self._task.keep(epochs)
        print(f"{self._name}: {', '.join(f'{key}={_formatted(value)}' for key, value in plain.items())}")  # noqa: T201 - into the log
        self._send(plain)
        if is_point:
            self._iteration = int(plain["iteration"])  # type: ignore[arg-type]  # it was looked at
            self._mark(self._iteration, _total(plain))
        elif self._iteration == 0 and self.marks and "epoch" in plain and "iteration" not in plain:
            self.end_of_marks(f"{self._name} reports epochs alone; {HOW_TO_MARK}")

    def _send(self, plain: dict[str, Any]) -> None:
        if VALIDATION in plain:  # which the host needs of every epoch
            self._task.report(**_with_epoch(plain))
            return
        moment = time.monotonic()
        if moment - self._last_sent < _SECONDS_BETWEEN and not _is_last(plain):
            self._task.record(**plain)
            return
        self._last_sent = moment
        self._task.report(**plain)

    def _is_point(self, iteration: Any) -> bool:
        """Return whether what a class reports as its iteration marks a point; where it cannot, that is said at once.

        Raises:
            BeginsAgainError: The Fit does not go on from its snapshot.
        """
        problem = ""
        if type(iteration) is not int:
            problem = (
                f"reports iteration={iteration!r}, which is no whole number; report how many iterations are finished"
            )
        elif iteration <= 0 and self._iteration == 0:
            problem = f"reports iteration {iteration} first; {HOW_TO_COUNT}"
        if not problem:
            return self._is_next(iteration)
        if self.marks:
            self.end_of_marks(f"{self._name} {problem}")
        return False

    def _is_next(self, iteration: int) -> bool:
        """Return whether an iteration comes after those that are finished.

        Raises:
            BeginsAgainError: The Fit does not go on from its snapshot.
        """
        step = iteration - self._iteration
        if not self.is_first and step > 0:
            self._steps.add(step)
            return self.marks
        is_first, self.is_first = self.is_first, False
        if self._is_resumed and is_first and (step <= 0 or not self._steps.may_be(step)):
            self.fail(f"goes on with iteration {iteration}, where {self._iteration} was the last that is finished")
        if self.must_read:
            self.fail("did not read report.iteration where it did so from the beginning")
        if self._is_resumed and self.marks and step == 0:
            self.fail(f"reports iteration {iteration} more than once, so the snapshot may have been taken within it")
        if step > 0:
            self._steps.add(step)
        elif self.marks:
            self.end_of_marks(
                f"{self._name} reports iteration {iteration} after {self._iteration}; give each a number of its own, once"
            )
        return step > 0 and self.marks

    def fail(self, reason: str, change: str = HOW_TO_LOOP) -> NoReturn:
        """End a Fit that does not go on from its snapshot.

        Args:
            reason: What it does instead.
            change: What has to be changed, if the reason does not say it.

        Raises:
            BeginsAgainError: Now, and at every report that follows.
        """
        self.failure = f"{self._name}.fit {reason}{change and f'; {change}'}"
        raise BeginsAgainError(self.failure)

    def end_of_marks(self, reason: str) -> None:
        """Mark no more points.

        Args:
            reason: Why there is nothing to take a snapshot of.
        """
        self.marks = False
        self._task.snapshots.nothing(reason)


class _Steps:
    """Knows by how much a class counts from one report to the next, as far as that is always the same.

    Args:
        state: What ``state`` was in another process.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        before = state or {}
        self._size: int | None = before.get("size")
        self._number: int = before.get("number", 0)

    @property
    def state(self) -> dict[str, Any]:
        """What is needed to go on."""
        return {"size": self._size, "number": self._number}

    def add(self, step: int) -> None:
        """Note a step; the first, from 0, does not count: many report the first iteration, and then every tenth."""
        if self._number == 1:
            self._size = step
        elif self._number and step != self._size:
            self._size = 0
        self._number += 1

    def may_be(self, step: int) -> bool:
        """Return whether a step is one that can come next."""
        is_steady = self._size == 1 or (self._size and self._number >= _STEPS_TO_TELL)
        return not is_steady or step == self._size


class _EpochCount:
    """Counts for how many epochs a class has been trained, by what it reports; it may count them from 0.

    Args:
        state: What ``state`` was in another process.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        before = state or {}
        self._best: int | None = before.get("best")
        self._last: int | None = before.get("last")
        self._first_number: int = before.get("first_number", 1)

    @property
    def state(self) -> dict[str, Any]:
        """What is needed to go on counting."""
        return {"best": self._best, "last": self._last, "first_number": self._first_number}

    @property
    def number(self) -> int | None:
        """The number after the last report; None while none is known."""
        number = self._last if self._best is None else self._best
        return None if number is None else number + 1 - self._first_number

    def after(self, report: Mapping[str, Any]) -> int | None:
        """Return the number after a report; None while none is known."""
        epoch = report.get("epoch", report.get("iteration"))
        if _is_whole(epoch):
            self._last = epoch
            if epoch == 0:
                self._first_number = 0
        if BEST_EPOCH in report and _is_whole(best := report[BEST_EPOCH]):
            self._best = best
        return self.number


def _counted(report: Mapping[str, Any], name: str) -> int:
    """Return a number of a report that counts something; 0 where there is none."""
    value = report.get(name)
    return value if type(value) is int and value > 0 else 0


def _is_whole(value: Any) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def _with_epoch(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a report that numbers an epoch: an iteration is one where it says nothing else."""
    if "epoch" in plain or not _is_whole(plain.get("iteration")):
        return plain
    total = plain.get("iterations")
    return {**plain, "epoch": plain["iteration"], **({} if total is None else {"epochs": total})}


def _total(plain: Mapping[str, Any]) -> int | None:
    """Return how many iterations there will be, as far as a report says so."""
    if "iterations" in plain:
        return _counted(plain, "iterations") or None
    return _counted(plain, "epochs") or None if plain.get("epoch") == plain["iteration"] else None


def _is_last(plain: Mapping[str, Any]) -> bool:
    is_last = plain.get("epoch") == plain.get("epochs", ...) or plain.get("iteration") == plain.get("iterations", ...)
    return bool(is_last)


def _formatted(value: float | str | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_PLAIN = frozenset((int, float, str))


def _plain(name: str, value: Any) -> int | float | str | None:
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if value is None or isinstance(value, int | float | str):
        return value
    raise TypeError(f"report({name}=...) got {type(value).__name__}; it takes numbers and texts, e.g. loss.mean().")
