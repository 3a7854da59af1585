"""The order in which sessions are submitted: when a worker has room, and first what the fewest workers could take."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from omnibench.cluster.worker_slots import WorkerSlots

LARGE, SMALL = (1, {"CPU": 8.0}), (1, {"CPU": 1.0})
EIGHT, ONE, NOTHING = {"CPU": 8.0}, {"CPU": 1.0}, dict[str, float]()


def slots_of(**workers: tuple[int, dict[str, float]]) -> WorkerSlots:
    """WorkerSlots on workers: how many sessions each takes at once, and what it declares."""
    slots = WorkerSlots()
    slots.note_workers(workers)
    return slots


def test_what_few_workers_can_take_comes_first() -> None:
    """It has come last, and gets the large worker as soon as that is free; what has asked for less waits on."""
    waiting = slots_of(large=LARGE)
    waiting.claim("first", NOTHING)
    small, large = waiting.claim("small", NOTHING), waiting.claim("large", EIGHT)
    waiting.note_workers({"large": LARGE, "other": (0, {})})
    assert not small.is_set()
    assert not large.is_set()
    waiting.note_workers({"large": LARGE, "small": SMALL})
    assert small.is_set(), "any worker will do for it"
    assert not large.is_set()
    waiting.claim("late", NOTHING)
    waiting.leave("first")
    assert large.is_set()


def test_where_a_session_is_counts() -> None:
    """A session is thought to be on the smallest worker until it is heard where Dask has put it."""
    waiting = slots_of(large=LARGE, small=SMALL)
    assert waiting.claim("session", NOTHING).is_set()
    waiting.note_location("session", "large")
    assert not waiting.claim("demanding", EIGHT).is_set()
    assert waiting.claim("modest", NOTHING).is_set(), "the small one is free"


def test_a_slot_is_given_back_once() -> None:
    """Who leaves twice, or was never submitted, gives no place away that another one has."""
    waiting = slots_of(large=LARGE)
    waiting.claim("first", NOTHING)
    second, third = waiting.claim("second", NOTHING), waiting.claim("third", NOTHING)
    for _ in range(2):
        waiting.leave("first")
    assert second.is_set()
    assert not third.is_set()
    waiting.leave("third")
    waiting.leave("second")
    assert not third.is_set(), "it does not wait any more"


def test_nothing_is_submitted_without_a_worker() -> None:
    """Until there is one; a session whose worker is gone does not count for those that are there."""
    waiting = WorkerSlots()
    first = waiting.claim("first", ONE)
    assert not first.is_set()
    waiting.note_workers({"small": SMALL})
    assert first.is_set()
    waiting.note_workers({"another": SMALL})
    assert waiting.claim("second", ONE).is_set()
    waiting.leave("first")
    assert not waiting.claim("third", ONE).is_set()


WORKERS = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.tuples(st.integers(1, 3), st.fixed_dictionaries({"CPU": st.sampled_from([1.0, 4.0, 8.0])})),
    min_size=1,
    max_size=5,
)
STEPS = st.lists(st.tuples(st.sampled_from(["claim", "leave"]), st.sampled_from([0.0, 1.0, 4.0, 8.0])), max_size=40)


@given(WORKERS, STEPS)
def test_workers_are_filled_and_not_more(
    workers: dict[str, tuple[int, dict[str, float]]], steps: list[tuple[str, float]]
) -> None:
    """Where no session asks for what it lacks, all places are used; and never more is given away than there is."""
    waiting, due = slots_of(**workers), {}
    for number, (step, cores) in enumerate(steps):
        if step == "claim":
            due[number] = cores, waiting.claim(str(number), {"CPU": cores} if cores else {})
        elif due:
            waiting.leave(str(next(iter(due))))
            due.pop(next(iter(due)))
        submitted = [cores for cores, is_due in due.values() if is_due.is_set()]
        assert len(submitted) <= sum(threads for threads, _ in workers.values())
        assert sum(submitted) <= sum(declared["CPU"] for _, declared in workers.values())
        if any(not cores and not is_due.is_set() for cores, is_due in due.values()):
            assert len(submitted) == sum(threads for threads, _ in workers.values())
        if not Counter(submitted)[8.0] and not submitted:
            largest = max(declared["CPU"] for _, declared in workers.values())
            assert all(cores > largest for cores, _ in due.values()), "nothing that could be computed waits"
