"""A framework whose models are random walks, with a point after each step; files tell it when to die or to wait."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from omnibench import NDCG, Evaluator, ExperimentPlan, Grid, MakeImplicit, RunnerInfo, UserHoldout, from_frame
from omnibench.engine.items import Item
from omnibench.experiment.planning import experiments
from omnibench.snapshots.control import Snapshots
from support.scripted_items import interactions

RUNNER = RunnerInfo(
    "Walks", "numpy", "support.walks", 1, algorithms={"Walk": {"parameters": {"steps": 8, "script": "", "pause": 0.0}}}
)
DATA = from_frame(interactions(), "tiny").pipe(MakeImplicit(2), UserHoldout(0, 0.3))


def item_of(script: Path, steps: int = 8, snapshots: Snapshots | None = None, seed: int = 42) -> Item:
    """Return the item of a walk; two scripts make two items."""
    evaluator = Evaluator(NDCG([5, 10]))
    plan = ExperimentPlan("walks", snapshots=snapshots)
    plan.add_algorithm("Walks.Walk", {"steps": steps, "script": Grid([str(script)])})
    (experiment,) = experiments(DATA, plan, evaluator.metrics, versions=lambda _: "1", seeds=[seed])
    return Item.of(experiment, evaluator)


def version() -> str:
    """Return the version of the framework."""
    return "1"


def catalogue() -> dict[str, Any]:
    """Return nothing: the runner's information has it."""
    return {}


def fit(task: Any, fold: Any) -> tuple[Any, dict[str, Any]]:
    """Walk; ``die 5`` in the script kills the process after step 5, once, ``fail`` and ``full`` make snapshots fail.

    With ``lack`` they lack something that nobody makes anew, with ``nothing`` there are none.
    """
    parameters = {"steps": 8, "script": "", "pause": 0.0, **task.parameters}
    script = Path(parameters["script"])
    state: dict[str, Any] = {"scores": np.zeros(fold.n_items), "random": np.random.default_rng(task.seed), "step": 0}
    with task.snapshots.restoring() as directory:
        if directory is not None:
            state = pickle.loads((directory / "walk.pkl").read_bytes())

    def save(directory: Path) -> list[str]:
        if "fail" in _read(script):
            raise RuntimeError("the walk does not stand still")
        if "full" in _read(script):
            raise OSError(errno.ENOSPC, "No space left on device")
        (directory / "walk.pkl").write_bytes(pickle.dumps(state))
        return ["shoes"] if "lack" in _read(script) else []

    task.snapshots.supplies = "lack" not in _read(script)
    if "nothing" in _read(script):
        task.snapshots.nothing("this walk leaves no trace")
    steps = parameters["steps"]
    task.snapshots.point(save, iteration=state["step"], iterations=steps, unit="step")
    for step in range(state["step"] + 1, steps + 1):
        state["scores"] += state["random"].normal(size=fold.n_items)
        state["step"] = step
        print("step", step)
        task.report(epoch=step, epochs=steps, loss=float(state["scores"].mean()))
        task.snapshots.point(save, iteration=step, iterations=steps, unit="step")
        if f"die {step}" in _read(script):
            script.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        while "wait" in _read(script):
            script.with_suffix(".waiting").touch()
            task.snapshots.point(save, iteration=step, iterations=steps, unit="step", within=True)
            time.sleep(0.01)
    return state["scores"], parameters


def _read(script: Path) -> list[str]:
    return script.read_text().splitlines() if script.is_file() else []


def save(model: Any, directory: Path) -> Path:
    """Store the scores."""
    path = directory / "model.npy"
    np.save(path, model)
    return path


def load(path: Path, task: Any, fold: Any) -> Any:  # noqa: ARG001 - as guests call it
    """Read the scores."""
    return np.load(path)


def score(model: Any, task: Any, fold: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ARG001 - as guests call it
    """Score everybody alike."""
    for start in range(0, len(fold.users), 100):
        users = fold.users[start : start + 100]
        yield users, np.tile(model.astype(np.float32), (len(users), 1))


def rate(model: Any, task: Any, fold: Any) -> Any:
    """Predict no ratings."""
    raise NotImplementedError
