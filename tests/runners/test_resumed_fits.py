"""Fits that are killed and go on from a snapshot in another process, against those that nobody interrupts: to the byte."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.guest_scripts import GUEST, run

from omnibench.runners.info import learns_from_features
from omnibench.runners.registry import get_runner

DIRECTORY = Path(__file__).parents[2] / "benchmarks" / "snapshots"
DYNAMIC = {"distribution": "uniform", "sample_num": 1, "dynamic": True, "candidate_num": 4, "alpha": 1.0}
"""The negative item of a pair is the one of four that the network likes best."""

pytestmark = pytest.mark.guests


@pytest.fixture
def resumed_fits(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that makes the table of the documentation."""
    monkeypatch.syspath_prepend(DIRECTORY)
    return importlib.import_module("resumed_fits")


@pytest.fixture
def directories(resumed_fits: ModuleType, tmp_path: Path) -> dict[str, Path]:
    """The small data set with and without a validation part."""
    published: dict[str, Path] = resumed_fits.published(tmp_path)
    return published


def _inexact(
    resumed_fits: ModuleType, algorithms: dict[str, Any], directories: dict[str, Path], work: Path
) -> list[Any]:
    """Return the comparisons that are not exact, of all places where a Fit of RecBole's is killed."""
    comparisons = list(resumed_fits.compare("RecBole", algorithms, directories, work / "fits"))
    assert len(comparisons) == 3 * len(algorithms) * len(directories)
    return [comparison for comparison in comparisons if not comparison.is_exact]


@pytest.mark.slow
def test_a_killed_fit_goes_on_to_the_same_model(
    resumed_fits: ModuleType, directories: dict[str, Path], tmp_path: Path
) -> None:
    """Killed between two batches, RecBole's MultiVAE has the model, predictions and losses of a Fit that nobody killed.

    So has one whose snapshots are off, with no points at all.
    """
    dataset = directories[resumed_fits.WITH_VALIDATION]
    settings = {"epochs": 4, "train_batch_size": 16, "stopping_step": 1}
    snapshot = str(tmp_path / "killed" / "snapshots" / "point_8")
    jobs = [
        resumed_fits.job("MultiVAE", settings, dataset, tmp_path / "whole"),
        resumed_fits.job("MultiVAE", settings, dataset, tmp_path / "killed", take=[8], kill=10),
        resumed_fits.job("MultiVAE", settings, dataset, tmp_path / "resumed", resume=snapshot),
        resumed_fits.job("MultiVAE", settings, dataset, tmp_path / "off", off=True),
    ]
    whole, killed, resumed, off = resumed_fits.run_jobs("RecBole", jobs, tmp_path / "run", 1)
    assert killed["snapshots"][0]["within"]
    assert "digest" not in killed
    for name in ("digest", "series", "history", "epochs"):
        assert resumed[name] == whole[name], name
    assert len(resumed["points"]) == len(whole["points"]) - 8
    assert off["points"] == [], "nothing is prepared, and nothing is asked for"
    assert [off[name] for name in ("digest", "epochs")] == [whole[name] for name in ("digest", "epochs")]
    for file in ("predictions.npy", "model/model.pt"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "resumed" / file).read_bytes(), file


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "algorithm", "settings"),
    [
        ("RecBole", "BPR", {"epochs": 3, "train_batch_size": 256}),
        ("LensKit", "FlexMFImplicitScorer", {"epochs": 3, "batch_size": 200}),
        ("RecPack", "MultVAE", {"max_epochs": 3, "batch_size": 16}),
    ],
)
def test_damage_of_the_newest_snapshot_leaves_the_one_before_intact(
    resumed_fits: ModuleType,
    directories: dict[str, Path],
    tmp_path: Path,
    framework: str,
    algorithm: str,
    settings: dict[str, Any],
) -> None:
    """No file of a snapshot is a file of another one, or of the Fit: whatever is overwritten in place, the older one goes on.

    Two are taken within the second epoch, where all that belongs to the best epoch so far is in both.
    """
    dataset, work = directories[resumed_fits.WITH_VALIDATION], tmp_path / "work"
    (whole,) = resumed_fits.run_jobs(
        framework, [resumed_fits.job(algorithm, settings, dataset, work / "whole")], work / "run-whole", 1
    )
    number = whole["points"].index([1, True]) + 1
    taken = resumed_fits.job(algorithm, settings, dataset, work / "killed", take=[number, number + 1], kill=number + 1)
    (killed,) = resumed_fits.run_jobs(framework, [taken], work / "run-killed", 1)
    older, newest = (Path(snapshot["directory"]) for snapshot in killed["snapshots"])
    assert {path.name for path in older.iterdir()} == {path.name for path in newest.iterdir()}
    for path in newest.iterdir():
        with path.open("r+b") as file:
            file.write(b"damaged" * 1000)
    resumed_job = resumed_fits.job(algorithm, settings, dataset, work / "resumed", resume=str(older))
    (resumed,) = resumed_fits.run_jobs(framework, [resumed_job], work / "run-resumed", 2)
    assert "error" not in resumed
    assert [resumed[name] for name in ("digest", "epochs")] == [whole[name] for name in ("digest", "epochs")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "parameters"),
    [
        ("RecVAE", {"epochs": 3, "clip_grad_norm": {"max_norm": 0.5, "norm_type": 2}}),
        ("RecVAE", {"epochs": 2, "n_enc_epochs": 2, "n_dec_epochs": 2}),
        ("SGL", {"epochs": 3, "type": "RW"}),
        ("BPR", {"epochs": 3, "learner": "adagrad", "valid_metric": "MRR@5"}),
        ("BPR", {"epochs": 3, "learner": "rmsprop", "train_neg_sample_args": DYNAMIC}),
        ("NeuMF", {"epochs": 3, "eval_step": 2, "stopping_step": 0}),
        ("NeuMF", {"epochs": 3, "enable_amp": True}),
        ("DiffRec", {"epochs": 3}),
    ],
)
def test_other_settings(
    resumed_fits: ModuleType,
    directories: dict[str, Path],
    tmp_path: Path,
    algorithm: str,
    parameters: dict[str, Any],
) -> None:
    """Clipped gradients, several passes in an epoch, graphs drawn anew, other optimizers and samplers go on exactly, too."""
    settings = {algorithm: {"train_batch_size": 128, **parameters}}
    assert not _inexact(resumed_fits, settings, directories, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("point", [8, 11], ids=["between two batches", "between two epochs"])
@pytest.mark.parametrize("model", ["GRU4Rec", "SASRec", "BERT4Rec"])
def test_sequential_models(environment_python: Callable[[str], Path], tmp_path: Path, model: str, point: int) -> None:
    """RecBole's sequential models go on exactly: recurrent layers, attention, and items that are masked at random."""
    run(environment_python("RecBole"), "recbole_sequential.py", GUEST, model, point, "answers.json", cwd=tmp_path)
    whole, resumed = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert resumed["points"] == whole["points"] - point
    assert [resumed[name] for name in ("digest", "epochs")] == [whole[name] for name in ("digest", "epochs")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "algorithms"),
    [("Cornac", ("BiVAECF", "CTR", "HFT", "NMF", "VBPR")), ("RecTools", ("DSSMModel", "LightFMWrapperModel"))],
)
def test_loops_inside_of_frameworks(
    resumed_fits: ModuleType, tmp_path: Path, framework: str, algorithms: tuple[str, ...]
) -> None:
    """Models whose loops, optimizers and generators are variables of their frameworks go on exactly, too."""
    offered = resumed_fits.iterative(framework)
    comparisons = list(resumed_fits.compare_all(framework, {name: offered[name] for name in algorithms}, tmp_path))
    assert len(comparisons) == 3 * len(algorithms) * 2
    assert [str(comparison) for comparison in comparisons if not comparison.is_exact] == []


@pytest.mark.catalogue
def test_all_of_recbole(resumed_fits: ModuleType, directories: dict[str, Path], tmp_path: Path) -> None:
    """Every algorithm that trains by epochs goes on exactly, wherever it is killed."""
    algorithms = resumed_fits.iterative("RecBole")
    offered = get_runner("RecBole").catalogue["algorithms"]
    sampled = {*resumed_fits.SEQUENTIAL, *resumed_fits.OF_FEATURES}
    assert set(algorithms) == {"KD_DAGFM"} | {  # which has no hyperparameter that says for how long it has trained
        name
        for name, info in offered.items()
        if "epochs" in info and (name in sampled or not (info.get("sequential") or learns_from_features(info)))
    }
    assert not _inexact(resumed_fits, algorithms, directories, tmp_path)
