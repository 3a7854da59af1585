"""The circumstances of a fit: what a model's key says beside the algorithm, its hyperparameters and the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from omnibench.experiment.search import Search

FIXED, ALL = "fixed", "all"
"""The choices of threads beside a number: what is the same on every machine, and all cores."""

USUAL_THREADS = 1
"""The number of threads where it is fixed: that of a run with a worker for each core, and every machine has it."""


class Circumstances(NamedTuple):
    """What a configuration is fitted with, beside its hyperparameters.

    Members that came after the first release are no part of a key while they have their defaults, so that what was
    recorded without them is still there.

    Attributes:
        version: The framework's version.
        seed: The seed of everything random.
        device: The device class, ``cpu``, ``cuda`` or ``cuda-deterministic``.
        salt: A text that goes into every key, so that nothing computed without it is used.
        threads: The number of threads that a fit computes with, where its result depends on it; else 0.
        refit: The parts that the final model is fitted on, e.g. ``train+validation``; empty for the training part.
        search: How its hyperparameters are chosen; None where the plan gives them.
    """

    version: str
    seed: int
    device: str = "cpu"
    salt: str = ""
    threads: int = 0
    refit: str = ""
    search: Search | None = None

    @property
    def optional(self) -> dict[str, Any]:
        """The members that are part of a key only where they differ from their defaults, by name."""
        members: dict[str, Any] = {"refit": self.refit, "salt": self.salt, "threads": self.threads}
        if self.search is not None:
            members["search"] = self.search.identity
        return {name: value for name, value in members.items() if value}
