"""Strong generalisation: test users are not in training, and a part of their history is given at prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.arguments import checked_arguments
from omnibench.data.interactions import Interactions
from omnibench.data.order import first_rows, ranks
from omnibench.data.parts import Parts, Split
from omnibench.data.shares import (
    Counts,
    check_sizes,
    check_which,
    from_the_end,
    refuse_short_data,
    refuse_short_users,
    share,
)
from omnibench.data.step import random_keys

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


@checked_arguments
@dataclass(frozen=True)
class StrongGeneralization(Split):
    """Hold out random users entirely, and give a part of their history to recommend from (fold-in).

    The rest of their interactions is what is tested. Only algorithms that recommend from a history can be judged like
    this; a plan with others is refused before anything runs. It judges rankings, so it needs implicit data.

    Guarantees: no user is in training and in another part, or in validation and test; every test user has at least one
    given interaction and one in test, every validation user one given and one in validation, and each of them exactly
    the share that was asked for. With ``last`` nothing given is later than what is held out of the same user.

    Source: Liang, Krishnan, Hoffman and Jebara, "Variational Autoencoders for Collaborative Filtering", WWW 2018.

    Args:
        validation_users: A float below 1 is a fraction of the users, an int a number of them.
        test_users: The same for the test users; above zero.
        test_size: What is held out of each of these users: a float below 1 is a fraction, an int a number.
        which: ``random`` interactions are held out, or the ``last`` in time.

    Raises:
        DataError: A size is neither, nobody is left to train on, or there is no such choice.
    """

    validation_users: int | float = 0.1
    test_users: int | float = 0.1
    test_size: int | float = 0.2
    which: str = "random"

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",) if self.which == "last" else ()

    @property
    def folds_in(self) -> bool:
        return True

    @property
    def needs_order(self) -> bool:
        return self.which == "last"

    def check(self) -> None:
        check_sizes(self, self.validation_users, self.test_users, ("validation_users", "test_users"))
        check_sizes(self, 0, self.test_size)
        check_which(self, self.which)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        starts = first_rows(interactions.user, len(interactions.user_ids))
        counts = np.diff(starts)
        n_users = np.array([len(counts)])
        n_test, n_validation = (int(share(size, n_users)[0]) for size in (self.test_users, self.validation_users))
        refuse_short_data(self, len(counts), n_test + n_validation + 1, "users")
        random_order = np.argsort(random_keys(len(counts), seed, position, 1), kind="stable")
        test_users, validation_users = (np.zeros(len(counts), dtype=bool) for _ in range(2))
        test_users[random_order[:n_test]] = True
        validation_users[random_order[n_test : n_test + n_validation]] = True
        refuse_short_users(self, interactions, starts, self._needed_counts, test_users | validation_users)
        by_time = self.which == "last"
        rank = from_the_end(starts) if by_time else ranks(starts, random_keys(len(interactions), seed, position))
        held_out = rank < np.repeat(share(self.test_size, counts), counts)
        is_test, is_validation = np.repeat(test_users, counts), np.repeat(validation_users, counts)
        return [
            Parts(
                np.flatnonzero(~is_test & ~is_validation),
                np.flatnonzero(is_validation & held_out),
                np.flatnonzero(is_test & held_out),
            )
        ]

    def _needed_counts(self, counts: Counts) -> Counts:
        """Return how many interactions the split needs of users with these counts, one given interaction included."""
        return share(self.test_size, counts) + 1
