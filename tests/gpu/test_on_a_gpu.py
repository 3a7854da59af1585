"""What algorithms compute on a GPU beside what they compute on the CPU; without a GPU there is nothing to try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from omnibench import (
    NDCG,
    Evaluator,
    ExperimentPlan,
    LeaveLastOut,
    MakeImplicit,
    Policy,
    RecBole,
    RecSysDataSet,
    Subsample,
    UserHoldout,
    load_dataset,
    open_store,
    run_omnirec,
)
from omnibench.runners.machine import gpus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.guests,
    pytest.mark.skipif(not gpus(), reason="there is no NVIDIA GPU"),
]

MODELS: dict[str, dict[str, Any]] = {
    "BPR": {"epochs": 10},
    "LightGCN": {"epochs": 10},
    "MultiVAE": {"epochs": 10},
    "SASRec": {"epochs": 3},
}
DRAWING_ON_THE_DEVICE = ("MultiVAE", "SASRec")
"""Their dropout, and what a variational autoencoder samples, is drawn from the device's own generator: other lists as of another seed."""


class Computed(NamedTuple):
    """What a device has computed.

    Attributes:
        ndcg: NDCG@10.
        phases: The phases of the item.
        predictions: The file of its lists.
    """

    ndcg: float
    phases: pd.DataFrame
    predictions: Path

    @property
    def recommendations(self) -> set[tuple[int, int]]:
        """The pairs of users and items."""
        columns = json.loads(self.predictions.read_text(encoding="utf-8"))
        return set(zip(columns["user"], columns["item"], strict=True))


def computed(name: str, device: str, directory: Path) -> Computed:
    """Fit a model on a device, and recommend."""
    movielens = load_dataset("MovieLens100K").pipe(MakeImplicit(3), Subsample(300, of="users"))
    data: RecSysDataSet = movielens.pipe(LeaveLastOut() if name == "SASRec" else UserHoldout(0.1, 0.2))
    plan = ExperimentPlan("devices")
    plan.add_algorithm(getattr(RecBole, name), MODELS[name])
    run_omnirec(data, plan, Evaluator(NDCG(10)), directory, policy=Policy(device=device), quiet=True)
    store = open_store(directory)
    (ndcg,) = store.results()["value"]
    (predictions,) = directory.rglob("predictions.json")
    return Computed(ndcg, store.phases(), predictions)


@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_computes_what_the_cpu_computes(name: str, tmp_path: Path) -> None:
    """NDCG@10 within a tenth; of what draws on the host alone, nine of ten recommendations are the same."""
    on_cpu, on_gpu = (computed(name, device, tmp_path / device) for device in ("cpu", "cuda"))
    fits = on_gpu.phases[on_gpu.phases["phase"] == "Fit"]
    assert (fits["gpu_peak"] > 0).all(), "the peak memory of the GPU is recorded"
    assert on_gpu.ndcg == pytest.approx(on_cpu.ndcg, rel=0.1)
    if name not in DRAWING_ON_THE_DEVICE:
        expected = on_cpu.recommendations
        assert len(expected & on_gpu.recommendations) >= 0.9 * len(expected)


@pytest.mark.parametrize("name", MODELS)
def test_deterministic_operations_give_the_same_numbers_again(name: str, tmp_path: Path) -> None:
    """Byte for byte, in two processes."""
    first, again = (computed(name, "cuda-deterministic", tmp_path / run) for run in ("first", "again"))
    assert first.predictions.read_bytes() == again.predictions.read_bytes()
