"""The epochs of Cornac's models: their loops run over a progress bar, in whose place stands what reports to the host."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

from cornac import eval_methods

from .cornac_course import Course
from .cornac_models import Runnable


class EpochBar:
    """What Cornac's loops take for a bar of tqdm, of the part of its interface that they use.

    Args:
        course: Where epochs are reported.
        numbers: The epochs, where the bar is what a loop over epochs runs over; else the bar is that of a single epoch.
    """

    def __init__(self, course: Course, numbers: range | None = None) -> None:
        self._course, self._numbers = course, numbers
        self._postfix: dict[str, float] = {}

    def __iter__(self) -> Iterator[int]:
        self._course.begin()
        for number in (self._numbers or range(0))[self._course.done :]:
            yield number
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, count: int = 1) -> None:
        """Count nothing: epochs are counted where they end."""

    def set_postfix(self, values: Mapping[str, Any] | None = None, **options: Any) -> None:
        """Note what Cornac says of the epoch, e.g. ``loss="12.50"`` or ``correct="93.10%"``."""
        self._postfix = {name: _number(value) for name, value in {**(values or {}), **options}.items()}

    def close(self) -> None:
        """End the epoch, if the bar is that of one; a loop that is left early has ended its last one, too."""
        if self._numbers is None or self._postfix:
            self._end()

    def _end(self) -> None:
        numbers, self._postfix = self._postfix, {}
        self._course.end_epoch(numbers)


def _number(value: Any) -> float:
    text = str(value)
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


@contextlib.contextmanager
def reporting(runnable: Runnable, course: Course, parameters: Mapping[str, Any]) -> Iterator[None]:
    """Have the loops of a model report their epochs inside.

    Args:
        runnable: What is known of the model.
        course: Where they are reported.
        parameters: Its hyperparameters.
    """
    name, attribute = runnable.progress_bar
    if not name:
        yield
        return
    if parameters.get("backend") == "pytorch" and name == "mf.backend_cpu":
        name = "mf.backend_pt"
    module = importlib.import_module(f"cornac.models.{name}")
    original = getattr(module, attribute)

    def make(*bounds: int, **_: Any) -> EpochBar:
        if not bounds:
            course.begin()
        return EpochBar(course, range(*bounds) if bounds else None)

    setattr(module, attribute, make)
    try:
        yield
    finally:
        setattr(module, attribute, original)


@contextlib.contextmanager
def short_lists() -> Iterator[None]:
    """Let RecVAE judge itself on data of fewer than 100 items inside: it ranks 100 after each epoch, and fails on fewer.

    That it ranks may not be left out: it draws for it, so that later epochs would draw otherwise.
    """
    ranking_eval = eval_methods.ranking_eval

    def evaluate(*arguments: Any, metrics: Any, train_set: Any, **options: Any) -> Any:
        for metric in metrics:
            metric.k = min(metric.k, train_set.num_items)
        return ranking_eval(*arguments, metrics=metrics, train_set=train_set, **options)

    eval_methods.ranking_eval = evaluate
    try:
        yield
    finally:
        eval_methods.ranking_eval = ranking_eval
