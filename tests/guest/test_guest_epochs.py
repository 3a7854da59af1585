"""The epochs of a Fit in the guest: what is reported, what waits for the host, and how a Fit ends that is pruned."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.guest.epochs import Epochs, PrunedFit
from omnibench.guest.generators import seed_everything


class Host:
    """What a guest's Fit talks to.

    Args:
        replies: The answers to its questions, in their order.
    """

    def __init__(self, *replies: dict[str, Any]) -> None:
        self.replies = list(replies)
        self.messages: list[dict[str, Any]] = []

    def reply(self) -> dict[str, Any]:
        """Answer the last message, which has to be a question."""
        assert self.messages[-1]["asks"]
        return self.replies.pop(0)

    def epochs(self, predict: Callable[[Any, Path], None] = lambda *_: None, **request: Any) -> Epochs:
        """Return the epochs of a Fit that was requested so."""
        return Epochs(request, self.messages.append, self.reply, predict)


def test_an_ordinary_fit_waits_for_nobody() -> None:
    """Every report is a message and no question, also with values of validation, of which the history is kept."""
    host = Host()
    epochs = host.epochs()
    epochs.report(epoch=1, epochs=9, loss=0.5)
    epochs.report(epoch=1, validation=0.25)
    epochs.report(validation=0.5)
    epochs.keep(2)
    assert [message["progress"] for message in host.messages] == [
        {"epoch": 1, "epochs": 9, "loss": 0.5},
        {"epoch": 1, "validation": 0.25},
        {"epoch": 2, "validation": 0.5},
    ]
    assert not any(message.get("asks") for message in host.messages)
    assert (epochs.history, epochs.trained, epochs.pruned) == ([(1, 0.25), (2, 0.5)], 2, None)


def test_only_values_of_validation_are_questions() -> None:
    """A prunable Fit goes on at once after a report of anything else, and after a value that cannot be compared."""
    host = Host({"stop": False})
    epochs = host.epochs(prunable=True)
    epochs.report(epoch=1, loss=0.5)
    epochs.report(epoch=1, validation=float("nan"))
    epochs.report(epoch=1, validation="bad")
    epochs.report(epoch=2, validation=0.5)
    assert [message.get("asks", False) for message in host.messages] == [False, False, False, True]
    assert epochs.history == [(2, 0.5)]


def test_a_pruned_fit_ends_and_stays_ended() -> None:
    """Neither who catches every Exception goes on, nor who catches everything: the next report ends it again."""
    host = Host({"stop": False}, {"stop": True})
    epochs = host.epochs(prunable=True)
    epochs.report(epoch=1, validation=0.25)
    with pytest.raises(PrunedFit):
        epochs.report(epoch=2, validation=0.125)
    assert not issubclass(PrunedFit, Exception)
    with pytest.raises(PrunedFit):
        epochs.report(epoch=3, loss=1)
    with pytest.raises(PrunedFit):
        epochs.end()
    assert (epochs.pruned, epochs.history) == ((2, 0.125), [(1, 0.25), (2, 0.125)])
    assert len(host.messages) == 2


def test_a_forked_child_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pipe to the host leads nowhere, so that it would wait for ever."""
    host = Host()
    epochs = host.epochs(prunable=True)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    epochs.report(epoch=1, validation=0.25)
    assert host.messages == [{"progress": {"epoch": 1, "validation": 0.25}}]


def test_the_host_measures_what_a_framework_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It gets the predictions of the model as it is, answers the value, and the log has a line of it."""
    written: list[tuple[Any, Path]] = []
    host = Host({"value": 0.5, "stop": False}, {"value": 0.25, "stop": True})
    validate = {"metric": "NDCG@10", "output": str(tmp_path / "rows.npy")}
    epochs = host.epochs(lambda model, path: written.append((model, path)), validate=validate)
    assert epochs.are_measured
    epochs.measure("model", epoch=1, epochs=3, loss=0.7)
    with pytest.raises(PrunedFit):
        epochs.measure("later", epoch=2, epochs=3, loss=0.6)
    assert host.messages[0] == {
        "progress": {"epoch": 1, "epochs": 3, "loss": 0.7},
        "asks": True,
        "predictions": str(tmp_path / "rows.npy"),
    }
    assert written == [("model", tmp_path / "rows.npy"), ("later", tmp_path / "rows.npy")]
    assert (epochs.history, epochs.pruned) == ([(1, 0.5), (2, 0.25)], (2, 0.25))
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1 of 3: NDCG@10 0.5 on validation",
        "epoch 2 of 3: NDCG@10 0.25 on validation",
    ]


def test_only_the_epochs_that_are_wanted_are_measured(tmp_path: Path) -> None:
    """Predictions take their time: of the other epochs the host hears as in any other Fit."""
    host = Host({"value": 0.5, "stop": False})
    predicted: list[Any] = []
    validate = {"metric": "NDCG@10", "output": str(tmp_path / "rows.npy"), "epochs": [2]}
    epochs = host.epochs(lambda model, _: predicted.append(model), validate=validate, prunable=True)
    for epoch in (1, 2, 3):
        epochs.measure(epoch, epoch=epoch, epochs=3)
    assert predicted == [2]
    assert [message.get("asks", False) for message in host.messages] == [False, True, False]
    assert epochs.history == [(2, 0.5)]


def draws() -> tuple[float, float]:
    """Draw from Python's and from numpy's global generator."""
    return random.random(), float(np.random.random())  # noqa: NPY002 - the one that frameworks draw from


def test_predictions_between_epochs_change_no_random_numbers(tmp_path: Path) -> None:
    """What an epoch draws is the same whether the one before it was measured or not."""
    validate = {"metric": "NDCG@10", "output": str(tmp_path / "rows.npy")}
    epochs = Host({"value": 0.5}).epochs(lambda *_: seed_everything(1), validate=validate)
    seed_everything(7)
    expected = [draws(), draws()]
    seed_everything(7)
    first = draws()
    epochs.measure(None, epoch=1)
    assert [first, draws()] == expected


def test_the_series_of_very_many_epochs_stays_short() -> None:
    """All up to 10,000; then those with four digits and zeros, and those that validation has judged."""
    epochs = Host().epochs()
    for number in (1, 9_999, 10_000, 10_001, 10_010, 123_456, 123_400, 1_000_000):
        epochs.record(epoch=number, loss=0.5)
    epochs.record(epoch=123_457, loss=0.5, validation=0.25)
    assert [number for number, _ in epochs.series] == [1, 9_999, 10_000, 10_010, 123_400, 123_457, 1_000_000]
