"""The course of a Fit by a RecBole trainer: where it is, between two epochs or between two batches, and how it gets there again.

Between two epochs nothing is under way. Within one, the trainer's own code has a sum of losses, loops over the loader (one,
or several as for RecVAE), and whatever else stands in its ``_train_epoch``. A Fit that goes on there runs that code again
from the beginning of the epoch, with the losses that were recorded in the place of batches: no batch is drawn, no loss is
calculated, nothing is learned. At the batch where the snapshot was taken the state of that moment is put back.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from . import random_states

Losses = float | tuple[float, ...]
"""What the network's loss was for a batch: a number, or one for each of its parts."""

_LOSS = re.compile(r"calc(ulate)?_(\w+_)?loss")
"""The names of the methods of RecBole's networks that trainers call for a batch."""


@dataclass
class Position:
    """A place in an epoch.

    Attributes:
        epoch: The epoch's number, from 0.
        random: The states of the global random generators when it began.
        generators: The states of the loader's generators then.
        passes: The losses of the batches so far, for each time that the epoch has gone through the loader.
        order: The state of the loader's generator when the last of these began.
    """

    epoch: int
    random: dict[str, Any]
    generators: dict[str, Any]
    passes: list[list[Losses]] = field(default_factory=list)
    order: Any = None


class Course:
    """The epochs of a trainer.

    Args:
        trainer: The trainer, before its first epoch.
        loader: The loader of the training data.
        point: Called between two batches, where a snapshot may be taken.
    """

    def __init__(self, trainer: Any, loader: Any, point: Callable[[], None]) -> None:
        self.generators = {f"generator of {name}": part.generator for name, part in _loaders(loader).items()}
        self.losses = [name for name in dir(type(trainer.model)) if _LOSS.fullmatch(name)]
        self.position: Position | None = None
        self._trainer, self._point = trainer, point
        self._is_divisible = isinstance(loader, torch.utils.data.DataLoader) and loader.num_workers == 0
        if getattr(trainer, "enable_scaler", False):  # its state is out of reach while an epoch lasts
            self._is_divisible = False
        self._depth = 0
        self._replayed: Position | None = None
        self._arrive: Callable[[], None] = lambda: None

    @property
    def is_replaying(self) -> bool:
        """Whether the next epoch, or the present one, is on its way to the position of a snapshot."""
        return self._replayed is not None

    def go_to(self, position: Position, arrive: Callable[[], None]) -> None:
        """Have the next epoch begin within.

        Args:
            position: Where.
            arrive: Called when the trainer is there.
        """
        self._replayed, self._arrive = position, arrive

    def run(self, train_epoch: Callable[..., Any], loader: Any, epoch: int, *arguments: Any, **options: Any) -> Any:
        """Run the trainer's own epoch, and return what it returns.

        Args:
            train_epoch: The trainer's method.
            loader: Its loader.
            epoch: The epoch's number, from 0.
            arguments: Its other arguments.
            options: Those with names.
        """
        if self._replayed is not None:
            random_states.restore(self._replayed.random)
            for name, state in self._replayed.generators.items():
                self.generators[name].set_state(state)
        states = {name: generator.get_state() for name, generator in self.generators.items()}
        self.position = Position(epoch, random_states.capture(), states)
        try:
            with self._recorded():
                return train_epoch(
                    _Batches(loader, self) if self._is_divisible else loader, epoch, *arguments, **options
                )
        finally:
            self.position = None

    @contextlib.contextmanager
    def _recorded(self) -> Iterator[None]:
        """Record, or replay, the losses of the batches."""
        attributes = vars(self._trainer.model)
        for name in self.losses:
            attributes[name] = self._recorder(getattr(self._trainer.model, name))
        try:
            yield
        finally:
            for name in self.losses:
                attributes.pop(name, None)

    def _recorder(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def record(*arguments: Any, **options: Any) -> Any:
            position = self.position
            if self._depth or position is None or not position.passes:  # one that is a part of another, or of no batch
                return method(*arguments, **options)
            if self._replayed is not None:
                losses = self._next_of(self._replayed)
            else:
                self._depth += 1
                try:
                    losses = method(*arguments, **options)
                finally:
                    self._depth -= 1
            is_tuple = isinstance(losses, tuple)
            position.passes[-1].append(tuple(map(_number, losses)) if is_tuple else _number(losses))
            return losses

        return record

    def _next_of(self, replayed: Position) -> Any:
        """Return the loss of the next batch that is replayed, of which nothing can be learned."""
        assert self.position is not None, "a batch is in an epoch"
        number = len(self.position.passes) - 1
        losses = replayed.passes[number][len(self.position.passes[number])]
        return tuple(map(_leaf, losses)) if isinstance(losses, tuple) else _leaf(losses)

    def batches(self, loader: Any) -> Iterator[Any]:
        """Yield the batches of a loader, with a point before each but the first of an epoch.

        Args:
            loader: The loader.
        """
        position, replayed = self.position, self._replayed
        assert position is not None, "the trainer goes through its loader in an epoch"
        number, done = len(position.passes), 0
        position.passes.append([])
        if replayed is None:
            position.order = loader.generator.get_state()
            batches = iter(loader)
        else:
            done = len(replayed.passes[number])
            yield from [_NoBatch()] * done
            if number + 1 < len(replayed.passes):
                return
            position.order = replayed.order
            loader.generator.set_state(replayed.order)
            batches = iter(loader)
            for _ in range(done):
                batches._next_index()  # without drawing what belongs to the batch
            self._replayed = None
            self._arrive()
        is_new = replayed is not None or number == 0
        while True:
            if not is_new and done == len(position.passes[-1]):  # else its losses are not among those recorded
                self._point()
            is_new = False
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch
            done += 1


class _Batches:
    """A loader whose batches are counted.

    Args:
        loader: The loader.
        course: What counts them.
    """

    def __init__(self, loader: Any, course: Course) -> None:
        self._loader, self._course = loader, course

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        return self._course.batches(self._loader)


class _NoBatch:
    """Stands for a batch whose loss is known."""

    def to(self, _: Any) -> _NoBatch:
        return self


def _number(loss: Any) -> float:
    return float(loss.item())


def _leaf(loss: float) -> Any:
    return torch.tensor(loss, dtype=torch.float64, requires_grad=True)


def _loaders(loader: Any) -> dict[str, Any]:
    """Return the loaders that draw from generators of their own: the loader, or those that it consists of."""
    loaders = {"": loader, **(vars(loader) if not hasattr(loader, "generator") else {})}
    return {
        name: part for name, part in loaders.items() if isinstance(getattr(part, "generator", None), torch.Generator)
    }
