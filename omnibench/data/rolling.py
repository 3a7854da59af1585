"""RollingWindows: several test periods on one timeline, each with everything before it to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.arguments import checked_arguments
from omnibench.data.durations import Duration, duration, length_in_unit_of
from omnibench.data.interactions import Interactions
from omnibench.data.moments import describe_range
from omnibench.data.parts import Folds, Parts, Split
from omnibench.data.shares import share
from omnibench.data.step import is_int
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


class _Window(NamedTuple):
    """The moments at which the parts of a fold begin; each ends where the next one begins, test at ``end``."""

    train: int
    validation: int
    gap: int
    test: int
    end: int


@checked_arguments
@dataclass(frozen=True)
class RollingWindows(Split):
    """Test several periods of the same timeline, one after the other; each fold is trained on what came before its period.

    The moments are the same for every user, so that nothing that is learned is later than anything that is tested: there is
    no leakage through time, as cross-validation and the splits by each user's own time have. The last fold tests the last
    period of the data, the fold before it the period before, and so on. What comes after a fold's period is in none of its
    parts. Test users and items may be unknown in training.

    Guarantees: in every fold, every training interaction is before every validation interaction, and both are before every
    test interaction; no interaction is tested twice, and those that a fold tests are later than those of the folds before it;
    no part that was asked for is empty, and training is not. The order of the rows does not matter.

    Source: Ji, Sun, Zhang and Li, "A Critical Study on Data Leakage in Recommender System Offline Evaluation", TOIS 41(3), 2023.

    Args:
        num_folds: How many periods are tested, at least 1.
        window: The length of a period: a duration such as ``"7d"``, ``"12h"`` or a timedelta; an int in the unit of the
            timestamps, as a rule seconds; or a float below 1, for periods that have at least this share of all interactions.
        validation_size: The length of the period before, which is validated and not trained on, in the same forms; 0 for none.
        train_window: The length of the period that is trained on, in the same forms; None for everything that came before.
        gap: What is left out between training (or validation) and test: a duration, or an int in the unit of the timestamps.

    Raises:
        DataError: An argument is none of these, or the periods leave nothing to train on.
    """

    num_folds: int = 5
    window: int | float | Duration = 0.1
    validation_size: int | float | Duration = 0.0
    train_window: int | float | Duration | None = None
    gap: int | Duration = 0

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",)

    @property
    def folds(self) -> int:
        return self.num_folds

    def check(self) -> None:
        if not is_int(self.num_folds) or self.num_folds < 1:
            raise DataError(f"RollingWindows: num_folds is {self.num_folds!r}; give an int of at least 1.")
        self._check_length("window")
        if self.validation_size == 0 and not isinstance(self.validation_size, bool):
            object.__setattr__(self, "validation_size", 0.0)  # 0 and 0.0 mean the same, so they are the same in keys
        else:
            self._check_length("validation_size")
        if self.train_window is not None:
            self._check_length("train_window")
        gap = duration(self.gap, "RollingWindows: gap")
        object.__setattr__(self, "gap", 0 if gap == "0d" else gap)
        shares = [size for size in (self.validation_size, self.train_window) if isinstance(size, float)]
        tested = self.num_folds * self.window if isinstance(self.window, float) else 0
        if tested + sum(shares) >= 1 and (tested or shares):
            raise DataError(
                f"RollingWindows: {self.num_folds} periods of {self.window!r}, and the shares before the first of them, take "
                "everything; give fewer folds or smaller shares."
            )

    def _check_length(self, name: str) -> None:
        size: Any = getattr(self, name)
        if isinstance(size, float):
            if 0 < size < 1:
                return
            raise DataError(
                f"RollingWindows: {name} is {size!r}; give a share of the interactions above 0 and below 1 as a float, an int in the "
                "unit of the timestamps, or a duration such as '7d'."
            )
        length = duration(size, f"RollingWindows: {name}")
        if length in (0, "0d"):
            raise DataError(f"RollingWindows: {name} is {size!r}, which is no time at all; give e.g. '7d'.")
        object.__setattr__(self, name, length)

    def split(self, interactions: Interactions, seed: int, position: int) -> Folds:
        timestamp = interactions.timestamp
        assert timestamp is not None, "a recipe has looked for the columns that a step needs"
        times = np.sort(timestamp)
        windows = self._windows(times)
        for fold, window in enumerate(windows):
            self._refuse_empty(fold, window, times)

        def make(fold: int) -> Parts:
            window = windows[fold]
            is_in_train = (timestamp >= window.train) & (timestamp < window.validation)
            is_in_validation = (timestamp >= window.validation) & (timestamp < window.gap)
            is_in_test = (timestamp >= window.test) & (timestamp < window.end)
            return Parts(*(np.flatnonzero(rows) for rows in (is_in_train, is_in_validation, is_in_test)))

        return Folds(self.num_folds, make)

    def _windows(self, times: npt.NDArray[np.int64]) -> list[_Window]:
        """Return the moments of each fold.

        Args:
            times: All timestamps, ascending.
        """
        windows: list[_Window] = []
        end = int(times[-1]) + 1
        for _ in range(self.num_folds):
            test = _begin(self.window, end, times)
            before = test - length_in_unit_of(times, self.gap)  # type: ignore[arg-type]  # check has made it an int or text
            validation = before if self.validation_size == 0 else _begin(self.validation_size, before, times)
            train = int(times[0]) if self.train_window is None else _begin(self.train_window, validation, times)
            windows.append(_Window(train, validation, before, test, end))
            end = test
        return windows[::-1]

    def _refuse_empty(self, fold: int, window: _Window, times: npt.NDArray[np.int64]) -> None:
        names = ("training", "validation", "the gap", "test")
        numbers = np.diff(np.searchsorted(times, window))
        for name, number, begin, end in zip(names, numbers.tolist(), window[:-1], window[1:], strict=True):
            if number or name == "the gap" or (name == "validation" and self.validation_size == 0):
                continue
            period = f" ({describe_range(np.array([begin, end]))})" if begin < end else ""
            if name == "training":
                longer = "" if self.train_window is None else "a longer train_window, "
                advice = f"Give {longer}fewer folds or shorter periods"
            else:
                advice = "Give longer periods, or shares of the interactions, such as 0.1, which follow the data"
            raise DataError(
                f"{self} leaves no interaction for {name} of fold {fold}{period}: the {len(times)} timestamps go "
                f"{describe_range(times)}. {advice}."
            )


def _begin(size: Any, end: int, times: npt.NDArray[np.int64]) -> int:
    """Return the first moment of a period that ends before a moment.

    Args:
        size: The period's length as the split has it.
        end: The first moment after it.
        times: All timestamps, ascending.
    """
    if not isinstance(size, float):
        return end - length_in_unit_of(times, size)
    before = int(np.searchsorted(times, end))
    number = int(share(size, np.array([len(times)]))[0])
    return int(times[max(0, before - number)]) if before else end
