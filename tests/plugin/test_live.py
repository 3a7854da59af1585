"""What a run shows of itself: the counts, the words, and a whole run on a terminal."""

from __future__ import annotations

import itertools
import logging
import re
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pexpect
import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.projects import Project

from omnibench import NDCG, ExperimentPlan, Grid, LensKit, MakeImplicit, UserCrossValidation, from_frame
from omnibench.engine.estimates import Estimates
from omnibench.engine.live import PLAIN_SECONDS, progress_text
from omnibench.engine.time_left import clock
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.plugin.live import Live, Tally
from omnibench.plugin.wire import ItemMessage
from omnibench.store import CheckpointStore
from omnibench.store.leases import lease
from omnibench.store.logbook import NAME, NOTICE, LogBook
from omnibench.store.schema import timestamp

pytestmark = pytest.mark.usefixtures("made_up_records")


def some_experiments() -> list[Experiment]:
    """Eight items: an algorithm with one fold's configuration, and one with three."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"user": rng.integers(0, 9, 90), "item": rng.integers(0, 9, 90), "rating": 5})
    plan = ExperimentPlan()
    plan.add_algorithm(LensKit.PopScorer)
    plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([5, 10, 20])})
    data = from_frame(frame, "tiny").pipe(MakeImplicit(2), UserCrossValidation(2))
    return experiments(data, plan, [NDCG(10)], versions=lambda _: "1", seeds=[1])


EXPERIMENTS = some_experiments()
ITEMS: Any = [SimpleNamespace(nodeid=one.name, experiment=one) for one in EXPERIMENTS]


def report(nodeid: str, outcome: str, when: str = "call", **message: Any) -> Any:
    """A report of pytest's."""
    outcomes = {name: outcome == name for name in ("passed", "failed", "skipped")}
    pytest_report = SimpleNamespace(nodeid=nodeid, when=when, outcome=outcome, **outcomes)
    if message:
        result = EXPERIMENTS[0].result({})
        ItemMessage(**message, result=result, replayed=False, lower_is_better=()).attach(pytest_report)
    return pytest_report


def run_of(outcome: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What pytest reports of an item that ends in a certain way: outcome, phase, and what is told."""
    seconds = {"Fit": 2.0, "Predict": 1.0, "Eval": 0.1}
    endings: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
        "done": [("passed", "setup", {}), ("passed", "call", {"status": "done", "seconds": seconds})],
        "failed": [("passed", "setup", {}), ("failed", "call", {"status": "failed", "seconds": {}})],
        "body": [("passed", "setup", {}), ("failed", "call", {"status": "done", "seconds": seconds})],
        "fixture": [("failed", "setup", {})],
        "skipped": [("skipped", "setup", {})],
        "crashed": [("failed", "???", {})],
        "again": [
            ("passed", "setup", {}),
            ("rerun", "call", {"status": "failed", "seconds": {}}),
            ("passed", "setup", {}),
            ("passed", "call", {"status": "done", "seconds": seconds}),
        ],
        "teardown": [
            ("passed", "setup", {}),
            ("passed", "call", {"status": "cached", "seconds": {}}),
            ("failed", "teardown", {}),
        ],
    }
    return endings[outcome]


COUNTED = {
    "done": "done",
    "failed": "failed",
    "body": "failed",
    "fixture": "failed",
    "skipped": "skipped",
    "crashed": "failed",
    "again": "done",
    "teardown": "cached",
}


@given(st.dictionaries(st.integers(0, len(ITEMS) - 1), st.sampled_from(sorted(COUNTED))), st.integers(0, 100))
def test_every_item_counts_once(endings: dict[int, str], cached: int) -> None:
    """However items end, each is counted once, as what it became; the rest is pending, and counts in the time left."""
    tally = Tally(ITEMS, cached, Estimates())
    for number, ending in endings.items():
        for outcome, when, told in run_of(ending):
            tally.count_report(report(ITEMS[number].nodeid, outcome, when, **told))
    expected = Counter(COUNTED[ending] for ending in endings.values())
    expected["cached"] += cached
    assert +tally.ended == +expected
    assert tally.pending == len(ITEMS) - len(endings)
    assert tally.total == len(ITEMS) + cached
    left = tally.time_left({}, 1)
    assert left.estimated + left.unknown == tally.pending
    words = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)(?:,|$)", str(tally).split(":")[1])}
    assert words == {**{name: n for name, n in expected.items() if n}, "pending": tally.pending}


def test_reports_of_others_do_not_count() -> None:
    """Ordinary tests beside benchmarks are not items, and an item that ended twice is counted once."""
    tally = Tally(ITEMS[:2], 0, Estimates())
    tally.count_report(report("test_plain.py::test_one", "passed"))
    for _ in range(2):
        tally.count_report(report(ITEMS[0].nodeid, "passed", status="done", seconds={}))
    assert str(tally) == "1/2 items: 1 done, 1 pending"


def test_what_is_left_is_learned_from_what_is_done() -> None:
    """After one fold of a configuration took 40 s, its other fold is expected to take as long; before, nobody knows."""
    knn = [item for item in ITEMS if "ItemKNN" in item.nodeid]
    tally = Tally(knn[:2], 0, Estimates())
    assert str(tally.time_left({}, 1)) == "time left unknown"
    tally.count_report(
        report(knn[0].nodeid, "passed", status="done", seconds={"Fit": 30.0, "Predict": 10.0, "Eval": 5.0})
    )
    assert str(tally.time_left({}, 1)) == "about 40s left"
    assert str(tally.time_left({knn[1].nodeid: 15.0}, 1)) == "about 25s left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (8.9, "8s"), (59.99, "59s"), (60, "1:00"), (185, "3:05"), (3600, "1:00:00"), (7385, "2:03:05")],
)
def test_clock(seconds: float, text: str) -> None:
    """Durations as people write them."""
    assert clock(seconds) == text


def test_progress_text() -> None:
    """Epochs when the framework tells both numbers, and every measured value; nothing of what it did not tell."""
    assert progress_text({}) == ""
    assert progress_text({"epoch": 3, "epochs": 20, "loss": 0.41234567}) == ", epoch 3 of 20, loss 0.4123"
    trial = {"trial": 12, "trials": 30, "best": 0.31214, "metric": "NDCG@10"}
    assert progress_text(trial) == ", trial 12 of 30, best so far NDCG@10 0.3121"
    first = {"trial": 1, "trials": 30, "best": None, "metric": "NDCG@10", "epoch": 2, "epochs": 9}
    assert progress_text(first) == ", trial 1 of 30, epoch 2 of 9"
    assert progress_text({"trial": 3, "trials": None, "best": None, "metric": "NDCG@10"}) == ", trial 3"
    assert progress_text({"epoch": 3}) == ", epoch 3"
    assert progress_text({"loss": 0.5, "iteration": 3, "iterations": 20}) == ", iteration 3 of 20, loss 0.5"
    assert progress_text({"stage": "factors", "iteration": 7, "left": None}) == ", stage factors, iteration 7"


def test_silence_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches sees for how long a guest has given no sign of life, and whether that is because it is stopped."""
    run = Run(tmp_path / "store", monkeypatch, terminal=True)
    (run.store.root / "alive").touch()
    with lease(run.store.root / "alive"):
        for name, silence in (("gw0", {"seconds": 40, "stopped": False}), ("gw1", {"seconds": 15, "stopped": True})):
            run.worker(name, "tiny/A", "alive", silence=silence, progress={"epoch": 3})
        run.live._look()
        assert [re.sub(r"\d+s:", "Ns:", line) for line in run.shown[-1][1:]] == [
            "  gw0: Fit, epoch 3, no answer for 40 s, Ns: tiny/A",
            "  gw1: Fit, epoch 3, no answer for 15 s (its process is stopped), Ns: tiny/A",
        ]
    run.store.close()


class Run:
    """A store with workers in it, and a Live that looks at them without a thread."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        self.store = CheckpointStore(directory)
        reporter = SimpleNamespace(isatty=terminal, _tw=None)
        option = SimpleNamespace(dist="no", capture="fd")
        manager = SimpleNamespace(get_plugin=lambda name: {"terminalreporter": reporter}[name])
        session: Any = SimpleNamespace(
            config=SimpleNamespace(option=option, pluginmanager=manager), directory=directory, run_id="20260101T0-ab"
        )
        self.option = option
        self.shown: list[list[str]] = []
        self.said: list[str] = []
        self.tally = Tally(ITEMS, 0, Estimates())
        self.live = Live(session, self.tally)
        screen: Any = SimpleNamespace(show=self.shown.append, say=self.said.append)
        self.live._screen = screen

    def worker(self, name: str, item: str | None, lock: str, **more: Any) -> None:
        """Record a worker of the run."""
        id_ = f"20260101T0-ab.{name}.ffffff"
        facts = {"id": id_, "item": item, "phase": "Fit", "progress": None, "lock": lock, **more}
        self.store.records.note({f"worker/{id_}": facts})


def test_each_living_worker_has_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line per worker with item, phase, epoch and time; none for the idle, the dead, or those of other runs."""
    run = Run(tmp_path / "store", monkeypatch, terminal=True)
    (run.store.root / "alive").touch()
    (run.store.root / "dead").touch()
    with lease(run.store.root / "alive"):
        run.worker("gw0", "tiny/A/fold_0", "alive", progress={"epoch": 2, "epochs": 9})
        run.worker("gw1", None, "alive")
        run.worker("gw2", "tiny/A/fold_1", "dead")
        run.store.records.note({"worker/other.gw0.1": {"id": "other.gw0.1", "item": "x", "lock": "alive"}})
        run.live._look()
        (head, *lines) = run.shown[-1]
        assert re.fullmatch(r"omnibench 0/8 items: 8 pending; \ds elapsed, time left unknown", head)
        assert [re.sub(r"\d+s:", "Ns:", line) for line in lines] == ["  gw0: Fit, epoch 2 of 9, Ns: tiny/A/fold_0"]
        run.worker("gw0", None, "alive")
        run.live._look()
        assert len(run.shown[-1]) == 1
    run.store.close()


def test_a_line_tells_of_the_newest_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the item, which a narrow terminal cuts last: the moment that it is of, its age and size."""
    run = Run(tmp_path / "store", monkeypatch, terminal=True)
    (run.store.root / "alive").touch()
    newest = {"name": "s", "iteration": 7, "iterations": 9, "unit": "epoch", "made": timestamp(), "bytes": 4_100_000}
    with lease(run.store.root / "alive"):
        run.worker("gw0", "tiny/A/fold_0", "alive", snapshot=newest)
        run.live._look()
        line = re.sub(r"\b\d+ ?s", "Ns", run.shown[-1][1])
        assert line == "  gw0: Fit, Ns: tiny/A/fold_0 (snapshot after epoch 7 of 9, Ns ago, 4.1 MB)"
    run.store.close()


def test_what_two_workers_say_alike_is_shown_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That an algorithm has nothing to snapshot, each of them finds out; what one of them says twice has happened twice."""
    run = Run(tmp_path / "store", monkeypatch, terminal=True)
    for worker in ("gw0", "gw0", "gw1"):
        log = LogBook(run.store.root / NAME, "20260101T0-ab", worker)
        log.add(logging.WARNING, NOTICE, "EASE: nothing to snapshot")
        log.flush()
    run.live._look()
    assert run.said == ["omnibench: EASE: nothing to snapshot"] * 2
    run.store.close()


def test_time_left_is_shared_by_who_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes need half as long, also before they are busy; what runs longer than its kind does is unknown."""
    run = Run(tmp_path / "store", monkeypatch, terminal=True)
    run.option.tx = ["popen", "popen"]
    for experiment in EXPERIMENTS:
        run.tally.estimates.learn(experiment.dataset_name, experiment.algorithm_name, 30.0)
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    (run.store.root / "alive").touch()
    with lease(run.store.root / "alive"):
        run.live._started = 1000.0

        def head() -> str:
            run.live._look()
            return run.shown[-1][0]

        assert head().endswith("0s elapsed, about 2:00 left"), "8 items of 30 s, though nobody has begun"
        for number in range(2):
            run.worker(f"gw{number}", EXPERIMENTS[number].name, "alive")
        assert head().endswith("0s elapsed, about 2:00 left")
        now[0] += 20
        assert head().endswith("20s elapsed, about 1:40 left")
        run.worker("gw0", EXPERIMENTS[0].name, "alive", phase="Predict")
        assert head().endswith("20s elapsed, about 1:40 left"), "an item began with its first phase"
        run.worker("gw1", None, "alive")
        now[0] += 20
        assert head().endswith("40s elapsed, about 1:45 left"), "the rest of one is over, seven wait"
        now[0] += 100
        assert head().endswith("2:20 elapsed, about 1:45 left, 1 item unknown"), "nobody knows when the first ends"
    run.store.close()


def test_without_a_terminal_a_line_every_half_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On CI and in files: no block, and one plain line at most every 30 s."""
    assert PLAIN_SECONDS == 30
    run = Run(tmp_path / "store", monkeypatch, terminal=False)
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    spoken = []
    for _ in range(40):
        now[0] += 3
        run.live._look()
        spoken.append(len(run.said))
    assert run.shown == []
    assert len(run.said) in (3, 4)
    assert max(second - first for first, second in itertools.pairwise(spoken)) == 1
    assert all(re.match(r"omnibench: 0/8 items: 8 pending; .* elapsed, time left unknown$", line) for line in run.said)
    run.store.close()


@pytest.mark.parametrize(
    ("change", "watched"),
    [
        ({}, True),
        ({"CI": "true"}, False),
        ({"TERM": "dumb"}, False),
        ({"capture": "no"}, False),
        ({"capture": "tee-sys"}, False),
        ({"isatty": 0}, False),
    ],
)
def test_who_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], watched: bool) -> None:
    """A block needs a terminal that can move its cursor, nobody else who prints to it, and a person."""
    run = Run(tmp_path / "store", monkeypatch, terminal=True)
    for name, value in change.items():
        if name.isupper():
            monkeypatch.setenv(name, value)
        elif name == "capture":
            run.option.capture = value
        else:
            run.live._reporter.isatty = bool(value)
    assert run.live._on_terminal is watched
    run.live.pytest_enter_pdb()
    run.live._look()
    assert [one for one in run.shown if one] == [], "a debugger has the terminal for itself"
    run.live.pytest_leave_pdb()
    run.live._look()
    assert bool([one for one in run.shown if one]) is watched
    run.store.close()


class Watched:
    """A run of pytest on a terminal of 100 x 30, watched through an emulator."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("PYTHONPATH", str(project.pytester.path))
        self._child = pexpect.spawn(
            sys.executable, ["-m", "pytest", *arguments], cwd=project.pytester.path, dimensions=(30, 100), timeout=300
        )
        self.screen = pyte.HistoryScreen(100, 30, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self.seen: list[str] = []

    def watch(self) -> list[str]:
        """Go on to the end; return what is on the screen then, noting every state in between."""
        while True:
            try:
                self._stream.feed(self._child.read_nonblocking(65536, timeout=300))
            except pexpect.EOF:
                break
            self.seen += [line.rstrip() for line in self.screen.display]
        self._child.close()
        return [line.rstrip() for line in self.screen.display]


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "2"])
def test_a_run_on_a_terminal(project: Project, monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    """The block shows counts, times, and what each worker does; when the run is over, nothing of it is left."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 1.2, "tag": Grid([0, 1])})')
    run = Watched(project, monkeypatch, "-n", workers)
    end = run.watch()
    head = r"omnibench \d/4 items: .*\d pending; \d+s elapsed, "
    assert any(re.fullmatch(head + "time left unknown", line) for line in run.seen)
    assert any(re.fullmatch(head + r"about [1-9]\d*s left", line) for line in run.seen)
    assert not any("4 pending" in line and "about" in line for line in run.seen), "before anything has ended"
    names = ("gw0", "gw1") if workers == "2" else ("main",)
    for name in names:
        doing = rf"  {name}: Fit, \d+s: tiny/Slow\S*/fold_\d"
        assert any(re.fullmatch(doing, line) for line in run.seen), name
    text = "\n".join(end)
    assert "4 passed" in text
    assert "pending; " not in text
    assert not re.search(r"^  (gw\d|main): ", text, re.MULTILINE)
    assert re.search(r"^(bench_tiny\.py )?\.{4} +\[100%\]$", text, re.MULTILINE), text
    if workers == "2":
        assert "2 workers [4 items]" in text


@pytest.mark.parametrize("option", ["-s", "--capture=tee-sys"])
def test_prints_of_a_class_are_shown_as_it_runs(project: Project, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """With -s the prints of a class stand among those of the body, whole, and no block gets between them."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 1.2})', body='print("the body of fold", result.fold)')
    run = Watched(project, monkeypatch, option, "-p", "no:randomly")
    text = "\n".join(run.watch())
    assert "2 passed" in text
    assert re.findall(r"fitting Popular on \d+$|the body of fold \d$", text, re.MULTILINE) == [
        *re.findall(r"fitting Popular on \d+$", text, re.MULTILINE)[:1],
        "the body of fold 0",
        *re.findall(r"fitting Popular on \d+$", text, re.MULTILINE)[1:],
        "the body of fold 1",
    ]
    assert len(re.findall("fitting Popular", text)) == 2
    assert not any("pending; " in line for line in run.seen)


def test_prints_of_a_class_are_captured_by_default(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without -s they are in the store's log only, as pytest captures the prints of tests that pass."""
    project.bench()
    run = Watched(project, monkeypatch)
    assert "fitting Popular" not in "\n".join(run.watch() + run.seen)
    assert "fitting Popular" in (project.pytester.path / "checkpoints" / "out.log").read_text()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_run_without_the_display(project: Project, workers: str) -> None:
    """Who blocks its plugin has the same run, which shows nothing of itself meanwhile."""
    project.run("-p", "no:omnibench-live", workers).assert_outcomes(passed=2)
