"""Which item a thread takes that computes on a cluster: the longest, but of each kind no more than workers could compute."""

from __future__ import annotations

from omnibench.engine.elsewhere import WaitingByDemand
from omnibench.experiment.resources import NOTHING_SAID, Resources

LARGE = Resources(cores=8)


def other_threads(waiting: WaitingByDemand, *kinds: Resources) -> None:
    """Have other threads be at items."""
    waiting._computing = dict(enumerate(kinds))


def test_of_a_kind_only_as_many_are_taken_as_workers_could_compute() -> None:
    """Else all threads would wait for the only worker that has what the longest items ask for."""
    waiting = WaitingByDemand([0, 1, 2], [LARGE, LARGE, NOTHING_SAID], {LARGE: 1, NOTHING_SAID: 4})
    assert waiting.next() == 0
    other_threads(waiting, LARGE)
    assert waiting.next() == 2, "the large worker is at one already"
    assert waiting.next() == 1, "a thread that has ended its item does not count"
    assert waiting.next() is None


def test_what_no_worker_could_compute_is_taken_last() -> None:
    """It waits for a worker that joins, and keeps nothing from the others."""
    slots = {LARGE: 0, NOTHING_SAID: 1}
    waiting = WaitingByDemand([0, 1, 2], [LARGE, NOTHING_SAID, LARGE], slots)
    assert waiting.next() == 1
    slots[LARGE] = 1  # one has joined
    assert waiting.next() == 0
    assert waiting.next() == 2
