"""How many threads a fit computes with: fixed where its numbers depend on that, and then a part of its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnibench.experiment.circumstances import ALL, FIXED, USUAL_THREADS
from omnibench.runners.machine import available_cores

if TYPE_CHECKING:  # every pytest session imports this module
    from omnibench.experiment.configuration import Configuration


def keyed_threads(configuration: Configuration, choice: int | str = FIXED) -> int:
    """Return the number of threads that a configuration's key names; 0 where it names none.

    The number depends neither on the number of workers nor, unless ``all`` is chosen, on the machine. Of an algorithm of
    which nothing is known, as most classes of users, the usual number is not named: what was recorded before there was
    such a number keeps its key.

    Args:
        configuration: The algorithm and its hyperparameters.
        choice: ``fixed`` for the number that is the algorithm's own, ``all`` for as many as there are cores, or a number.
    """
    if configuration.depends_on_threads is False:
        return 0
    if choice == FIXED:
        threads = configuration.fixed_threads
    elif choice == ALL:
        threads = available_cores()
    else:
        threads = int(choice)
    is_unsaid = configuration.depends_on_threads is None and threads == USUAL_THREADS
    return 0 if is_unsaid else threads
