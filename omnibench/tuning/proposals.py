"""What a search tries next: a pure function of its key, a trial's number, and the finished trials of earlier rounds."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, cast

from omnibench.errors import PlanError
from omnibench.tuning.budget import GRID, TPE, Tuning
from omnibench.tuning.sequences import PointSequence
from omnibench.tuning.space import Space
from omnibench.tuning.trials import Trial


def check_sampler(space: Space, tuning: Tuning, name: str) -> None:
    """Refuse a sampler that cannot search a space; a sampler of Optuna is asked for a first trial.

    Args:
        space: The space.
        tuning: What names the sampler.
        name: What the error calls the algorithm.

    Raises:
        PlanError: The grid of the space has no end, or the sampler cannot propose a point of it.
    """
    _check_grid(space, tuning, name)
    if not isinstance(tuning.sampler, str | Mapping):
        try:
            Proposals(space, tuning, "", tuning.higher_is_better, {}).propose(1, [])
        except PlanError as error:
            raise PlanError(f"{name}: {error}") from error


def _check_grid(space: Space, tuning: Tuning, name: str) -> None:
    if tuning.sampler == GRID and space.size is None:
        endless = next(dimension for dimension in space.dimensions if dimension.distribution.count is None)
        raise PlanError(
            f"{name}: {endless.name} is {endless.distribution.words}, all numbers of a range, which have no grid; give its values, "
            f'e.g. Choice([...]) or Float(low, high, step=...), or search with sampler="sobol".'
        )


class _Adaptive(Protocol):
    """What proposes by the results of earlier rounds."""

    def propose(self, number: int, first: int, earlier: Sequence[Trial]) -> dict[str, Any] | None:
        """Return the point of a trial of the round that begins at a number; None where there is none left."""


class Proposals:
    """The configurations that a search tries.

    The same in every process: what is asked for before, or has finished in the meantime, changes nothing.

    Args:
        space: What is searched.
        tuning: Which sampler, in which rounds.
        search_key: What all that is random is made of.
        higher_is_better: Whether the metric is maximised.
        defaults: The values that the algorithm has in trial 0, with those that are fixed.

    Raises:
        PlanError: The grid of the space has no end.
    """

    def __init__(
        self, space: Space, tuning: Tuning, search_key: str, higher_is_better: bool, defaults: Mapping[str, Any]
    ) -> None:
        _check_grid(space, tuning, "the search space")
        self._space = space
        self._tuning = tuning
        self._key = search_key
        self._higher_is_better = higher_is_better
        point = space.values_of(defaults)
        self._defaults = point if space.contains(point) else None

    def round_of(self, number: int) -> range:
        """Return the numbers that are proposed together with one: no trial of a round depends on another of it."""
        size = self._tuning.round_size
        if size is None:
            return range(sys.maxsize)
        first = number // size * size
        return range(first, first + size)

    def propose(self, number: int, finished: Sequence[Trial]) -> dict[str, Any] | None:
        """Return the hyperparameters of a trial, without the constants.

        Args:
            number: The trial's number; 0 has the algorithm's defaults.
            finished: Finished trials; those of earlier rounds count, all of which should be there.

        Returns:
            The values by name, nothing for trial 0; None where there is nothing left to try: each point of a finite space
            is proposed once, with the defaults as the first where they are one.

        Raises:
            PlanError: A sampler of the user's fails, or proposes a value outside of the space.
        """
        if number == 0:
            return {}
        if self._adaptive is None:
            return self._sequence.point(number - 1)
        first = self.round_of(number).start
        earlier = sorted((trial for trial in finished if trial.number < first), key=lambda trial: trial.number)
        return self._adaptive.propose(number, first, earlier)

    @cached_property
    def _sequence(self) -> PointSequence:
        tried = [self._defaults] if self._defaults is not None else []
        return PointSequence(self._space, cast("str", self._tuning.sampler), self._key, tried)

    @cached_property
    def _adaptive(self) -> _Adaptive | None:
        """What takes results into account; None where the sampler takes none."""
        sampler = self._tuning.sampler
        if isinstance(sampler, str) and sampler != TPE:
            return None
        from omnibench.tuning.optuna_study import Replay, TreeParzen

        if isinstance(sampler, str):
            return TreeParzen(self._space, self._key, self._higher_is_better, self._defaults)
        if isinstance(sampler, Mapping):
            raise PlanError(
                f"{self._tuning.sampler_words} is known by its record only, so it cannot propose; give the sampler."
            )
        return Replay(self._space, sampler, self._key, self._higher_is_better, self._defaults, self.round_of)
