"""Worker and guest share a core while items are small, and what a user has written computes on all of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from support.markers import starts_guests
from support.projects import Project

from omnibench.runners import shared_core
from omnibench.runners.machine import available_cores
from omnibench.runners.shared_core import LOOK_ITEMS, REST_ITEMS, SMALL_ITEMS, SharedCore

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="there are no cores to choose from"
)


@pytest.fixture
def cores() -> Iterator[list[int]]:
    """The cores of this process, which are its own again in the end."""
    before = os.sched_getaffinity(0)
    yield sorted(before)
    os.sched_setaffinity(0, before)


def after_small_items(core: SharedCore, count: int = SMALL_ITEMS) -> SharedCore:
    """Return a core after so many items that took no time."""
    for _ in range(count):
        with core.kept():
            pass
    return core


@pytest.mark.parametrize(
    ("worker", "workers", "expected"),
    [
        ("gw0", 2, 4),
        ("gw1", 2, 7),
        ("gw2", 4, 4),
        ("gw3", 4, 7),
        ("gw0", 1, None),  # cores are left for whatever it starts
        ("gw0", 3, None),  # one of the cores would have two workers, and the other one
        ("main", 2, None),
    ],
)
def test_cores_are_dealt_out_where_workers_fill_them(
    worker: str, workers: int, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker has the core of its number, where all cores have as many workers; else the system chooses."""
    monkeypatch.setattr(shared_core, "allowed_cores", lambda: {7, 4})
    assert SharedCore.dealt(worker, workers)._number == expected


def test_nothing_is_kept_on_the_only_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one core there is nothing to choose."""
    monkeypatch.setattr(shared_core, "allowed_cores", lambda: {3})
    assert SharedCore.dealt("gw0", 1)._number is None


def test_small_items_in_a_row_are_kept_on_one_core(cores: list[int]) -> None:
    """The first ones are computed anywhere, the next on the core; afterwards, and for whoever counts cores, there are all of them."""
    core = SharedCore(cores[1])
    for _ in range(SMALL_ITEMS):
        with core.kept():
            assert os.sched_getaffinity(0) == set(cores)
            assert core.number is None
    with core.kept():
        assert os.sched_getaffinity(0) == {cores[1]}
        assert core.number == cores[1]
        assert available_cores() == len(cores)
    assert os.sched_getaffinity(0) == set(cores)


def test_what_is_the_users_runs_on_all_cores(cores: list[int]) -> None:
    """Within an item that is kept, some work is done on every core."""
    core = after_small_items(SharedCore(cores[0]))
    with core.kept():
        with core.left():
            assert os.sched_getaffinity(0) == set(cores)
            assert core.number is None
        assert os.sched_getaffinity(0) == {cores[0]}


def test_an_error_leaves_all_cores(cores: list[int]) -> None:
    """An item that fails keeps nothing."""
    core = after_small_items(SharedCore(cores[0]))
    with pytest.raises(ValueError, match="failed"), core.kept():
        raise ValueError("failed")
    assert os.sched_getaffinity(0) == set(cores)


def test_an_item_that_takes_long_ends_it(cores: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long item the next ones are computed anywhere, until small ones follow each other again."""
    core = after_small_items(SharedCore(cores[0]))
    monkeypatch.setattr(shared_core, "SMALL_SECONDS", 0.0)
    with core.kept():
        pass
    monkeypatch.undo()
    with core.kept():
        assert core.number is None
    after_small_items(core, SMALL_ITEMS - 1)
    with core.kept():
        assert core.number == cores[0]


def test_a_long_answer_ends_it_at_once(cores: list[int]) -> None:
    """What leaves the core stays away for the rest of the item."""
    core = after_small_items(SharedCore(cores[0]))
    with core.kept():
        core.leave()
        assert os.sched_getaffinity(0) == set(cores)
        with core.left():
            pass
        assert core.number is None


def test_another_thread_may_end_it(cores: list[int]) -> None:
    """A guest's start is waited for in a thread of its own; the thread that was kept has all cores again, now and later."""
    core = after_small_items(SharedCore(cores[0]))
    with core.kept():
        thread = threading.Thread(target=core.leave)
        thread.start()
        thread.join()
        assert os.sched_getaffinity(0) == set(cores)
        assert core.number is None
    with core.kept():
        assert available_cores() == len(cores)
    assert os.sched_getaffinity(0) == set(cores)


def test_an_item_within_an_item_keeps_nothing_for_ever(cores: list[int]) -> None:
    """A thread that is kept already still knows its cores."""
    core = after_small_items(SharedCore(cores[0]))
    with core.kept(), core.kept():
        assert available_cores() == len(cores)
    assert os.sched_getaffinity(0) == set(cores)


def test_where_others_want_the_core_the_system_chooses(cores: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that waits for its core much of the time lets many items go by before it tries that again."""
    core = after_small_items(SharedCore(cores[0]))
    waited = iter(range(1000))
    monkeypatch.setattr(shared_core, "waited_seconds", lambda: float(next(waited)))
    after_small_items(core, LOOK_ITEMS + 1)
    for _ in range(REST_ITEMS + SMALL_ITEMS):
        with core.kept():
            assert core.number is None
    with core.kept():
        assert core.number == cores[0]


def test_who_waits_little_stays_on_the_core(cores: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting, items are kept as long as they are small."""
    core = after_small_items(SharedCore(cores[0]))
    monkeypatch.setattr(shared_core, "waited_seconds", lambda: 0.0)
    for _ in range(3 * LOOK_ITEMS):
        with core.kept():
            assert core.number == cores[0]


def test_waiting_for_a_core_is_measured(cores: list[int]) -> None:
    """Two processes on one core each wait for about as long as the other computes."""
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, {cores[0]})
        while True:
            pass
    try:
        os.sched_setaffinity(0, {cores[0]})
        before, began = shared_core.waited_seconds(), time.process_time()
        while time.process_time() - began < 0.3:
            pass
        assert shared_core.waited_seconds() - before > 0.1
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_core_that_may_not_be_used_any_more_keeps_nobody(cores: list[int]) -> None:
    """Where a process was given other cores meanwhile, these hold."""
    core = after_small_items(SharedCore(cores[0]))
    os.sched_setaffinity(0, {cores[1]})
    with core.kept():
        assert os.sched_getaffinity(0) == {cores[1]}
        assert core.number is None


WATCHING = """
import os, subprocess, sys, threading
from pathlib import Path
import pandas as pd
from omnibench import *
from omnibench.runners import shared_core

shared_core.SMALL_SECONDS, shared_core.MOST_WAITING = 60, 1  # also where the tests have little of the machine

def cores_of(command):
    return len(eval(subprocess.run([sys.executable, "-c", command], capture_output=True, text=True).stdout))

class Watching:
    def __init__(self, number): self.number = number

    def fit(self, train):
        seen = []
        thread = threading.Thread(target=lambda: seen.append(len(os.sched_getaffinity(0))))
        thread.start(); thread.join()
        seen.append(len(os.sched_getaffinity(0)))
        if self.number == 0:  # takes long
            seen.append(cores_of("import os; print(os.sched_getaffinity(0))"))
        worker = int(Path(f"/proc/{os.getppid()}/stat").read_text().rsplit(")", 1)[1].split()[1])
        waiting = len(os.sched_getaffinity(worker))
        Path(f"fits/{self.number}").write_text(f"{sorted(set(seen))} {waiting}")

    def recommend(self, users, k):
        Path(f"fits/{self.number}.predicts").write_text(str(len(os.sched_getaffinity(0))))
        return {user: [1, 2, 3] for user in users}

def cores_of_a_metric(hits, relevant):
    return hits[:, 0] * 0.0 + len(os.sched_getaffinity(0))

frame = pd.DataFrame([(user, item) for user in range(6) for item in range(8)], columns=["user", "item"])
data = from_frame(frame, "tiny").pipe(UserHoldout(0.0, 0.5))
plan = ExperimentPlan("watched")
plan.add_algorithm(Watching, {"number": Grid(list(range(NUMBERS)))})

@benchmark(data, plan, Evaluator(HitMetric(cores_of_a_metric, 5)))
def bench_watched(result):
    assert len(os.sched_getaffinity(0)) == 2
    assert set(result.metrics.values()) == {2.0}
"""


@starts_guests
def test_the_code_of_users_sees_all_cores_while_their_worker_waits_on_one(project: Project, cores: list[int]) -> None:
    """In a run that fills two cores: fits, their threads and children, predictions, metrics and bodies see both; the workers wait on one each."""
    numbers = 40
    project.pytester.makepyfile(bench_watched=WATCHING.replace("NUMBERS", str(numbers)))
    os.sched_setaffinity(0, set(cores[:2]))
    project.run_process("bench_watched.py", "-n", "2").assert_outcomes(passed=numbers)
    fits = {number: (project.fits / str(number)).read_text() for number in range(numbers)}
    assert {text.rpartition(" ")[0] for text in fits.values()} == {"[2]"}
    assert {(project.fits / f"{number}.predicts").read_text() for number in range(numbers)} == {"2"}
    assert sum(text.endswith(" 1") for text in fits.values()) >= numbers - 2 * (SMALL_ITEMS + 1)
