"""Fits of users' classes that are killed and resumed in new processes, by the engine: the same model, bit by bit."""

from __future__ import annotations

import linecache
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from support import resumable
from support.markers import starts_guests
from support.scripted_items import interactions

from omnibench import NDCG, Coordinator, Evaluator, ExperimentPlan, MakeImplicit, UserHoldout, from_frame
from omnibench.engine.attempt import Attempt
from omnibench.engine.items import Item
from omnibench.errors import PhaseError
from omnibench.experiment.planning import experiments
from omnibench.snapshots.control import Snapshots

CELLS = '''
import os, signal
from pathlib import Path
import numpy as np

rng = np.random.default_rng(11)

class OfCells:
    """A class of a notebook, with a generator of the notebook's own."""

    def __init__(self, script=""):
        self.script = script

    def fit(self, train, items, report):
        if report.iteration == 0:
            self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
        for iteration in range(report.iteration + 1, 7):
            if Path(self.script).is_file() and int(Path(self.script).read_text()) < iteration:
                Path(self.script).unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            self.scores = self.scores * 0.9 + rng.random(len(items)) + np.random.rand()
            report(iteration=iteration, iterations=6)

    def recommend(self, users, k):
        return [[*zip(self.items, self.scores)] for _ in users]
'''


@pytest.fixture
def of_cells(monkeypatch: pytest.MonkeyPatch) -> type:
    """A class of a notebook, as IPython keeps its source."""
    module, file = ModuleType("__main__"), "<ipython-input-7>"
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.setitem(linecache.cache, file, (len(CELLS), None, CELLS.splitlines(keepends=True), file))
    vars(module)["_ih"] = ["", CELLS]
    exec(compile(CELLS, file, "exec"), vars(module))
    algorithm: type = vars(module)["OfCells"]
    return algorithm


@pytest.fixture(scope="module")
@starts_guests
def coordinators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Coordinator]]:
    """Two stores: one for what is not interrupted, and one for what is."""
    roots = [tmp_path_factory.mktemp("resumed") / name for name in ("whole", "killed")]
    with (
        Coordinator(roots[0], threads=1, notify=lambda _: None) as whole,
        Coordinator(roots[1], threads=1, notify=lambda _: None) as killed,
    ):
        yield [whole, killed]


def item_of(algorithm: type, script: Path) -> Item:
    """Return the item of a class that a file tells when to die."""
    evaluator = Evaluator(NDCG(5))
    plan = ExperimentPlan("resumed", snapshots=Snapshots(every_iterations=1))
    plan.add_algorithm(algorithm, {"script": str(script)})
    data = from_frame(interactions(), "tiny").pipe(MakeImplicit(2), UserHoldout(0, 0.3))
    (experiment,) = experiments(data, plan, evaluator.metrics, versions=lambda _: "1", seeds=[42])
    return Item.of(experiment, evaluator)


def attempt(coordinator: Coordinator, item: Item) -> None:
    """Make an attempt at an item."""
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        Attempt(coordinator.workbench, item, lease).run()


def files_of(coordinator: Coordinator, item: Item) -> dict[str, bytes]:
    """Return the model and the predictions of an item, by path."""
    name = item.experiment.configuration.label
    root = coordinator.store.root
    files = [path for path in root.rglob("*") if path.name.startswith(("model.", "predictions")) and name in str(path)]
    assert len(files) > 1
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def resumed_is_whole(coordinators: list[Coordinator], item: Item, script: Path, kill_after: int) -> None:
    """Fit an item uninterrupted, and killed and resumed; compare the files."""
    whole, killed = coordinators
    attempt(whole, item)
    script.write_text(str(kill_after))
    with pytest.raises(PhaseError, match="SIGKILL"):
        attempt(killed, item)
    attempt(killed, item)
    expected, resumed = files_of(whole, item), files_of(killed, item)
    if item.experiment.configuration.label.startswith("Native"):  # whose author stores less than there was
        models = [
            files.pop(next(path for path in files if path.endswith("model.pkl"))) for files in (expected, resumed)
        ]
        scores = [pickle.loads(model).scores.tobytes() for model in models]
        assert scores[0] == scores[1]
    assert expected == resumed


@pytest.mark.parametrize(
    "algorithm", [resumable.Walk, resumable.Inherited, resumable.Native, resumable.Supplied, resumable.Named]
)
@pytest.mark.slow
def test_resumed_in_another_process(algorithm: type, coordinators: list[Coordinator], tmp_path: Path) -> None:
    """With its own methods, pickled, with a part made anew, and with generators of its modules and of others."""
    script = tmp_path / "script"
    resumed_is_whole(coordinators, item_of(algorithm, script), script, 3)


@pytest.mark.slow
def test_a_class_of_a_notebook_is_resumed(of_cells: type, coordinators: list[Coordinator], tmp_path: Path) -> None:
    """Its module is made of the source again, with its generator in the state of the snapshot."""
    script = tmp_path / "script"
    resumed_is_whole(coordinators, item_of(of_cells, script), script, 4)


@pytest.mark.slow
def test_a_class_that_begins_again_is_begun_anew(coordinators: list[Coordinator], tmp_path: Path) -> None:
    """Said aloud, in the process that was to go on; with what the uninterrupted Fit makes."""
    script = tmp_path / "script"
    with pytest.warns(
        UserWarning, match=r"Again\.fit goes on with iteration 1, where 3 was the last.*the Fit begins anew"
    ):
        resumed_is_whole(coordinators, item_of(resumable.Again, script), script, 3)


@pytest.mark.slow
def test_a_missing_part_fails_the_item(coordinators: list[Coordinator], tmp_path: Path) -> None:
    """With what to do; the snapshot stays."""
    script = tmp_path / "script"
    with pytest.raises(PhaseError, match=r"lacks lock of Locked.*no restore_parts.*--omnirec-reset=failed"):
        resumed_is_whole(coordinators, item_of(resumable.Locked, script), script, 3)
