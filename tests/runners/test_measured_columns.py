"""What was measured of the algorithms: that it is there, and that it goes with what the frameworks say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnibench.runners.registry import RunnerInfo, algorithm_info, register_runner, runners

FRAMEWORKS = [runner for runner in runners() if runner.measured_file is not None]


@pytest.mark.parametrize("runner", FRAMEWORKS, ids=lambda runner: runner.name)
def test_every_algorithm_was_measured_in_the_version_of_the_catalogue(runner: RunnerInfo) -> None:
    """Who changes the version of a framework measures again: benchmarks/catalogue says how."""
    assert runner.measured_file is not None
    measured = json.loads(runner.measured_file.read_text(encoding="utf-8"))
    assert measured["version"] == runner.catalogue["version"]
    assert measured["algorithms"].keys() == runner.catalogue["algorithms"].keys()
    for name in measured["algorithms"]:
        info = algorithm_info(runner, name)
        assert (type(info["deterministic"]), type(info["threads"])) == (bool, bool)
        for spread in info.get("seed_spread", {}).values():
            assert not info["deterministic"]
            assert spread["sd"] >= 0
            assert spread["seeds"] > 2
            assert spread["data"]


def test_what_differed_between_threads_is_known() -> None:
    """Those that an independent measurement has found to differ, metrics of EASE among them."""
    found = {
        "LensKit": ["EASEScorer", "ImplicitMFScorer"],
        "RecBole": ["ADMMSLIM", "GCMC", "LightGCN", "NGCF", "NNCF", "RecVAE", "SGL", "SpectralCF"],
        "RecPack": ["NMF", "RecVAE"],
    }
    assert all(algorithm_info(runner, name)["threads"] for runner in FRAMEWORKS for name in found[runner.name])


def test_a_registered_framework_says_it_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its algorithms say of threads and seeds counts; where they say nothing, nothing is known."""
    (tmp_path / "quiet_adapter.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("omnibench.runners.registry._RUNNERS", {})
    algorithms = {"Sums": {"threads": True, "deterministic": True}, "Counts": {"threads": False}, "Silent": {}}
    register_runner(RunnerInfo("Quiet", "numpy", "quiet_adapter", 1, algorithms=algorithms))
    (runner,) = runners()
    stated = {name: (info["threads"], info["deterministic"]) for name, info in runner.catalogue["algorithms"].items()}
    assert stated == {"Sums": (True, True), "Counts": (False, None), "Silent": (None, None)}
