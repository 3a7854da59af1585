"""The batches of an epoch of RecPack's torch algorithms, counted, so that a Fit can go on between two of them.

An epoch that goes on is begun anew, with the random states of its beginning: the batches come in the same order, and
those that have been trained are passed over. Then all is put into the state that the snapshot has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from recpack.algorithms import GRU4Rec, MultVAE, RecVAE

from . import random_states


class Batches:
    """The batches of the current epoch.

    MultVAE and RecVAE draw an order of the users, and cut it by the function ``get_batches`` of their modules, RecVAE
    several times per epoch; the others sample by ``algorithm.sampler``, which GRU4Rec calls ``fit_sampler``. GRU4Rec computes a
    loss for each chunk of its sequences, and adds up those of a batch.

    Args:
        algorithm: The algorithm.
        mark: Marks a point after a batch.

    Attributes:
        done: How many batches of the epoch have been trained; 0 between two epochs.
    """

    def __init__(self, algorithm: Any, mark: Callable[[], None]) -> None:
        self.done = 0
        self._algorithm, self._mark = algorithm, mark
        self._source: Any = None
        self._name = ""
        self._at_beginning: Any = None
        self._losses: list[list[Any]] = []
        self._of_batch: list[Any] = []
        self._before: list[float] = []
        self._skipped, self._to_skip = 0, 0
        self._resumed: tuple[dict[str, Any], Callable[[], None]] | None = None

    def hook(self) -> None:
        """Count the batches of an algorithm that has its network."""
        is_autoencoder = isinstance(self._algorithm, MultVAE | RecVAE)
        module = sys.modules[type(self._algorithm).__module__]
        sampler = "fit_sampler" if isinstance(self._algorithm, GRU4Rec) else "sampler"
        self._source, self._name = (
            (module, "get_batches") if is_autoencoder else (getattr(self._algorithm, sampler), "sample")
        )
        original = getattr(self._source, self._name)
        setattr(self._source, self._name, lambda *arguments, **options: self._counted(original(*arguments, **options)))
        self._original = original
        compute = self._algorithm._compute_loss

        def noted(*arguments: Any) -> Any:
            loss = compute(*arguments)
            self._of_batch.append(loss.detach())
            return loss

        self._algorithm._compute_loss = noted

    def release(self) -> None:
        """Leave algorithm and module as they were."""
        vars(self._algorithm).pop("_compute_loss", None)
        if self._source is None:
            return
        if self._name == "sample":
            vars(self._source).pop(self._name, None)
        else:
            setattr(self._source, self._name, self._original)
        self._source = None

    def state(self) -> dict[str, Any]:
        """Return where the epoch is; its order follows from the random states at its beginning."""
        losses = [*self._before, *(sum(loss.item() for loss in of_batch) for of_batch in self._losses)]
        return {"done": self.done, "losses": losses, "random": self._at_beginning}

    def resume(self, state: dict[str, Any], overlay: Callable[[], None]) -> None:
        """Begin the next epoch where a snapshot has left it.

        Args:
            state: What ``state`` has returned.
            overlay: Puts algorithm and random states into what they were then.
        """
        self._resumed = state, overlay

    def train(self, train: Callable[[], list[float]]) -> list[float]:
        """Train an epoch, or the rest of one, and return the losses that the whole epoch has.

        Args:
            train: Trains it, and returns the losses of the batches since the users were last put into an order.
        """
        self._losses, self._before = [], []
        if self._resumed is not None:
            random_states.restore(self._resumed[0]["random"])
            self._skipped, self._to_skip = 0, self._resumed[0]["done"]
        self._at_beginning = random_states.capture()
        losses = train()
        self.done = 0
        return [*self._before, *losses]

    def _counted(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the batches that have not been trained, and mark a point after each."""
        self._losses, self._before = [], []
        for batch in batches:
            if self._resumed is not None:
                self._skipped += 1
                if self._skipped == self._to_skip:
                    self._go_on(*self._resumed)
                continue
            self._of_batch = []
            yield batch
            self._losses.append(self._of_batch)
            self.done += 1
            self._mark()

    def _go_on(self, state: dict[str, Any], overlay: Callable[[], None]) -> None:
        overlay()
        self._resumed, self._before, self.done = None, state["losses"], state["done"]
