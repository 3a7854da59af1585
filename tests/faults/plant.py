"""The plant that the faults are planted in: a small plan, taken through the real engine.

Coordinator, Attempt, CheckpointStore and phases are the real ones. Only the guests run in this process
instead of one of their own, so that a run takes some hundredths of a second.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from faults.algorithms import Popular, Shuffled
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.from_frame import from_frame
from omnibench.data.preprocess import CorePruning, MakeImplicit
from omnibench.data.split import UserCrossValidation
from omnibench.engine.coordinator import Coordinator
from omnibench.engine.policy import Policy
from omnibench.engine.run import ItemsFailedError
from omnibench.errors import GuestError, PrunedError, SnapshotError
from omnibench.experiment.algorithms import LensKit
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.plan import ExperimentPlan
from omnibench.experiment.planning import experiments
from omnibench.guest.base import Session
from omnibench.limits import resource_of
from omnibench.metrics import HR, MRR, NDCG
from omnibench.metrics.base import Metric
from omnibench.runners import own_guest as own
from omnibench.runners.info import RunnerInfo
from omnibench.runners.replies import OnEpoch, OnSnapshot, Replies
from omnibench.seed import get_random_state
from omnibench.store.exports import Exports
from omnibench.tables.layout import Layout, tables
from omnibench.tables.terminal import render

METRICS: tuple[Metric, ...] = (NDCG([5, 10]), HR(10))
ONE_MORE: tuple[Metric, ...] = (*METRICS, MRR(10))
"""What re-runs Eval alone."""
LONGER: tuple[Metric, ...] = (*METRICS, HR(30))
"""What re-runs Predict from the recorded models."""

# The harness's own files are written below whatever faults are injected into Python's functions.
_open, _write = os.open, os.write


class Work:
    """What was executed, counted outside of the store: one line when a phase begins, one when it has ended.

    Args:
        path: The file that every process of a test appends to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, moment: str, operation: str, key: str) -> None:
        """Append a line."""
        _write(self._descriptor, f"{moment} {operation} {key} {os.getpid()}\n".encode())


def executed(path: Path, moment: str = "begin") -> list[tuple[str, str]]:
    """Return (operation, fit key) of every phase that was begun (or ended), in order."""
    if not path.exists():
        return []
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    return [(operation, key) for when, operation, key, _ in lines if when == moment]


@contextmanager
def postponed_signals() -> Iterator[None]:
    """Let signals to stop wait until the end.

    A mask would not do: it holds for one thread, another one takes the signal, and Python handles it in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no handler runs here
        return
    arrived: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for arrival in arrived:
            signal.raise_signal(arrival)


class InProcessGuest:
    """Stands in for ``gateway.Guest``: the real session and adapter, in this process.

    Args:
        work: Where executions are counted.
        pause: Seconds that each Fit takes longer.
    """

    threads = 1
    alive = True
    host = ""

    def __init__(self, work: Work, pause: float = 0.0) -> None:
        self.pid = os.getpid()
        self._work = work
        self._pause = pause
        self._messages: list[dict[str, Any]] = []
        self._session = Session(own, self._messages.append)

    def ask(
        self,
        request: Mapping[str, Any],
        *_: Any,
        on_epoch: OnEpoch | None = None,
        on_snapshot: OnSnapshot | None = None,
        **__: Any,
    ) -> dict[str, Any]:
        """Answer a request as a guest process would, out of reach of the signals that the host gets."""
        replies = Replies(on_epoch, on_snapshot)
        self._session.send = partial(self._hear, replies)
        self._session.receive = lambda: replies.reply(self._messages[-1])
        with postponed_signals():
            self._work.note("begin", request["op"], request["fit_key"])
            if request["op"] == "fit" and self._pause:
                time.sleep(self._pause)
            answer = self._session.answer(dict(request))
            self._work.note("end", request["op"], request["fit_key"])
        self._messages.clear()
        replies.check()
        return checked(answer)

    def _hear(self, replies: Replies, message: dict[str, Any]) -> None:
        self._messages.append(message)
        if "snapshot" in message and not message.get("asks"):
            replies.note(message)


def checked(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a guest's answer, or raise what it says, as ``gateway.Guest.ask`` does."""
    if "pruned" in answer:
        epoch, value = answer["pruned"]
        raise PrunedError(epoch, value, answer["history"], costs=answer)
    if "unusable" in answer:
        raise SnapshotError(answer["unusable"], anew=bool(answer.get("anew")))
    if not answer["ok"] and resource_of(answer["error"]) == "files":  # a real guest has a limit of its own
        raise OSError(errno.EMFILE, answer["error"])
    if not answer["ok"]:
        raise GuestError(answer["error"], answer["traceback"], errno=answer["errno"], disk=answer["disk"])
    return answer


class InProcessGuests:
    """Stands in for ``pool.GuestPool``."""

    are_here = has_worker = True
    gpu: str | None = None

    def __init__(self, work: Work, pause: float = 0.0) -> None:
        self._make = partial(InProcessGuest, work, pause)
        self._guest = self._make()

    def warm(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """It is there."""

    def get(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> InProcessGuest:
        """Return the one guest."""
        return self._guest

    def is_alive(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> bool:
        """Say so."""
        return True

    def discard(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """Forget what it knows; the process is this one."""
        self._guest = self._make()

    def warm_if_room(self, runner: RunnerInfo, device: str = "cpu", threads: int = 0) -> None:
        """It is there."""

    def end_idle(self, *, only_gpus: bool = False) -> bool:
        """End none: it is this process."""
        return False

    def use_gpus(self, cards: list[str]) -> None:
        """It computes on none."""

    def ask_for(self, resources: dict[str, Any], *_: object) -> None:
        """It has what this process has."""

    def rest(self) -> None:
        """Stay as it is."""

    def leave(self) -> None:
        """Stay as it is."""

    def close(self) -> None:
        """Keep it: it is this process."""


def interactions() -> pd.DataFrame:
    """About 300 interactions."""
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "user": random.integers(0, 30, 420),
            "item": (random.pareto(1.0, 420) * 8).astype(int) % 60,
            "rating": random.integers(2, 6, 420),
        }
    ).drop_duplicates(["user", "item"])


@cache
def dataset() -> RecSysDataSet:
    """Two folds of them."""
    return from_frame(interactions(), "tiny").pipe(MakeImplicit(2), CorePruning(2), UserCrossValidation(2))


@cache
def plan() -> ExperimentPlan:
    """Two algorithms."""
    experiment_plan = ExperimentPlan("faults")
    experiment_plan.add_algorithm(Popular)
    experiment_plan.add_algorithm(Shuffled, {"strength": 3})
    return experiment_plan


def lenskit_plan() -> ExperimentPlan:
    """Two algorithms of LensKit."""
    experiment_plan = ExperimentPlan("faults")
    experiment_plan.add_algorithm(LensKit.PopScorer)
    experiment_plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": 10})
    return experiment_plan


@cache
def items() -> tuple[Experiment, ...]:
    """The four items, in their order."""
    return tuple(experiments(dataset(), plan(), METRICS, versions=lambda _: "", seeds=[get_random_state()]))


@dataclass(frozen=True)
class Errand:
    """What a run is asked to do.

    Attributes:
        root: The checkpoint directory.
        work: Where executions are counted.
        metrics: What is to be measured.
        reset: Items (by number) that are reset first.
        pause: Seconds that each Fit takes longer.
        failed: What is done about recorded failures.
        opened: The count, where a run may be unable to open it.
    """

    root: Path
    work: Path
    metrics: Sequence[Metric] = METRICS
    reset: tuple[int, ...] = ()
    pause: float = 0.0
    failed: str = "retry"
    opened: Work | None = None

    @property
    def inputs(self) -> tuple[RecSysDataSet, ExperimentPlan]:
        """The dataset and the plan."""
        return dataset(), plan()

    def guests(self) -> InProcessGuests:
        """Return what computes."""
        return InProcessGuests(self.opened or Work(self.work), self.pause)

    def __call__(self) -> dict[str, Any]:
        """Run it; what it finds and says is plain data.

        Returns:
            ``table`` (for people), ``values`` (every number in full precision, by item and label), ``failed``
            (messages by item), ``warnings`` and ``told``.
        """
        messages: list[str] = []
        evaluator, failed = Evaluator(*self.metrics), {}
        with (
            warnings.catch_warnings(record=True) as warned,
            # Only the first item and the end: by the clock, a slow run would have more operations than a quick one.
            mock.patch.object(Exports, "due", property(lambda exports: not exports._next)),
            Coordinator(
                self.root,
                policy=Policy(failed=self.failed),
                environments="current",
                threads=1,
                notify=messages.append,
            ) as coordinator,
        ):
            warnings.simplefilter("always")
            guests: Any = self.guests()
            coordinator.workbench.guests = guests
            if self.reset:
                coordinator.reset([items()[number] for number in self.reset])
            try:
                coordinator.run(*self.inputs, evaluator)
            except ItemsFailedError as error:
                failed = {name: str(failure) for name, failure in error.failures.items()}
        return {
            **results_of(evaluator),
            "failed": failed,
            "warnings": [str(warning.message) for warning in warned],
            "told": messages,
        }


@dataclass(frozen=True)
class RealErrand:
    """A run of LensKit's algorithms in guests of their own, as users have it.

    Attributes:
        root: The checkpoint directory.
    """

    root: Path

    def __call__(self) -> dict[str, Any]:
        """Run it; see ``Errand``."""
        messages: list[str] = []
        with Coordinator(self.root, threads=1, notify=messages.append) as coordinator:
            evaluator = coordinator.run(dataset(), lenskit_plan(), Evaluator(*METRICS))
        return {**results_of(evaluator), "failed": {}, "told": messages}


def results_of(evaluator: Evaluator) -> dict[str, Any]:
    """Return what a user sees of an evaluator, as a text and as numbers in full precision."""
    values = {
        f"{result.dataset}/{result.algorithm}/{result.fold}": {
            label: repr(value) for label, value in result.metrics.items()
        }
        for result in evaluator.results
    }
    layouts = tables(evaluator.results, Layout(evaluator.lower_is_better))
    return {"table": "\n".join(render(table, colour=False) for table in layouts), "values": values}


def wrong_numbers(outcome: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """Return the numbers of an outcome that differ from the reference; those that it lacks are not wrong."""
    return [
        f"{name} {label} is {value}, not {reference['values'].get(name, {}).get(label)}"
        for name, values in outcome["values"].items()
        for label, value in values.items()
        if reference["values"].get(name, {}).get(label) != value
    ]


def as_text(outcome: Mapping[str, Any]) -> str:
    """Return an outcome's results as one text, to be compared byte for byte."""
    return json.dumps({"table": outcome["table"], "values": outcome["values"]}, indent=1)


def finished_store(directory: Path) -> None:
    """Make a store of items that are done, computed in this process.

    Args:
        directory: The store, which is made.
    """
    with Coordinator(directory, environments="current", threads=1, notify=lambda _: None) as coordinator:
        guests: Any = InProcessGuests(Work(directory / "work"))
        coordinator.workbench.guests = guests
        coordinator.run(dataset(), plan(), Evaluator(*METRICS))
