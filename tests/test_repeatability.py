"""What the catalogue says of seeds and threads holds: every algorithm is fitted with others, and predicts as it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.file_modules import module_of

from omnibench.data.prepare import prepare
from omnibench.runners.info import RunnerInfo, algorithm_info
from omnibench.runners.registry import get_runner

BENCHMARKS = Path(__file__).parent.parent / "benchmarks" / "catalogue"

LIMIT = 60
"""Seconds of a fit; what takes longer is left to those who measure the catalogue anew."""


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    """The script by which the catalogue was measured."""
    return module_of(BENCHMARKS / "repeatability.py")


def predicted(
    measuring: ModuleType, runner: RunnerInfo, names: Sequence[str], users: str, passes: Sequence[str], folder: Path
) -> dict[str, list[dict[str, str]]]:
    """By algorithm, for each kind of data that it takes, the sha256 of what each pass predicted."""
    for name, dataset in measuring.datasets(users).items():
        (folder / name).mkdir()
        prepare(dataset, folder / name)
    chosen = measuring.experiments(runner, names, folder)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for label in passes:
        threads, seed = measuring.PASSES[label]
        answers: list[dict[str, Any]] = list(measuring.answers(runner, chosen, threads, seed, LIMIT))
        assert len(answers) == len(chosen)
        for answer in answers:
            if "sha256" in answer:
                found.setdefault((answer["algorithm"], answer["dataset"]), {})[label] = answer["sha256"]
            else:
                assert "TimeoutError" in answer["error"], answer
    complete: dict[str, list[dict[str, str]]] = {}
    for (name, _), digests in found.items():
        if len(digests) == len(passes):
            complete.setdefault(name, []).append(digests)
    return complete


def check(runner: RunnerInfo, found: dict[str, list[dict[str, str]]]) -> None:
    """Let a test fail whose catalogue says other than what was found."""
    for name, runs in found.items():
        info = algorithm_info(runner, name)
        full_name = f"{runner.name}.{name}"
        equal = {
            label: all(digests[label] == digests["reference"] for digests in runs)
            for label in runs[0].keys() - {"reference"}
        }
        assert equal.pop("again", True), f"{full_name} differs from run to run with one thread"
        assert equal.pop("seed") == info["deterministic"], f"{full_name}: deterministic is {info['deterministic']}"
        assert all(equal.values()) or info["threads"], (
            f"{full_name} depends on threads, and its catalogue says otherwise"
        )


@pytest.mark.slow
@pytest.mark.guests
def test_some_of_the_catalogue_holds(measuring: ModuleType, tmp_path: Path) -> None:
    """An algorithm that depends on threads, another that does so on some machines, and a third that does not."""
    runner, names = get_runner("LensKit"), ["EASEScorer", "ImplicitMFScorer", "PopScorer"]
    found = predicted(measuring, runner, names, "250", ["reference", "seed", "2 threads"], tmp_path)
    assert found.keys() == set(names)
    differs = {name for name, runs in found.items() if runs[0]["2 threads"] != runs[0]["reference"]}
    assert {"EASEScorer"} <= differs <= {"EASEScorer", "ImplicitMFScorer"}, "else this measures nothing"
    check(runner, found)


@pytest.mark.catalogue
@pytest.mark.guests
@pytest.mark.parametrize("framework", ["LensKit", "RecPack", "RecBole", "Implicit", "Cornac", "Surprise", "RecTools"])
def test_the_catalogue_holds(framework: str, measuring: ModuleType, tmp_path: Path) -> None:
    """Of every algorithm that is quick on MovieLens-100K: with two seeds, in two runs, with 1, 2 and 4 threads."""
    runner = get_runner(framework)
    names = list(runner.catalogue["algorithms"])
    found = predicted(
        measuring, runner, names, "all", ["reference", "again", "seed", "2 threads", "4 threads"], tmp_path
    )
    assert len(found) >= 0.75 * len(names)
    check(runner, found)
