"""Files that somebody writes to while a run uses them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

from faults import plant
from faults.damage import cut, flip
from omnibench.engine.evaluation import evaluate

FILES = (
    "datasets/tiny-*/fold_0/parts.npy",
    "datasets/tiny-*/fold_1/parts.npy",
    "datasets/tiny-*/item.npy",
    "datasets/tiny-*/indptr.npy",
    "datasets/tiny-*/items.*.npy",
    "datasets/tiny-*/manifest.json",
)
"""What all items, or half of them, are computed from."""
OF_ITEMS = ("tiny-*/*/fold_*/model.pkl", "tiny-*/*/fold_*/predictions-*.npy")
"""What the phases of one item leave to those behind them."""


@dataclass(frozen=True)
class Vandal:
    """Damages a file at one moment of a run.

    Attributes:
        errand: The run.
        pattern: The file, as a pattern below the store; the one that was written last, where there are several.
        moment: How many phases (Fit, Predict and Eval of every item) have begun by then.
        behind: Whether at the end of that phase instead of its beginning.
        cuts: Whether the file is cut short; a bit of it is flipped by default.
    """

    errand: plant.Errand
    pattern: str
    moment: int
    behind: bool = False
    cuts: bool = False

    def __call__(self) -> dict[str, Any]:
        """Run it; ``damaged`` says whether the file was there by then."""
        phases = iter(range(1, 10_000))
        damaged: list[str] = []

        def during(phase: int) -> Iterator[None]:
            if phase == self.moment and not self.behind:
                damaged.extend(self._strike())
            yield
            if phase == self.moment and self.behind:
                damaged.extend(self._strike())

        def watched(function: Any) -> Any:
            def phase(*arguments: Any, **options: Any) -> Any:
                around = during(next(phases))
                next(around)
                try:
                    return function(*arguments, **options)
                finally:
                    next(around, None)

            return phase

        with (
            mock.patch.object(plant.InProcessGuest, "ask", watched(plant.InProcessGuest.ask)),
            mock.patch("omnibench.engine.attempt.evaluate", watched(evaluate)),
        ):
            return {**self.errand(), "damaged": damaged}

    def _strike(self) -> Iterator[str]:
        files = sorted(self.errand.root.glob(self.pattern), key=lambda path: path.stat().st_mtime_ns)
        for path in files[-1:]:
            if self.cuts:
                cut(path, path.stat().st_size // 2)
            else:
                flip(path, -5)
            yield path.name
