"""Which item a thread takes that computes on a cluster: the longest, but of each kind no more than workers could compute."""

from __future__ import annotations

from omnibench.engine.elsewhere import WaitingByDemand, _most_taken
from omnibench.experiment.resources import NOTHING_SAID, Resources

LARGE = Resources(cores=8)


def other_threads(waiting: WaitingByDemand, *kinds: Resources) -> None:
    """Have other threads be at items."""
    waiting._computing = dict(enumerate(kinds))


def test_of_a_kind_only_as_many_are_taken_as_workers_could_compute() -> None:
    """Else all threads would wait for the only worker that has what the longest items ask for."""
    waiting = WaitingByDemand([0, 1, 2, 3], [LARGE, LARGE, LARGE, NOTHING_SAID], {LARGE: 1, NOTHING_SAID: 4})
    assert waiting.next() == 0
    other_threads(waiting, LARGE, LARGE)
    assert waiting.next() == 3, "the large worker is at one already, and another one waits for it"
    assert waiting.next() == 1, "a thread that has ended its item does not count"
    assert waiting.next() == 2
    assert waiting.next() is None


def test_the_next_of_a_kind_waits_while_one_is_computed() -> None:
    """The largest worker would otherwise go to what any could compute, while what it has computed is evaluated."""
    waiting = WaitingByDemand([0, 1, 2], [LARGE, NOTHING_SAID, LARGE], {LARGE: 1, NOTHING_SAID: 4})
    other_threads(waiting, LARGE)
    assert waiting.next() == 0


def test_kinds_decide_how_many_items_are_begun_at_once() -> None:
    """Where all ask for the same, none waits, so that a session goes from item to item; of several kinds one of each does."""
    assert _most_taken(LARGE, {LARGE: 3}) == 3
    assert _most_taken(LARGE, {LARGE: 3, NOTHING_SAID: 4}) == 4
    assert _most_taken(LARGE, {LARGE: 0, NOTHING_SAID: 4}) == 0


def test_what_no_worker_could_compute_is_taken_last() -> None:
    """It waits for a worker that joins, and keeps nothing from the others."""
    slots = {LARGE: 0, NOTHING_SAID: 1}
    waiting = WaitingByDemand([0, 1, 2], [LARGE, NOTHING_SAID, LARGE], slots)
    assert waiting.next() == 1
    slots[LARGE] = 1  # one has joined
    assert waiting.next() == 0
    assert waiting.next() == 2
