"""The epochs of a Fit: what it reports of them, what validation says of each, and how the host ends one that it prunes.

Reports go to the host without waiting for it, unless the Fit is one that may be pruned: then a report with the value of
an epoch on the validation part is a question, and the guest goes on when the host has answered.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .random_states import undisturbed

VALUE = "validation"
"""The name under which a report has the value of an epoch on the validation part."""

_COUNTS = ("epoch", "epochs", "iteration", "iterations", "best_epoch")
"""The names under which a report says how far a Fit is, beside what it has measured."""


_DIGITS, _DENSE = 4, 10**4
"""The series has every epoch up to 10,000, and of a class that reports a million, those with four digits and zeros."""


class PrunedFit(BaseException):
    """Ends a Fit that the host has pruned; no ``Exception``, so that no framework takes it for an error of a batch."""


class Epochs:
    """The epochs of one Fit.

    Args:
        request: The host's request. ``prunable``: whether it answers what validation says of an epoch. ``validate``:
            what it measures itself where the framework has no such value: ``output``, the file for the predictions,
            ``metric``, and ``epochs``, the numbers of the epochs that it measures (None for each).
        send: Sends a message to the host.
        receive: Waits for the host's answer to a message.
        predict: Writes the predictions of a model for the validation part into a file.

    Attributes:
        history: The epochs that validation has judged, counted from 1, and the value of each.
        trained: How many epochs the model has been trained for; None where there are none.
        pruned: The epoch after which the host has pruned the Fit, and its value; None while it has not.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        send: Callable[[dict[str, Any]], None],
        receive: Callable[[], dict[str, Any]],
        predict: Callable[[Any, Path], None],
    ) -> None:
        self.history: list[tuple[int, float]] = []
        self._values: dict[int, dict[str, float]] = {}
        self.pruned: tuple[int, float] | None = None
        self.trained: int | None = None
        self._prunable = bool(request.get("prunable"))
        self._validate: Mapping[str, Any] | None = request.get("validate")
        self._send, self._receive, self._predict = send, receive, predict
        self._process = os.getpid()

    @property
    def are_measured(self) -> bool:
        """Whether the host wants the predictions of each epoch, to measure them."""
        return self._validate is not None

    @property
    def series(self) -> list[tuple[int, dict[str, float]]]:
        """The numbers that were reported of each epoch, such as ``loss`` and ``validation``, each epoch once."""
        return sorted(self._values.items())

    def record(self, /, **values: Any) -> None:
        """Note the numbers of an epoch for the series, without telling the host.

        Args:
            values: As for ``report``; of a number that was noted before, the later one counts.
        """
        number = values.get("epoch", values.get("iteration"))
        if not isinstance(number, int) or isinstance(number, bool):
            return
        if number >= _DENSE and VALUE not in values and number % 10 ** (len(str(number)) - _DIGITS):
            return
        numbers = {
            name: float(value)
            for name, value in values.items()
            if name not in _COUNTS and isinstance(value, int | float) and math.isfinite(value)
        }
        if numbers:
            self._values.setdefault(number, {}).update(numbers)

    def restore(self, history: Iterable[Any], series: Iterable[Any]) -> None:
        """Go on after the epochs of an earlier process.

        Args:
            history: Its history.
            series: Its series.
        """
        self.history[:] = [(int(epoch), float(value)) for epoch, value in history]
        self._values = {int(epoch): dict(values) for epoch, values in series}

    def keep(self, epochs: int) -> None:
        """Note for how many epochs the model has been trained that is going to be stored."""
        self.trained = int(epochs)

    def report(self, /, **values: Any) -> None:
        """Tell the host of progress; a value of an epoch on the validation part may end the Fit.

        Args:
            values: Numbers and short texts, such as ``epoch`` (counted from 1), ``epochs``, ``loss`` and ``validation``.

        Raises:
            PrunedFit: The host prunes it, or has done so before.
        """
        self.end()
        self.record(**values)
        value = values.get(VALUE)
        if not isinstance(value, int | float) or not math.isfinite(value):  # nothing can be compared with it
            self._send({"progress": values})
            return
        values["epoch"] = epoch = self._number(values)
        self.history.append((epoch, float(value)))
        self._ask({"progress": values}, epoch, float(value))

    def measure(self, model: Any, **values: Any) -> None:
        """Report an epoch, and with it what the host measures of the model's predictions for the validation part.

        What the predictions draw at random changes nothing in the training that goes on.

        Args:
            model: The model as it is after the epoch, such as the adapter predicts with.
            values: As for ``report``, without the value.

        Raises:
            PrunedFit: The host prunes it.
        """
        self.end()
        assert self._validate is not None, "the host has asked for it"
        values["epoch"] = epoch = self._number(values)
        measured = self._validate.get("epochs")
        if measured is not None and epoch not in measured:
            self.report(**values)
            return
        path = Path(self._validate["output"])
        with undisturbed():
            self._predict(model, path)
        self._send({"progress": values, "asks": True, "predictions": str(path)})
        answer = self._receive()
        value = float(answer["value"])
        if math.isfinite(value):
            self.history.append((epoch, value))
        self.record(**{**values, VALUE: value})
        print(epoch_line(self._validate["metric"], values, value))  # noqa: T201 - into the log
        self._obey(answer, epoch, value)

    def end(self) -> None:
        """End the Fit where the host has pruned it, also one whose framework went on after that.

        Raises:
            PrunedFit: It has.
        """
        if self.pruned is not None:
            raise PrunedFit

    def _number(self, values: Mapping[str, Any]) -> int:
        """Return the epoch that a report is about: the next one where it does not say."""
        epoch = values.get("epoch")
        if isinstance(epoch, int | float) and math.isfinite(epoch):
            return int(epoch)
        return self.history[-1][0] + 1 if self.history else 1

    def _ask(self, message: dict[str, Any], epoch: int, value: float) -> None:
        if not self._prunable or os.getpid() != self._process:  # nobody answers a child that an algorithm has forked
            self._send(message)
            return
        self._send({**message, "asks": True})
        self._obey(self._receive(), epoch, value)

    def _obey(self, answer: Mapping[str, Any], epoch: int, value: float) -> None:
        if answer.get("stop"):
            self.pruned = (epoch, value)
            raise PrunedFit


def epoch_line(metric: str, values: Mapping[str, Any], value: float) -> str:
    """Return what the log says of an epoch.

    Args:
        metric: What was measured on the validation part.
        values: The values of the report, with ``epoch``.
        value: The value of the metric.
    """
    total = f" of {values['epochs']}" if "epochs" in values else ""
    return f"epoch {values['epoch']}{total}: {metric} {value:.6g} on validation"
