"""Searches that several runs on one store have at once, some of which are ended; a Grid of the same configurations beside."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from faults import invariants, plant
from faults.algorithms import Blended
from faults.children import Child, run
from faults.searches import SearchErrand, Undisturbed, broken_trials, judged_dataset, trials_in
from faults.sweeps import Tally
from faults.upkeep import Collect
from omnibench.data.dataset import RecSysDataSet
from omnibench.experiment.grid import Grid
from omnibench.experiment.plan import ExperimentPlan

_PATIENCE = 120.0
_PAUSE = 0.05
"""Seconds that each Fit takes longer, so that the runs meet."""


@dataclass(frozen=True)
class GridErrand(plant.Errand):
    """A run with the configurations that a search tries as items of their own.

    Attributes:
        depths: The configurations that can be fitted.
    """

    depths: tuple[int, ...] = ()

    @property
    def inputs(self) -> tuple[RecSysDataSet, ExperimentPlan]:
        """The dataset and the plan."""
        plan = ExperimentPlan("points")
        plan.add_algorithm(Blended, {"depth": Grid(list(self.depths))})
        return judged_dataset(), plan


class Meeting:
    """Runs that meet at one search.

    Args:
        directory: An empty directory of its own.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._errand = SearchErrand(directory / "reference", directory / "uncounted")
        ended = run(self._errand, directory / "log")
        assert ended.outcome is not None, ended.error
        self._expected = ended.outcome
        self._undisturbed = Undisturbed.of(directory / "reference")
        trials = self._undisturbed.trials.values()
        self._depths = tuple(trial["parameters"]["depth"] for trial in trials if trial["number"] and trial["value"])

    def round(self, seed: int, *, with_grid: bool) -> list[str]:
        """One store, several runs, some signals, and garbage collections; return what was wrong."""
        directory = self._directory / f"{seed}-{with_grid}"
        directory.mkdir()
        root, work = directory / "store", directory / "work"
        errand = replace(self._errand, root=root, work=work, pause=_PAUSE)
        points = GridErrand(root, work, pause=_PAUSE, depths=self._depths)
        violations, ends = _met([errand, errand, points] if with_grid else [errand, errand], seed)
        violations += broken_trials(root, self._undisturbed.trials)
        violations += [
            f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, invariants.records_of(root))
        ]
        resumed, results = run(errand, directory / "log"), None
        if with_grid:
            ended = run(points, directory / "log")
            assert ended.outcome is not None, ended.error
            results = invariants.exported_values(ended.outcome) | invariants.exported_values(self._expected)
        violations += invariants.broken_end(root, resumed, self._expected, results)
        violations += invariants.broken_agreement(root)
        violations += broken_trials(root, self._undisturbed.trials) if with_grid else self._undisturbed.broken_end(root)
        if trials_in(root).keys() != self._undisturbed.trials.keys():
            violations.append(f"T3 the trials are {sorted(trials_in(root))}")
        fits = Counter(key for operation, key in plant.executed(work) if operation == "fit")
        spare = sum(fits.values()) - len(self._undisturbed.trials)
        # A configuration whose model a search has dropped is fitted again where a plan needs its predictions.
        if spare > ends + (len(self._depths) if with_grid else 0):
            violations.append(f"I3 {spare} fits in vain with {ends} runs ended")
        return violations


def _met(errands: Sequence[plant.Errand], seed: int) -> tuple[list[str], int]:
    """Let runs meet, and signals some of them; return what was wrong with their ends, and how many were signalled."""
    chance, root, ends = random.Random(seed), errands[0].root, 0
    log = root.with_name("log")
    children, others = [Child(errand, log) for errand in errands], list[Child]()
    for _ in range(chance.randrange(1, 5)):
        time.sleep(chance.uniform(0.0, 0.25))
        if root.exists() and chance.random() < 0.4:
            others.append(Child(Collect(root), log))  # which is refused while a run is at it
        child = chance.choice(children)
        if child.poll() is None:
            child.send(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            ends += 1
        if chance.random() < 0.4:
            children.append(Child(errands[0], log))
    violations = []
    for child in (*children, *others):
        ended = child.wait(_PATIENCE)
        if ended.hung or (ended.status >= 0 and ended.outcome is None and not ended.error.get("expected")):
            violations.append(f"I6 {ended}\n{ended.error}")
    return violations, ends


def _rounds(directory: Path, seeds: range) -> Tally:
    meeting, tally = Meeting(directory), Tally("rounds of runs that meet at a search")
    for seed in seeds:
        for with_grid in (False, True):
            tally.take(f"seed {seed}{', a grid' if with_grid else ''}", meeting.round(seed, with_grid=with_grid))
    return tally


@pytest.mark.slow
def test_runs_that_meet_at_a_search(directory: Path) -> None:
    """Each trial is computed once, and once more for each run that was ended; trials and choice are those of one run."""
    _rounds(directory, range(2)).check()


@pytest.mark.faults
def test_many_runs_that_meet_at_a_search(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty rounds, and thirty with a Grid of the same configurations."""
    tally = _rounds(directory, range(100, 130))
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()
