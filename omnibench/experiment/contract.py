"""The contract of users' own algorithms as types: for editors and type checkers, nothing has to inherit from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

Recommendations: TypeAlias = "Mapping[Any, Any] | Iterable[Any] | pd.DataFrame"
"""What ``recommend`` returns: lists by user, lists in the order of the users, or a frame; see ``RankingAlgorithm``."""


class ProgressReport(Protocol):
    """What ``fit`` gets as its argument ``report``: call it to show how far the training is, and to have snapshots of it."""

    @property
    def iteration(self) -> int:
        """The last iteration that was reported; first 0, or after a resume that of the snapshot.

        Begin the loop behind it: ``for iteration in range(report.iteration + 1, self.iterations + 1)``.
        """

    def __call__(self, **values: float | str | None) -> None:
        """Show values under any names in the live view and in the log, e.g. ``report(epoch=3, epochs=20, loss=0.4)``.

        ``iteration``, counted from 1, says that an iteration is finished: then a snapshot of the instance may be taken.
        """


class RankingAlgorithm(Protocol):
    """A class that recommends: ``fit`` and ``recommend``, on data without ratings.

    ``fit`` takes any of these arguments by name, and gets no other; the training part may have another name if it comes
    first:

    - ``train``: the frame of training interactions, with the columns user, item, and rating and timestamp (seconds)
      where the dataset has them.
    - ``validation``: such a frame, empty if the split has no validation part.
    - ``items`` and ``users``: frames of all ids of the dataset, in the columns ``item`` and ``user``.
    - ``report``: see ``ProgressReport``.

    ``recommend(users, k)`` gets a list of at most 256 user ids and the length of the lists, long enough that enough are
    left when what a user has already is taken out. With an argument ``history`` it also gets the frame of what is known
    of these users, and works for users who are unknown in training. It returns one of

    - ``{user: [item, ...]}``, best first; a user who is left out, or an empty list, gets no recommendations,
    - lists in the order of ``users``,
    - a frame with the columns user and item, and score or rank; without either, the rows are in order.

    An item may be an ``(item, score)`` pair, and a list a mapping from items to scores. Scores are ranked in float64,
    from the highest; ties stay in the order that they came in. Contradictions, such as ranks against scores, are
    errors, as are NaN, users who were not asked for, and items that the dataset does not have.
    """

    @property
    def fit(self) -> Callable[..., object]:
        """Learn from the training part; what it returns is ignored."""

    @property
    def recommend(self) -> Callable[..., Recommendations]:
        """Return recommendations for users."""


class RatingAlgorithm(Protocol):
    """A class that predicts ratings: ``fit`` as in ``RankingAlgorithm``, and ``predict``, on data with ratings.

    For ranking metrics it recommends what it rates highest, unless it has ``recommend`` as well.
    """

    @property
    def fit(self) -> Callable[..., object]:
        """Learn from the training part; what it returns is ignored."""

    @property
    def predict(self) -> Callable[..., npt.ArrayLike]:
        """Return a rating for each pair, given ``users`` and ``items``, arrays of ids of one length."""
