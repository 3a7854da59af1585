"""LensKit's and RecPack's Fits that are killed and go on from a snapshot are those that nobody kills, to the last byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from support.file_modules import module_of

import omnibench
from omnibench.data.prepare import prepare

DRIVER = Path(__file__).parents[2] / "benchmarks" / "snapshots" / "resumed_fits.py"


@pytest.fixture(scope="module")
def driver() -> ModuleType:
    """The script by which the rows of the documentation are made."""
    return module_of(DRIVER)


def check(driver: ModuleType, framework: str, algorithms: Mapping[str, Mapping[str, Any]], work: Path) -> list[Any]:
    """Let a test fail where a Fit that was killed has other parameters, predictions or losses; return the comparisons."""
    comparisons = list(driver.compare_all(framework, algorithms, work))
    different = [comparison for comparison in comparisons if not comparison.is_exact]
    assert different == []
    assert {comparison.algorithm for comparison in comparisons} == {f"{framework}.{name}" for name in algorithms}
    return comparisons


@pytest.mark.slow
@pytest.mark.guests
def test_lenskit_goes_on_exactly(driver: ModuleType, tmp_path: Path) -> None:
    """Factors, the convolutions of a network in the middle of an epoch, and the epochs of a loop that is compiled code."""
    few: dict[str, dict[str, Any]] = {
        "ImplicitMFScorer": {"epochs": 3},
        "FlexMFImplicitScorer": {"epochs": 3, "batch_size": 200, "preset": "lightgcn"},
        "FunkSVDScorer": {"epochs": 3, "embedding_size": 3},
    }
    comparisons = check(driver, "LensKit", few, tmp_path)
    within = {comparison.algorithm for comparison in comparisons if comparison.place.within}
    assert within == {"LensKit.FlexMFImplicitScorer"}


@pytest.mark.slow
@pytest.mark.guests
def test_recpack_goes_on_exactly(driver: ModuleType, tmp_path: Path) -> None:
    """Users in random orders, sampled pairs, two optimizers, the items of SLIM and the iterations of NMF."""
    names = ("RecVAE", "BPRMF", "SLIM", "NMF")
    few = {name: {**driver.iterative("RecPack")[name]} for name in names}
    few["RecVAE"]["max_epochs"] = few["BPRMF"]["max_epochs"] = 3
    comparisons = check(driver, "RecPack", few, tmp_path)
    within = {comparison.algorithm for comparison in comparisons if comparison.place.within}
    assert within == {"RecPack.RecVAE", "RecPack.BPRMF"}


@pytest.mark.slow
@pytest.mark.guests
def test_recpack_stops_early_after_it_has_gone_on(driver: ModuleType, tmp_path: Path) -> None:
    """The best value, the epochs without a better one and the best network are those of the Fit that nobody killed."""
    options = {"max_epochs": 40, "batch_size": 16, "stop_early": True, "max_iter_no_change": 2, "min_improvement": 0.02}
    directories = {name: path for name, path in driver.published(tmp_path).items() if name == driver.WITH_VALIDATION}
    comparisons = list(driver.compare("RecPack", {"MultVAE": options}, directories, tmp_path))
    assert [comparison.is_exact for comparison in comparisons] == [True, True, True]
    assert comparisons[0].iterations < 40, "else it has not stopped early"


@pytest.mark.slow
@pytest.mark.guests
def test_the_training_data_is_in_no_snapshot(driver: ModuleType, tmp_path: Path) -> None:
    """A snapshot in the middle of an epoch is as large for five times as many interactions of the same users and items."""
    sizes: dict[str, list[int]] = {}
    algorithms = {"LensKit": ("FlexMFImplicitScorer", {"batch_size": 60}), "RecPack": ("BPRMF", {"batch_size": 60})}
    for step in (1, 5):
        pairs = [(user, item) for user in range(40) for item in range(50) if (user + item) % step == 0]
        data = omnibench.from_frame(pd.DataFrame(pairs, columns=["user", "item"]), "pairs")
        directory = tmp_path / f"data_{step}"
        directory.mkdir()
        prepare(data.pipe(omnibench.UserHoldout(0.0, 0.2)), directory)
        for framework, (name, options) in algorithms.items():
            work = tmp_path / f"{framework}_{step}"
            job = driver.job(name, options, directory, work, take=[3])
            (answer,) = driver.run_jobs(framework, [job], work / "run", 1)
            assert answer["points"][2] == [0, True]
            sizes.setdefault(framework, []).append(answer["snapshots"][0]["bytes"])
    # The pairs that one has more than the other would be 10,000 bytes at least; a pickle varies by some hundreds.
    assert all(max(of_both) - min(of_both) < 3000 for of_both in sizes.values()), sizes


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(
    ("framework", "names"), [("LensKit", ("PopScorer", "EASEScorer")), ("RecPack", ("Popularity", "EASE"))]
)
def test_what_is_computed_in_one_call_says_so_once(
    driver: ModuleType, tmp_path: Path, framework: str, names: tuple[str, ...]
) -> None:
    """Such a Fit has no point, and a single line in its log why."""
    directory = driver.published(tmp_path)[driver.WITHOUT_VALIDATION]
    jobs = [driver.job(name, {}, directory, tmp_path / name, take=[1]) for name in names]
    answers = driver.run_jobs(framework, jobs, tmp_path / "run", 1)
    assert [(answer.get("error"), answer["points"]) for answer in answers] == [(None, [])] * len(names)
    log = (tmp_path / "run" / "log").read_text(encoding="utf-8")
    for name in names:
        assert log.count(f"nothing to snapshot: {name} is computed in one call") == 1


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.catalogue
@pytest.mark.parametrize("framework", ["LensKit", "RecPack"])
def test_all_that_trains_in_steps_goes_on_exactly(driver: ModuleType, tmp_path: Path, framework: str) -> None:
    """Every algorithm with points, with and without a validation part, killed at three places."""
    algorithms = driver.iterative(framework)
    check(driver, framework, algorithms, tmp_path)
    rows = json.dumps(sorted(algorithms))
    assert ("NMF" in rows) is (framework == "RecPack")
