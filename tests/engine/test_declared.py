"""What scripts and notebooks declare: the store remembers it as it does what bench functions declare."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from omnibench import HR, NDCG, Evaluator, ExperimentPlan, FitTime, RecPack, UserHoldout, from_frame
from omnibench.engine import declared
from omnibench.engine.declared import note_declared
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.store import CheckpointStore
from omnibench.store.plans import INTERACTIVE, Planned, plan_of
from omnibench.store.schema import RecordType


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    """An empty store."""
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


def planned(k: int) -> list[Experiment]:
    """Return the experiment of an algorithm with a hyperparameter."""
    data = from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2]}), "few").pipe(UserHoldout())
    plan = ExperimentPlan()
    plan.add_algorithm(RecPack.ItemKNN, {"K": k})
    return experiments(data, plan, [HR(5)], versions=lambda _: "1", seeds=[1])


def plan_in(store: CheckpointStore) -> list[Planned]:
    """Return the plan that a store remembers."""
    return store.read(lambda reader: plan_of(reader.records(RecordType.PLAN.prefix)))


def begin(monkeypatch: pytest.MonkeyPatch, script: Path | None) -> None:
    """Begin as a new process of a script does, or of a notebook."""
    monkeypatch.setattr(declared, "_declared", {})
    main = sys.modules["__main__"]
    if script is None:
        monkeypatch.delattr(main, "__file__", raising=False)
    else:
        monkeypatch.setattr(main, "__file__", str(script), raising=False)


def test_a_script_declares_what_its_last_process_ran(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All plans of one process together; a later process replaces them, and writes nothing when they are the same."""
    monkeypatch.chdir(tmp_path)
    begin(monkeypatch, tmp_path / "scripts" / "measure.py")
    for k, evaluator in ((1, Evaluator(NDCG(10), FitTime())), (2, Evaluator(HR(5)))):
        note_declared(store, planned(k), evaluator.columns)
    (part,) = plan_in(store)
    assert (part.source, part.root) == ("scripts/measure.py", str(tmp_path))
    assert part.columns == {"NDCG@10": True, "HR@5": True}
    assert part.items == {planned(1)[0].fit_key, planned(2)[0].fit_key}
    begin(monkeypatch, tmp_path / "scripts" / "measure.py")
    note_declared(store, planned(2), Evaluator(HR(5)).columns)
    (part,) = plan_in(store)
    assert part.items == {planned(2)[0].fit_key}
    noted = store.snapshot()
    monkeypatch.setattr("omnibench.store.plans.timestamp", lambda: "later")
    begin(monkeypatch, tmp_path / "scripts" / "measure.py")
    note_declared(store, planned(2), Evaluator(HR(5)).columns)
    assert store.snapshot() == noted


def test_a_notebook_goes_on(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarted, it runs a part of its cells, and what the others declared stays; two scripts are two sources."""
    for k in (1, 2):
        begin(monkeypatch, None)
        note_declared(store, planned(k), Evaluator(HR(5)).columns)
    (part,) = plan_in(store)
    assert part.source == INTERACTIVE
    assert len(part.items) == 2
    begin(monkeypatch, Path("/elsewhere/other.py"))
    note_declared(store, planned(3), Evaluator(HR(5)).columns)
    assert {part.source for part in plan_in(store)} == {INTERACTIVE, "/elsewhere/other.py"}
