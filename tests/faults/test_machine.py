"""Any order of runs, faults and damage: never a wrong number, never a dead end, and no damage that goes unnoticed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from faults import damage, invariants, plant, upkeep
from faults.children import CRASHED, Child, Ended, run
from faults.points import BROKEN, CRASH, FULL, Points
from omnibench.errors import StoreError
from omnibench.metrics.base import Metric
from omnibench.store.schema import RESETS, Record

_EVERYTHING: tuple[Metric, ...] = (*plant.ONE_MORE, *plant.LONGER)
_METRICS = (plant.METRICS, plant.ONE_MORE, plant.LONGER)
_HARMS: tuple[Callable[[Path], None], ...] = (
    partial(damage.flip, offset=-1),
    partial(damage.flip, offset=3, bits=0x80),
    partial(damage.cut, length=7),
    partial(damage.cut, length=0),
    damage.extend,
    Path.unlink,
)
metric_sets = st.sampled_from(_METRICS)
numbers = st.integers(0, 3)


def _directory() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="omnibench-machine-", dir=memory if os.access(memory, os.W_OK) else None))


class Stores(RuleBasedStateMachine):
    """A store through thick and thin."""

    references: ClassVar[dict[tuple[Metric, ...], dict[str, Any]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.directory = _directory()
        self.root = self.directory / "store"
        self.log, self.work = self.directory / "log", self.directory / "work"
        self.harmed: set[str] = set()
        """Artifacts that were damaged since they were last known to be intact."""
        self.shaken = False
        """Whether the records themselves were damaged, so that what they say need not be so."""

    def teardown(self) -> None:
        """Get through at last, to the right table and an intact store, and to nothing more to do."""
        if self.root.exists():
            self._finish(_EVERYTHING)
            self._finish(_EVERYTHING)
            left = [path for path in (self.root / "tmp").glob("*") if path.is_dir()]
            assert not left, f"left under tmp: {left}"
        shutil.rmtree(self.directory, ignore_errors=True)

    def reference(self, metrics: tuple[Metric, ...]) -> dict[str, Any]:
        """Return what a run from nothing finds."""
        if metrics not in self.references:
            ended = run(plant.Errand(self.directory / "reference", self.directory / "uncounted", metrics), self.log)
            assert ended.outcome is not None, ended.error
            self.references[metrics] = ended.outcome
        return self.references[metrics]

    def _errand(self, metrics: tuple[Metric, ...]) -> plant.Errand:
        return plant.Errand(self.root, self.work, metrics)

    def _finish(self, metrics: tuple[Metric, ...]) -> Ended:
        ended = run(self._errand(metrics), self.log)
        if self.shaken and ended.error.get("expected"):  # it may say that the next run will get through
            ended = run(self._errand(metrics), self.log)
        violations = invariants.broken_end(self.root, ended, self.reference(metrics))
        wrong = [
            violation for violation in violations if "results.json" not in violation and "I4" not in violation
        ]  # it has older metrics too
        assert not wrong, wrong
        return ended

    def _records(self) -> dict[str, Record]:
        try:
            return invariants.records_of(self.root)
        except StoreError:
            assert self.shaken, "the records cannot be read"
            return {}

    def _look(self) -> None:
        """No record names a file that is not so, except where we damaged it."""
        records = self._records()
        self.harmed &= (bad := invariants.damaged_artifacts(self.root, records))
        assert self.shaken or bad <= self.harmed, f"damaged: {bad - self.harmed}"

    @initialize(metrics=metric_sets)
    def begin(self, metrics: tuple[Metric, ...]) -> None:
        """A first run."""
        self._finish(metrics)

    @rule(metrics=metric_sets)
    def run_to_the_end(self, metrics: tuple[Metric, ...]) -> None:
        """What is recorded is not computed again, whatever is damaged is."""
        done = invariants.committed(self.root) if not self.shaken else set()
        before = plant.executed(self.work)
        self._finish(metrics)
        repeated = set(plant.executed(self.work)[len(before) :]) & done
        # A phase that was committed with lists of another length is another phase of the same name.
        assert not {phase for phase in repeated if phase[0] == "fit"}, repeated
        self.shaken = False
        self._look()

    @rule(metrics=metric_sets, at=st.integers(1, 500))
    def crash(self, metrics: tuple[Metric, ...], at: int) -> None:
        """A run that is ended at any operation."""
        ended = run(partial(_planted, Points(self.root, self.directory / "trail", at), self._errand(metrics)), self.log)
        assert ended.status == CRASHED or not invariants.broken_failure(ended, self.reference(metrics)), str(ended)
        self._look()

    @rule(metrics=metric_sets, at=st.integers(1, 500), how=st.sampled_from([FULL, BROKEN]), lasting=st.booleans())
    def fail(self, metrics: tuple[Metric, ...], at: int, how: str, lasting: bool) -> None:
        """A run in which an operation fails, or all from one on."""
        points = Points(self.root, self.directory / "trail", at, how, lasting)
        ended = run(partial(_planted, points, self._errand(metrics)), self.log)
        assert not (violations := invariants.broken_failure(ended, self.reference(metrics))), violations
        self._look()

    @rule(first=metric_sets, second=metric_sets, at=st.none() | st.integers(1, 500))
    def two_at_once(self, first: tuple[Metric, ...], second: tuple[Metric, ...], at: int | None) -> None:
        """Two runs on one store, of which one may be ended."""
        points = Points(self.root, self.directory / "trail", at or 0, CRASH)
        first_run = Child(partial(_planted, points, self._errand(first)), self.log)
        second_run = Child(self._errand(second), self.log)
        violations = invariants.broken_failure(second_run.wait(), self.reference(second))
        if first_run.wait().status != CRASHED:
            violations += invariants.broken_failure(first_run.wait(), self.reference(first))
        assert not violations, violations
        self._look()

    @rule(which=st.integers(0, 99), harm=st.sampled_from(_HARMS))
    def damage_artifact(self, which: int, harm: Callable[[Path], None]) -> None:
        """A file that a record names goes bad."""
        if (path := self._artifact(which)) is not None:
            harm(self.root / path)
            self.harmed.add(path)

    @rule(which=st.integers(0, 99), partner=st.integers(0, 99))
    def swap_artifacts(self, which: int, partner: int) -> None:
        """Two files that records name are exchanged."""
        first, second = self._artifact(which), self._artifact(partner)
        if first is not None and second is not None and first != second:
            damage.swap(self.root / first, self.root / second)
            self.harmed |= {first, second}

    def _artifact(self, which: int) -> str | None:
        records = self._records()
        named = {str(artifact["path"]) for record in records.values() for artifact in invariants.artifacts_of(record)}
        present = [path for path in sorted(named) if (self.root / path).is_file() and path not in self.harmed]
        return present[which % len(present)] if present else None

    @rule(
        which=st.integers(0, 99), position=st.floats(0, 1, exclude_max=True), bits=st.sampled_from([0x01, 0x80, 0x04])
    )
    def damage_record(self, which: int, position: float, bits: int) -> None:
        """A byte of a record is another."""
        with closing(sqlite3.connect(self.root / "store" / "cache.db", isolation_level=None)) as database:
            try:
                rows = database.execute("SELECT rowid, value FROM Cache ORDER BY key").fetchall()
            except sqlite3.DatabaseError:
                return  # it is too damaged already
            if not rows:
                return
            row, text = rows[which % len(rows)]
            content = bytearray(text if isinstance(text, bytes) else text.encode())
            content[int(position * len(content))] ^= bits
            # As text, which need not be UTF-8: that is how a flipped bit in the file looks.
            database.execute("UPDATE Cache SET value = CAST(? AS TEXT) WHERE rowid = ?", (bytes(content), row))
        self.shaken = True

    @rule(share=st.floats(0, 1))
    def cut_the_database(self, share: float) -> None:
        """The database lost its end."""
        database = self.root / "store" / "cache.db"
        if database.exists():
            damage.cut(database, int(share * database.stat().st_size))
            self.shaken = True

    @rule()
    def lose_the_log_of_the_database(self) -> None:
        """Somebody tidied up what SQLite keeps beside its database."""
        for name in ("cache.db-wal", "cache.db-shm"):
            (self.root / "store" / name).unlink(missing_ok=True)
        self.shaken = True

    @rule(which=numbers, selection=st.sampled_from(RESETS))
    def reset(self, which: int, selection: str) -> None:
        """An item's results are forgotten."""
        ended = run(upkeep.Reset(self.root, (which,), selection), self.log)
        assert not ended.hung
        assert ended.outcome is not None or (self.shaken and ended.error.get("expected")), ended.error
        self._look()

    @rule(which=numbers, models=st.booleans(), at=st.none() | st.integers(1, 60))
    def delete(self, which: int, models: bool, at: int | None) -> None:
        """An item is deleted, or its model; that may be ended at any operation."""
        errand = upkeep.Delete(self.root, which, models)
        points = Points(self.root, self.directory / "trail", at or 0, CRASH)
        ended = run(partial(_planted, points, errand), self.log)
        assert not ended.hung
        if ended.status != CRASHED:
            assert ended.outcome is not None or (self.shaken and ended.error.get("expected")), ended.error
            if not models and not self.shaken:
                assert not [key for key, record in self._records().items() if record.get("fit_key") == errand.fit_key]
        self._look()

    @rule()
    def collect(self) -> None:
        """What no record needs is removed, and nothing else."""
        ended = run(upkeep.Collect(self.root), self.log)
        assert not ended.hung
        assert ended.outcome is not None or (self.shaken and ended.error.get("expected")), ended.error
        self._look()

    @precondition(lambda _: bool(upkeep.older_stores()))
    @rule(which=st.integers(0, 9))
    def open_an_older_store(self, which: int) -> None:
        """A store that an earlier omnibench made takes this one's place."""
        stores = upkeep.older_stores()
        upkeep.thaw(stores[which % len(stores)], self.root)
        self.harmed, self.shaken = set(), False
        self._finish(plant.METRICS)


def _planted(points: Points, errand: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    points.plant()
    return errand()


_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.mark.slow
def test_a_few_histories_of_a_store() -> None:
    """The same few every day."""
    run_state_machine_as_test(
        Stores,
        settings=settings(
            max_examples=5,
            stateful_step_count=6,
            derandomize=True,
            database=None,
            suppress_health_check=_CHECKS,
            phases=[Phase.generate],
        ),
    )


@pytest.mark.faults
def test_many_histories_of_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    """Other ones every time; a failing one is made small and told."""
    examples, steps = 60, 20
    run_state_machine_as_test(
        Stores, settings=settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=_CHECKS)
    )
    with capsys.disabled():
        print(f"\nhistories: {examples} of up to {steps} steps tried, 0 violations")
