"""The epochs of a Fit of Cornac's, and the snapshots between them: what a model has learned is read and put back inside of Cornac's own loop."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import random_states, states
from .base import Task
from .cornac_models import Runnable


class Course:
    """The epochs of a Fit: each is reported, and behind each there is a point where a snapshot may be taken.

    Args:
        task: The Fit.
        runnable: What is known of the model.
        model: The model as the adapter has it.
        data: Cornac's dataset, which has a generator of its own.
        total: The number of epochs.
        not_resumable: Why there are no snapshots; empty where there are.
        is_current: Whether the model can be asked while it trains, so that the host may measure it.

    Attributes:
        done: The epochs that are complete.
    """

    def __init__(
        self, task: Task, runnable: Runnable, model: Any, data: Any, total: int, not_resumable: str, *, is_current: bool
    ) -> None:
        self.done = 0
        self._task, self._total, self._runnable = task, total, runnable
        self._model, self._data, self._is_current = model, data, is_current
        self._is_resumable = not not_resumable
        self._has_begun = False
        self._state: dict[str, Any] | None = None
        self._made: list[Any] = []
        self._restoring = contextlib.ExitStack()  # until everything is back: what fails before is the snapshot's fault
        if not_resumable:
            task.snapshots.nothing(not_resumable)

    def fit(self) -> None:
        """Train the model for the epochs that no snapshot has."""
        recommender, name = self._model.recommender, self._runnable.epochs
        with self._restoring, self._watching():
            if self._is_resumable:
                self._open_snapshot()
            if self._runnable.has_bar_of_each_epoch:
                setattr(recommender, name, self._total - self.done)
            recommender.fit(self._data)
        if self._runnable.has_bar_of_each_epoch:
            setattr(recommender, name, self._total)
        if name:
            self._task.keep(self.done)

    def begin(self) -> None:
        """Put back what a snapshot has, where the loop is about to begin; mark the first point where it begins anew."""
        if self._has_begun:
            return
        self._has_begun = True
        if self._state is not None:
            self._restore()
        elif self._is_resumable:
            self._mark()

    def end_epoch(self, numbers: Mapping[str, float]) -> None:
        """Report an epoch with what Cornac says of it, such as its loss."""
        self.done += 1
        values = {"epoch": self.done, "epochs": self._total, **numbers}
        if self._task.measure is not None and self._is_current:
            self._task.measure(self._model, **values)
        else:
            self._task.report(**values)
        if self._is_resumable:
            self._mark()

    def _open_snapshot(self) -> None:
        directory = self._restoring.enter_context(self._task.snapshots.restoring())
        if directory is None:
            self._restoring.close()
            return
        self._state = states.load(directory)
        self.done = self._state["done"]

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """Note the objects inside that have what is learned, which are variables of Cornac's functions."""
        module_name, name = self._runnable.learns_in
        if not module_name or not self._is_resumable:
            yield
            return
        module = importlib.import_module(module_name)
        original = getattr(module, name)

        def make(*arguments: Any, **options: Any) -> Any:
            self._made.append(original(*arguments, **options))
            if self._state is not None and self._is_optimized and len(self._made) == len(self._state["learned"]):
                self.begin()  # there may be no epoch left
            return self._made[-1]

        setattr(module, name, make)
        try:
            yield
        finally:
            setattr(module, name, original)

    @property
    def _is_optimized(self) -> bool:
        return self._runnable.learns_in[1] == "Adam"

    def _learned(self) -> list[dict[str, Any]]:
        """Return what every object has learned."""
        if self._is_optimized:
            return [_of_optimizer(optimizer) for optimizer in self._made]
        return [_arrays(owner) if owner is self._model.recommender else dict(vars(owner)) for owner in self._owners()]

    def _owners(self) -> list[Any]:
        return self._made or [self._model.recommender]

    def _tensors(self) -> dict[str, Any]:
        """Return the tensors that a network has beside its parameters."""
        network = getattr(self._model.recommender, self._runnable.network, None)
        return {name: value for name, value in vars(network).items() if _is_tensor(value)} if network else {}

    def _mark(self) -> None:
        self._task.snapshots.point(self._save, iteration=self.done, iterations=self._total)

    def _save(self, directory: Path) -> None:
        state = {
            "done": self.done,
            "learned": self._learned(),
            "tensors": self._tensors(),
            "order": self._data.rng.get_state(),
            "random": random_states.capture(),
        }
        states.save(directory, state)

    def _restore(self) -> None:
        assert self._state is not None, "it was loaded"
        put_back: Callable[[Any, dict[str, Any]], None] = (
            _restore_optimizer if self._is_optimized else _restore_attributes
        )
        for owner, learned in zip(self._owners(), self._state["learned"], strict=True):
            put_back(owner, learned)
        for name, tensor in self._tensors().items():
            tensor.copy_(self._state["tensors"][name])
        self._data.rng.set_state(self._state["order"])
        random_states.restore(self._state["random"])
        self._state = None
        self._restoring.close()


def _is_tensor(value: Any) -> bool:
    return type(value).__module__ == "torch" and type(value).__name__ == "Tensor"


def _arrays(owner: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(owner).items() if isinstance(value, np.ndarray)}


def _parameters(optimizer: Any) -> list[Any]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _of_optimizer(optimizer: Any) -> dict[str, Any]:
    parameters = [parameter.detach() for parameter in _parameters(optimizer)]
    return {"parameters": parameters, "optimizer": optimizer.state_dict()}


def _restore_optimizer(optimizer: Any, learned: dict[str, Any]) -> None:
    for parameter, value in zip(_parameters(optimizer), learned["parameters"], strict=True):
        parameter.detach().copy_(value)
    optimizer.load_state_dict(learned["optimizer"])


def _restore_attributes(owner: Any, learned: dict[str, Any]) -> None:
    """Put attributes back; arrays into those that are there, which compiled loops and the model itself see, too."""
    for name, value in learned.items():
        present = getattr(owner, name, None)
        if isinstance(present, np.ndarray) and isinstance(value, np.ndarray) and present.shape == value.shape:
            present[...] = value
        else:
            setattr(owner, name, value)
