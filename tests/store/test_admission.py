"""Which Fit may begin beside others: nothing is promised twice, all get their turn, and nobody waits longer than for its elders."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from omnibench.store.admission import CORES, GPUS, MEMORY, Capacity, Needs, Obstacle, dealt_gpus, never_fits, obstacle

MACHINE = Capacity(24, 8.0, 2)


@dataclass
class Fit:
    """A Fit of a simulated machine."""

    needs: Needs
    seconds: int
    turn: int = 0
    elders: set[int] = field(default_factory=set)
    """Those that computed, or waited, when it began to wait: nobody else may keep it waiting."""
    cards: list[str] = field(default_factory=list)


NEEDS = st.builds(
    Needs,
    memory=st.integers(0, 24),
    cores=st.sampled_from([1.0, 2.0, 4.0, 8.0]),
    asks_cores=st.just(True),
    gpus=st.sampled_from([0, 1, 2, 0.25, 0.5, 0.75]),
)
ARRIVALS = st.lists(st.tuples(NEEDS, st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=25)


def room_beside(computing: dict[int, Fit]) -> int:
    assert MACHINE.memory is not None
    return MACHINE.memory - sum(fit.needs.memory for fit in computing.values())


@given(ARRIVALS, st.randoms(use_true_random=False))
def test_all_get_what_they_need_and_none_starves(arrivals: list[tuple[Needs, int, int]], random: object) -> None:
    """Whatever comes, in whatever order those that wait look: sums fit, all end, and only elders are waited for."""
    shuffle = getattr(random, "shuffle")  # noqa: B009 - hypothesis' own Random
    coming = [(needs, seconds, gap) for needs, seconds, gap in arrivals]
    computing: dict[int, Fit] = {}
    waiting: dict[int, Fit] = {}
    ended: set[int] = set()
    turn = clock = number = 0
    next_arrival = 0
    while coming or computing or waiting:
        while coming and clock >= next_arrival:
            needs, seconds, gap = coming.pop(0)
            turn += 1
            waiting[number] = Fit(needs, seconds, turn, {*computing, *waiting})
            number, next_arrival = number + 1, clock + gap
        looking = list(waiting)
        shuffle(looking)
        for key in looking:
            fit = waiting[key]
            ahead = sorted((each for each in waiting.values() if each.turn < fit.turn), key=lambda each: each.turn)
            having = list(computing.values())
            hindrance = obstacle(fit.needs, MACHINE, having, ahead, room_beside(computing))
            dealt = hindrance or dealt_gpus(fit.needs.gpus, ["0", "1"], having, ahead, None)
            if not isinstance(dealt, Obstacle):
                turn += 1
                computing[key] = Fit(fit.needs, fit.seconds, turn, cards=dealt)
                del waiting[key]
            else:
                assert fit.elders - ended, "who has outlived all of its elders begins"
        amounts = [fit.needs for fit in computing.values()]
        assert sum(needs.memory for needs in amounts) <= 24
        assert sum(needs.cores for needs in amounts) <= 8
        for card in ("0", "1"):
            assert sum(min(fit.needs.gpus, 1) for fit in computing.values() if card in fit.cards) <= 1
        assert all(len(fit.cards) == ceil(fit.needs.gpus) for fit in computing.values())
        assert computing or not waiting, "nobody computes, and yet somebody waits"
        clock += 1
        for key, fit in list(computing.items()):
            fit.seconds -= 1
            if not fit.seconds:
                del computing[key]
                ended.add(key)


@given(st.lists(st.floats(0.1, 8.0), max_size=8), st.floats(0.1, 8.0))
def test_who_says_nothing_of_cores_waits_for_none(shares: list[float], share: float) -> None:
    """As long as nobody says anything, workers compute side by side however many there are."""
    computing = [Fit(Needs(cores=each), 1) for each in shares]
    assert obstacle(Needs(cores=share), MACHINE, computing, (), None) is None


def test_who_says_nothing_waits_for_who_does() -> None:
    """All cores of the machine are another's; and it does not pass who waits for all of them."""
    whole = Fit(Needs(cores=8.0, asks_cores=True), 1, turn=1)
    assert obstacle(Needs(cores=4.0), MACHINE, [whole], (), None) == Obstacle(CORES, 0)
    assert obstacle(Needs(cores=4.0), MACHINE, [], [whole], None) == Obstacle(CORES, 0, has_come_before=True)


def test_the_small_passes_the_large_where_that_leaves_room() -> None:
    """Sixteen wait for what twelve have: eight more begin meanwhile, but not nine, and not eight twice."""
    twelve, sixteen, four = (Fit(Needs(size), 1, turn) for size, turn in ((12, 1), (16, 2), (4, 3)))
    assert obstacle(Needs(8), MACHINE, [twelve], [sixteen], 12) is None
    assert obstacle(Needs(9), MACHINE, [twelve], [sixteen], 12) == Obstacle(MEMORY, 0, has_come_before=True)
    assert obstacle(Needs(8), MACHINE, [twelve, four], [sixteen], 8) == Obstacle(MEMORY, 0, has_come_before=True)
    assert obstacle(Needs(4), MACHINE, [twelve, four], [sixteen], 8) is None


def test_who_has_most_of_it_is_waited_for() -> None:
    """The obstacle names the Fit that has most of what is lacking; nobody where strangers have it."""
    small, large = Fit(Needs(2, 1.0, True, 1), 1), Fit(Needs(20, 2.0, True, 1), 1)
    assert obstacle(Needs(4), MACHINE, [small, large], (), 2) == Obstacle(MEMORY, 1)
    assert obstacle(Needs(0, 6.0, True), MACHINE, [small, large], (), 2) == Obstacle(CORES, 1)
    assert obstacle(Needs(gpus=1), MACHINE, [small, large], (), 2) == Obstacle(GPUS, 0)
    assert obstacle(Needs(4), MACHINE, [], (), 2) == Obstacle(MEMORY, -1)


def test_shares_add_up() -> None:
    """Three thirds of a core are one, whatever floating point numbers say."""
    thirds = [Fit(Needs(cores=1 / 3, asks_cores=True), 1) for _ in range(2)]
    assert obstacle(Needs(cores=1 / 3, asks_cores=True), Capacity(None, 1.0, 0), thirds, (), None) is None


def test_what_never_fits() -> None:
    """However long it waits; of memory only where anybody knows how much there is."""
    assert never_fits(Needs(25), MACHINE) == MEMORY
    assert never_fits(Needs(24, 9.0), MACHINE) == CORES
    assert never_fits(Needs(24, 8.0, True, 3), MACHINE) == GPUS
    assert never_fits(Needs(24, 8.0, True, 2), MACHINE) == ""
    assert never_fits(Needs(25), MACHINE._replace(memory=None)) == ""


def test_parts_share_the_fullest_gpu() -> None:
    """Two halves are on one GPU, so that the other stays whole; three quarters wait for who has a half of each."""
    half = Fit(Needs(gpus=0.5), 1, cards=["1"])
    assert dealt_gpus(0.5, ["0", "1"], [half], (), None) == ["1"]
    assert dealt_gpus(1, ["0", "1"], [half], (), None) == ["0"]
    both = [half, Fit(Needs(gpus=0.5), 1, cards=["0"])]
    assert dealt_gpus(0.75, ["0", "1"], both, (), None) == Obstacle(GPUS, 0)
    assert dealt_gpus(0, ["0", "1"], both, (), None) == []
    assert never_fits(Needs(gpus=0.5), MACHINE._replace(gpus=0)) == GPUS
